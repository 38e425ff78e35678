import type { ReadAmount } from './compare-partition.ts'
import type { VerifyObserver } from './verify-flow.ts'

/** Where progress goes: a terminal is drawn on, anything else gets a line now and then. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

const DRAW_INTERVAL_MS = 200
const LINE_INTERVAL_MS = 5_000
const BAR_CELLS = 24
const COLUMNS_WHEN_UNKNOWN = 80
const ERASE_LINE = '\r\x1b[K'

/** Shows how far a verification is. */
export class Progress implements VerifyObserver, Disposable {
  readonly #name: string
  readonly #output: ProgressOutput
  readonly #nowMs: () => number
  readonly #timer: NodeJS.Timeout
  readonly #startedAtMs: number
  #offsets = 0
  #offsetsPassed = 0
  #records = 0
  #partitions = 0
  #partitionsCompared = 0
  #differences = 0

  /** @param name of the flow, as `east → west` */
  constructor(name: string, output: ProgressOutput, nowMs: () => number = () => performance.now()) {
    this.#name = name
    this.#output = output
    this.#nowMs = nowMs
    this.#startedAtMs = nowMs()
    this.#timer = setInterval(() => this.show(), output.isTTY ? DRAW_INTERVAL_MS : LINE_INTERVAL_MS)
    this.#timer.unref()
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

  /** Draws or writes the state now. */
  show(): void {
    if (this.#output.isTTY) {
      const width = this.#output.columns ?? COLUMNS_WHEN_UNKNOWN
      this.#output.write(`${ERASE_LINE}${`${this.#bar()} ${this.#state()}`.slice(0, width - 1)}`)
    } else {
      this.#output.write(`${this.#state()}\n`)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    if (this.#output.isTTY) this.#output.write(ERASE_LINE)
  }

  #state(): string {
    const seconds = Math.max((this.#nowMs() - this.#startedAtMs) / 1000, 0.001)
    const found = this.#differences === 0 ? 'no differences' : `${inThousands(this.#differences)} differences`
    return [
      `${this.#name} ${Math.floor(this.#share() * 100)} %`,
      `${this.#partitionsCompared}/${this.#partitions} partitions`,
      `${inThousands(this.#records)} records read (${inThousands(Math.round(this.#records / seconds))}/s)`,
      found
    ].join(', ')
  }

  #bar(): string {
    const done = Math.round(this.#share() * BAR_CELLS)
    return `[${'#'.repeat(done)}${'.'.repeat(BAR_CELLS - done)}]`
  }

  /** New records do not count, so it never goes beyond the end. */
  #share(): number {
    if (this.#offsets === 0) return this.#partitions > 0 && this.#partitionsCompared === this.#partitions ? 1 : 0
    return Math.min(this.#offsetsPassed / this.#offsets, 1)
  }
}

/** A number as people read it: 1,234,567. */
export function inThousands(number: number): string {
  return number.toLocaleString('en-US')
}
