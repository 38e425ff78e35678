/**
 * What of a partition is lost with the source, as far as anybody knows: what the destination holds, against what was known to
 * exist at the source when it was last heard of. What came to the source later is in no report.
 */
import type { PartitionLoss } from '../events/partition-loss.ts'
import type { Progress } from '../flow/messages.ts'
import type { CopiedPartition } from './shut-out.ts'

/** The newest copy that the destination holds of a partition. */
export interface NewestCopy {
  readonly sourceOffset: number
  readonly destinationOffset: number
  /** `undefined` where it could not be read. */
  readonly timestampMs: number | undefined
}

/** What the source says now. */
export interface SourceNow {
  readonly topicId: string
  readonly logStartOffset: number
  readonly lastStableOffset: number
}

export interface LossFacts {
  readonly orderId: string
  readonly source: string
  readonly destination: string
  readonly partition: CopiedPartition
  readonly committed: Progress | undefined
  readonly newestCopy: NewestCopy | undefined
  /** `undefined` where it can't be asked. */
  readonly sourceNow: SourceNow | undefined
  readonly nowMs: number
}

/** The row of one partition. */
export function lossOf(facts: LossFacts): PartitionLoss {
  const { orderId, source, destination, partition, committed, newestCopy, nowMs } = facts
  const nextSourceOffset = mirroredTo(committed, newestCopy)
  const sourceEnd = lastKnownEnd(facts)
  const firstLost = nextSourceOffset ?? sourceEnd?.logStartOffset
  const lostRecordsMax =
    sourceEnd === undefined || firstLost === undefined ? null : Math.max(sourceEnd.offset - firstLost, 0)
  return {
    ...{ orderId, source, destination },
    ...{ topic: partition.topic, partition: partition.partition, destinationTopic: partition.destinationTopic },
    topicId: committed?.topicId ?? null,
    nextSourceOffset,
    lastSourceOffset: newestCopy?.sourceOffset ?? null,
    lastDestinationOffset: newestCopy?.destinationOffset ?? null,
    lastTimestamp: newestCopy?.timestampMs ?? null,
    sourceEndOffset: sourceEnd?.offset ?? null,
    sourceSeenAt: sourceEnd?.seenAtMs ?? null,
    lostRecordsMax,
    lostSeconds: lostRecordsMax === 0 ? 0 : lostRecordsMax === null ? null : (sourceEnd?.lagSeconds ?? null),
    reportedAt: nowMs
  }
}

/** The further of what was committed and what the destination holds. */
function mirroredTo(committed: Progress | undefined, newestCopy: NewestCopy | undefined): number | null {
  if (committed === undefined && newestCopy === undefined) return null
  return Math.max(committed?.nextSourceOffset ?? 0, (newestCopy?.sourceOffset ?? -1) + 1)
}

interface KnownEnd {
  readonly offset: number
  readonly seenAtMs: number
  readonly lagSeconds: number | undefined
  readonly logStartOffset?: number
}

/** The source's own word counts while it is about the topic that was mirrored. */
function lastKnownEnd({ committed, sourceNow, nowMs }: LossFacts): KnownEnd | undefined {
  const isSameTopic = committed?.topicId === undefined || committed.topicId === sourceNow?.topicId
  if (sourceNow === undefined || !isSameTopic) return committed?.sourceEnd
  const { lastStableOffset: offset, logStartOffset } = sourceNow
  const told = committed?.sourceEnd
  // Since when the oldest of them waits is known only from a worker that has seen it.
  const waitedMs = told === undefined || told.lagSeconds === 0 ? undefined : nowMs - told.seenAtMs
  const lagSeconds = waitedMs === undefined ? undefined : told!.lagSeconds + Math.max(waitedMs, 0) / 1000
  return { offset, seenAtMs: nowMs, lagSeconds, logStartOffset }
}

/** Sums over the partitions; what is not known of one is left out, and counted. */
export interface LossTotals {
  readonly partitions: number
  readonly partitionsWithLoss: number
  readonly lostRecordsMax: number
  /** Of the partition that had been waiting longest. */
  readonly lostSeconds: number
  /** Those of which it is not known how much the source had. */
  readonly unknownPartitions: number
  /** When anything was last heard of the source; `null` where nothing ever was. */
  readonly lastContactAt: number | null
}

export function totalLoss(losses: readonly PartitionLoss[]): LossTotals {
  let lostRecordsMax = 0
  let lostSeconds = 0
  let partitionsWithLoss = 0
  let unknownPartitions = 0
  let lastContactAt: number | null = null
  for (const loss of losses) {
    if (loss.lostRecordsMax === null) unknownPartitions++
    else if (loss.lostRecordsMax > 0) partitionsWithLoss++
    lostRecordsMax += loss.lostRecordsMax ?? 0
    lostSeconds = Math.max(lostSeconds, loss.lostSeconds ?? 0)
    if (loss.sourceSeenAt !== null) lastContactAt = Math.max(lastContactAt ?? 0, loss.sourceSeenAt)
  }
  return {
    ...{ partitions: losses.length, partitionsWithLoss, lostRecordsMax, lostSeconds },
    ...{ unknownPartitions, lastContactAt }
  }
}
