import { partitionKey } from '../cluster/offsets.ts'
import type { Waiting } from './standing-still.ts'

interface Passed {
  readonly atMs: number
  /** Offsets passed by all of them together since the first look. */
  readonly total: number
}

/** Commits come every three seconds: over less than a few looks a rate would jump with them. */
const LOOKS_MAX = 4
/** What was before a pause in which nobody looked is not the present rate. */
const WINDOW_MS = 90_000

/** How fast the partitions of other workers move, from one look at their progress to the next. */
export class PassedOffsets {
  #positions = new Map<string, number>()
  #looks: readonly Passed[] = []

  /** @param atMs by the monotonic clock */
  look(partitions: readonly Waiting[], atMs: number): void {
    const positions = new Map<string, number>()
    let total = this.#looks.at(-1)?.total ?? 0
    for (const partition of partitions) {
      const { nextSourceOffset } = partition
      if (nextSourceOffset === null) continue
      const key = partitionKey(partition)
      // One that was not looked at before has come from another worker: it tells nothing of now.
      total += Math.max(nextSourceOffset - (this.#positions.get(key) ?? nextSourceOffset), 0)
      positions.set(key, nextSourceOffset)
    }
    this.#positions = positions
    const recent = this.#looks.filter(look => atMs - look.atMs < WINDOW_MS)
    this.#looks = [...recent, { atMs, total }].slice(-LOOKS_MAX)
  }

  /** Offsets in a second; `null` before the second look. */
  get perSecond(): number | null {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)]
    if (first === undefined || last === undefined || last.atMs === first.atMs) return null
    return ((last.total - first.total) * 1_000) / (last.atMs - first.atMs)
  }
}
