import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, endOfEpoch, LATEST, listPlace, type TopicPartition } from '../cluster/offsets.ts'
import { type ReadPace, type RecordChunk, readRecords } from '../cluster/record-reader.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { OffsetRuns } from './offset-runs.ts'
import { PartitionComparison, type PartitionResult } from './partition-comparison.ts'
import { RecordQueue } from './record-queue.ts'
import type { VerifiedPartition } from './verified-partition.ts'
import { RangeCheck, VerifiedRanges } from './verified-ranges.ts'
import { type Beginning, whereToBegin } from './where-to-begin.ts'

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
  /** What an earlier comparison found equal; goes on from there, unless all is to be read again. */
  readonly remembered: VerifiedPartition | undefined
  readonly isFull: boolean
  /** Who remembers what is found equal now; `undefined` where nobody will. */
  readonly verifiedBy: string | undefined
  /** Only a part of the partition, at a pace. */
  readonly turn?: CompareTurn
  /** Called as records are read: how many on either side since the last call, and how far the source is. */
  readonly onRead: (read: ReadAmount) => void
}

/** One of many short comparisons, each of which goes on where the one before ended. */
export interface CompareTurn {
  readonly pace: ReadPace
  readonly fetchBytes: number
  /** For how long a cluster in trouble is waited for. */
  readonly patienceMs: number
  /** Ends at the next place where it may, once it is over this. */
  isOver(): boolean
  /** All below this source offset is mirrored; `undefined`: records without a copy are left for the next turn. */
  readonly mirroredUpTo: number | undefined
  readonly missingBefore: OffsetRuns | undefined
}

/** What was read since the last time it was told. */
export interface ReadAmount {
  readonly side: 'source' | 'destination'
  readonly records: number
  /** Source offsets passed, for progress. */
  readonly sourceOffsets: number
}

/** What a comparison came to, and where another one may begin. */
export interface PartitionOutcome extends PartitionResult {
  readonly beginning: Beginning
  /** To be remembered; `undefined` where there is no destination partition, or nobody to remember it. */
  readonly remember: VerifiedPartition | undefined
  /** As `remember`, but behind whatever was wrong. */
  readonly goOn: VerifiedPartition | undefined
  readonly missing: OffsetRuns
}

/**
 * Reads both sides of a partition to the ends they have now and compares them. The source's end is read first, the
 * destination's next, and the source's again: so records that a running mirror copies meanwhile are neither pending
 * nor unexpected.
 * @throws ClusterError where either side cannot be read
 */
export async function comparePartition(pair: PartitionPair, context: CompareContext): Promise<PartitionOutcome> {
  const { topic, destinationTopic, partition, sourceTopicId, destinationTopicId } = pair
  const { source, destination, signal, remembered, isFull, turn } = context
  const logs = await lookAtLogs(pair, context)
  const beginning = whereToBegin(remembered, logs)
  const stillHolds = beginning.kind === 'go-on' ? remembered : undefined
  const from = isFull ? undefined : stillHolds

  // Compaction takes copies away: what is left of a range says nothing about what it was.
  const hasRanges = context.verifiedBy !== undefined && !pair.isDestinationCompacted
  const ranges = hasRanges ? new VerifiedRanges(from) : undefined
  ranges?.dropBefore(logs.destinationLogStartOffset)
  const check =
    isFull && stillHolds && !pair.isDestinationCompacted ? new RangeCheck(stillHolds, stillHolds) : undefined

  const sourceEndOffset = Math.min(logs.sourceEndOffset, turn?.mirroredUpTo ?? Number.POSITIVE_INFINITY)
  const comparison = new PartitionComparison({
    ...{ ...pair, ...logs, sourceEndOffset, from, ranges, check },
    sourceAlias: source.alias,
    destinationAlias: destination.alias,
    isDestinationThere: destinationTopicId !== undefined,
    startsAtLatest: context.startsAtLatest,
    differencesMax: context.differencesMax,
    missingBefore: turn?.missingBefore,
    tail: turn !== undefined && turn.mirroredUpTo === undefined ? 'unread' : 'pending'
  })
  const sourceRange = {
    ...{ topic, partition, topicId: sourceTopicId, endOffset: sourceEndOffset },
    fromOffset: Math.max(from?.nextSourceOffset ?? 0, logs.sourceLogStartOffset)
  }
  const destinationRange = {
    ...{ topic: destinationTopic, partition, topicId: destinationTopicId ?? '', endOffset: logs.destinationEndOffset },
    fromOffset: Math.max(from?.nextDestinationOffset ?? 0, logs.destinationLogStartOffset)
  }
  const options = {
    ...{ purpose: `verify ${context.slot}`, signal, pace: turn?.pace },
    ...(turn && { fetchBytes: turn.fetchBytes, patienceMs: turn.patienceMs })
  }
  const sourceChunks = readRecords(source, sourceRange, options)
  const destinationChunks = readRecords(destination, destinationRange, options)
  try {
    await drive(comparison, sourceChunks, destinationChunks, sourceRange.fromOffset, context)
  } finally {
    await Promise.all([sourceChunks.return(), destinationChunks.return()])
  }
  const result = comparison.finish()
  const found = {
    ...{ topic, partition, sourceTopicId, destinationTopicId: destinationTopicId ?? '' },
    ...{ sourceLeaderEpoch: logs.sourceLeaderEpoch, destinationLeaderEpoch: logs.destinationLeaderEpoch },
    ...(ranges?.remember() ?? NO_RANGES),
    verifiedBy: context.verifiedBy ?? '',
    verifiedAt: Date.now()
  }
  const isRemembered = context.verifiedBy !== undefined && result.verified !== undefined
  return {
    ...result,
    beginning,
    remember: isRemembered ? { ...found, ...result.verified! } : undefined,
    goOn: isRemembered ? { ...found, ...NO_RANGES, ...result.compared } : undefined,
    missing: comparison.takeMissing()
  }
}

