import { ClusterError } from '../cluster/errors.ts'
import type { ConfigChange, TopicAdmin, TopicConfig } from '../cluster/topic-admin.ts'
import { Complaints, type Log } from './complaints.ts'
import { configChanges, copiedConfigs } from './config-rules.ts'
import type { KeptTopic } from './kept-topic.ts'
import { topicFailure } from './missing-acl.ts'

export interface ConfigSyncOptions {
  readonly source: { readonly alias: string; readonly admin: TopicAdmin }
  readonly destination: { readonly alias: string; readonly admin: TopicAdmin }
  /** Whether configurations are kept alike at all, or only read. */
  readonly isOn: boolean
  readonly log: Log
}

/** Has the configurations of destination topics follow their sources'. Whatever fails is said, and tried again next time. */
export class ConfigSync {
  readonly #options: ConfigSyncOptions
  readonly #complaints: Complaints
  /** By source topic, the entries that were set on it and have not been seen to be gone at the destination. */
  #setBefore = new Map<string, ReadonlySet<string>>()

  constructor(options: ConfigSyncOptions) {
    this.#options = options
    this.#complaints = new Complaints(options.log)
  }

  /** Of the source topics by name; nothing of those that can't be read, or when configurations are not kept alike. */
  async readSource(topics: readonly KeptTopic[]): Promise<Map<string, TopicConfig>> {
    if (!this.#options.isOn) return new Map()
    return this.#read(
      'source',
      topics.map(({ topic }) => topic)
    )
  }

  /**
   * Changes what differs at the destination.
   * @returns the destination topics' configurations in force, by name; nothing of those that can't be read
   */
  async sync(
    topics: readonly KeptTopic[],
    sourceConfigs: ReadonlyMap<string, TopicConfig>
  ): Promise<Map<string, TopicConfig>> {
    const names = topics.map(({ destinationTopic }) => destinationTopic)
    const configs = await this.#read('destination', names)
    const changes = this.#changes(topics, sourceConfigs, configs)
    if (changes.size === 0) return configs
    await this.#change(topics, changes)
    for (const [topic, config] of await this.#read('destination', [...changes.keys()])) configs.set(topic, config)
    return configs
  }

  /** By destination topic. */
  #changes(
    topics: readonly KeptTopic[],
    sourceConfigs: ReadonlyMap<string, TopicConfig>,
    destinationConfigs: ReadonlyMap<string, TopicConfig>
  ): Map<string, readonly ConfigChange[]> {
    const all = new Map<string, readonly ConfigChange[]>()
    const setBefore = new Map<string, ReadonlySet<string>>()
    for (const { topic, destinationTopic } of topics) {
      const source = sourceConfigs.get(topic)
      const destination = destinationConfigs.get(destinationTopic)
      const before = this.#setBefore.get(topic)
      if (source === undefined || destination === undefined) {
        if (before !== undefined) setBefore.set(topic, before)
        continue
      }
      const changes = configChanges(source, destination, before)
      if (changes.length > 0) all.set(destinationTopic, changes)
      else this.#complaints.settle(destinationTopic)
      const removed = changes.filter(({ value }) => value === null)
      setBefore.set(topic, new Set([...copiedConfigs(source), ...removed].map(({ name }) => name)))
    }
    this.#setBefore = setBefore
    return all
  }

  async #change(topics: readonly KeptTopic[], changes: ReadonlyMap<string, readonly ConfigChange[]>): Promise<void> {
    const { destination, log } = this.#options
    const failures = await this.#despiteTrouble(`changing at ${destination.alias}`, () =>
      destination.admin.alterConfigs(changes)
    )
    if (failures === undefined) return
    for (const { topic, destinationTopic } of topics) {
      const changed = changes.get(destinationTopic)
      if (changed === undefined) continue
      const entries = changed.map(changeText)
      const failure = failures.get(destinationTopic)
      if (failure === undefined) {
        this.#complaints.settle(destinationTopic)
        log('info', 'destination topic configured as its source', { topic, destinationTopic, entries })
      } else {
        const error = topicFailure(failure, 'ALTER_CONFIGS', destinationTopic, destination.alias)
        const message = `configuring ${destinationTopic} as its source failed; it is mirrored all the same`
        this.#complaints.say(destinationTopic, 'warn', message, { topic, entries, error })
      }
    }
  }

  /** Without DESCRIBE_CONFIGS defaults serve: nothing is lost, batches may have to be split on refusal. */
  async #read(side: 'source' | 'destination', topics: readonly string[]): Promise<Map<string, TopicConfig>> {
    const { alias, admin } = this.#options[side]
    const described = await this.#despiteTrouble(`reading at ${alias}`, () => admin.describeConfigs(topics))
    const configs = new Map<string, TopicConfig>()
    for (const [topic, config] of described ?? []) {
      const about = `${alias} ${topic}`
      if (config instanceof ClusterError) {
        const error = topicFailure(config, 'DESCRIBE_CONFIGS', topic, alias)
        this.#complaints.say(about, 'warn', 'a topic’s configuration can’t be read; using defaults', { topic, error })
      } else {
        this.#complaints.settle(about)
        configs.set(topic, config)
      }
    }
    return configs
  }

  /** Configurations are not worth holding up what is mirrored. */
  async #despiteTrouble<T>(doing: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await ask()
      this.#complaints.settle(doing)
      return answer
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      this.#complaints.say(doing, 'warn', 'keeping topic configurations alike failed, trying again', {
        error: error.message
      })
      return undefined
    }
  }
}

/** An entry's change in a line. */
function changeText({ name, value }: ConfigChange): string {
  return value === null ? `${name} removed` : `${name}=${value}`
}
