import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  type AlterClientQuotasOptions,
  ClientQuotaKeys,
  ConfigResourceTypes,
  FetchIsolationLevels,
  IncrementalAlterConfigOperationTypes,
  ResourcePatternTypes,
  ResourceTypes
} from '@platformatic/kafka'
import { until } from './wait.ts'

/** Where a partition begins and ends at this moment. */
export interface PartitionOffsets {
  readonly partition: number
  readonly logStart: number
  /** Behind the last record, also of transactions that are still open. */
  readonly highWatermark: number
  /** Behind the last record that a read_committed reader may see. */
  readonly lastStableOffset: number
}

/** Something that a user may do. */
export interface Grant {
  readonly user: string
  readonly resource: 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID'
  /** Of the resource; of all whose names begin with it where it ends in `*`. */
  readonly name: string
  readonly operations: readonly (keyof typeof AclOperations)[]
  /** `ALLOW` unless said otherwise. */
  readonly permission?: 'ALLOW' | 'DENY'
}

/** What tests ask of a cluster, and do to it, behind farlog's back. */
export class KafkaAdmin implements AsyncDisposable {
  readonly #admin: Admin

  constructor(bootstrap: string) {
    this.#admin = new Admin({ clientId: 'test', bootstrapBrokers: bootstrap.split(','), retries: 5, retryDelay: 500 })
  }

