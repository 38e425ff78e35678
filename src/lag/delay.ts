/**
 * Which of a partition's records a copy that is kept behind may take, and when it may take the next ones.
 *
 * A record is due `delayMs` after it was appended at the source. When that was nobody tells for certain: a batch carries
 * its producer's word, which may lie anywhere, unless the topic has the broker write its own time. So:
 *
 *     seen arriving        the worker saw the partition without it and then with it: that moment counts, by
 *                          the worker's own clock, and no timestamp
 *     there when the       the batch's newest timestamp counts, but never a later moment than that
 *     worker first looked  look: a time in the future holds it no longer than the delay
 *
 * A batch without a timestamp counts from the first look. What comes behind a batch that is not due waits for it, due or not,
 * for order is kept.
 *
 * A copy may also be told to take nothing that arrived at a certain time or later: that is never due.
 *
 * Nothing is kept in memory until it is due: what is fetched too early is dropped, and read again when its time has come. So
 * that little is read in vain, as little is asked for as was due the last times.
 */
import { type BatchView, batchesIn, MAGIC } from '../records/batch.ts'
import type { PartitionLag } from './partition-lag.ts'

/** The clock that observations are made with, in milliseconds, and the one that timestamps are of. */
export interface Clocks {
  readonly nowMs: () => number
  readonly wallMs: () => number
}

const FETCH_BYTES_MIN = 16 * 1024
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const CLOCKS: Clocks = { nowMs: () => performance.now(), wallMs: () => Date.now() }

export class Delay {
  readonly #delayMs: number
  readonly #lag: PartitionLag
  readonly #clocks: Clocks
  #fetchBytesMax = FETCH_BYTES_MIN
  /** By the wall clock. */
  #endsAtMs = Number.POSITIVE_INFINITY
  /** The first batch that was not due yet, and when it will be. */
  #held: { readonly offset: number; readonly dueAtMs: number } | undefined

  /** @param lag what has been seen of the source */
  constructor(delayMs: number, lag: PartitionLag, clocks: Clocks = CLOCKS) {
    this.#delayMs = delayMs
    this.#lag = lag
    this.#clocks = clocks
  }

  /** Takes nothing that arrived at this time or later, by the wall clock; `undefined`: it goes on and on. */
  endAt(wallMs: number | undefined): void {
    this.#endsAtMs = wallMs ?? Number.POSITIVE_INFINITY
    this.#held = undefined
  }

  /** What comes next is never due. */
  get hasEnded(): boolean {
    return this.#held?.dueAtMs === Number.POSITIVE_INFINITY
  }

  /** How much to ask for, so that little is read before it is due. */
  get fetchBytesMax(): number {
    return this.#fetchBytesMax
  }

  /** When reading on from there gives something that is due; 0 where it has to be read to be known, or nothing is there. */
  dueAtMs(fetchOffset: number): number {
    if (this.#held?.offset === fetchOffset) return this.#held.dueAtMs
    const seenByMs = this.#lag.seenByMs(fetchOffset)
    const wasSeenArriving = fetchOffset >= (this.#lag.foundEndOffset ?? Number.POSITIVE_INFINITY)
    return seenByMs === undefined || !wasSeenArriving ? 0 : seenByMs + this.#delayMs
  }

  /**
   * How many of these bytes, whole batches, are due. The source's end has to be known as of this answer.
   * @param fetchOffset where they were asked for
   * @throws RecordsError where a batch is malformed and nothing before it is held back
   */
  dueBytes(records: Buffer, fetchOffset: number): number {
    const nowMs = this.#clocks.nowMs()
    this.#held = undefined
    let dueBytes = 0
    let nextOffset = fetchOffset
    for (const batch of batchesIn(records)) {
      const dueAtMs = this.#dueAtMs(batch, nowMs)
      if (dueAtMs > nowMs) {
        this.#held = { offset: nextOffset, dueAtMs }
        this.#fetchBytesMax = Math.max(FETCH_BYTES_MIN, Math.min(dueBytes * 2, FETCH_BYTES_MAX))
        return dueBytes
      }
      dueBytes = batch.end
      nextOffset = Math.max(nextOffset, batch.lastOffset + 1)
    }
    // All of it, or not even one whole batch.
    if (nextOffset < (this.#lag.sourceEndOffset ?? 0)) {
      this.#fetchBytesMax = Math.min(this.#fetchBytesMax * 2, FETCH_BYTES_MAX)
    }
    return records.length
  }

  /** How many offsets from there on are not due yet, as far as is known without reading them. */
  heldRecords(fetchOffset: number): number {
    const nowMs = this.#clocks.nowMs()
    const endOffset = this.#lag.sourceEndOffset ?? fetchOffset
    if (this.dueAtMs(fetchOffset) > nowMs) return Math.max(endOffset - fetchOffset, 0)
    const dueOffset = Math.max(this.#lag.endSeenBy(nowMs - this.#delayMs), this.#lag.foundEndOffset ?? 0, fetchOffset)
    return Math.max(endOffset - dueOffset, 0)
  }

  #dueAtMs(batch: BatchView, nowMs: number): number {
    const arrivedAtMs = this.#arrivedAtMs(batch, nowMs)
    const hasEnded = this.#clocks.wallMs() - (nowMs - arrivedAtMs) >= this.#endsAtMs
    return hasEnded ? Number.POSITIVE_INFINITY : arrivedAtMs + this.#delayMs
  }

  #arrivedAtMs(batch: BatchView, nowMs: number): number {
    const seenByMs = this.#lag.seenByMs(batch.lastOffset) ?? nowMs
    const wasSeenArriving = batch.lastOffset >= (this.#lag.foundEndOffset ?? 0)
    // Older formats are not copied at all: whoever rewrites them says so, without delay.
    if (batch.magic !== MAGIC) return Number.NEGATIVE_INFINITY
    const timestamp = batch.maxTimestamp
    if (wasSeenArriving || timestamp < 0) return seenByMs
    return Math.min(seenByMs, nowMs - (this.#clocks.wallMs() - timestamp))
  }
}
