import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffsets, partitionKey } from '../cluster/offsets.ts'
import { readRecords } from '../cluster/record-reader.ts'
import { findEnd } from '../destination/find-end.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowPartition, FlowSides } from './flow-sides.ts'
import { insist } from './insist.ts'
import { lossOf, type NewestCopy, type SourceNow } from './loss.ts'

/** Reads within partitions at a time. */
const READS_AT_A_TIME = 32
/** A timestamp is nice to know: where another writer's open transaction hides the record, it is left out. */
const TIMESTAMP_PATIENCE_MS = 3_000
const READ_PATIENCE_MS = 15_000

/**
 * What of each partition is at the destination, and what is known to have been at the source. It is exact once nobody writes any
 * more, and as of now otherwise.
 * @throws ClusterError where the destination can't be read
 */
export async function readLosses(
  sides: FlowSides,
  partitions: readonly FlowPartition[],
  orderId: string,
  signal: AbortSignal
): Promise<PartitionLoss[]> {
  const sourceNow = await askSource(sides, partitions)
  const nowMs = Date.now()
  return concurrently(partitions, READS_AT_A_TIME, async partition =>
    lossOf({
      ...{ orderId, source: sides.source.alias, destination: sides.destination.alias },
      ...{ partition, committed: partition.committed, nowMs },
      newestCopy: await insist(() => readNewestCopy(sides, partition, signal), {
        patienceMs: READ_PATIENCE_MS,
        refresh: () => sides.destination.refreshTogether(partition.destinationTopic),
        signal
      }),
      sourceNow: sourceNow.get(partitionKey(partition))
    })
  )
}

/** Of those partitions that the source still tells of. */
async function askSource(
  { source, isSourceThere }: FlowSides,
  partitions: readonly FlowPartition[]
): Promise<Map<string, SourceNow>> {
  const known = new Map<string, SourceNow>()
  if (!isSourceThere) return known
  const [starts, ends] = await Promise.all([
    listOffsets(source, partitions, EARLIEST, 'read_uncommitted'),
    listOffsets(source, partitions, LATEST, 'read_committed')
  ])
  const startOf = new Map(starts.filter(({ error }) => error === 'NONE').map(each => [partitionKey(each), each.offset]))
  for (const { topic, partition, offset, error } of ends) {
    const topicId = source.topic(topic)?.topicId
    const logStartOffset = startOf.get(partitionKey({ topic, partition }))
    if (error !== 'NONE' || topicId === undefined || logStartOffset === undefined) continue
    known.set(partitionKey({ topic, partition }), { topicId, logStartOffset, lastStableOffset: offset })
  }
  return known
}

async function readNewestCopy(
  { source, destination }: FlowSides,
  { topic, partition, destinationTopic, committed }: FlowPartition,
  signal: AbortSignal
): Promise<NewestCopy | undefined> {
  const copy = { topic: destinationTopic, partition }
  const origin = new ProvenanceReader(source.alias, topic, partition)
  const coveredOffset = committed?.destinationOffset ?? -1
  const end = await findEnd(destination, copy, origin, coveredOffset, signal)
  if (end !== undefined) return { ...end, timestampMs: await readTimestamp(destination, copy, end.destinationOffset) }
  if (committed === undefined || coveredOffset < 0) return undefined
  // Nothing is newer than what was committed: that is the newest copy, where it is one and is still there.
  const last = await findEnd(destination, copy, origin, coveredOffset - 1, signal)
  if (last === undefined || last.sourceOffset >= committed.nextSourceOffset) return undefined
  return { ...last, timestampMs: await readTimestamp(destination, copy, last.destinationOffset) }
}

async function readTimestamp(
  destination: Cluster,
  copy: { readonly topic: string; readonly partition: number },
  offset: number
): Promise<number | undefined> {
  const topicId = destination.topic(copy.topic)?.topicId ?? ''
  const range = { ...copy, topicId, fromOffset: offset, endOffset: offset + 1 }
  try {
    for await (const { records } of readRecords(destination, range, {
      purpose: 'newest',
      patienceMs: TIMESTAMP_PATIENCE_MS
    })) {
      if (records[0] !== undefined) return Number(records[0].timestamp)
    }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
  }
  return undefined
}
