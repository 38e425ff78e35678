/** What can be wrong with a partition, in the order of the table at the end. */
export const FOUND_KINDS = {
  lost: 'committed records of the source without a copy',
  duplicated: 'copies of what had a copy before',
  inversions: 'copies behind a copy of a later record',
  differences: 'copies that differ in key, value, headers or timestamp',
  aborted: 'copies of aborted records',
  unexpected: 'copies of what is no record of the source',
  provenance: 'records at the destination without one right origin',
  unkept: 'acknowledged records that the source itself does not have',
  unsound: 'records of the source that its writers do not know or have aborted'
} as const

export type FoundKind = keyof typeof FOUND_KINDS

/** Nothing of each. */
export function nothingFound(): Record<FoundKind, number> {
  return Object.fromEntries(Object.keys(FOUND_KINDS).map(kind => [kind, 0])) as Record<FoundKind, number>
}

const EXAMPLES_MAX = 20

/** Counts what is wrong with one partition, and keeps the first places. */
export class FaultsFound {
  readonly counts = nothingFound()
  readonly examples: string[] = []

  add(kind: FoundKind, place: string, count = 1): void {
    if (count === 0) return
    this.counts[kind] += count
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(`${kind}: ${place}`)
  }
}
