import type { Cluster } from './cluster.ts'
import { assertNoError, ClusterError } from './errors.ts'
import { fetch } from './fetch.ts'
import type { TopicPartition } from './offsets.ts'

/** Batches as they stand in a partition, from the one that holds the offset asked for. */
export interface FetchedBatches {
  /** Whole batches, and perhaps the beginning of one more. Gone with `release`. */
  readonly records: Buffer
  /** Where the partition ended for a reader when it was read. */
  readonly highWatermark: number
  release(): void
}

export interface FetchBatchesOptions {
  /** Names the connection. */
  readonly purpose: string
  /** How much at most; a first batch that is larger comes whole. */
  readonly maxBytes: number
  /** Stands in what is thrown: `reading the end of`. */
  readonly doing: string
}

/**
 * Reads a partition once, without waiting, at its leader as last known. Transactions that are open or were aborted are
 * read like everything else.
 * @throws ClusterError
 */
export async function fetchBatches(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  position: number,
  { purpose, maxBytes, doing }: FetchBatchesOptions
): Promise<FetchedBatches> {
  const leader = cluster.leaderOf(topic, partition)
  const topicId = cluster.topic(topic)?.topicId
  if (leader === undefined || topicId === undefined) {
    throw new ClusterError('LEADER_NOT_AVAILABLE', `${cluster.alias}: ${topic}-${partition} has no leader`, true)
  }
  const connection = await cluster.batchBroker(leader.nodeId, purpose)
  const response = await fetch(connection, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes,
    readCommitted: false,
    sessionId: 0,
    sessionEpoch: -1,
    partitions: [
      {
        topicId,
        partition,
        leaderEpoch: leader.leaderEpoch,
        fetchOffset: position,
        lastFetchedEpoch: -1,
        maxBytes
      }
    ],
    forgotten: []
  })
  const context = `${cluster.alias}: ${doing} ${topic}-${partition}`
  try {
    assertNoError(response.errorCode, context)
    const fetched = response.partitions[0]
    if (fetched === undefined) throw new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true)
    assertNoError(fetched.errorCode, context)
    return { records: fetched.records, highWatermark: fetched.highWatermark, release: response.release }
  } catch (error) {
    response.release()
    throw error
  }
}
