import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { TopicAdmin, TopicConfigEntry } from '../cluster/topic-admin.ts'
import { compileTopicFilter } from '../config/name-filter.ts'
import type { Config } from '../config/types.ts'
import { type ReplicationPolicy, replicationPolicy } from '../rewrite/replication-policy.ts'
import type { LogSink } from './flow-context.ts'

/** A source topic that is mirrored, and its destination topic, which exists with as many partitions. */
export interface CatalogTopic {
  readonly topic: string
  readonly partitions: number
  readonly destinationTopic: string
  /** The destination topic's `max.message.bytes`. */
  readonly batchBytesMax: number
}

/** Kafka's default of `max.message.bytes`, for brokers that do not let us read configurations. */
const BATCH_BYTES_MAX_DEFAULT = 1_048_588
const DESCRIBE_TOPICS_MAX = 500
const VISIBLE_RETRY_FIRST_MS = 20
const VISIBLE_RETRY_MAX_MS = 500
const VISIBLE_TIMEOUT_MS = 5_000

/** Topic settings that are the destination's own business (MirrorMaker 2's `config.properties.exclude`). */
const CONFIGS_EXCLUDED = new Set([
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
  'message.timestamp.difference.max.ms',
  'message.timestamp.type',
  'unclean.leader.election.enable',
  'min.insync.replicas'
])

/**
 * The topics of one flow: which of the source's are mirrored, and that each has its counterpart at the destination
 * before a record goes there.
 */
export class TopicCatalog {
  readonly #config: Config
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #sourceAdmin: TopicAdmin
  readonly #destinationAdmin: TopicAdmin
  readonly #policy: ReplicationPolicy
  readonly #isSelected: (topic: string) => boolean
  readonly #log: LogSink
  readonly #refusedLogged = new Set<string>()
  #topics = new Map<string, CatalogTopic>()
  #isComplete = false

