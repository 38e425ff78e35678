/** What is known of a flow at one moment. `null` is unknown. */
export interface Observed {
  readonly lagRecords: number | null
  readonly lagSeconds: number | null
  readonly recordsPerSecond: number | null
}

interface Sample {
  /** Milliseconds of the epoch. */
  readonly atMs: number
  readonly observed: Observed
}

/** The last minutes of a flow: a ring, so that its size never changes. Whoever opens the page sees what was before. */
export class History {
  readonly #samples: Sample[] = []
  readonly #lengthMax: number
  /** Where the next one goes once the ring is full. */
  #next = 0

  /** @param lengthMax samples that are kept */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax
  }

  add(atMs: number, observed: Observed): void {
    const { lagRecords, lagSeconds, recordsPerSecond } = observed
    this.#samples[this.#next] = { atMs, observed: { lagRecords, lagSeconds, recordsPerSecond } }
    this.#next = (this.#next + 1) % this.#lengthMax
  }

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return [...this.#samples.slice(this.#next), ...this.#samples.slice(0, this.#next)]
  }
}
