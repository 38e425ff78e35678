import {
  Admin,
  type ConfigDescription,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes
} from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import { type AclBinding, fromAcl, LITERAL_TOPIC_ACLS, toAcl } from './acl.ts'
import { platformaticOptions } from './client-options.ts'
import { adminAnswerDespiteErrors, brokerAnswer, brokerError, ClusterError } from './errors.ts'
import { connectionError } from './refusal.ts'
import { within } from './retry.ts'

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

/** An entry of a topic's configuration, set or not. */
export interface ConfigEntry {
  /** In force; `null` where the broker keeps it to itself. */
  readonly value: string | null
  /** Who set it: the topic itself, its broker or cluster, or nobody (Kafka's own default). */
  readonly origin: 'topic' | 'broker' | 'default'
  /** Read-only or sensitive. */
  readonly isFixed: boolean
}

/** Every entry that the topic's cluster knows of, by name. */
export type TopicConfig = ReadonlyMap<string, ConfigEntry>

/** What is to become of an entry: a value set on the topic, or, with `null`, none set any more. */
export interface ConfigChange {
  readonly name: string
  readonly value: string | null
}

/** Kafka's ConfigSource for entries set on the topic, and for those nobody has set. */
const DYNAMIC_TOPIC_CONFIG = 1
const DEFAULT_CONFIG = 5
/** What an answer says of each part of a request; the library passes on only what is needed of those without an error. */
interface Outcome {
  readonly errorCode: number
  readonly errorMessage: string | null
}

const BROKER_DEFAULT = -1
const DESCRIBED_TOPICS_MAX = 500
const ALTERED_TOPICS_MAX = 200
const CREATED_ACLS_MAX = 500
const REQUEST_TIMEOUT_MS = 20_000
/** Of a whole call, which may ask several brokers, one after the other. */
const ANSWER_TIMEOUT_MS = 120_000

/** Creates and describes topics of one cluster. */
export class TopicAdmin {
  readonly #cluster: ClusterConfig
  readonly #clientId: string
  readonly #alias: string
  #admin: Admin

  constructor(cluster: ClusterConfig, clientId: string) {
    this.#cluster = cluster
    this.#clientId = clientId
    this.#alias = cluster.alias
    this.#admin = this.#newAdmin()
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

  /** Deletes a topic with all that is in it; that there is none is no error. */
  async deleteTopic(name: string): Promise<void> {
    await this.#ask(`deleting topic ${name}`, ['UNKNOWN_TOPIC_OR_PARTITION'], () =>
      this.#admin.deleteTopics({ topics: [name] })
    )
  }

