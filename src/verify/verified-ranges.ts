/**
 * What the copies of a partition were when they were found equal, in pieces: enough to find out later that one of them is
 * not what it was, though its record may be gone at the source, or both sides may have changed alike.
 *
 *     destination   ├── range ──┼── range ──┼── range ──┤
 *                   first       first       first       nextDestinationOffset
 *
 * A range holds the sum of its copies' digests. Each digest has the copy's place in it, so the order is in the sum too,
 * and sums can be continued by the next run and joined: when there are too many ranges, neighbours become one and new
 * ones get twice as long. So what is remembered stays small, however long the partition.
 */
import { DIGEST_WORDS, type Digest } from './copy-digest.ts'
import type { VerifiedPlace } from './verified-partition.ts'

/** Copies that follow one another; the fields are described in `schemas/verified-partition.avsc`. */
export interface VerifiedRange {
  readonly firstSourceOffset: number
  readonly firstDestinationOffset: number
  readonly copies: number
  readonly digest: Buffer
}

/** Ranges as they are remembered. */
export interface RememberedRanges {
  readonly rangeSourceOffsets: number
  readonly ranges: readonly VerifiedRange[]
}

interface OpenRange {
  readonly firstSourceOffset: number
  readonly firstDestinationOffset: number
  copies: number
  readonly sum: Digest
}

export const RANGES_MAX = 64
const RANGE_SOURCE_OFFSETS = 10_000

/** Ranges that grow at their end. */
export class VerifiedRanges {
  #rangeSourceOffsets: number
  #ranges: OpenRange[]

  /** @param remembered to go on with */
  constructor(remembered: RememberedRanges = { rangeSourceOffsets: RANGE_SOURCE_OFFSETS, ranges: [] }) {
    this.#rangeSourceOffsets = remembered.rangeSourceOffsets
    this.#ranges = remembered.ranges.map(open)
  }

  /** Adds a copy that stands behind all before. */
  add(sourceOffset: number, destinationOffset: number, digest: Digest): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && sourceOffset < last.firstSourceOffset + this.#rangeSourceOffsets) {
      last.copies++
      addTo(last.sum, digest)
      return
    }
    if (this.#ranges.length === RANGES_MAX) this.#joinNeighbours()
    this.#ranges.push({
      firstSourceOffset: sourceOffset,
      firstDestinationOffset: destinationOffset,
      copies: 1,
      sum: digest.slice()
    })
  }

  /** Ranges that the destination has begun to delete cannot be checked any more; the last one is still to grow. */
  dropBefore(destinationLogStartOffset: number): void {
    this.#ranges = this.#ranges.filter(
      (range, index) => range.firstDestinationOffset >= destinationLogStartOffset || index === this.#ranges.length - 1
    )
  }

  /**
   * Leaves out the range that this copy is in, and all behind it.
   * @returns where they began; `undefined` where nothing is left
   */
  cutBefore(destinationOffset: number): VerifiedPlace | undefined {
    const index = this.#ranges.findLastIndex(range => range.firstDestinationOffset <= destinationOffset)
    const [first] = this.#ranges.splice(Math.max(index, 0))
    if (first === undefined || this.#ranges.length === 0) return undefined
    const { firstSourceOffset: nextSourceOffset, firstDestinationOffset: nextDestinationOffset } = first
    return { nextSourceOffset, nextDestinationOffset, hasCopies: true }
  }

  remember(): RememberedRanges {
    const ranges = this.#ranges.map(({ firstSourceOffset, firstDestinationOffset, copies, sum }) => ({
      firstSourceOffset,
      firstDestinationOffset,
      copies,
      digest: toBytes(sum)
    }))
    return { rangeSourceOffsets: this.#rangeSourceOffsets, ranges }
  }

  #joinNeighbours(): void {
    this.#rangeSourceOffsets *= 2
    const joined: OpenRange[] = []
    for (const [index, range] of this.#ranges.entries()) {
      const before = joined.at(-1)
      if (index % 2 === 0 || before === undefined) {
        joined.push(range)
        continue
      }
      before.copies += range.copies
      addTo(before.sum, range.sum)
    }
    this.#ranges = joined
  }
}

