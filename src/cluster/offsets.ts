import { listOffsetsV7, offsetForLeaderEpochV4 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { answerDespiteErrors, assertNoError, ClusterError, errorName } from './errors.ts'

/** ListOffsets' special timestamps. */
export const LATEST = -1n
export const EARLIEST = -2n

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A topic partition as the key of a map; no two have the same, for a partition number holds no slash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`
}

/** A partition's offset, or the error its leader gave in place of one. */
export interface ListedOffset extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch: number
  /** Kafka's name of the error; `NONE` when there is none. */
  readonly error: string
}

/** `read_committed` lists the last stable offset as the latest, `read_uncommitted` the high watermark. */
export type Isolation = 'read_uncommitted' | 'read_committed'

const PURPOSE = 'offsets'
const DEBUGGING_CONSUMER = -1

/**
 * Asks the leaders for the earliest or latest offsets of these partitions: one request per leader, in parallel.
 * Partitions without a known leader are listed with `LEADER_NOT_AVAILABLE`, those of an unreachable one with `UNREACHABLE`.
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolation: Isolation
): Promise<ListedOffset[]> {
  const byLeader = Map.groupBy(partitions, ({ topic, partition }) => cluster.leaderOf(topic, partition)?.nodeId ?? -1)
  const listed = await Promise.all(
    [...byLeader].map(([nodeId, led]) =>
      nodeId < 0
        ? led.map(partition => unanswered(partition, 'LEADER_NOT_AVAILABLE'))
        : listAtLeader(cluster, nodeId, led, timestamp, isolation)
    )
  )
  return listed.flat()
}

/**
 * One partition's offset. Those that are asked for in the same turn go out in one request: a thousand partitions are taken
 * over at once.
 * @throws ClusterError where its leader gave an error
 */
export async function listOffset(
  cluster: Cluster,
  partition: TopicPartition,
  timestamp: bigint,
  isolation: Isolation
): Promise<number> {
  return (await listPlace(cluster, partition, timestamp, isolation)).offset
}

/** As `listOffset`, with the leader epoch of what stands there; of the newest there is, for the log's end. */
export async function listPlace(
  cluster: Cluster,
  partition: TopicPartition,
  timestamp: bigint,
  isolation: Isolation
): Promise<ListedOffset> {
  const listed = await listTogether(cluster, partition, timestamp, isolation)
  const { error } = listed
  if (error === 'NONE') return listed
  const { topic } = partition
  throw new ClusterError(error, `${cluster.alias}: offsets of ${topic}-${partition.partition}: ${error}`, true)
}

interface Asked extends TopicPartition {
  resolve(listed: ListedOffset): void
  reject(error: unknown): void
}

/** What was asked for in this turn. */
const asked = new WeakMap<Cluster, Map<string, Asked[]>>()

function listTogether(
  cluster: Cluster,
  partition: TopicPartition,
  timestamp: bigint,
  isolation: Isolation
): Promise<ListedOffset> {
  const kinds = asked.get(cluster) ?? new Map<string, Asked[]>()
  asked.set(cluster, kinds)
  const kind = `${timestamp}/${isolation}`
  const waiting = kinds.get(kind) ?? []
  const { promise, resolve, reject } = Promise.withResolvers<ListedOffset>()
  waiting.push({ topic: partition.topic, partition: partition.partition, resolve, reject })
  if (waiting.length === 1) {
    kinds.set(kind, waiting)
    setImmediate(() => {
      kinds.delete(kind)
      // The broker refuses a request that names a partition twice.
      const partitions = new Map(waiting.map(each => [partitionKey(each), each]))
      void answer(waiting, listOffsets(cluster, [...partitions.values()], timestamp, isolation))
    })
  }
  return promise
}

async function answer(waiting: readonly Asked[], listing: Promise<ListedOffset[]>): Promise<void> {
  try {
    const listed = new Map((await listing).map(each => [partitionKey(each), each]))
    for (const each of waiting) each.resolve(listed.get(partitionKey(each)) ?? unanswered(each, 'BAD_RESPONSE'))
  } catch (error) {
    for (const { reject } of waiting) reject(error)
  }
}

/**
 * Where the records of a leader epoch, or of the one before it that the log still has, end (KIP-101, KIP-320).
 * @returns `undefined` where the leader has no record of any epoch
 * @throws ClusterError where the leader gave an error, or there is none
 */
export async function endOfEpoch(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  leaderEpoch: number
): Promise<number | undefined> {
  const context = `${cluster.alias}: the end of epoch ${leaderEpoch} of ${topic}-${partition}`
  const leader = cluster.leaderOf(topic, partition)
  if (leader === undefined) throw new ClusterError('LEADER_NOT_AVAILABLE', context, true)
  const connection = await cluster.broker(leader.nodeId, PURPOSE)
  const asked = { partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, leaderEpoch }
  const { topics } = await connection.call(offsetForLeaderEpochV4.api, DEBUGGING_CONSUMER, [
    { name: topic, partitions: [asked] }
  ])
  const found = topics[0]?.partitions[0]
  if (found === undefined) throw new ClusterError('BAD_RESPONSE', context, true)
  assertNoError(found.errorCode, context)
  return found.endOffset < 0n ? undefined : Number(found.endOffset)
}

async function listAtLeader(
  cluster: Cluster,
  nodeId: number,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolation: Isolation
): Promise<ListedOffset[]> {
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, led]) => ({
    name,
    partitions: led.map(({ topic, partition }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: cluster.leaderOf(topic, partition)?.leaderEpoch ?? -1,
      timestamp
    }))
  }))
  let answer: listOffsetsV7.ListOffsetsResponse
  try {
    const connection = await cluster.broker(nodeId, PURPOSE)
    answer = await connection.call(
      listOffsetsV7.api,
      DEBUGGING_CONSUMER,
      isolation === 'read_committed' ? 1 : 0,
      topics
    )
  } catch (error) {
    const partial = answerDespiteErrors<listOffsetsV7.ListOffsetsResponse>(error)
    if (partial === undefined) {
      const code = error instanceof ClusterError ? error.code : 'UNREACHABLE'
      return partitions.map(partition => unanswered(partition, code))
    }
    answer = partial
  }
  return answer.topics.flatMap(({ name, partitions: answered }) =>
    answered.map(({ partitionIndex, errorCode, offset, leaderEpoch }) => ({
      topic: name,
      partition: partitionIndex,
      offset: Number(offset),
      leaderEpoch,
      error: errorName(errorCode)
    }))
  )
}

function unanswered({ topic, partition }: TopicPartition, error: string): ListedOffset {
  return { topic, partition, offset: -1, leaderEpoch: -1, error }
}
