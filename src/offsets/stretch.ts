/**
 * What was read of a destination partition. Nothing is ever concluded from two known copies about what lies between
 * them: where both sides advance by the same amount there may still be a hole on each (a compacted record at the
 * source, a marker at the destination), and every offset between would be translated to its neighbour. So what is
 * kept is what was read without leaving anything out.
 */

/** One copy. */
export interface Copy {
  readonly sourceOffset: number
  readonly destinationOffset: number
  /**
   * Its writer had shut out all others (`exactly-once`), so that its copies follow the newest one of before. Copies of a
   * writer that had not may stand behind newer ones: a request that was late, an owner that was paused and woke up.
   */
  readonly isFenced: boolean
}

/** Copies whose offsets follow one another on both sides; it begins with this one. */
export interface Run extends Copy {
  readonly count: number
}

/** The first and the last offset at which something stands. */
export interface OffsetSpan {
  readonly first: number
  readonly last: number
}

/** A range of destination offsets, read from one end to the other: it holds the copies of its runs and no others. */
export class Stretch {
  readonly start: number
  /** The first offset not read. */
  readonly end: number
  /** In the order of their destination offsets. */
  readonly runs: readonly Run[]
  /** Records that do not say that they are copies of the partition; copies may stand between them. */
  readonly others: OffsetSpan | undefined

  constructor(start: number, end: number, runs: readonly Run[], others?: OffsetSpan) {
    this.start = start
    this.end = end
    this.runs = runs
    this.others = others
  }

  /** The first copy at or after a source offset, and the copy before that. */
  firstFrom(sourceOffset: number): { readonly copy: Copy; readonly before: Copy | undefined } | undefined {
    const index = this.runs.findIndex(run => run.sourceOffset + run.count > sourceOffset)
    const run = this.runs[index]
    if (run === undefined) return undefined
    const at = Math.max(sourceOffset - run.sourceOffset, 0)
    const previous = this.runs[index - 1]
    const before = at > 0 ? copyIn(run, at - 1) : previous && lastOf(previous)
    return { copy: copyIn(run, at), before }
  }

  /** The copy with the highest destination offset. */
  get newest(): Copy | undefined {
    const run = this.runs.at(-1)
    return run && lastOf(run)
  }

  /** What of it lies in a range. */
  within(start: number, end: number): Stretch {
    if (start <= this.start && end >= this.end) return this
    const runs = this.runs.flatMap(run => {
      const from = Math.max(start - run.destinationOffset, 0)
      const count = Math.min(end - run.destinationOffset, run.count) - from
      return count > 0 ? [{ ...copyIn(run, from), count }] : []
    })
    return new Stretch(Math.max(start, this.start), Math.min(end, this.end), runs, this.#othersWithin(start, end))
  }

  /** Together with one that begins where this one ends. */
  joined(next: Stretch): Stretch {
    const runs = new RunList([...this.runs])
    const [first, ...others] = next.runs
    if (first !== undefined) runs.add(first)
    return new Stretch(this.start, next.end, [...runs.runs, ...others], spanOf(this.others, next.others))
  }

  /** Where a part is cut off in the midst of them, what is left is taken to begin, or to end, right there. */
  #othersWithin(start: number, end: number): OffsetSpan | undefined {
    if (this.others === undefined) return undefined
    const span = { first: Math.max(start, this.others.first), last: Math.min(end - 1, this.others.last) }
    return span.first <= span.last ? span : undefined
  }
}

/** Both of them together, the lower one first. */
function spanOf(lower: OffsetSpan | undefined, upper: OffsetSpan | undefined): OffsetSpan | undefined {
  if (lower === undefined || upper === undefined) return lower ?? upper
  return { first: lower.first, last: upper.last }
}

/** Runs that grow at their end. */
export class RunList {
  readonly runs: Run[]

  constructor(runs: Run[] = []) {
    this.runs = runs
  }

  /** Adds what comes next in the partition. */
  add(next: Run): void {
    const last = this.runs.at(-1)
    const isContinued =
      last !== undefined &&
      last.isFenced === next.isFenced &&
      last.sourceOffset + last.count === next.sourceOffset &&
      last.destinationOffset + last.count === next.destinationOffset
    if (isContinued) this.runs[this.runs.length - 1] = { ...last, count: last.count + next.count }
    else this.runs.push(next)
  }
}

function copyIn({ sourceOffset, destinationOffset, isFenced }: Run, at: number): Copy {
  return { sourceOffset: sourceOffset + at, destinationOffset: destinationOffset + at, isFenced }
}

function lastOf(run: Run): Copy {
  return copyIn(run, run.count - 1)
}
