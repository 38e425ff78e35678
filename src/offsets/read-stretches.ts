import type { Stretch } from './stretch.ts'

/** Which generation of a partition's log something was read of: another topic or another leader may have another log. */
export interface LogIdentity {
  readonly topicId: string
  readonly leaderEpoch: number
}

/** The stretches of one destination partition that were read, none touching another. */
export class ReadStretches {
  readonly identity: LogIdentity
  /** From the lowest offset to the highest. */
  #stretches: readonly Stretch[] = []

  constructor(identity: LogIdentity) {
    this.identity = identity
  }

  get all(): readonly Stretch[] {
    return this.#stretches
  }

  /** How much memory it takes, counted in runs and stretches. */
  get size(): number {
    return this.#stretches.reduce((sum, { runs }) => sum + runs.length, this.#stretches.length)
  }

  /** Where the highest one ends. */
  get end(): number {
    return this.#stretches.at(-1)?.end ?? 0
  }

  /** The one that this offset was read in. */
  around(offset: number): Stretch | undefined {
    return this.#stretches.find(({ start, end }) => start <= offset && offset < end)
  }

  /** Adds what was read; with what it touches it becomes one. */
  add(read: Stretch): void {
    const isApart = ({ start, end }: Stretch) => end < read.start || start > read.end
    const touched = this.#stretches.filter(stretch => !isApart(stretch))
    const below = touched.find(({ start }) => start < read.start)
    const above = touched.find(({ end }) => end > read.end)
    let merged = read
    if (below !== undefined) merged = below.within(below.start, read.start).joined(merged)
    if (above !== undefined) merged = merged.joined(above.within(read.end, above.end))
    this.#stretches = [...this.#stretches.filter(isApart), merged].toSorted((a, b) => a.start - b.start)
  }

  /** Forgets what is not there any more. */
  dropBelow(logStart: number): void {
    if ((this.#stretches[0]?.start ?? logStart) >= logStart) return
    this.#stretches = this.#stretches
      .filter(({ end }) => end > logStart)
      .map(stretch => stretch.within(logStart, stretch.end))
  }

  /** Forgets the lowest offsets, for readers move to higher ones. */
  shrinkTo(sizeMax: number): void {
    while (this.size > sizeMax && this.#stretches.length > 1) this.#stretches = this.#stretches.slice(1)
    const [only] = this.#stretches
    if (only === undefined || this.size <= sizeMax) return
    const first = only.runs.at(1 - sizeMax)!
    this.#stretches = [only.within(first.destinationOffset, only.end)]
  }
}
