import type { PartitionRow } from './overview.ts'

interface Sample {
  readonly atMs: number
  readonly lagRecords: number
}

/** Enough for a rate that does not jump with every batch, and soon forgotten when the load changes. */
const SAMPLES_MAX = 6

/** How fast partitions catch up, from one observation to the next. */
export class ClosingRate {
  #samples = new Map<string, readonly Sample[]>()

  /** Takes a look at the lag now and fills in how long it will take at this rate; partitions not in `rows` are forgotten. */
  estimate(rows: readonly PartitionRow[], nowMs: number): PartitionRow[] {
    const samples = new Map<string, readonly Sample[]>()
    const estimated = rows.map(row => {
      if (row.lagRecords === null) return row
      const key = `${row.partition}/${row.topic}`
      const seen = [...(this.#samples.get(key) ?? []), { atMs: nowMs, lagRecords: row.lagRecords }].slice(-SAMPLES_MAX)
      samples.set(key, seen)
      return { ...row, etaSeconds: etaSeconds(seen) }
    })
    this.#samples = samples
    return estimated
  }
}

/** `null` with a single sample, or while the lag does not shrink. */
function etaSeconds(samples: readonly Sample[]): number | null {
  const first = samples[0]!
  const last = samples.at(-1)!
  if (last.lagRecords === 0) return 0
  const closedRecords = first.lagRecords - last.lagRecords
  const tookMs = last.atMs - first.atMs
  return closedRecords > 0 && tookMs > 0 ? ((last.lagRecords / closedRecords) * tookMs) / 1000 : null
}
