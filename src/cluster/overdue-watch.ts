import { ClusterError } from './errors.ts'

/** How long a broker may take to answer before its connection is given up. Above what brokers are asked to wait. */
const REQUEST_TIMEOUT_MS = 20_000
const CHECK_INTERVAL_MS = 1_000

/**
 * Gives a connection up when its oldest request has been waiting for too long. One timer for each connection, not one
 * for each request: brokers answer in order, so the oldest is always the next.
 */
export class OverdueWatch {
  readonly #address: string
  readonly #giveUp: (failure: ClusterError) => void
  readonly #timer: NodeJS.Timeout
  /** When each unanswered request was sent, oldest first. */
  readonly #sentAtMs: number[] = []
  #checkedAtMs = performance.now()

  constructor(address: string, giveUp: (failure: ClusterError) => void) {
    this.#address = address
    this.#giveUp = giveUp
    this.#timer = setInterval(() => this.#check(), CHECK_INTERVAL_MS)
    this.#timer.unref()
  }

  sent(): void {
    this.#sentAtMs.push(performance.now())
  }

  answered(): void {
    this.#sentAtMs.shift()
  }

  /** The broker leaves what it has been sent lying for that long: all that is unanswered may take so much longer. */
  postpone(ms: number): void {
    for (let i = 0; i < this.#sentAtMs.length; i++) this.#sentAtMs[i]! += ms
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    const nowMs = performance.now()
    const sinceCheckMs = nowMs - this.#checkedAtMs
    this.#checkedAtMs = nowMs
    if (sinceCheckMs > CHECK_INTERVAL_MS * 5) {
      // It was us who stood still (a paused process, a suspended machine): the answers may be here, unread.
      this.postpone(sinceCheckMs)
    }
    const oldest = this.#sentAtMs[0]
    if (oldest === undefined || nowMs - oldest < REQUEST_TIMEOUT_MS) return
    const text = `broker ${this.#address} did not answer within ${REQUEST_TIMEOUT_MS / 1000} s`
    this.#giveUp(new ClusterError('TIMED_OUT', text, true))
  }
}
