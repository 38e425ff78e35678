/**
 * Compares one partition with its copy, record by record, in one pass over both.
 *
 * Both sides come in the order of their logs. Each copy names the source offset it was made from, and what it names
 * pulls the source along:
 *
 *     source       10   11   12   13   14   15
 *     destination  10   11        13   12   14   14
 *                  =    =    ▲    =    ◄    =    +      12 seems missing at ▲ until it turns up at ◄: reordered;
 *                                                       the second 14 is a duplicate; 15 is pending, for no copy
 *                                                       of a later record is there
 *
 * Why one pass: a partition may be larger than memory, so neither side can be held, and a join by offset would lose
 * the order, which is half of what is to be verified. What is remembered are runs of offsets, not records: a late copy
 * is recognised, but its contents cannot be compared any more.
 *
 * Every source record in range ends in exactly one of: equal, different, missing, reordered, pending, looped,
 * destinationGone, beforeStart, compacted, unjudged.
 */
import type { ReadRecord } from '../cluster/record-reader.ts'
import { CompactionJudge } from './compaction.ts'
import { type Difference, DifferenceList } from './differences.ts'
import { OffsetRuns } from './offset-runs.ts'
import { FOREIGN, HopFinder, MISPLACED, OriginReader } from './origin.ts'
import { describeDifference, differingFields } from './record-difference.ts'
import type { RecordQueue } from './record-queue.ts'

/** What a partition's comparison counted. All but the first belong to one of three groups, in this order. */
export interface PartitionCounts {
  /** Committed records in range. */
  sourceRecords: number

  // Each source record is one of these.
  equal: number
  different: number
  missing: number
  reordered: number
  /** No copy yet, nor of any later record. */
  pending: number
  /** Has been at the destination before, so it must not be mirrored. */
  looped: number
  /** Its copy was there and the destination's retention took it. */
  destinationGone: number
  /** Older than where mirroring was told to start. */
  beforeStart: number
  /** Compaction at the destination took the copy, as a newer one of its key is there. */
  compacted: number
  /** As `missing` or `compacted`, but too many keys were waiting to tell. */
  unjudged: number

  // Copies that are too many.
  duplicated: number
  unexpected: number

  // Records at the destination that are no fault.
  /** Copies of what the source's retention or compaction has removed since. */
  sourceGone: number
  /** Copies of records that were written at the source after the comparison began. */
  newer: number
  /** Other writers' records. */
  foreign: number
}

/** What the comparison must know of the two partitions. */
export interface ComparedPartition {
  readonly sourceAlias: string
  readonly destinationAlias: string
  readonly topic: string
  readonly partition: number
  readonly isDestinationThere: boolean
  /** Records from here on are not asked for. */
  readonly sourceEndOffset: number
  /** The source's end, read after the destination's: no copy may name an offset at or beyond it. */
  readonly sourceEndOffsetAfter: number
  readonly sourceLogStartOffset: number
  readonly destinationLogStartOffset: number
  /** Mirroring was told to begin with new records. */
  readonly startsAtLatest: boolean
  readonly isSourceCompacted: boolean
  readonly isDestinationCompacted: boolean
  /** How many differences to keep. */
  readonly differencesMax: number
}

/** What one partition came to. */
export interface PartitionResult {
  readonly counts: PartitionCounts
  readonly differences: readonly Difference[]
}

/** The side that must bring more records before the walk can go on; `none` when it is over. */
export type NeededSide = 'source' | 'destination' | 'none'

/** About 5 MB each where the offsets come in as many pieces as that. */
const RUNS_MAX = 100_000
const WAITING_KEYS_MAX = 200_000

export class PartitionComparison {
  readonly #partition: ComparedPartition
  readonly #origins: OriginReader
  readonly #hops: HopFinder
  readonly #counts: PartitionCounts = noCounts()
  readonly #differences: DifferenceList
  /** Source records that had their turn and may have a copy. */
  readonly #passed = new OffsetRuns(RUNS_MAX)
  /** Those of them without a copy so far. */
  readonly #absent = new OffsetRuns(RUNS_MAX)
  /** Those that lie before the first copy, where that is no fault. */
  #leading = new OffsetRuns(RUNS_MAX)
  readonly #compaction: CompactionJudge | undefined
  #sourceLogStartOffset: number
  #lastSourceOffset = -1
  #absentCount = 0
  #leadingReason: 'destinationGone' | 'beforeStart' | undefined
  /** Source offset of the first copy that stands at the destination. */
  #firstCopy: number | undefined

