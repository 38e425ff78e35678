import { listOffsetsV7 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { answerDespiteErrors, ClusterError, errorName } from './errors.ts'

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

/** One partition's offset. @throws ClusterError where its leader gave an error */
export async function listOffset(
  cluster: Cluster,
  partition: TopicPartition,
  timestamp: bigint,
  isolation: Isolation
): Promise<number> {
  const [listed] = await listOffsets(cluster, [partition], timestamp, isolation)
  if (listed === undefined || listed.error !== 'NONE') {
    const error = listed?.error ?? 'BAD_RESPONSE'
    throw new ClusterError(
      error,
      `${cluster.alias}: offsets of ${partition.topic}-${partition.partition}: ${error}`,
      true
    )
  }
  return listed.offset
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
