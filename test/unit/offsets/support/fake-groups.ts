import { findCoordinatorV4, listGroupsV4, offsetCommitV8, offsetFetchV8, protocolErrors } from '@platformatic/kafka'
import type { Cluster } from '../../../../src/cluster/cluster.ts'
import { partitionKey } from '../../../../src/cluster/offsets.ts'

interface FakeGroup {
  state: string
  protocolType: string
  /** By `partitionKey`. */
  readonly committed: Map<string, { readonly topic: string; readonly partition: number; readonly offset: number }>
}

interface CommitTopic {
  readonly name: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly committedOffset: bigint }[]
}

const COORDINATOR = 1

/** A cluster as one who looks after consumer groups sees it: one broker that coordinates all groups. */
export class FakeGroups {
  readonly groups = new Map<string, FakeGroup>()
  /** Groups that cannot be asked at present, with Kafka's name of the error. */
  readonly troubled = new Map<string, keyof typeof protocolErrors>()
  /** Groups that have a member by the time that something is committed for them. */
  readonly awake = new Set<string>()
  readonly refreshed: string[] = []
  /** How many groups were asked for in each request. */
  readonly askedTogether: number[] = []

  /** What a group has committed from now on; replaces what it had of these partitions. */
  commit(
    groupId: string,
    topic: string,
    offsets: readonly number[],
    state = 'Stable',
    protocolType = 'consumer'
  ): void {
    const group: FakeGroup = this.groups.get(groupId) ?? { state, protocolType, committed: new Map() }
    group.state = state
    group.protocolType = protocolType
    for (const [partition, offset] of offsets.entries()) {
      group.committed.set(partitionKey({ topic, partition }), { topic, partition, offset })
    }
    this.groups.set(groupId, group)
  }

  /** The offsets that a group has, by `topic-partition`. */
  offsetsOf(groupId: string): Record<string, number> {
    const committed = this.groups.get(groupId)?.committed.values() ?? []
    return Object.fromEntries([...committed].map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]))
  }

  get cluster(): Cluster {
    const broker = { call: async (api: unknown, ...args: unknown[]) => this.#answer(api, args) }
    const fake = {
      alias: 'fake',
      brokerIds: [COORDINATOR],
      broker: async () => broker,
      anyBroker: async () => broker,
      refreshTogether: async (topic: string) => void this.refreshed.push(topic)
    }
    return fake as unknown as Cluster
  }

  #answer(api: unknown, args: unknown[]): unknown {
    if (api === listGroupsV4.api) {
      const groups = [...this.groups].map(([groupId, { state, protocolType }]) => ({
        ...{ groupId, protocolType, groupState: state }
      }))
      return { errorCode: 0, groups }
    }
    if (api === findCoordinatorV4.api) {
      const keys = args[1] as string[]
      return { coordinators: keys.map(key => ({ key, nodeId: COORDINATOR, errorCode: this.#errorOf(key) })) }
    }
    if (api === offsetFetchV8.api) {
      const asked = args[0] as { readonly groupId: string }[]
      this.askedTogether.push(asked.length)
      return { groups: asked.map(({ groupId }) => this.#fetched(groupId)) }
    }
    if (api === offsetCommitV8.api) return this.#committed(args[0] as string, args[4] as CommitTopic[])
    throw new Error('the fake coordinator does not know this request')
  }

  #errorOf(groupId: string): number {
    const name = this.troubled.get(groupId)
    return name === undefined ? 0 : protocolErrors[name]!.code
  }

  #fetched(groupId: string) {
    const committed = [...(this.groups.get(groupId)?.committed.values() ?? [])]
    const topics = [...Map.groupBy(committed, ({ topic }) => topic)].map(([name, offsets]) => ({
      name,
      partitions: offsets.map(({ partition, offset }) => ({
        ...{ partitionIndex: partition, committedOffset: BigInt(offset), metadata: `at ${offset}`, errorCode: 0 }
      }))
    }))
    return { groupId, errorCode: 0, topics }
  }

  #committed(groupId: string, topics: readonly CommitTopic[]) {
    const errorCode = this.awake.has(groupId) ? protocolErrors.UNKNOWN_MEMBER_ID!.code : 0
    const state = this.groups.get(groupId)?.state ?? 'Empty'
    for (const { name, partitions } of errorCode === 0 ? topics : []) {
      for (const { partitionIndex, committedOffset } of partitions) {
        const group = this.groups.get(groupId) ?? { state, protocolType: 'consumer', committed: new Map() }
        const committed = { topic: name, partition: partitionIndex, offset: Number(committedOffset) }
        group.committed.set(partitionKey(committed), committed)
        this.groups.set(groupId, group)
      }
    }
    const answered = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode }))
    }))
    return { topics: answered }
  }
}
