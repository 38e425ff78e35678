/** Offsets first to last, both included. */
export interface OffsetRun {
  readonly first: number
  readonly last: number
}

type MutableRun = { first: number; last: number }

/**
 * A set of offsets that come in ascending order, held as runs: a million in a row take the memory of one. Where they
 * come in so many pieces that the limit is reached, the older half is forgotten; `forgottenBefore` says up to where.
 */
export class OffsetRuns {
  readonly #runsMax: number
  #runs: MutableRun[] = []
  #forgotten: MutableRun[] = []
  #forgottenBefore: number

  /** @param forgottenBefore what was in the set below this offset is not known */
  constructor(runsMax: number, forgottenBefore = 0) {
    this.#runsMax = runsMax
    this.#forgottenBefore = forgottenBefore
  }

  /** Offsets below this one may have been in the set without `has` knowing. */
  get forgottenBefore(): number {
    return this.#forgottenBefore
  }

  /** Adds an offset higher than all before. */
  append(offset: number): void {
    const last = this.#runs.at(-1)
    if (last !== undefined && last.last === offset - 1) {
      last.last = offset
      return
    }
    if (this.#runs.length === this.#runsMax) this.#forgetHalf()
    this.#runs.push({ first: offset, last: offset })
  }

  copy(): OffsetRuns {
    const copy = new OffsetRuns(this.#runsMax, this.#forgottenBefore)
    copy.appendAll(this)
    return copy
  }

  /** Adds all of a set whose offsets are higher. */
  appendAll(others: OffsetRuns): void {
    for (const { first, last } of others.#runs) {
      this.append(first)
      this.#runs.at(-1)!.last = last
    }
  }

  has(offset: number): boolean {
    const run = this.#runs[this.#indexOf(offset)]
    return run !== undefined && offset <= run.last
  }

  /** Takes an offset out; false where it is not there. */
  remove(offset: number): boolean {
    const index = this.#indexOf(offset)
    const run = this.#runs[index]
    if (run === undefined || offset > run.last) return false
    if (run.first === run.last) this.#runs.splice(index, 1)
    else if (offset === run.first) run.first++
    else if (offset === run.last) run.last--
    else {
      this.#runs.splice(index + 1, 0, { first: offset + 1, last: run.last })
      run.last = offset - 1
    }
    return true
  }

  /** The first of them, the oldest first: forgotten ones too, as long as there are not more than a list shows. */
  first(count: number): OffsetRun[] {
    return [...this.#forgotten, ...this.#runs].slice(0, count)
  }

  /** Index of the last run that begins at or before the offset; -1 where all begin after it. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#runs[middle]!.first <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #forgetHalf(): void {
    const half = Math.ceil(this.#runs.length / 2)
    const forgotten = this.#runs.slice(0, half)
    this.#runs = this.#runs.slice(half)
    this.#forgottenBefore = forgotten.at(-1)!.last + 1
    this.#forgotten = [...this.#forgotten, ...forgotten].slice(0, FORGOTTEN_SHOWN_MAX)
  }
}

const FORGOTTEN_SHOWN_MAX = 1_000
