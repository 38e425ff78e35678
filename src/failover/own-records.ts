/**
 * The records of a partition that never were at another cluster. Where two clusters mirror a topic to each other, a partition holds
 * both kinds, and only these are what a copy there could be missing.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import { type ReadRecord, readRecords } from '../cluster/record-reader.ts'
import { HopFinder } from '../verify/origin.ts'

/** A stretch of a partition; nothing is read at `endOffset` and behind, which is at most the last stable offset. */
export interface OffsetRange extends TopicPartition {
  readonly fromOffset: number
  readonly endOffset: number
}

/** They share a connection, and one fetch waits for the other: more at a time would only take memory. */
export const READS_AT_A_TIME = 4
const PURPOSE = 'own-records'

/**
 * Committed records that carry no hop of the other cluster, in the order of their offsets.
 * @param otherAlias the cluster that they have not been at
 * @throws ClusterError where the partition can't be read
 */
export async function* readOwnRecords(
  cluster: Cluster,
  { topic, partition, fromOffset, endOffset }: OffsetRange,
  otherAlias: string,
  signal: AbortSignal
): AsyncGenerator<ReadRecord, void, undefined> {
  if (fromOffset >= endOffset) return
  const topicId = cluster.topic(topic)?.topicId
  if (topicId === undefined) {
    throw new ClusterError('UNKNOWN_TOPIC_OR_PARTITION', `${cluster.alias} has no topic ${topic} at present`, true)
  }
  const hops = new HopFinder(otherAlias)
  const range = { topic, topicId, partition, fromOffset, endOffset }
  for await (const { records } of readRecords(cluster, range, { purpose: PURPOSE, signal })) {
    // A batch may begin before the first and end behind the last one that is meant.
    for (const record of records) {
      if (record.offset >= fromOffset && record.offset < endOffset && !hops.hasHop(record.headers)) yield record
    }
  }
}

/** Where the first of them stands; `undefined` where there is none. @throws ClusterError */
export async function firstOwnOffset(
  cluster: Cluster,
  range: OffsetRange,
  otherAlias: string,
  signal: AbortSignal
): Promise<number | undefined> {
  for await (const { offset } of readOwnRecords(cluster, range, otherAlias, signal)) return offset
  return undefined
}
