/** How fast offsets move from one look to the next. */
export class OffsetRates {
  #offsets: ReadonlyMap<string, number> = new Map()
  #atMs: number | undefined

  /**
   * Takes a look at each offset, by a name of its own. Those that are not named any more are forgotten.
   * @returns offsets in a second, by name, of those that the last look saw too; one that went back counts as 0
   */
  look(offsets: ReadonlyMap<string, number>, nowMs: number): Map<string, number> {
    const seconds = (nowMs - (this.#atMs ?? nowMs)) / 1000
    const rates = new Map<string, number>()
    for (const [name, offset] of offsets) {
      const before = this.#offsets.get(name)
      if (before !== undefined && seconds > 0) rates.set(name, Math.max(offset - before, 0) / seconds)
    }
    this.#offsets = offsets
    this.#atMs = nowMs
    return rates
  }
}
