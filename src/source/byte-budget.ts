/**
 * A token bucket: what a flow may fetch in a second, shared by its threads, in which new traffic goes before old backlog.
 *
 * It is kept as two moments. `paid` is when all that was fetched so far has been paid for at the full rate: what is fetched puts
 * it off. `sharePaid` is the same for what the backlog has fetched on its share, at its share of the rate.
 *
 *     ───┬──────────────┬──────────────┬─────────────▶ time
 *        │ paid lies    │ up to here   │ up to here new
 *        │ no further   │ (now) the    │ traffic may
 *        │ back         │ backlog may  │ fetch
 *        └─ CREDIT_MS ──┴─ OVERDRAFT_MS ┘
 *
 * The backlog waits until everything is paid for, new traffic does not: so it never waits for an answer of the backlog to be paid
 * for, and gets whatever it needs. Where it needs all there is, `paid` never comes back to now, and the backlog goes by
 * `sharePaid`.
 *
 * An answer's size is known when it is here, so it is paid for then, and the next one waits. All answers under way together are
 * kept to less than a third of a second's worth; only a single batch that is larger overdraws more.
 */

/** What is not used is kept for so long: it makes up for the time that answers are under way. */
const CREDIT_MS = 250
/** How far new traffic may go ahead. */
const OVERDRAFT_MS = 350
/** What all answers under way of either kind are worth. */
const ANSWERS_MS = 300
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
  answerBytesMax(isBacklog: boolean): number {
    const loops = Math.max(Number(Atomics.load(this.#shared, isBacklog ? HUNGRY_BACKLOG : HUNGRY_LIVE)), 1)
    return Math.max(Math.floor((this.#options.bytesPerSecond * ANSWERS_MS) / 1000 / loops), ANSWER_BYTES_MIN)
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
    if (isBacklog && this.#untilMs(PAID, nowNs) > 0) this.#putOff(SHARE_PAID, costMs / backlogShare, nowNs)
    this.#putOff(PAID, costMs, nowNs)
  }

  #untilAllowedMs(isBacklog: boolean): number {
    const nowNs = this.#nowNs()
    if (this.#options.backlogShare >= 1) return this.#untilMs(PAID, nowNs)
    if (!isBacklog) return this.#untilMs(PAID, nowNs + ns(OVERDRAFT_MS))
    return Math.min(this.#untilMs(PAID, nowNs), this.#untilMs(SHARE_PAID, nowNs))
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
