/** First and last, both included. */
export type NumberRange = readonly [first: number, last: number]

/** Disjoint ranges of numbers, to be asked often. */
export class NumberRanges {
  readonly #ranges: readonly NumberRange[]

  constructor(ranges: readonly NumberRange[]) {
    this.#ranges = ranges.toSorted(([a], [b]) => a - b)
  }

  has(number: number): boolean {
    const range = this.#ranges[this.#indexOfEndAtLeast(number)]
    return range !== undefined && range[0] <= number
  }

  /** How many of the numbers from `first` up to, and without, `end` are in them. */
  countWithin(first: number, end: number): number {
    let count = 0
    for (let index = this.#indexOfEndAtLeast(first); index < this.#ranges.length; index++) {
      const [rangeFirst, rangeLast] = this.#ranges[index]!
      if (rangeFirst >= end) break
      count += Math.min(rangeLast + 1, end) - Math.max(rangeFirst, first)
    }
    return count
  }

  #indexOfEndAtLeast(number: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#ranges[middle]![1] < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
