import type { AclOperation } from '../cluster/acl.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { TopicAdmin, TopicConfig } from '../cluster/topic-admin.ts'
import { Complaints, type Log } from './complaints.ts'
import { copiedConfigs } from './config-rules.ts'
import type { KeptTopic } from './kept-topic.ts'
import { topicFailure } from './missing-acl.ts'

const VISIBLE_RETRY_FIRST_MS = 20
const VISIBLE_RETRY_MAX_MS = 500
const VISIBLE_TIMEOUT_MS = 5_000

export interface TopicMakerOptions {
  readonly destination: Cluster
  readonly admin: TopicAdmin
  /** `undefined`: the broker's default. */
  readonly replicationFactor: number | undefined
  readonly log: Log
}

/** Sees to it that each destination topic is there, with as many partitions as its source. */
export class TopicMaker {
  readonly #destination: Cluster
  readonly #admin: TopicAdmin
  readonly #replicationFactor: number | undefined
  readonly #log: Log
  readonly #complaints: Complaints

  constructor({ destination, admin, replicationFactor, log }: TopicMakerOptions) {
    this.#destination = destination
    this.#admin = admin
    this.#replicationFactor = replicationFactor
    this.#log = log
    this.#complaints = new Complaints(log)
  }

  /** Whether nothing is missing at the destination, as it was last heard of. */
  isReady({ destinationTopic, partitions }: KeptTopic): boolean {
    return this.#partitionsOf(destinationTopic) >= partitions
  }

  /** Whether it has to be created. */
  isMissing({ destinationTopic }: KeptTopic): boolean {
    return this.#partitionsOf(destinationTopic) === 0
  }

  /**
   * Creates what is missing and grows what is short. A topic with which that fails is said, and stays as it is.
   * @param sourceConfigs of the source topics by name: what was set on them is set from the beginning
   * @throws ClusterError where the destination does not tell its topics
   */
  async prepare(topics: readonly KeptTopic[], sourceConfigs: ReadonlyMap<string, TopicConfig>): Promise<void> {
    const lacking = topics.filter(topic => !this.isReady(topic))
    const prepared: KeptTopic[] = []
    for (const topic of lacking) {
      const isPrepared = this.isMissing(topic)
        ? await this.#create(topic, sourceConfigs.get(topic.topic))
        : await this.#grow(topic)
      if (isPrepared) prepared.push(topic)
    }
    if (prepared.length > 0) await this.#awaitVisible(prepared)
  }

  async #create(
    { topic, destinationTopic, partitions }: KeptTopic,
    sourceConfig: TopicConfig | undefined
  ): Promise<boolean> {
    return this.#attempt(`creating ${destinationTopic}`, { topic, destinationTopic, operation: 'CREATE' }, async () => {
      await this.#admin.createTopic({
        name: destinationTopic,
        partitions,
        replicationFactor: this.#replicationFactor,
        configs: sourceConfig === undefined ? [] : copiedConfigs(sourceConfig)
      })
      this.#log('info', 'destination topic created', { topic, destinationTopic, partitions })
    })
  }

  async #grow({ topic, destinationTopic, partitions }: KeptTopic): Promise<boolean> {
    const attempted = { topic, destinationTopic, operation: 'ALTER' } as const
    return this.#attempt(`adding partitions to ${destinationTopic}`, attempted, async () => {
      await this.#admin.growTopic(destinationTopic, partitions)
      this.#log('info', 'partitions added at the destination', { topic, destinationTopic, partitions })
    })
  }

  /** @returns whether it worked */
  async #attempt(
    doing: string,
    { topic, destinationTopic, operation }: { topic: string; destinationTopic: string; operation: AclOperation },
    work: () => Promise<void>
  ): Promise<boolean> {
    try {
      await work()
      this.#complaints.settle(topic)
      return true
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      const reason = topicFailure(error, operation, destinationTopic, this.#destination.alias)
      const message = `${doing} failed; the topic is left out until it works`
      this.#complaints.say(topic, 'error', message, { topic, error: reason })
      return false
    }
  }

  /** The broker that is asked may hear of a new topic a moment after the one that made it. */
  async #awaitVisible(topics: readonly KeptTopic[]): Promise<void> {
    const backoff = new Backoff(VISIBLE_RETRY_FIRST_MS, VISIBLE_RETRY_MAX_MS)
    const deadlineMs = performance.now() + VISIBLE_TIMEOUT_MS
    do {
      await pause(backoff.nextMs())
      await this.#destination.refresh()
    } while (!topics.every(topic => this.isReady(topic)) && performance.now() < deadlineMs)
  }

  #partitionsOf(destinationTopic: string): number {
    return this.#destination.topic(destinationTopic)?.partitions.length ?? 0
  }
}
