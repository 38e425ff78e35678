/**
 * A token bucket: what a flow may fetch in a second, shared by its threads, in which new traffic goes before old backlog.
 *
 * It is kept as two moments. `paid` is when all that was fetched so far has been paid for at the full rate; what is fetched puts it
 * off. `sharePaid` is the same for the backlog at its share of the rate, of what it fetched on that share alone.
 *
 *     ──────┬───────────────┬───────────────┬──────────▶ time
 *       paid ≤ here:    paid ≤ here:       now
 *       the backlog     new traffic        (paid never lies further back than CREDIT_MS)
 *       may fetch       may fetch
 *
 * While new traffic leaves something over, `paid` falls back far enough for the backlog to take it, and no further: new traffic
 * always finds some credit. When new traffic takes all there is, `paid` stays at now, and the backlog goes by `sharePaid`.
 *
 * An answer's size is known when it is here, so it is paid for then, and the next one waits. All answers under way together are
 * kept to a tenth of a second's worth (more where they are under way for longer), so what is overdrawn at a time is small; only a
 * single batch that is larger overdraws more.
 */

/** What is not used is kept for so long. With what is under way it stays below a second's worth. */
const CREDIT_MS = 500
/** Of it, what is left to new traffic. */
const LIVE_CREDIT_MS = 250
/** What all answers under way are worth, of each kind; while one is under way, the one before it is paid for. */
const ANSWERS_MS_MIN = 100
const ANSWERS_MS_MAX = 400
const ANSWER_BYTES_MIN = 4 * 1024
/** What threads share: two moments, and of each kind how many loops have more to fetch than they may. */
const PAID = 0
const SHARE_PAID = 1
const HUNGRY_LIVE = 2
const HUNGRY_BACKLOG = 3
const SHARED_BYTES = 4 * BigInt64Array.BYTES_PER_ELEMENT

/** What the threads of a flow have in common: hand it to each one's budget. */
export function sharedBudget(): SharedArrayBuffer {
  return new SharedArrayBuffer(SHARED_BYTES)
}

export interface ByteBudgetOptions {
  readonly bytesPerSecond: number
  /** Of the backlog, above 0 and up to 1; at 1 there is no order. */
  readonly backlogShare: number
  readonly shared: SharedArrayBuffer
  /** A clock that all threads have in common. */
  readonly nowNs?: () => bigint
}

export class ByteBudget {
  readonly #options: ByteBudgetOptions
  readonly #shared: BigInt64Array
  readonly #nowNs: () => bigint
  #hasHeldUp = false

  constructor(options: ByteBudgetOptions) {
    this.#options = options
    this.#shared = new BigInt64Array(options.shared)
    this.#nowNs = options.nowNs ?? process.hrtime.bigint
  }

  /** How much one answer may hold. */
  answerBytesMax(isBacklog: boolean, roundTripMs: number): number {
    const answersMs = Math.min(Math.max(2 * roundTripMs, ANSWERS_MS_MIN), ANSWERS_MS_MAX)
    const loops = Math.max(Number(Atomics.load(this.#shared, isBacklog ? HUNGRY_BACKLOG : HUNGRY_LIVE)), 1)
    return Math.max(Math.floor((this.#options.bytesPerSecond * answersMs) / 1000 / loops), ANSWER_BYTES_MIN)
  }

  /** So many loops more (or fewer, below 0) have more to fetch than they may. */
  countHungry(loops: number, isBacklog: boolean): void {
    Atomics.add(this.#shared, isBacklog ? HUNGRY_BACKLOG : HUNGRY_LIVE, BigInt(loops))
  }

  /** How long until the next fetch; 0: now. */
  waitMs(isBacklog: boolean): number {
    const waitMs = this.#untilAllowedMs(isBacklog)
    if (waitMs > 0) this.#hasHeldUp = true
    return waitMs
  }

  /** Whether anybody of this thread has had to wait since this was asked last. */
  takeHeldUp(): boolean {
    const hasHeldUp = this.#hasHeldUp || this.#untilAllowedMs(true) > 0
    this.#hasHeldUp = false
    return hasHeldUp
  }

  /** So much has been fetched. */
  take(bytes: number, isBacklog: boolean): void {
    const { bytesPerSecond, backlogShare } = this.#options
    const nowNs = this.#nowNs()
    const costMs = (bytes * 1000) / bytesPerSecond
    const isOverdrawn = this.#untilMs(PAID, nowNs - ns(LIVE_CREDIT_MS)) > 0
    if (isBacklog && isOverdrawn) this.#putOff(SHARE_PAID, costMs / backlogShare, nowNs)
    this.#putOff(PAID, costMs, nowNs)
  }

  #untilAllowedMs(isBacklog: boolean): number {
    const nowNs = this.#nowNs()
    const isLast = isBacklog && this.#options.backlogShare < 1
    if (!isLast) return this.#untilMs(PAID, nowNs)
    return Math.min(this.#untilMs(PAID, nowNs - ns(LIVE_CREDIT_MS)), this.#untilMs(SHARE_PAID, nowNs))
  }

  #untilMs(moment: number, nowNs: bigint): number {
    const leftNs = Atomics.load(this.#shared, moment) - nowNs
    return leftNs <= 0n ? 0 : Number(leftNs) / 1e6
  }

  #putOff(moment: number, byMs: number, nowNs: bigint): void {
    const earliestNs = nowNs - ns(CREDIT_MS)
    for (;;) {
      const beforeNs = Atomics.load(this.#shared, moment)
      const unusedNs = earliestNs - beforeNs
      const afterNs = beforeNs + (unusedNs > 0n ? unusedNs : 0n) + ns(byMs)
      if (Atomics.compareExchange(this.#shared, moment, beforeNs, afterNs) === beforeNs) return
    }
  }
}

function ns(ms: number): bigint {
  return BigInt(Math.ceil(ms * 1e6))
}
