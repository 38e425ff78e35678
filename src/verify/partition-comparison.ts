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
 *
 * What was found equal needs no second look: the comparison tells the last place up to which nothing was wrong and
 * nothing open, and another one can begin there. It is a pair of offsets, one of each log, right behind a copy:
 *
 *     source       10   11   12 ┊ 13   14   15
 *     destination  10   11   12 ┊ 14                   13 is missing, so the place stays where it is
 */
import type { ReadRecord } from '../cluster/record-reader.ts'
import { CompactionJudge } from './compaction.ts'
import { CopyDigester } from './copy-digest.ts'
import { type Difference, DifferenceList, type RecordDifference } from './differences.ts'
import { OffsetRuns } from './offset-runs.ts'
import { FOREIGN, HopFinder, MISPLACED, OriginReader } from './origin.ts'
import { describeDifference, differingFields } from './record-difference.ts'
import type { RecordQueue } from './record-queue.ts'
import type { VerifiedPlace } from './verified-partition.ts'
import type { ChangedRange, RangeCheck, VerifiedRanges } from './verified-ranges.ts'

/** What a partition's comparison counted. All but the first belong to one of four groups, in this order. */
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

  /** Ranges of copies that are not what they were when they were found equal. */
  changed: number

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
  /** Copies from here on are not asked for. */
  readonly destinationEndOffset: number
  /** Where an earlier comparison got to; without it, this one begins where the logs do. */
  readonly from?: VerifiedPlace | undefined
  /** Source records before that place whose copies were missing there. */
  readonly missingBefore?: OffsetRuns | undefined
  /** What becomes of records behind the last copy: they count as pending, or are left for the next comparison. */
  readonly tail?: 'pending' | 'unread' | undefined
  /** Takes what the copies are, up to the place that this comparison gets to. */
  readonly ranges?: VerifiedRanges | undefined
  /** What the copies were before, to be compared with. */
  readonly check?: RangeCheck | undefined
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
  /** Up to where all was equal; `undefined` where there is no destination partition. */
  readonly verified: VerifiedPlace | undefined
  /** Up to where all was compared, equal or not. */
  readonly compared: VerifiedPlace
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
  readonly #passed: OffsetRuns
  /** Those of them without a copy so far. */
  readonly #absent = new OffsetRuns(RUNS_MAX)
  /** Those that an earlier comparison found missing. */
  readonly #missingBefore: OffsetRuns
  /** Those that lie before the first copy, where that is no fault. */
  #leading = new OffsetRuns(RUNS_MAX)
  readonly #compaction: CompactionJudge | undefined
  #sourceLogStartOffset: number
  #destinationLogStartOffset: number
  #lastSourceOffset: number
  #absentCount = 0
  #leadingReason: 'destinationGone' | 'beforeStart' | undefined
  /** Source offset of the first copy that stands at the destination. */
  #firstCopy: number | undefined

  readonly #digester = new CopyDigester()
  /** Behind the last copy that was judged. */
  #place: VerifiedPlace
  readonly #beginning: VerifiedPlace
  /** The last place before anything was wrong. */
  #verified: VerifiedPlace
  #nextSourceOffset: number
  #hasCopies: boolean
  #hasFault = false
  #isOver = false
  #firstPending: number | undefined
  /** Destination offset of the first copy that is newer than the comparison. */
  #firstNewer: number | undefined

  constructor(partition: ComparedPartition) {
    this.#partition = partition
    this.#origins = new OriginReader(partition.sourceAlias, partition.topic, partition.partition)
    this.#hops = new HopFinder(partition.destinationAlias)
    this.#differences = new DifferenceList(partition.differencesMax)
    this.#compaction = partition.isDestinationCompacted ? new CompactionJudge(WAITING_KEYS_MAX) : undefined
    const { from, sourceLogStartOffset, destinationLogStartOffset } = partition
    this.#sourceLogStartOffset = sourceLogStartOffset
    this.#destinationLogStartOffset = destinationLogStartOffset
    this.#lastSourceOffset = (from?.nextSourceOffset ?? 0) - 1
    this.#passed = new OffsetRuns(RUNS_MAX, from?.nextSourceOffset)
    this.#missingBefore = partition.missingBefore ?? new OffsetRuns(RUNS_MAX)
    this.#hasCopies = from?.hasCopies ?? false
    this.#place = {
      nextSourceOffset: Math.max(from?.nextSourceOffset ?? 0, sourceLogStartOffset),
      nextDestinationOffset: Math.max(from?.nextDestinationOffset ?? 0, destinationLogStartOffset),
      hasCopies: this.#hasCopies
    }
    this.#verified = this.#place
    this.#beginning = this.#place
    this.#nextSourceOffset = this.#place.nextSourceOffset
    // Where copies were compared up to a place, those behind it are deleted only if the log now starts behind it.
    const isDestinationGone = destinationLogStartOffset > (this.#hasCopies ? from!.nextDestinationOffset : 0)
    if (isDestinationGone) this.#leadingReason = 'destinationGone'
    else if (partition.startsAtLatest && !this.#hasCopies) this.#leadingReason = 'beforeStart'
  }

  /** The source's retention may remove records during the comparison. */
  sourceLogStartsAt(offset: number): void {
    this.#sourceLogStartOffset = Math.max(this.#sourceLogStartOffset, offset)
  }

  destinationLogStartsAt(offset: number): void {
    this.#destinationLogStartOffset = Math.max(this.#destinationLogStartOffset, offset)
  }

  /** The destination's retention removed copies before they were read: the next one counts as the first. */
  destinationLostRecords(): void {
    this.#leadingReason = 'destinationGone'
    this.#leading = new OffsetRuns(RUNS_MAX)
    this.#firstCopy = undefined
  }

  /** Copies that are newer than the comparison have come: nothing more is to be expected of it. */
  get isBeyondEnd(): boolean {
    return this.#firstNewer !== undefined
  }

  /** Nothing waits for later copies: when the walk needs the destination, it may as well end. */
  get mayEnd(): boolean {
    return this.#compaction === undefined || this.#compaction.missing === 0
  }

  /** Source records without a copy so far: a later comparison tells by them a late copy from a second one. */
  takeMissing(): OffsetRuns {
    this.#missingBefore.appendAll(this.#absent)
    return this.#missingBefore
  }

  /** Goes on until one side has nothing more at hand. */
  walk(source: RecordQueue, destination: RecordQueue): NeededSide {
    for (let copy = destination.peek(); copy !== undefined; copy = destination.peek()) {
      if (!this.#walkTo(copy, source)) return 'source'
      destination.take()
      this.#passedCopy(copy)
    }
    return destination.isEnded ? this.#walkRest(source) : 'destination'
  }

  /** The result, once the walk is over, or needs the destination and may end. */
  finish(): PartitionResult {
    const { differencesMax, check, isDestinationThere } = this.#partition
    const changed = check?.changed(this.#destinationLogStartOffset) ?? []
    for (const range of changed) this.#changedRange(range)
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
    const compared = this.#reached()
    const equal = this.#isClean ? compared : this.#verified
    const verified = changed[0] === undefined ? equal : this.#placeBefore(changed[0], equal)
    return {
      counts,
      differences: this.#differences.first(missing),
      verified: isDestinationThere ? verified : undefined,
      compared
    }
  }

  get #isClean(): boolean {
    return !this.#hasFault && (this.#compaction === undefined || this.#compaction.isSettled)
  }

  /** Where the ranges begin that hold what was changed, or where anything else is wrong before it. */
  #placeBefore({ firstDestinationOffset }: ChangedRange, equal: VerifiedPlace): VerifiedPlace {
    if (equal.nextDestinationOffset <= firstDestinationOffset) return equal
    return this.#partition.ranges?.cutBefore(firstDestinationOffset) ?? this.#beginning
  }

  /** The copy and all before it have been judged. */
  #passedCopy({ offset }: ReadRecord): void {
    if (this.#firstNewer !== undefined) return
    this.#place = {
      nextSourceOffset: this.#nextSourceOffset,
      nextDestinationOffset: offset + 1,
      hasCopies: this.#hasCopies
    }
    if (this.#isClean) this.#verified = this.#place
  }

  #reached(): VerifiedPlace {
    const { sourceEndOffset, destinationEndOffset, tail } = this.#partition
    const hasCopies = this.#hasCopies
    // Whatever the place, it does not go back: the source's end may be given as less than what was read before.
    const ahead = (nextSourceOffset: number) => Math.max(nextSourceOffset, this.#place.nextSourceOffset)
    if (this.#firstNewer !== undefined) {
      return { nextSourceOffset: ahead(sourceEndOffset), nextDestinationOffset: this.#firstNewer, hasCopies }
    }
    if (!this.#isOver) return this.#place
    const nextSourceOffset = tail === 'unread' ? this.#nextSourceOffset : (this.#firstPending ?? sourceEndOffset)
    return {
      nextSourceOffset: ahead(nextSourceOffset),
      nextDestinationOffset: Math.max(destinationEndOffset, this.#place.nextDestinationOffset),
      hasCopies
    }
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
      this.#digest(copy, sourceOffset)
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
    this.#digest(copy, sourceOffset)
    return true
  }

  /** What comes after the last copy. */
  #walkRest(source: RecordQueue): NeededSide {
    if (this.#partition.tail === 'unread') {
      this.#isOver = true
      return 'none'
    }
    for (let record = source.peek(); record !== undefined; record = source.peek()) {
      if (this.#partition.isDestinationThere) this.#pendingRecord(record)
      else this.#withoutCopy(record)
      source.take()
    }
    this.#isOver = source.isEnded
    return source.isEnded ? 'none' : 'source'
  }

  /** Notes what the copy is: as it was found equal, or to be compared with what it was then. */
  #digest(copy: ReadRecord, sourceOffset: number): void {
    if (this.#firstNewer !== undefined) return
    this.#hasCopies = true
    const { ranges, check } = this.#partition
    const isRemembered = ranges !== undefined && !this.#hasFault
    if (!isRemembered && check === undefined) return
    const digest = this.#digester.digest(copy, sourceOffset, this.#origins.headerIndex)
    if (isRemembered) ranges.add(sourceOffset, copy.offset, digest)
    check?.add(copy.offset, digest)
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
    this.#fault({
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
    if (this.#compaction !== undefined) return
    this.#hasFault = true
    this.#partition.check?.explain(this.#place.nextDestinationOffset)
  }

  #pendingRecord(record: ReadRecord): void {
    if (!this.#pass(record)) return
    this.#counts.pending++
    this.#firstPending ??= record.offset
  }

  /** Notes that the source record had its turn; false where it must not have a copy. */
  #pass(record: ReadRecord): boolean {
    this.#counts.sourceRecords++
    this.#lastSourceOffset = record.offset
    this.#nextSourceOffset = Math.max(this.#nextSourceOffset, record.offset + 1)
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
    } else if (this.#missingBefore.remove(sourceOffset)) {
      this.#reordered(copy, sourceOffset)
    } else if (sourceOffset < this.#passed.forgottenBefore || this.#passed.has(sourceOffset)) {
      this.#counts.duplicated++
      this.#fault({ kind: 'duplicated', sourceOffset, destinationOffset: copy.offset })
    } else {
      this.#withoutRecord(copy, sourceOffset)
    }
  }

  #reordered(copy: ReadRecord, sourceOffset: number): void {
    this.#counts.reordered++
    this.#fault({ kind: 'reordered', sourceOffset, destinationOffset: copy.offset })
  }

  /** The source has no committed record at the offset that the copy names. */
  #withoutRecord(copy: ReadRecord, sourceOffset: number): void {
    this.#compaction?.present(copy.key, sourceOffset)
    if (sourceOffset >= this.#partition.sourceEndOffset) {
      this.#counts.newer++
      this.#firstNewer ??= copy.offset
    } else if (sourceOffset < this.#sourceLogStartOffset || this.#partition.isSourceCompacted) {
      this.#counts.sourceGone++
      this.#nextSourceOffset = Math.max(this.#nextSourceOffset, sourceOffset + 1)
    } else this.#unexpected(copy, sourceOffset, 'the source has no committed record at this offset')
  }

  /** What names no offset that a copy in this partition could have. */
  #noCopy(copy: ReadRecord, sourceOffset: number): void {
    if (sourceOffset === FOREIGN) this.#counts.foreign++
    else if (sourceOffset === MISPLACED) this.#unexpected(copy, -1, 'its origin names another partition or no offset')
    else this.#unexpected(copy, sourceOffset, 'the source ends before this offset')
  }

  #unexpected(copy: ReadRecord, sourceOffset: number, detail: string): void {
    this.#counts.unexpected++
    this.#fault({
      kind: 'unexpected',
      sourceOffset,
      destinationOffset: copy.offset,
      detail: () => detail
    })
  }

  #fault(found: RecordDifference): void {
    this.#hasFault = true
    this.#partition.check?.explain(found.destinationOffset)
    this.#differences.add(found)
  }

  #changedRange(range: ChangedRange): void {
    const { firstSourceOffset, nextSourceOffset, firstDestinationOffset, nextDestinationOffset } = range
    this.#counts.changed++
    this.#differences.addRange({
      kind: 'changed',
      sourceOffsets: { first: firstSourceOffset, last: nextSourceOffset - 1 },
      destinationOffsets: { first: firstDestinationOffset, last: nextDestinationOffset - 1 },
      detail: describeChange(range)
    })
  }
}

function describeChange({ copiesBefore, copiesNow }: ChangedRange): string {
  return copiesBefore === copiesNow
    ? 'the copies are not what they were when they were found equal'
    : `there were ${copiesBefore} copies when they were found equal, and there are ${copiesNow} now`
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
    changed: 0,
    sourceGone: 0,
    newer: 0,
    foreign: 0
  }
}
