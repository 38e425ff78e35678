/**
 * How far one partition's copy is behind, by observation alone: when did this worker first see that the source holds
 * an offset, and is that offset acknowledged yet? No timestamp of a record and no clock but our own takes part, so
 * neither skew between hosts nor odd record timestamps bend it.
 */

/** At that moment the source was first seen to end here (its last stable offset). */
interface Observation {
  endOffset: number
  readonly seenAtMs: number
  /** When its newest offset was first seen: later than `seenAtMs` where several observations count as one. */
  seenByMs: number
}

/**
 * Observations kept while behind. When there are too many, those closer together than a spacing, which then doubles,
 * count as one, seen at the earlier time. So lag may come out too long by a hundredth or two, but never too short.
 */
const OBSERVATIONS_MAX = 256
const SPACING_FIRST_MS = 10
/** Without news from the source for this long its end is not known any more. */
const STALE_AFTER_MS = 5_000

export interface Lag {
  readonly records: number
  readonly seconds: number
}

/** How far the copy was behind when an owner before committed its progress. */
interface Inherited {
  readonly nextSourceOffset: number
  readonly endOffset: number
  /** Since the oldest of these offsets was seen, by then; a length of time, for the clocks of two hosts differ. */
  readonly lagMs: number
  readonly sinceMs: number
}

export class PartitionLag {
  /** Ascending in both offset and time; the first one lies beyond what is acknowledged. */
  #observations: Observation[] = []
  #spacingMs = 0
  #sourceEndOffset: number | undefined
  #heardAtMs = Number.NEGATIVE_INFINITY
  #nextSourceOffset: number | undefined
  #foundEndOffset: number | undefined
  #inherited: Inherited | undefined

  /** Where the source ended at the first look: what lies below was not seen arriving. */
  get foundEndOffset(): number | undefined {
    return this.#foundEndOffset
  }

  get sourceEndOffset(): number | undefined {
    return this.#sourceEndOffset
  }

  /** When the source was last heard of, by the clock that `nowMs` is of; -Infinity before the first time. */
  get heardAtMs(): number {
    return this.#heardAtMs
  }

  /** Next source offset to be acknowledged. */
  get nextSourceOffset(): number | undefined {
    return this.#nextSourceOffset
  }

  /**
   * Takes over what the owner before had seen, so that lag does not begin anew with each restart. How long both clusters were left
   * alone in between nobody knows, so that is missing.
   */
  inherit(nextSourceOffset: number, endOffset: number, lagSeconds: number, nowMs: number): void {
    this.acknowledged(nextSourceOffset)
    this.#inherited = { nextSourceOffset, endOffset, lagMs: lagSeconds * 1000, sinceMs: nowMs }
  }

  /** The source said where the partition ends. */
  sourceEndSeen(endOffset: number, nowMs: number): void {
    this.#heardAtMs = nowMs
    const last = this.#observations.at(-1)?.endOffset ?? this.#nextSourceOffset ?? 0
    this.#sourceEndOffset = endOffset
    this.#foundEndOffset ??= endOffset
    if (endOffset <= last) return
    const newest = this.#observations.at(-1)
    if (newest === undefined) this.#spacingMs = 0
    if (newest !== undefined && nowMs - newest.seenAtMs < this.#spacingMs) {
      newest.endOffset = endOffset
      newest.seenByMs = nowMs
      return
    }
    while (this.#observations.length >= OBSERVATIONS_MAX) this.#thinOut()
    this.#observations.push({ endOffset, seenAtMs: nowMs, seenByMs: nowMs })
  }

  /** The source was heard of and had nothing new to say of this partition. */
  sourceHeard(nowMs: number): void {
    if (nowMs > this.#heardAtMs) this.#heardAtMs = nowMs
  }

  /** All below this offset is acknowledged by the destination, or is nothing that goes there. */
  acknowledged(nextSourceOffset: number): void {
    const before = this.#nextSourceOffset
    this.#nextSourceOffset = nextSourceOffset
    if (before !== undefined && nextSourceOffset < before) this.#startOver()
    const passed = this.#indexAbove(nextSourceOffset)
    if (passed > 0) this.#observations.splice(0, passed)
  }

  /** `undefined` while either side is unknown, or the source has not been heard of lately. */
  at(nowMs: number): Lag | undefined {
    if (this.#nextSourceOffset === undefined || this.#sourceEndOffset === undefined) return undefined
    if (nowMs - this.#heardAtMs > STALE_AFTER_MS) return undefined
    const records = Math.max(this.#sourceEndOffset - this.#nextSourceOffset, 0)
    const oldest = this.#observations[0]
    if (records === 0 || oldest === undefined) return { records, seconds: 0 }
    return { records, seconds: Math.max(nowMs - oldest.seenAtMs, this.#inheritedMs(nowMs)) / 1000 }
  }

  /**
   * How long the next offset has been waiting, if the owner before had seen it: as though all that was missing then had come
   * evenly. Were it counted from the oldest one, a copy that is kept behind would be ever further behind with each restart.
   */
  #inheritedMs(nowMs: number): number {
    if (this.#inherited === undefined) return 0
    const { nextSourceOffset, endOffset, lagMs, sinceMs } = this.#inherited
    const left = endOffset - this.#nextSourceOffset!
    return left <= 0 ? 0 : (lagMs * left) / (endOffset - nextSourceOffset) + nowMs - sinceMs
  }

  /**
   * By when the source was seen to hold this offset, which is not acknowledged yet; never earlier than it was seen, and later by
   * no more than a hundredth of how long the oldest one waits. `undefined`: it has not been seen yet.
   */
  seenByMs(offset: number): number | undefined {
    return this.#observations[this.#indexAbove(offset)]?.seenByMs
  }

  /** Below which offset everything had been seen by then; 0 where that is not known of any that is not acknowledged. */
  endSeenBy(timeMs: number): number {
    let from = 0
    let to = this.#observations.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#observations[middle]!.seenByMs <= timeMs) from = middle + 1
      else to = middle
    }
    return this.#observations[from - 1]?.endOffset ?? 0
  }

  /** The first observation of an end beyond this offset. */
  #indexAbove(offset: number): number {
    let from = 0
    let to = this.#observations.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#observations[middle]!.endOffset <= offset) from = middle + 1
      else to = middle
    }
    return from
  }

  /** Progress went back (a new generation of the topic): what is missing now was first seen when it was last heard of. */
  #startOver(): void {
    this.#observations = []
    this.#inherited = undefined
    this.#foundEndOffset = this.#sourceEndOffset
    if (this.#sourceEndOffset === undefined || this.#sourceEndOffset <= this.#nextSourceOffset!) return
    const heardAtMs = this.#heardAtMs
    this.#observations.push({ endOffset: this.#sourceEndOffset, seenAtMs: heardAtMs, seenByMs: heardAtMs })
  }

  /** Doubles the spacing, and merges what is closer together than that. Called until it helped. */
  #thinOut(): void {
    this.#spacingMs = Math.max(this.#spacingMs * 2, SPACING_FIRST_MS)
    const kept: Observation[] = []
    for (const observation of this.#observations) {
      const last = kept.at(-1)
      if (last !== undefined && observation.seenAtMs - last.seenAtMs < this.#spacingMs) {
        last.endOffset = observation.endOffset
        last.seenByMs = observation.seenByMs
      } else {
        kept.push(observation)
      }
    }
    this.#observations = kept
  }
}
