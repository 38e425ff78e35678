import type { ReadPace } from '../cluster/record-reader.ts'
import { pause } from '../cluster/retry.ts'

/** What is not read in a second can be read in the next, but no more than that. */
const BURST_MS = 1_000

/** Keeps what is read to so many bytes per second: whoever has read more than was left waits until it is paid for. */
export class BytePace implements ReadPace {
  readonly #bytesPerSecond: number
  readonly #nowMs: () => number
  #left: number
  #atMs: number

  /** @param nowMs a monotonic clock */
  constructor(bytesPerSecond: number, nowMs: () => number = () => performance.now()) {
    this.#bytesPerSecond = bytesPerSecond
    this.#nowMs = nowMs
    this.#left = (bytesPerSecond * BURST_MS) / 1_000
    this.#atMs = nowMs()
  }

  /** Milliseconds until something may be read; 0 where it may be now. */
  get waitMs(): number {
    const nowMs = this.#nowMs()
    const earned = ((nowMs - this.#atMs) * this.#bytesPerSecond) / 1_000
    this.#left = Math.min(this.#left + earned, (this.#bytesPerSecond * BURST_MS) / 1_000)
    this.#atMs = nowMs
    return this.#left > 0 ? 0 : Math.ceil((1 - this.#left) / (this.#bytesPerSecond / 1_000))
  }

  async wait(signal: AbortSignal | undefined): Promise<void> {
    for (let ms = this.waitMs; ms > 0 && !signal?.aborted; ms = this.waitMs) await pause(ms, signal)
  }

  fetched(bytes: number): void {
    this.#left -= bytes
  }
}
