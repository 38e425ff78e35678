import type { Copy, Stretch } from './stretch.ts'

/** So many offsets are rather read than searched. */
const READ_THROUGH_OFFSETS = 256
/** A guess is put a little lower, so that what is read from there also shows the copy before. */
const GUESS_MARGIN_OFFSETS = 16
/** How far below the end the first look is, where nothing is known yet, and by how much the next ones are further. */
const FIRST_WINDOW_OFFSETS = 64
const WINDOW_GROWTH = 8

/**
 * The search for the first copy at or after a source offset, as pure calculation: it says where to look and is told
 * what stands there.
 *
 *      start            low                 high             end
 *        │  before N      │     not known     │  N or after   │
 *        └────────────────┴───────────────────┴───────────────┘
 *             the newest: before       the first: at
 *
 * It rests on source offsets that only grow along the partition. Where they go back for a good reason (a topic made anew,
 * a person's decision) the caller begins the search behind that. What was written under a fence may also be searched
 * across such a place: from a copy that follows one before N, all records from N on are still to come, whichever of the
 * two places it is in, because a fenced owner goes on where the newest copy is and leaves nothing out. Where it was not
 * written under a fence, `isUnsure` says that the caller has to look further.
 */
export class TranslationSearch {
  readonly sourceOffset: number
  readonly #start: number
  #low: number
  #high: number
  /** The newest copy known to stand before; once done, the one right before `at`, or the newest of all. */
  before: Copy | undefined
  /** The first copy known to be at or after the source offset. */
  at: Copy | undefined
  #isHalvingNext = false
  #windowOffsets = FIRST_WINDOW_OFFSETS

  /** @param start the lowest destination offset it may be at. @param end where the partition ends */
  constructor(sourceOffset: number, start: number, end: number) {
    this.sourceOffset = sourceOffset
    this.#start = start
    this.#low = start
    this.#high = end
  }

  get isDone(): boolean {
    return this.#low >= this.#high
  }

  /** Below it is what is not known yet. */
  get high(): number {
    return this.#high
  }

  /** What it was concluded from may be a copy that was written late, behind newer ones. */
  get isUnsure(): boolean {
    return this.before !== undefined && !this.before.isFenced && !this.isExact
  }

  /** The copy of the very offset asked for, by a writer that was alone: what stands before it does not matter. */
  get isExact(): boolean {
    return this.at !== undefined && this.at.sourceOffset === this.sourceOffset && this.at.isFenced
  }

  /** Takes note of what was read. */
  learn(stretch: Stretch): void {
    const part = stretch.within(this.#low, this.#high)
    if (part.start >= part.end) return
    const found = part.firstFrom(this.sourceOffset)
    if (found !== undefined) {
      this.at = found.copy
      this.#high = found.before === undefined ? part.start : found.copy.destinationOffset
      if (found.before !== undefined) this.before = found.before
      if (found.before !== undefined || this.isExact) this.#low = this.#high
    } else if (part.newest !== undefined) {
      this.before = part.newest
      this.#low = part.end
    } else if (part.start === this.#low) this.#low = part.end
    else if (part.end === this.#high) this.#high = part.start
  }

  /** A copy at or after the source offset stands further down than all was concluded from: begins again below it. */
  goBelow(copy: Copy): void {
    this.at = copy
    this.before = undefined
    this.#low = this.#start
    this.#high = copy.destinationOffset
  }

  /** The destination offset to read from, up to the first copy there is. */
  nextProbe(): number {
    if (this.#high - this.#low <= READ_THROUGH_OFFSETS) return this.#low
    const guess = this.#isHalvingNext ? this.#middle() : this.#guess()
    this.#isHalvingNext = !this.#isHalvingNext
    const isNearLow = guess - this.#low <= READ_THROUGH_OFFSETS / 2
    return isNearLow ? this.#low : Math.min(guess, this.#high - 1)
  }

  #middle(): number {
    // While no copy is known at all, only the end is worth a look: what others have written there is to be passed.
    if (this.before === undefined && this.at === undefined) return this.#window()
    return Math.floor((this.#low + this.#high) / 2)
  }

  /** Where it would be if both sides advanced alike; a place to look at, nothing more. */
  #guess(): number {
    const { before, at, sourceOffset } = this
    if (before === undefined && at === undefined) return this.#window()
    if (at === undefined) {
      const guess = before!.destinationOffset + (sourceOffset - before!.sourceOffset) - GUESS_MARGIN_OFFSETS
      return guess < this.#high ? guess : this.#window()
    }
    if (before === undefined || before.sourceOffset >= at.sourceOffset) {
      return at.destinationOffset - (at.sourceOffset - sourceOffset) - GUESS_MARGIN_OFFSETS
    }
    const part = (sourceOffset - before.sourceOffset) / (at.sourceOffset - before.sourceOffset)
    const offsets = Math.floor(part * (at.destinationOffset - before.destinationOffset))
    return before.destinationOffset + offsets - GUESS_MARGIN_OFFSETS
  }

  #window(): number {
    const windowStart = this.#high - this.#windowOffsets
    this.#windowOffsets *= WINDOW_GROWTH
    return windowStart
  }
}
