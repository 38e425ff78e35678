interface Sample {
  readonly atMs: number
  readonly leftRecords: number
}

/** Enough for a rate that does not jump with every batch, and soon forgotten when the load changes. */
const SAMPLES_MAX = 6

/** How long it will take until nothing is left, at the rate at which it became less from one look to the next. */
export class ClosingRate {
  #samples = new Map<string, readonly Sample[]>()

  /**
   * Takes a look: how many records are left of each, by a name of its own. Those that are not named any more are forgotten.
   * @returns seconds, 0 where nothing is left, by name; `null` at the first look, and while it does not become less
   */
  look(left: ReadonlyMap<string, number>, nowMs: number): Map<string, number | null> {
    const samples = new Map<string, readonly Sample[]>()
    const etas = new Map<string, number | null>()
    for (const [name, leftRecords] of left) {
      const seen = [...(this.#samples.get(name) ?? []), { atMs: nowMs, leftRecords }].slice(-SAMPLES_MAX)
      samples.set(name, seen)
      etas.set(name, etaSeconds(seen))
    }
    this.#samples = samples
    return etas
  }
}

function etaSeconds(samples: readonly Sample[]): number | null {
  const first = samples[0]!
  const last = samples.at(-1)!
  if (last.leftRecords === 0) return 0
  const closedRecords = first.leftRecords - last.leftRecords
  const tookMs = last.atMs - first.atMs
  return closedRecords > 0 && tookMs > 0 ? ((last.leftRecords / closedRecords) * tookMs) / 1000 : null
}
