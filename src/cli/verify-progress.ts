import { inThousands } from '../terminal/amounts.ts'
import type { ProgressState } from '../terminal/progress.ts'
import type { ReadAmount } from '../verify/compare-partition.ts'
import type { VerifyObserver } from '../verify/verify-flow.ts'

/** How far a verification is. */
export class VerifyProgress implements VerifyObserver {
  readonly #name: string
  readonly #nowMs: () => number
  readonly #startedAtMs: number
  #offsets = 0
  #offsetsPassed = 0
  #records = 0
  #partitions = 0
  #partitionsCompared = 0
  #differences = 0

  /** @param name of the flow, as `east → west` */
  constructor(name: string, nowMs: () => number = () => performance.now()) {
    this.#name = name
    this.#nowMs = nowMs
    this.#startedAtMs = nowMs()
  }

  started(sourceOffsets: number, partitions: number): void {
    this.#offsets = sourceOffsets
    this.#partitions = partitions
  }

  read({ records, sourceOffsets }: ReadAmount): void {
    this.#records += records
    this.#offsetsPassed += sourceOffsets
  }

  compared(differences: number): void {
    this.#partitionsCompared++
    this.#differences = differences
  }

  state(): ProgressState {
    const seconds = Math.max((this.#nowMs() - this.#startedAtMs) / 1000, 0.001)
    const found = this.#differences === 0 ? 'no differences' : `${inThousands(this.#differences)} differences`
    const share = this.#share()
    const text = [
      `${this.#name} ${Math.floor(share * 100)} %`,
      `${this.#partitionsCompared}/${this.#partitions} partitions`,
      `${inThousands(this.#records)} records read (${inThousands(Math.round(this.#records / seconds))}/s)`,
      found
    ].join(', ')
    return { share, text }
  }

  /** New records do not count, so it never goes beyond the end. */
  #share(): number {
    if (this.#offsets === 0) return this.#partitions > 0 && this.#partitionsCompared === this.#partitions ? 1 : 0
    return Math.min(this.#offsetsPassed / this.#offsets, 1)
  }
}