const NO_RANGES = new VerifiedRanges().remember()
const PATIENCE_MS = 30_000

async function lookAtLogs(
  { topic, destinationTopic, partition, sourceTopicId, destinationTopicId }: PartitionPair,
  { source, destination, signal, remembered, turn }: CompareContext
) {
  const patienceMs = turn?.patienceMs ?? PATIENCE_MS
  const ask = <T>(cluster: Cluster, { topic }: TopicPartition, question: () => Promise<T>) =>
    askPatiently(cluster, topic, question, { patienceMs, signal })
  const from = { topic, partition }
  const to = { topic: destinationTopic, partition }
  const isDestinationThere = destinationTopicId !== undefined
  const sourceLogStart = await ask(source, from, () => listPlace(source, from, EARLIEST, 'read_committed'))
  const sourceEnd = await ask(source, from, () => listPlace(source, from, LATEST, 'read_committed'))
  const [destinationLogStart, destinationEnd] = isDestinationThere
    ? [
        await ask(destination, to, () => listPlace(destination, to, EARLIEST, 'read_committed')),
        await ask(destination, to, () => listPlace(destination, to, LATEST, 'read_committed'))
      ]
    : [NOWHERE, NOWHERE]
  const sourceEndAfter = await ask(source, from, () => listPlace(source, from, LATEST, 'read_committed'))
  const epochEnd = (cluster: Cluster, partition: TopicPartition, epoch: number) =>
    epoch < 0 ? undefined : ask(cluster, partition, () => endOfEpoch(cluster, partition, epoch))
  const areSame = remembered?.sourceTopicId === sourceTopicId && remembered.destinationTopicId === destinationTopicId
  const [sourceEpochEndOffset, destinationEpochEndOffset] = areSame
    ? await Promise.all([
        epochEnd(source, from, remembered.sourceLeaderEpoch),
        epochEnd(destination, to, remembered.destinationLeaderEpoch)
      ])
    : []
  return {
    sourceTopicId,
    destinationTopicId,
    sourceLogStartOffset: sourceLogStart.offset,
    sourceEndOffset: sourceEnd.offset,
    sourceEndOffsetAfter: sourceEndAfter.offset,
    sourceLeaderEpoch: sourceEnd.leaderEpoch,
    sourceEpochEndOffset,
    destinationLogStartOffset: destinationLogStart.offset,
    destinationEndOffset: destinationEnd.offset,
    destinationLeaderEpoch: destinationEnd.leaderEpoch,
    destinationEpochEndOffset
  }
}

const NOWHERE = { offset: 0, leaderEpoch: -1 }

/** A leader may just be changing. */
async function askPatiently<T>(
  cluster: Cluster,
  topic: string,
  question: () => Promise<T>,
  { patienceMs, signal }: { readonly patienceMs: number; readonly signal: AbortSignal }
): Promise<T> {
  const startedAtMs = performance.now()
  const backoff = new Backoff(100, 2_000)
  for (;;) {
    try {
      return await question()
    } catch (error) {
      signal.throwIfAborted()
      const mayPass = error instanceof ClusterError && error.retriable && !error.code.endsWith('AUTHORIZATION_FAILED')
      if (!mayPass || performance.now() - startedAtMs > patienceMs) throw error
      await pause(backoff.nextMs(), signal)
      await cluster.refreshTogether(topic)
    }
  }
}

/** Brings each side's next chunk when the comparison needs it: neither side is read ahead of the other. */
async function drive(
  comparison: PartitionComparison,
  sourceChunks: AsyncIterator<RecordChunk, void>,
  destinationChunks: AsyncIterator<RecordChunk, void>,
  sourceStartOffset: number,
  { signal, onRead, turn }: CompareContext
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
      onRead({ side: 'source', records: chunk.records.length, sourceOffsets: chunk.nextOffset - sourceOffset })
      sourceOffset = chunk.nextOffset
    } else {
      const isEnough = turn !== undefined && (comparison.isBeyondEnd || turn.isOver())
      if (isEnough && comparison.mayEnd) return
      const chunk = await fillNext(destination, destinationChunks)
      if (chunk === undefined) continue
      comparison.destinationLogStartsAt(chunk.logStartOffset)
      if (chunk.isAfterGap) comparison.destinationLostRecords()
      onRead({ side: 'destination', records: chunk.records.length, sourceOffsets: 0 })
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