/** A range whose copies are not what they were. */
export interface ChangedRange {
  readonly firstSourceOffset: number
  readonly nextSourceOffset: number
  readonly firstDestinationOffset: number
  readonly nextDestinationOffset: number
  readonly copiesBefore: number
  readonly copiesNow: number
}

/**
 * Sums up again what was remembered. A range in which something else was found wrong is not told as changed: a copy that
 * is different now changes its range too.
 */
export class RangeCheck {
  readonly #remembered: readonly VerifiedRange[]
  readonly #explained = new Set<VerifiedRange>()
  readonly #now: OpenRange[]
  readonly #nextSourceOffset: number
  readonly #nextDestinationOffset: number
  #at = 0

  constructor(
    { ranges }: RememberedRanges,
    {
      nextSourceOffset,
      nextDestinationOffset
    }: { readonly nextSourceOffset: number; readonly nextDestinationOffset: number }
  ) {
    this.#remembered = ranges
    this.#now = ranges.map(range => ({ ...range, copies: 0, sum: new Uint32Array(DIGEST_WORDS) }))
    this.#nextSourceOffset = nextSourceOffset
    this.#nextDestinationOffset = nextDestinationOffset
  }

  /** A copy behind all before. */
  add(destinationOffset: number, digest: Digest): void {
    const range = this.#now[this.#indexOf(destinationOffset)]
    if (range === undefined) return
    range.copies++
    addTo(range.sum, digest)
  }

  /** Something is wrong at this offset. */
  explain(destinationOffset: number): void {
    const range = this.#remembered[this.#indexOf(destinationOffset)]
    if (range !== undefined) this.#explained.add(range)
  }

  /** Once all copies were added: those of the ranges that are still there whole, and not what they were. */
  changed(destinationLogStartOffset: number): ChangedRange[] {
    return this.#remembered.flatMap((before, index) => {
      const now = this.#now[index]!
      const isSame = now.copies === before.copies && toBytes(now.sum).equals(before.digest)
      const isWhole = before.firstDestinationOffset >= destinationLogStartOffset
      if (isSame || !isWhole || this.#explained.has(before)) return []
      return [
        {
          firstSourceOffset: before.firstSourceOffset,
          nextSourceOffset: this.#remembered[index + 1]?.firstSourceOffset ?? this.#nextSourceOffset,
          firstDestinationOffset: before.firstDestinationOffset,
          nextDestinationOffset: this.#endOf(index),
          copiesBefore: before.copies,
          copiesNow: now.copies
        }
      ]
    })
  }

  /** -1 before the first range and behind the last. The offsets come in ascending order. */
  #indexOf(destinationOffset: number): number {
    const first = this.#remembered[0]?.firstDestinationOffset ?? this.#nextDestinationOffset
    if (destinationOffset < first || destinationOffset >= this.#nextDestinationOffset) return -1
    while (destinationOffset >= this.#endOf(this.#at)) this.#at++
    return this.#at
  }

  #endOf(index: number): number {
    return this.#remembered[index + 1]?.firstDestinationOffset ?? this.#nextDestinationOffset
  }
}

function open({ firstSourceOffset, firstDestinationOffset, copies, digest }: VerifiedRange): OpenRange {
  const sum: Digest = new Uint32Array(DIGEST_WORDS)
  for (let word = 0; word < DIGEST_WORDS; word++) sum[word] = digest.readUInt32LE(word * 4)
  return { firstSourceOffset, firstDestinationOffset, copies, sum }
}

function addTo(sum: Digest, digest: Digest): void {
  for (let word = 0; word < DIGEST_WORDS; word++) sum[word]! += digest[word]!
}

function toBytes(sum: Digest): Buffer {
  const bytes = Buffer.alloc(DIGEST_WORDS * 4)
  for (let word = 0; word < DIGEST_WORDS; word++) bytes.writeUInt32LE(sum[word]!, word * 4)
  return bytes
}