  /** Creates a topic and waits until it can be used. */
  async createTopic(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#admin.createTopics({
      topics: [name],
      partitions,
      replicas: -1,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    })
    // A busy broker makes some hundred logs in a second.
    const timeoutMs = 30_000 + partitions * 20
    await until(() => this.offsets(name, partitions), { timeoutMs, describe: `${name} to be usable` })
  }

  /** Creates a topic whose partitions have these replicas each, the preferred leader first. */
  async placeTopic(
    name: string,
    replicas: readonly (readonly number[])[],
    configs: Readonly<Record<string, string>> = {}
  ): Promise<void> {
    await this.#admin.createTopics({
      topics: [name],
      // Both are Kafka's for "as assigned".
      partitions: -1,
      replicas: -1,
      assignments: replicas.map((brokers, partition) => ({ partition, brokers: [...brokers] })),
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    })
    await until(() => this.offsets(name, replicas.length), { describe: `${name} to be usable` })
  }

  async allow(...grants: readonly Grant[]): Promise<void> {
    await this.#admin.createAcls({ creations: grants.flatMap(aclsOf) })
  }

  async withdraw(...grants: readonly Grant[]): Promise<void> {
    await this.#admin.deleteAcls({ filters: grants.flatMap(aclsOf) })
  }

  /** What each client may write to each broker, or read from it, in a second; as much as it likes when not given. */
  async limitClients(what: 'writing' | 'reading', bytesPerSecond?: number): Promise<void> {
    const key = what === 'writing' ? ClientQuotaKeys.PRODUCER_BYTE_RATE : ClientQuotaKeys.CONSUMER_BYTE_RATE
    const op: AlterClientQuotasOptions['entries'][number]['ops'][number] =
      bytesPerSecond === undefined ? { key, remove: true } : { key, value: bytesPerSecond, remove: false }
    await this.#admin.alterClientQuotas({
      entries: [{ entities: [{ entityType: 'client-id', entityName: null }], ops: [op] }]
    })
  }

  /** How many members a consumer group has at this moment. */
  async groupMembers(groupId: string): Promise<number> {
    return (await this.#admin.describeGroups({ groups: [groupId] })).get(groupId)!.members.size
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [name] })
    await until(async () => !(await this.topics()).includes(name), { describe: `${name} to be gone` })
  }

  async addPartitions(name: string, count: number): Promise<void> {
    // Kafka chooses the brokers where there is null, which the library's types do not know.
    await this.#admin.createPartitions({ topics: [{ name, count, assignments: null as never }] })
    await until(() => this.offsets(name, count), { describe: `${name} to have ${count} partitions` })
  }

  topics({ includeInternals = false } = {}): Promise<string[]> {
    return this.#admin.listTopics({ includeInternals })
  }

  /** The values in force. */
  async topicConfig(name: string): Promise<Record<string, string | null | undefined>> {
    const [described] = await this.#admin.describeConfigs({
      resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name }]
    })
    return Object.fromEntries(described!.configs.map(({ name: key, value }) => [key, value]))
  }

  /** `null`: as if it had never been set. */
  async setTopicConfig(topic: string, name: string, value: string | null): Promise<void> {
    const { SET, DELETE } = IncrementalAlterConfigOperationTypes
    const entry = value === null ? { name, configOperation: DELETE } : { name, value, configOperation: SET }
    await this.#admin.incrementalAlterConfigs({
      resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs: [entry] }]
    })
  }

  /** `ALLOW READ on topic name to principal`, of topics that are named literally. */
  async topicAcls(): Promise<string[]> {
    const described = await this.#admin.describeAcls({
      filter: {
        ...{ resourceType: ResourceTypes.TOPIC, resourcePatternType: ResourcePatternTypes.LITERAL },
        ...{ resourceName: null, principal: null, host: null },
        ...{ operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY }
      }
    })
    return described
      .flatMap(({ resourceName, acls }) =>
        acls.map(({ principal, operation, permissionType }) => {
          const permission = nameOf(AclPermissionTypes, permissionType)
          return `${permission} ${nameOf(AclOperations, operation)} on topic ${resourceName} to ${principal}`
        })
      )
      .sort()
  }

  async groups(): Promise<string[]> {
    return [...(await this.#admin.listGroups()).keys()].sort()
  }

  /** Deletes all records of a partition below the offset, as retention does. */
  async deleteRecordsBefore(name: string, partition: number, offset: number): Promise<void> {
    await this.#admin.deleteRecords({ topics: [{ name, partitions: [{ partition, offset: BigInt(offset) }] }] })
  }

  /** Of the first `partitions` partitions; fails where the topic has fewer. */
  async offsets(name: string, partitions = 1): Promise<PartitionOffsets[]> {
    const list = async (timestamp: bigint, isolationLevel: 0 | 1) => {
      const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp }))
      const [listed] = await this.#admin.listOffsets({ topics: [{ name, partitions: asked }], isolationLevel })
      return new Map(listed!.partitions.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)]))
    }
    const { READ_COMMITTED, READ_UNCOMMITTED } = FetchIsolationLevels
    const [logStarts, highWatermarks, lastStableOffsets] = await Promise.all([
      list(-2n, READ_UNCOMMITTED),
      list(-1n, READ_UNCOMMITTED),
      list(-1n, READ_COMMITTED)
    ])
    return Array.from({ length: partitions }, (_, partition) => ({
      partition,
      logStart: logStarts!.get(partition)!,
      highWatermark: highWatermarks!.get(partition)!,
      lastStableOffset: lastStableOffsets!.get(partition)!
    }))
  }

  /** What a consumer group has committed for a topic, by partition; nothing where it never did. */
  async committedOffsets(groupId: string, topic: string): Promise<Map<number, number>> {
    const [group] = await this.#admin.listConsumerGroupOffsets({ groups: [groupId] })
    const partitions = group?.topics.find(({ name }) => name === topic)?.partitions ?? []
    return new Map(partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]))
  }

  /** Commits offsets for a group without members; nothing else of it changes. */
  async commitOffsets(
    groupId: string,
    topic: string,
    offsets: readonly (readonly [partition: number, offset: number])[]
  ): Promise<void> {
    const partitionOffsets = offsets.map(([partition, offset]) => ({ partition, offset: BigInt(offset) }))
    await this.#admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] })
  }

  /** What a consumer group has committed beside the offsets of a topic, in the order of the partitions. */
  async committedMetadata(groupId: string, topic: string): Promise<string[]> {
    const [group] = await this.#admin.listConsumerGroupOffsets({ groups: [groupId] })
    const partitions = group?.topics.find(({ name }) => name === topic)?.partitions ?? []
    // librdkafka ends the string with a zero byte, as C does.
    return partitions
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ metadata }) => (metadata ?? '').replace(/\0+$/, ''))
  }

  /** Groups of the newer protocol (KIP-848). */
  async consumerProtocolGroups(): Promise<string[]> {
    return [...(await this.#admin.listGroups({ types: ['consumer'] })).keys()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close()
  }
}

function nameOf(numbers: Readonly<Record<string, number>>, number: number): string {
  return Object.keys(numbers).find(name => numbers[name] === number)!
}

function aclsOf({ user, resource, name, operations, permission = 'ALLOW' }: Grant) {
  const isPrefix = name.endsWith('*')
  return operations.map(operation => ({
    resourceType: ResourceTypes[resource],
    resourceName: isPrefix ? name.slice(0, -1) : name,
    resourcePatternType: isPrefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes[permission]
  }))
}