  /** The configuration of each topic, or why the cluster does not tell it. @throws ClusterError where it does not answer */
  async describeConfigs(topics: readonly string[]): Promise<Map<string, TopicConfig | ClusterError>> {
    const described = new Map<string, TopicConfig | ClusterError>()
    for (let from = 0; from < topics.length; from += DESCRIBED_TOPICS_MAX) {
      const resources = topics
        .slice(from, from + DESCRIBED_TOPICS_MAX)
        .map(resourceName => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName }))
      const { results } = await this.#despiteErrors('describing topic configurations', 'results', async () => {
        const configs: (ConfigDescription & Partial<Outcome>)[] = await this.#admin.describeConfigs({
          resources,
          includeSynonyms: false,
          includeDocumentation: false
        })
        return { results: configs }
      })
      for (const { resourceName, configs, errorCode = 0, errorMessage } of results) {
        const context = `${this.#alias}: describing the configuration of topic ${resourceName}`
        described.set(
          resourceName,
          errorCode === 0 ? topicConfig(configs) : brokerError(errorCode, context, { said: errorMessage })
        )
      }
    }
    return described
  }

  /**
   * Changes topics' configurations (KIP-339).
   * @param validateOnly only finds out whether it could
   * @returns why it failed, of each topic where it did. @throws ClusterError where the cluster does not answer
   */
  async alterConfigs(
    changes: ReadonlyMap<string, readonly ConfigChange[]>,
    { validateOnly = false } = {}
  ): Promise<Map<string, ClusterError>> {
    const failures = new Map<string, ClusterError>()
    const resources = [...changes].map(([resourceName, entries]) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configs: entries.map(alteration)
    }))
    for (let from = 0; from < resources.length; from += ALTERED_TOPICS_MAX) {
      const part = resources.slice(from, from + ALTERED_TOPICS_MAX)
      const { responses } = await this.#despiteErrors<{ responses: (Outcome & { resourceName: string })[] }>(
        'changing topic configurations',
        'responses',
        async () => {
          await this.#admin.incrementalAlterConfigs({ resources: part, validateOnly })
          return { responses: [] }
        }
      )
      for (const { resourceName, errorCode, errorMessage } of responses) {
        const context = `${this.#alias}: changing the configuration of topic ${resourceName}`
        if (errorCode !== 0) failures.set(resourceName, brokerError(errorCode, context, { said: errorMessage }))
      }
    }
    return failures
  }

  /** The ACLs of topics that are named literally. @throws ClusterError, `SECURITY_DISABLED` where there is no authorizer */
  async topicAcls(): Promise<AclBinding[]> {
    const described = await this.#ask('listing the ACLs of topics', [], () =>
      this.#admin.describeAcls({ filter: LITERAL_TOPIC_ACLS })
    )
    return (described ?? []).flatMap(target => target.acls.flatMap(permission => fromAcl(target, permission)))
  }

  /** Creates ACLs of topics; those that are there already are no error. @throws ClusterError for the first that fails */
  async createTopicAcls(bindings: readonly AclBinding[]): Promise<void> {
    for (let from = 0; from < bindings.length; from += CREATED_ACLS_MAX) {
      const creations = bindings.slice(from, from + CREATED_ACLS_MAX).map(toAcl)
      const { results } = await this.#despiteErrors<{ results: Outcome[] }>('creating ACLs', 'results', async () => {
        await this.#admin.createAcls({ creations })
        return { results: [] }
      })
      const failed = results.find(({ errorCode }) => errorCode !== 0)
      if (failed === undefined) continue
      throw brokerError(failed.errorCode, `${this.#alias}: creating ACLs`, { said: failed.errorMessage })
    }
  }

  /** Sets entries of a topic's configuration, where they have another value in force; the others stay. @throws ClusterError */
  async setConfigs(topic: string, entries: readonly TopicConfigEntry[]): Promise<void> {
    const described = (await this.describeConfigs([topic])).get(topic)
    if (described instanceof ClusterError) throw described
    const changed = entries.filter(({ name, value }) => described?.get(name)?.value !== value)
    if (changed.length === 0) return
    const [failure] = (await this.alterConfigs(new Map([[topic, changed]]))).values()
    if (failure !== undefined) throw failure
  }

  async close(): Promise<void> {
    await this.#admin.close()
  }

  #newAdmin(): Admin {
    return new Admin({
      ...platformaticOptions(this.#cluster),
      clientId: this.#clientId,
      bootstrapBrokers: this.#cluster.bootstrapServers.map(({ host, port }) => ({ host, port })),
      retries: 0,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectTimeout: REQUEST_TIMEOUT_MS
    })
  }

  async #ask<T>(doing: string, harmless: readonly string[], ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#answered(ask)
    } catch (error) {
      const failure = connectionError(error, `${this.#alias}: ${doing}`, this.#cluster)
      if (harmless.includes(failure.code)) return undefined
      throw failure
    }
  }

  /**
   * What is asked, or why there is no answer. The library keeps a connection that it could not even begin to open (where a
   * file for TLS is missing for a moment), and whoever asks by it next would wait for ever: so an admin that has failed
   * without an answer is not asked again, and one that says nothing at all is left.
   */
  async #answered<T>(ask: () => Promise<T>): Promise<T> {
    const admin = this.#admin
    try {
      return await within(ask(), ANSWER_TIMEOUT_MS, tooLate)
    } catch (error) {
      if (brokerAnswer(error) === undefined && this.#admin === admin) {
        this.#admin = this.#newAdmin()
        admin.close().catch(() => {})
      }
      throw error
    }
  }

  /** As `ask`, for requests whose answers may be errors in parts: which ones is for the caller to see. */
  async #despiteErrors<Answer>(
    doing: string,
    field: keyof Answer & string,
    ask: () => Promise<Answer>
  ): Promise<Answer> {
    try {
      return await this.#answered(ask)
    } catch (error) {
      const answer = adminAnswerDespiteErrors<Answer>(error, field)
      if (answer === undefined) throw connectionError(error, `${this.#alias}: ${doing}`, this.#cluster)
      return answer
    }
  }
}

/** Fails long after every connection and request of one call should have given up by itself. */
function tooLate(): never {
  throw new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)
}

function topicConfig(entries: ConfigDescription['configs']): TopicConfig {
  return new Map(
    entries.map(({ name, value, configSource, readOnly, isSensitive }) => {
      const origin =
        configSource === DYNAMIC_TOPIC_CONFIG ? 'topic' : configSource === DEFAULT_CONFIG ? 'default' : 'broker'
      return [name, { value: value ?? null, origin, isFixed: readOnly || isSensitive }]
    })
  )
}

function alteration({ name, value }: ConfigChange) {
  const { SET, DELETE } = IncrementalAlterConfigOperationTypes
  return value === null ? { name, configOperation: DELETE } : { name, configOperation: SET, value }
}
