import type { OffsetRun } from './offset-runs.ts'
import type { RecordField } from './record-difference.ts'

/**
 * - `missing`: a record without a copy, though copies of later ones are there;
 * - `duplicated`: a copy more than one;
 * - `reordered`: a copy that stands behind the copy of a later record;
 * - `different`: a copy that is not equal to its record;
 * - `unexpected`: a copy of what is no committed record of the source, or of one that must not be mirrored;
 * - `changed`: copies that were equal once and are not what they were then, though nothing above says so.
 */
export const DIFFERENCE_KINDS = ['missing', 'duplicated', 'reordered', 'different', 'unexpected', 'changed'] as const
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number]

/** One fault, or several in a row that are alike. */
export interface Difference {
  readonly kind: DifferenceKind
  readonly sourceOffsets: OffsetRun
  /** Where the copies stand; absent where there are none. */
  readonly destinationOffsets?: OffsetRun
  /** What differs; only with `different`. */
  readonly fields?: readonly RecordField[]
  /** About the first of them, for a person. */
  readonly detail?: string
}

/** A difference of one record, to be merged with its neighbours. */
export interface RecordDifference {
  readonly kind: DifferenceKind
  readonly sourceOffset: number
  readonly destinationOffset: number
  readonly fields?: readonly RecordField[]
  /** Called only where it is going to be kept. */
  readonly detail?: () => string
}

/** The first differences of a partition of each kind, neighbours merged; what is over the limit is dropped. */
export class DifferenceList {
  readonly #limit: number
  readonly #byKind = new Map<DifferenceKind, Difference[]>(DIFFERENCE_KINDS.map(kind => [kind, []]))

  constructor(limit: number) {
    this.#limit = limit
  }

  add(found: RecordDifference): void {
    const alike = this.#byKind.get(found.kind)!
    const last = alike.at(-1)
    if (last !== undefined && isNext(last, found)) alike[alike.length - 1] = extended(last, found)
    else if (alike.length < this.#limit) alike.push(single(found))
  }

  /** Adds what is about a range as a whole. */
  addRange(difference: Difference): void {
    const alike = this.#byKind.get(difference.kind)!
    if (alike.length < this.#limit) alike.push(difference)
  }

  /** The first ones by source offset, together with these missing ones. */
  first(missing: readonly OffsetRun[]): Difference[] {
    const all: Difference[] = missing.map(sourceOffsets => ({ kind: 'missing', sourceOffsets }))
    for (const alike of this.#byKind.values()) all.push(...alike)
    return all.sort((a, b) => a.sourceOffsets.first - b.sourceOffsets.first).slice(0, this.#limit)
  }
}

function isNext(last: Difference, { kind, sourceOffset, destinationOffset, fields }: RecordDifference): boolean {
  return (
    last.kind === kind &&
    last.sourceOffsets.last === sourceOffset - 1 &&
    last.destinationOffsets?.last === destinationOffset - 1 &&
    String(last.fields) === String(fields)
  )
}

function extended(last: Difference, { sourceOffset, destinationOffset }: RecordDifference): Difference {
  return {
    ...last,
    sourceOffsets: { first: last.sourceOffsets.first, last: sourceOffset },
    destinationOffsets: { first: last.destinationOffsets?.first ?? destinationOffset, last: destinationOffset }
  }
}

function single({ kind, sourceOffset, destinationOffset, fields, detail }: RecordDifference): Difference {
  return {
    kind,
    sourceOffsets: { first: sourceOffset, last: sourceOffset },
    destinationOffsets: { first: destinationOffset, last: destinationOffset },
    ...(fields && { fields }),
    ...(detail && { detail: detail() })
  }
}
