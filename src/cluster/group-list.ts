/** All consumer groups of a cluster, and what several of them have committed: for those who look after groups of others. */
import { findCoordinatorV4, listGroupsV4, offsetFetchV8 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { assertNoError, despiteErrors, errorName } from './errors.ts'
import type { CommittedOffset } from './group-member.ts'

export interface ListedGroup {
  readonly groupId: string
  /** `consumer`, `connect`, …; empty for a group that only ever committed offsets. */
  readonly protocolType: string
  /** As Kafka names it: `Empty`, `Stable`, `PreparingRebalance`, `Assigning`, `Dead`, … */
  readonly state: string
}

export interface GroupOffsets {
  readonly groupId: string
  readonly committed: readonly CommittedOffset[]
}

const PURPOSE = 'groups'
/** FindCoordinator's key type for groups. */
const GROUP_KEY_TYPE = 0
const NO_MEMBER_EPOCH = -1
/** In one request to a coordinator. */
const GROUPS_TOGETHER = 100

/** Each broker lists the groups that it coordinates. @throws ClusterError where one does not answer or refuses */
export async function listGroups(cluster: Cluster): Promise<ListedGroup[]> {
  const lists = await Promise.all(
    cluster.brokerIds.map(async nodeId => {
      const connection = await cluster.broker(nodeId, PURPOSE)
      const { errorCode, groups } = await connection.call(listGroupsV4.api, [], [])
      assertNoError(errorCode, `${cluster.alias}: listing the groups of broker ${nodeId}`)
      return groups
    })
  )
  return lists.flat().map(({ groupId, protocolType, groupState }) => ({ groupId, protocolType, state: groupState }))
}

/**
 * What these groups have committed. One that can't be asked now (its coordinator moves, or it may not be described) is
 * left out, and `leftOut` hears why.
 * @throws ClusterError where a broker does not answer
 */
export async function readGroupOffsets(
  cluster: Cluster,
  groupIds: readonly string[],
  leftOut: (groupId: string, error: string) => void
): Promise<GroupOffsets[]> {
  const offsets: GroupOffsets[] = []
  for (let from = 0; from < groupIds.length; from += GROUPS_TOGETHER) {
    offsets.push(...(await readTogether(cluster, groupIds.slice(from, from + GROUPS_TOGETHER), leftOut)))
  }
  return offsets
}

async function readTogether(
  cluster: Cluster,
  groupIds: readonly string[],
  leftOut: (groupId: string, error: string) => void
): Promise<GroupOffsets[]> {
  const connection = await cluster.anyBroker(PURPOSE)
  const { coordinators } = await despiteErrors(
    connection.call(findCoordinatorV4.api, GROUP_KEY_TYPE, groupIds as string[])
  )
  const found = coordinators.filter(({ key, errorCode }) => {
    if (errorCode !== 0) leftOut(key, errorName(errorCode))
    return errorCode === 0
  })
  const byCoordinator = Map.groupBy(found, ({ nodeId }) => nodeId)
  const read = await Promise.all(
    [...byCoordinator].map(async ([nodeId, coordinated]) => {
      const coordinator = await cluster.broker(nodeId, PURPOSE)
      const asked = coordinated.map(({ key }) => ({ groupId: key, memberEpoch: NO_MEMBER_EPOCH, topics: null }))
      return (await despiteErrors(coordinator.call(offsetFetchV8.api, asked, false))).groups
    })
  )
  return read.flat().flatMap(({ groupId, errorCode, topics }) => {
    if (errorCode !== 0) {
      leftOut(groupId, errorName(errorCode))
      return []
    }
    return [{ groupId, committed: committedOf(topics) }]
  })
}

interface FetchedTopic {
  readonly name: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: bigint
    readonly errorCode: number
    readonly metadata?: string | null | undefined
  }[]
}

/** The offsets in an OffsetFetch answer; a partition without one, or with an error of its own, is left out. */
export function committedOf(topics: readonly FetchedTopic[]): CommittedOffset[] {
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions
      .filter(({ committedOffset, errorCode }) => committedOffset >= 0n && errorCode === 0)
      .map(({ partitionIndex: partition, committedOffset, metadata }) => ({
        topic,
        partition,
        offset: Number(committedOffset),
        metadata: metadata ?? ''
      }))
  )
}
