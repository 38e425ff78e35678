import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffset, type TopicPartition } from '../cluster/offsets.ts'
import { type RecordChunk, readRecords } from '../cluster/record-reader.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { PartitionComparison, type PartitionResult } from './partition-comparison.ts'
import { RecordQueue } from './record-queue.ts'

/** One source partition and where its copy should be. */
export interface PartitionPair {
  readonly topic: string
  readonly destinationTopic: string
  readonly partition: number
  readonly sourceTopicId: string
  /** `undefined` where the destination has no such partition. */
  readonly destinationTopicId: string | undefined
  readonly isSourceCompacted: boolean
  readonly isDestinationCompacted: boolean
}

export interface CompareContext {
  readonly source: Cluster
  readonly destination: Cluster
  readonly startsAtLatest: boolean
  readonly differencesMax: number
  /** Tells the connections of comparisons that run at the same time apart. */
  readonly slot: number
  readonly signal: AbortSignal
  /** Called as records are read: how many on either side since the last call, and how far the source is. */
  readonly onRead: (read: ReadAmount) => void
}

/** What was read since the last time it was told. */
export interface ReadAmount {
  readonly records: number
  /** Source offsets passed, for progress. */
  readonly sourceOffsets: number
}

/**
 * Reads both sides of a partition to the ends they have now and compares them. The source's end is read first, the
 * destination's next, and the source's again: so records that a running mirror copies meanwhile are neither pending
 * nor unexpected.
 * @throws ClusterError where either side cannot be read
 */
export async function comparePartition(pair: PartitionPair, context: CompareContext): Promise<PartitionResult> {
  const { topic, destinationTopic, partition, sourceTopicId, destinationTopicId } = pair
  const { source, destination, signal } = context
  const from = { topic, partition }
  const to = { topic: destinationTopic, partition }
  const isDestinationThere = destinationTopicId !== undefined

  const sourceLogStartOffset = await askOffset(source, from, EARLIEST, signal)
  const sourceEndOffset = await askOffset(source, from, LATEST, signal)
  const destinationLogStartOffset = isDestinationThere ? await askOffset(destination, to, EARLIEST, signal) : 0
  const destinationEndOffset = isDestinationThere ? await askOffset(destination, to, LATEST, signal) : 0
  const sourceEndOffsetAfter = await askOffset(source, from, LATEST, signal)

  const comparison = new PartitionComparison({
    ...pair,
    sourceAlias: source.alias,
    destinationAlias: destination.alias,
    isDestinationThere,
    sourceEndOffset,
    sourceEndOffsetAfter,
    sourceLogStartOffset,
    destinationLogStartOffset,
    startsAtLatest: context.startsAtLatest,
    differencesMax: context.differencesMax
  })
  const options = { purpose: `verify ${context.slot}`, signal }
  const sourceChunks = readRecords(
    source,
    { ...from, topicId: sourceTopicId, fromOffset: sourceLogStartOffset, endOffset: sourceEndOffset },
    options
  )
  const destinationChunks = readRecords(
    destination,
    {
      ...to,
      topicId: destinationTopicId ?? '',
      fromOffset: destinationLogStartOffset,
      endOffset: destinationEndOffset
    },
    options
  )
  try {
    await drive(comparison, sourceChunks, destinationChunks, sourceLogStartOffset, context)
  } finally {
    await Promise.all([sourceChunks.return(), destinationChunks.return()])
  }
  return comparison.finish()
}

const PATIENCE_MS = 30_000

/** A leader may just be changing. */
async function askOffset(
  cluster: Cluster,
  partition: TopicPartition,
  timestamp: bigint,
  signal: AbortSignal
): Promise<number> {
  const startedAtMs = performance.now()
  const backoff = new Backoff(100, 2_000)
  for (;;) {
    try {
      return await listOffset(cluster, partition, timestamp, 'read_committed')
    } catch (error) {
      signal.throwIfAborted()
      const mayPass = error instanceof ClusterError && error.retriable && !error.code.endsWith('AUTHORIZATION_FAILED')
      if (!mayPass || performance.now() - startedAtMs > PATIENCE_MS) throw error
      await pause(backoff.nextMs(), signal)
      await cluster.refreshTogether(partition.topic)
    }
  }
}

/** Brings each side's next chunk when the comparison needs it: neither side is read ahead of the other. */
async function drive(
  comparison: PartitionComparison,
  sourceChunks: AsyncIterator<RecordChunk, void>,
  destinationChunks: AsyncIterator<RecordChunk, void>,
  sourceStartOffset: number,
  { signal, onRead }: CompareContext
): Promise<void> {
  const source = new RecordQueue()
  const destination = new RecordQueue()
  let sourceOffset = sourceStartOffset
  for (;;) {
    const needed = comparison.walk(source, destination)
    if (needed === 'none') return
    signal.throwIfAborted()
    if (needed === 'source') {
      const chunk = await fillNext(source, sourceChunks)
      if (chunk === undefined) continue
      comparison.sourceLogStartsAt(chunk.logStartOffset)
      onRead({ records: chunk.records.length, sourceOffsets: chunk.nextOffset - sourceOffset })
      sourceOffset = chunk.nextOffset
    } else {
      const chunk = await fillNext(destination, destinationChunks)
      if (chunk === undefined) continue
      if (chunk.isAfterGap) comparison.destinationLostRecords()
      onRead({ records: chunk.records.length, sourceOffsets: 0 })
    }
  }
}

async function fillNext(
  queue: RecordQueue,
  chunks: AsyncIterator<RecordChunk, void>
): Promise<RecordChunk | undefined> {
  const next = await chunks.next()
  if (next.done) {
    queue.fill([])
    queue.end()
    return undefined
  }
  queue.fill(next.value.records)
  return next.value
}
