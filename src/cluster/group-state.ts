/** A consumer group seen from outside, without joining it: what it has committed and who is in it. */
import { consumerGroupDescribeV0, describeGroupsV5, findCoordinatorV4, offsetFetchV8 } from '@platformatic/kafka'
import { assignedPartitions } from './assignment.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { assertNoError, ClusterError, despiteErrors, errorName } from './errors.ts'
import { committedOf } from './group-list.ts'
import type { CommittedOffset } from './group-member.ts'
import type { TopicPartition } from './offsets.ts'
import { Backoff, pause } from './retry.ts'

export interface GroupState {
  /** Empty where the group has never committed anything, or does not exist. */
  readonly committed: readonly CommittedOffset[]
  /** Members at present; `undefined` where the broker does not tell. */
  readonly members: number | undefined
  /** The same, each with what is assigned to it. */
  readonly workers: readonly GroupWorker[] | undefined
}

/** A member of a group as its coordinator lists it. */
export interface GroupWorker {
  readonly clientId: string
  /** Where it connects from, as the broker sees it. */
  readonly host: string
  readonly partitions: readonly TopicPartition[]
}

/** FindCoordinator's key type for groups. */
const GROUP_KEY_TYPE = 0
const NO_MEMBER_EPOCH = -1
const PURPOSE = 'group'
/** A cluster makes its offsets topic when it is first asked for a coordinator, and loads it after an election. */
const PATIENCE_MS = 8_000
const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 1_000
const PASSES_SOON = new Set(['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR'])

/** Asks the group's coordinator. @throws ClusterError where it can't be asked or refuses */
export function readGroup(
  cluster: Cluster,
  groupId: string,
  groupProtocol: 'classic' | 'consumer',
  signal: AbortSignal
): Promise<GroupState> {
  return atCoordinator(cluster, groupId, signal, async coordinator => {
    const [committed, workers] = await Promise.all([
      readCommitted(cluster, coordinator, groupId),
      listWorkers(coordinator, groupId, groupProtocol)
    ])
    return { committed, members: workers?.length, workers }
  })
}

/** Works with the group's coordinator, and does it again while that is being made, loaded or moved. @throws ClusterError */
export async function atCoordinator<Result>(
  cluster: Cluster,
  groupId: string,
  signal: AbortSignal,
  work: (coordinator: BrokerConnection) => Promise<Result>
): Promise<Result> {
  const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
  const startedAtMs = performance.now()
  for (;;) {
    try {
      return await work(await findCoordinator(cluster, groupId))
    } catch (error) {
      const passesSoon = error instanceof ClusterError && PASSES_SOON.has(error.code)
      if (!passesSoon || signal.aborted || performance.now() - startedAtMs > PATIENCE_MS) throw error
      await pause(backoff.nextMs(), signal)
    }
  }
}

async function findCoordinator(cluster: Cluster, groupId: string): Promise<BrokerConnection> {
  const connection = await cluster.anyBroker(PURPOSE)
  const { coordinators } = await connection.call(findCoordinatorV4.api, GROUP_KEY_TYPE, [groupId])
  const context = `${cluster.alias}: finding the coordinator of group ${groupId}`
  const found = coordinators[0]
  if (found === undefined) throw new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true)
  assertNoError(found.errorCode, context)
  return cluster.broker(found.nodeId, PURPOSE)
}

async function readCommitted(
  cluster: Cluster,
  coordinator: BrokerConnection,
  groupId: string
): Promise<CommittedOffset[]> {
  const asked = [{ groupId, memberEpoch: NO_MEMBER_EPOCH, topics: null }]
  const answer = await despiteErrors(coordinator.call(offsetFetchV8.api, asked, false))
  const group = answer.groups[0]
  const context = `${cluster.alias}: reading what group ${groupId} has committed`
  if (group === undefined) throw new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true)
  assertNoError(group.errorCode, context)
  return committedOf(group.topics)
}

/** Whether the group counts anybody under this client id among its members. @throws ClusterError where it does not tell */
export async function isMember(
  cluster: Cluster,
  groupId: string,
  groupProtocol: 'classic' | 'consumer',
  clientId: string
): Promise<boolean> {
  const members = await describeMembers(await findCoordinator(cluster, groupId), groupId, groupProtocol)
  return members.some(member => member.clientId === clientId)
}

/**
 * Brokers list the requests of the `consumer` protocol (KIP-848) from Kafka 3.7 on and refuse them until its feature is
 * switched on, as it is in new clusters of Kafka 4.0 and newer. librdkafka waits for that without a word.
 * @throws ClusterError `UNSUPPORTED_VERSION` where it is not
 */
export async function assertConsumerProtocol(cluster: Cluster): Promise<void> {
  const broker = await cluster.anyBroker('metadata')
  if ((broker.featureLevel('group.version') ?? 0) >= 1) return
  const lacks = 'does not offer the consumer group protocol (KIP-848: Kafka 4.0 or newer, with feature group.version 1)'
  throw new ClusterError(
    'UNSUPPORTED_VERSION',
    `broker ${broker.address} ${lacks}, which FARLOG_GROUP_PROTOCOL asks for`,
    false
  )
}

/** Nice to know, so that what the broker refuses to tell is no error. */
async function listWorkers(
  coordinator: BrokerConnection,
  groupId: string,
  groupProtocol: 'classic' | 'consumer'
): Promise<readonly GroupWorker[] | undefined> {
  try {
    return await describeMembers(coordinator, groupId, groupProtocol)
  } catch (error) {
    if (error instanceof ClusterError) return undefined
    throw error
  }
}

async function describeMembers(
  coordinator: BrokerConnection,
  groupId: string,
  groupProtocol: 'classic' | 'consumer'
): Promise<readonly GroupWorker[]> {
  const context = `describing group ${groupId}`
  if (groupProtocol === 'classic') {
    const { groups } = await despiteErrors(coordinator.call(describeGroupsV5.api, [groupId], false))
    return membersOf(groups[0], context).map(({ clientId, clientHost, memberAssignment }) => ({
      clientId,
      host: clientHost,
      partitions: assignedPartitions(memberAssignment)
    }))
  }
  const { groups } = await despiteErrors(coordinator.call(consumerGroupDescribeV0.api, [groupId], false))
  return membersOf(groups[0], context).map(({ clientId, clientHost, assignment }) => ({
    clientId,
    host: clientHost,
    partitions: assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
      partitions.map(partition => ({ topic: topicName, partition }))
    )
  }))
}

function membersOf<Member>(
  group: { readonly errorCode: number; readonly members: readonly Member[] } | undefined,
  context: string
): readonly Member[] {
  if (group === undefined) throw new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true)
  if (errorName(group.errorCode) === 'GROUP_ID_NOT_FOUND') return []
  assertNoError(group.errorCode, context)
  return group.members
}
