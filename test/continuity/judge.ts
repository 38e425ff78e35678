/**
 * What a failover did to a consumer group, judged by all records of both copies. As pure calculation.
 *
 *     source       ──────────────── U ─────────── C ────────── R         U: last checkpoint, C: last commit, R: read
 *     destination  ────────── D ─────────────────────────                D: where the group goes on
 *                             │ beyond │ committed │ not committed
 *                             └──── read again ────────────┘
 *
 * What was read and not committed (C to R) is read again wherever the group goes on, also at the source. What was committed
 * and not known at the destination (U to C) is the price of a checkpoint interval. What lies before U is read
 * again for no other reason than that the translation was not exact. And what lies before D and was never read is missed.
 */

/** A record of a copy, in the order of the copy. */
export interface CopiedRecord {
  readonly destinationOffset: number
  readonly sourceOffset: number
}

/** One partition at the instant of the crash. */
export interface PartitionInstant {
  /** All that the copy held, in order. */
  readonly copies: readonly CopiedRecord[]
  /** Source offsets of the records that the group had read. */
  readonly read: ReadonlySet<number>
  /** Behind the last record that it had read: what was compacted away before it came there is missed by nobody. */
  readonly position: number
  /** C; 0 where it had committed nothing. */
  readonly committed: number
  /** U; 0 where there was no checkpoint. */
  readonly checkpointed: number
  /** D. */
  readonly goesOnAt: number
}

/** In records. */
export interface Outcome {
  readonly missed: number
  /** The sum of the following three. */
  readonly readAgain: number
  readonly notCommitted: number
  readonly committed: number
  readonly beyond: number
}

const NOTHING: Outcome = { missed: 0, readAgain: 0, notCommitted: 0, committed: 0, beyond: 0 }

export function judge(instant: PartitionInstant): Outcome {
  const { copies, read, position, committed, checkpointed, goesOnAt } = instant
  const skipped = copies.filter(({ destinationOffset }) => destinationOffset < goesOnAt)
  const again = copies.filter(
    ({ destinationOffset, sourceOffset }) => destinationOffset >= goesOnAt && read.has(sourceOffset)
  )
  const between = (from: number, to: number) =>
    again.filter(({ sourceOffset }) => sourceOffset >= from && sourceOffset < to).length
  const known = Math.min(checkpointed, committed)
  return {
    missed: skipped.filter(({ sourceOffset }) => sourceOffset >= position && !read.has(sourceOffset)).length,
    readAgain: again.length,
    notCommitted: between(committed, Number.POSITIVE_INFINITY),
    committed: between(known, committed),
    beyond: between(0, known)
  }
}

export function sum(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce(
    (total, each) => ({
      missed: total.missed + each.missed,
      readAgain: total.readAgain + each.readAgain,
      notCommitted: total.notCommitted + each.notCommitted,
      committed: total.committed + each.committed,
      beyond: total.beyond + each.beyond
    }),
    NOTHING
  )
}
