import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import { platformaticOptions } from './client-options.ts'
import { toClusterError } from './errors.ts'

/** One entry of a topic's configuration that was set on the topic itself. */
export interface TopicConfigEntry {
  readonly name: string
  readonly value: string
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  /** `undefined`: the broker's default. */
  readonly replicationFactor: number | undefined
  readonly configs: readonly TopicConfigEntry[]
}

/** Kafka's ConfigSource for entries set on the topic, as opposed to defaults. */
const DYNAMIC_TOPIC_CONFIG = 1
const BROKER_DEFAULT = -1
const REQUEST_TIMEOUT_MS = 20_000

/** Creates and describes topics of one cluster. */
export class TopicAdmin {
  readonly #alias: string
  readonly #admin: Admin

  constructor(cluster: ClusterConfig, clientId: string) {
    this.#alias = cluster.alias
    this.#admin = new Admin({
      ...platformaticOptions(cluster),
      clientId,
      bootstrapBrokers: cluster.bootstrapServers.map(({ host, port }) => ({ host, port })),
      retries: 0,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectTimeout: REQUEST_TIMEOUT_MS
    })
  }

  /** Creates a topic; that it exists already is no error. */
  async createTopic({ name, partitions, replicationFactor, configs }: NewTopic): Promise<void> {
    await this.#ask(`creating topic ${name}`, ['TOPIC_ALREADY_EXISTS'], () =>
      this.#admin.createTopics({
        topics: [name],
        partitions,
        replicas: replicationFactor ?? BROKER_DEFAULT,
        configs: configs.map(entry => ({ name: entry.name, value: entry.value }))
      })
    )
  }

  /** Raises a topic's partition count; that it has as many already is no error. */
  async growTopic(name: string, partitions: number): Promise<void> {
    await this.#ask(`adding partitions to topic ${name}`, ['INVALID_PARTITIONS'], () =>
      this.#admin.createPartitions({ topics: [{ name, count: partitions, assignments: null }], validateOnly: false })
    )
  }

  /** What was set on each topic itself, and every entry's value in force. */
  async describeConfigs(
    topics: readonly string[]
  ): Promise<Map<string, { readonly set: TopicConfigEntry[]; readonly effective: Map<string, string> }>> {
    const described = await this.#ask('describing topic configurations', [], () =>
      this.#admin.describeConfigs({
        resources: topics.map(resourceName => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName })),
        includeSynonyms: false,
        includeDocumentation: false
      })
    )
    return new Map(
      (described ?? []).map(({ resourceName, configs }) => {
        const known = configs.filter(entry => entry.value != null && !entry.isSensitive)
        const set = known
          .filter(entry => entry.configSource === DYNAMIC_TOPIC_CONFIG && !entry.readOnly)
          .map(entry => ({ name: entry.name, value: entry.value! }))
        return [resourceName, { set, effective: new Map(known.map(entry => [entry.name, entry.value!])) }]
      })
    )
  }

  /** Sets entries of a topic's configuration, where they have another value in force; the others stay. @throws ClusterError */
  async setConfigs(topic: string, entries: readonly TopicConfigEntry[]): Promise<void> {
    const effective = (await this.describeConfigs([topic])).get(topic)?.effective
    const changed = entries.filter(({ name, value }) => effective?.get(name) !== value)
    if (changed.length === 0) return
    await this.#ask(`configuring topic ${topic}`, [], () =>
      this.#admin.incrementalAlterConfigs({
        resources: [
          {
            resourceType: ConfigResourceTypes.TOPIC,
            resourceName: topic,
            configs: changed.map(entry => ({ ...entry, configOperation: IncrementalAlterConfigOperationTypes.SET }))
          }
        ],
        validateOnly: false
      })
    )
  }

  async close(): Promise<void> {
    await this.#admin.close()
  }

  async #ask<T>(doing: string, harmless: readonly string[], ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      const failure = toClusterError(error, `${this.#alias}: ${doing}`)
      if (harmless.includes(failure.code)) return undefined
      throw failure
    }
  }
}