  constructor(
    config: Config,
    clusters: { source: Cluster; destination: Cluster; sourceAdmin: TopicAdmin; destinationAdmin: TopicAdmin },
    log: LogSink
  ) {
    this.#config = config
    this.#source = clusters.source
    this.#destination = clusters.destination
    this.#sourceAdmin = clusters.sourceAdmin
    this.#destinationAdmin = clusters.destinationAdmin
    this.#isSelected = compileTopicFilter(config)
    this.#log = log
    this.#policy = replicationPolicy(
      config.replicationPolicy,
      this.#source.alias,
      this.#destination.alias,
      config.replicationPolicySeparator
    )
  }

  /** The destination's name for a source topic, whether it is there or not. */
  destinationTopic(topic: string): string {
    return this.#policy.destinationTopic(topic)
  }

  get topics(): ReadonlyMap<string, CatalogTopic> {
    return this.#topics
  }

  /** Whether the last refresh left out none that is to be mirrored. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /**
   * Looks at both clusters, creates and grows what is missing at the destination.
   * A topic that can't be prepared is left out, said so, and tried again by the next call.
   * @throws ClusterError where a cluster does not answer, or both are the same one
   */
  async refresh(): Promise<void> {
    await Promise.all([this.#source.refresh(), this.#destination.refresh()])
    if (this.#source.clusterId !== undefined && this.#source.clusterId === this.#destination.clusterId) {
      throw new ClusterError(
        'SAME_CLUSTER',
        `${this.#source.alias} and ${this.#destination.alias} are the same cluster (${this.#source.clusterId}): ` +
          'check their BOOTSTRAP_SERVERS',
        false
      )
    }
    const selected = [...this.#source.topics()].filter(({ name }) => this.#isSelected(name) && !this.#isRefused(name))
    await this.#prepare(selected)
    const limits = await this.#batchLimits(selected.map(({ name }) => this.#policy.destinationTopic(name)))
    const topics = new Map<string, CatalogTopic>()
    for (const { name, partitions } of selected) {
      const destinationTopic = this.#policy.destinationTopic(name)
      if ((this.#destination.topic(destinationTopic)?.partitions.length ?? 0) < partitions.length) continue
      topics.set(name, {
        topic: name,
        partitions: partitions.length,
        destinationTopic,
        batchBytesMax: limits.get(destinationTopic) ?? BATCH_BYTES_MAX_DEFAULT
      })
    }
    this.#topics = topics
    this.#isComplete = topics.size === selected.length
  }

  #isRefused(topic: string): boolean {
    const reason = this.#policy.refusal(topic)
    if (reason === null) return false
    if (!this.#refusedLogged.has(topic)) {
      this.#refusedLogged.add(topic)
      this.#log('info', `not mirrored: ${reason}`, { topic })
    }
    return true
  }

  /** Creates what is missing and grows what is short at the destination. */
  async #prepare(selected: readonly TopicMetadata[]): Promise<void> {
    const countAt = (topic: TopicMetadata) =>
      this.#destination.topic(this.#policy.destinationTopic(topic.name))?.partitions.length ?? 0
    const missing = selected.filter(topic => countAt(topic) === 0)
    const short = selected.filter(topic => countAt(topic) > 0 && countAt(topic) < topic.partitions.length)
    if (missing.length + short.length === 0) return
    const configs = await this.#sourceConfigs(missing.map(topic => topic.name))
    for (const topic of missing) {
      const name = this.#policy.destinationTopic(topic.name)
      await this.#attempt(`creating ${name}`, topic, async () => {
        const partitions = topic.partitions.length
        const { replicationFactor } = this.#config
        await this.#destinationAdmin.createTopic({
          name,
          partitions,
          replicationFactor,
          configs: configs.get(topic.name) ?? []
        })
        this.#log('info', 'destination topic created', { topic: topic.name, destinationTopic: name, partitions })
      })
    }
    for (const topic of short) {
      const name = this.#policy.destinationTopic(topic.name)
      await this.#attempt(`adding partitions to ${name}`, topic, async () => {
        await this.#destinationAdmin.growTopic(name, topic.partitions.length)
        this.#log('info', 'partitions added at the destination', {
          topic: topic.name,
          destinationTopic: name,
          partitions: topic.partitions.length
        })
      })
    }
    await this.#awaitVisible(() => selected.every(topic => countAt(topic) >= topic.partitions.length))
  }

  /** The broker that is asked may hear of a new topic a moment after the one that made it. */
  async #awaitVisible(isVisible: () => boolean): Promise<void> {
    const backoff = new Backoff(VISIBLE_RETRY_FIRST_MS, VISIBLE_RETRY_MAX_MS)
    const deadlineMs = performance.now() + VISIBLE_TIMEOUT_MS
    do {
      await pause(backoff.nextMs())
      await this.#destination.refresh()
    } while (!isVisible() && performance.now() < deadlineMs)
  }

  async #attempt(doing: string, topic: TopicMetadata, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#log('error', `${doing} failed; the topic is left out until it works`, { topic: topic.name, error: reason })
    }
  }

  /** What was set on the source topics themselves and is worth having at the destination from the beginning. */
  async #sourceConfigs(topics: readonly string[]): Promise<Map<string, TopicConfigEntry[]>> {
    if (!this.#config.syncTopicConfigs || topics.length === 0) return new Map()
    const described = await this.#describe(this.#sourceAdmin, topics)
    return new Map(
      [...described].map(([topic, { set }]) => [topic, set.filter(entry => !CONFIGS_EXCLUDED.has(entry.name))])
    )
  }

  async #batchLimits(destinationTopics: readonly string[]): Promise<Map<string, number>> {
    const existing = destinationTopics.filter(topic => this.#destination.topic(topic) !== undefined)
    const described = await this.#describe(this.#destinationAdmin, existing)
    return new Map(
      [...described].map(([topic, { effective }]) => [
        topic,
        Number(effective.get('max.message.bytes') ?? BATCH_BYTES_MAX_DEFAULT)
      ])
    )
  }

  async #describe(admin: TopicAdmin, topics: readonly string[]): ReturnType<TopicAdmin['describeConfigs']> {
    const described: Awaited<ReturnType<TopicAdmin['describeConfigs']>> = new Map()
    for (let from = 0; from < topics.length; from += DESCRIBE_TOPICS_MAX) {
      try {
        const part = await admin.describeConfigs(topics.slice(from, from + DESCRIBE_TOPICS_MAX))
        for (const [topic, configs] of part) described.set(topic, configs)
      } catch (error) {
        // Without DESCRIBE_CONFIGS the defaults serve: nothing is lost, batches may have to be split on refusal.
        this.#log('warn', 'topic configurations can’t be read; using defaults', {
          error: error instanceof Error ? error.message : String(error)
        })
      }
    }
    return described
  }
}