  constructor(partition: ComparedPartition) {
    this.#partition = partition
    this.#origins = new OriginReader(partition.sourceAlias, partition.topic, partition.partition)
    this.#hops = new HopFinder(partition.destinationAlias)
    this.#differences = new DifferenceList(partition.differencesMax)
    this.#compaction = partition.isDestinationCompacted ? new CompactionJudge(WAITING_KEYS_MAX) : undefined
    this.#sourceLogStartOffset = partition.sourceLogStartOffset
    if (partition.destinationLogStartOffset > 0) this.#leadingReason = 'destinationGone'
    else if (partition.startsAtLatest) this.#leadingReason = 'beforeStart'
  }

  /** The source's retention may remove records during the comparison. */
  sourceLogStartsAt(offset: number): void {
    this.#sourceLogStartOffset = Math.max(this.#sourceLogStartOffset, offset)
  }

  /** The destination's retention removed copies before they were read: the next one counts as the first. */
  destinationLostRecords(): void {
    this.#leadingReason = 'destinationGone'
    this.#leading = new OffsetRuns(RUNS_MAX)
    this.#firstCopy = undefined
  }

  /** Goes on until one side has nothing more at hand. */
  walk(source: RecordQueue, destination: RecordQueue): NeededSide {
    for (let copy = destination.peek(); copy !== undefined; copy = destination.peek()) {
      if (!this.#walkTo(copy, source)) return 'source'
      destination.take()
    }
    return destination.isEnded ? this.#walkRest(source) : 'destination'
  }

  /** The result, once the walk is over. */
  finish(): PartitionResult {
    const { differencesMax } = this.#partition
    const compaction = this.#compaction
    const missing = compaction
      ? compaction
          .missingOffsets()
          .slice(0, differencesMax)
          .map(offset => ({ first: offset, last: offset }))
      : this.#absent.first(differencesMax)
    const counts = {
      ...this.#counts,
      missing: compaction ? compaction.missing : this.#absentCount,
      compacted: compaction?.compacted ?? 0,
      unjudged: compaction?.unjudged ?? 0
    }
    return { counts, differences: this.#differences.first(missing) }
  }

  /** Brings the source up to what this copy was made from, and judges the copy; false where the source must bring more. */
  #walkTo(copy: ReadRecord, source: RecordQueue): boolean {
    const sourceOffset = this.#origins.read(copy.headers)
    if (sourceOffset < 0 || sourceOffset >= this.#partition.sourceEndOffsetAfter) {
      this.#noCopy(copy, sourceOffset)
      return true
    }
    this.#firstCopy ??= sourceOffset
    if (sourceOffset <= this.#lastSourceOffset) {
      this.#lateCopy(copy, sourceOffset)
      return true
    }
    let record = source.peek()
    while (record !== undefined && record.offset < sourceOffset) {
      this.#withoutCopy(record)
      source.take()
      record = source.peek()
    }
    if (record === undefined && !source.isEnded) return false
    if (record?.offset === sourceOffset) {
      this.#pair(record, copy)
      source.take()
    } else {
      this.#withoutRecord(copy, sourceOffset)
    }
    return true
  }

  /** What comes after the last copy. */
  #walkRest(source: RecordQueue): NeededSide {
    for (let record = source.peek(); record !== undefined; record = source.peek()) {
      if (this.#partition.isDestinationThere) this.#pendingRecord(record)
      else this.#withoutCopy(record)
      source.take()
    }
    return source.isEnded ? 'none' : 'source'
  }

  #pair(record: ReadRecord, copy: ReadRecord): void {
    if (!this.#pass(record)) {
      this.#unexpected(copy, record.offset, 'has been at the destination before, so it must not be mirrored')
      return
    }
    this.#compaction?.present(copy.key, record.offset)
    const fields = differingFields(record, copy, this.#origins.headerIndex)
    if (fields.length === 0) {
      this.#counts.equal++
      return
    }
    this.#counts.different++
    this.#differences.add({
      kind: 'different',
      sourceOffset: record.offset,
      destinationOffset: copy.offset,
      fields,
      detail: () => describeDifference(record, copy, fields)
    })
  }

  /** The copy of a later record stands where this one's should. */
  #withoutCopy(record: ReadRecord): void {
    if (!this.#pass(record)) return
    if (this.#leadingReason !== undefined && this.#firstCopy !== undefined && record.offset < this.#firstCopy) {
      this.#leading.append(record.offset)
      this.#counts[this.#leadingReason]++
      return
    }
    this.#absent.append(record.offset)
    this.#absentCount++
    this.#compaction?.absent(record)
  }

  #pendingRecord(record: ReadRecord): void {
    if (this.#pass(record)) this.#counts.pending++
  }

  /** Notes that the source record had its turn; false where it must not have a copy. */
  #pass(record: ReadRecord): boolean {
    this.#counts.sourceRecords++
    this.#lastSourceOffset = record.offset
    if (this.#hops.hasHop(record.headers)) {
      this.#counts.looped++
      return false
    }
    this.#passed.append(record.offset)
    return true
  }

  /** A copy of a record that had its turn already. */
  #lateCopy(copy: ReadRecord, sourceOffset: number): void {
    if (this.#absent.remove(sourceOffset)) {
      this.#absentCount--
      this.#compaction?.arrivedLate(copy.key, sourceOffset)
      this.#reordered(copy, sourceOffset)
    } else if (this.#leadingReason !== undefined && this.#leading.remove(sourceOffset)) {
      this.#counts[this.#leadingReason]--
      this.#reordered(copy, sourceOffset)
    } else if (sourceOffset < this.#passed.forgottenBefore || this.#passed.has(sourceOffset)) {
      this.#counts.duplicated++
      this.#differences.add({ kind: 'duplicated', sourceOffset, destinationOffset: copy.offset })
    } else {
      this.#withoutRecord(copy, sourceOffset)
    }
  }

  #reordered(copy: ReadRecord, sourceOffset: number): void {
    this.#counts.reordered++
    this.#differences.add({ kind: 'reordered', sourceOffset, destinationOffset: copy.offset })
  }

  /** The source has no committed record at the offset that the copy names. */
  #withoutRecord(copy: ReadRecord, sourceOffset: number): void {
    this.#compaction?.present(copy.key, sourceOffset)
    if (sourceOffset >= this.#partition.sourceEndOffset) this.#counts.newer++
    else if (sourceOffset < this.#sourceLogStartOffset || this.#partition.isSourceCompacted) this.#counts.sourceGone++
    else this.#unexpected(copy, sourceOffset, 'the source has no committed record at this offset')
  }

  /** What names no offset that a copy in this partition could have. */
  #noCopy(copy: ReadRecord, sourceOffset: number): void {
    if (sourceOffset === FOREIGN) this.#counts.foreign++
    else if (sourceOffset === MISPLACED) this.#unexpected(copy, -1, 'its origin names another partition or no offset')
    else this.#unexpected(copy, sourceOffset, 'the source ends before this offset')
  }

  #unexpected(copy: ReadRecord, sourceOffset: number, detail: string): void {
    this.#counts.unexpected++
    this.#differences.add({
      kind: 'unexpected',
      sourceOffset,
      destinationOffset: copy.offset,
      detail: () => detail
    })
  }
}

/** Counts to begin with. */
export function noCounts(): PartitionCounts {
  return {
    sourceRecords: 0,
    equal: 0,
    different: 0,
    missing: 0,
    reordered: 0,
    pending: 0,
    looped: 0,
    destinationGone: 0,
    beforeStart: 0,
    compacted: 0,
    unjudged: 0,
    duplicated: 0,
    unexpected: 0,
    sourceGone: 0,
    newer: 0,
    foreign: 0
  }
}
