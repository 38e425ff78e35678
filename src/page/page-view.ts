/** What the page shows at one moment: the body of `/api/page`. Sentences are made here, so that a browser only has to lay them out. */

/** How much a copy can be relied upon, the worst first. */
export const VERDICT_LEVELS = ['attention', 'unknown', 'stopped', 'behind', 'trusted'] as const
export type VerdictLevel = (typeof VERDICT_LEVELS)[number]

export interface Verdict {
  readonly level: VerdictLevel
  /** Two or three words. */
  readonly title: string
  /** One sentence for each thing that speaks against the copy, or the one that speaks for it. */
  readonly sentences: readonly string[]
}

/** What is wrong with a partition, those that need somebody first. */
export const ROW_STATES = [
  /** It stands still with a reason, or its two logs contradict each other. */
  'halted',
  /** It is known to have lag, and does not move. */
  'stalled',
  /** What was copied is not what the source has, or is there no more: by verification, or by the end of the destination's log. It is mirrored on. */
  'differs',
  /** What its lag is can't be told. */
  'unknown',
  'behind',
  /** Its owner is about to find out where to go on. */
  'starting',
  /** It stands still because somebody has ordered that. */
  'stopped',
  'up to date'
] as const
export type RowState = (typeof ROW_STATES)[number]

export interface PartitionRow {
  /** Source topic name. */
  readonly topic: string
  readonly partition: number
  readonly state: RowState
  /** Why it is halted, or what differs, in a word: `gap`, `not-authorized`, …; `null` in other states. */
  readonly reason: string | null
  /** One sentence for a person; `null` where there is nothing to say. */
  readonly detail: string | null
  /** Client id of the worker that owns it; `null` where that is not known, or nobody does. */
  readonly worker: string | null
  /** What is said of it comes from this worker itself and is of now; otherwise from what its owner last committed. */
  readonly isOwn: boolean
  readonly nextSourceOffset: number | null
  readonly sourceEndOffset: number | null
  readonly lagRecords: number | null
  readonly lagSeconds: number | null
  readonly etaSeconds: number | null
}

/** A row as it is shown: numbers as words. */
export interface ShownRow {
  readonly topic: string
  readonly partition: number
  readonly state: RowState
  readonly detail: string | null
  readonly worker: string
  readonly nextSourceOffset: string
  readonly sourceEndOffset: string
  readonly lagRecords: string
  readonly lagSeconds: string
  readonly eta: string
}

/** Which rows somebody wants to see. */
export const ROW_FILTERS = ['all', 'attention', 'behind'] as const
export type RowFilter = (typeof ROW_FILTERS)[number]

export interface RowQuery {
  readonly filter: RowFilter
  /** A part of the topic's or worker's name, in any case; empty: all of them. */
  readonly search: string
  /** From 0. */
  readonly page: number
}

export interface TableView {
  readonly rows: readonly ShownRow[]
  /** `26 to 50 of 10,000 partitions`. */
  readonly caption: string
  /** The page that is shown, from 0. */
  readonly page: number
  readonly pages: number
}

export interface WorkerView {
  readonly name: string
  readonly host: string
  readonly partitions: string
  readonly isThis: boolean
}

export interface GroupView {
  readonly group: string
  readonly checkpoint: string
  readonly readAgain: string
}

export interface EventView {
  /** ISO 8601. */
  readonly at: string
  /** `gap, halted`. */
  readonly what: string
  readonly detail: string
  readonly isTrouble: boolean
}

/** Points of the charts; `null` where nothing is known. All arrays are as long as `atMs`. */
export interface HistoryView {
  /** Milliseconds of the epoch, ascending. */
  readonly atMs: readonly number[]
  readonly lagRecords: readonly (number | null)[]
  readonly lagSeconds: readonly (number | null)[]
  readonly recordsPerSecond: readonly (number | null)[]
}

export interface FlowView {
  readonly source: string
  readonly destination: string
  readonly verdict: Verdict
  /** `If east were lost now: 312 records, 0.4 s.` */
  readonly exposure: string
  /** When the backlog will be copied; `null` where there is none. */
  readonly backlog: string | null
  /** Name and value, in the order in which they are shown. */
  readonly figures: readonly { readonly name: string; readonly value: string; readonly note: string | null }[]
  readonly history: HistoryView
  readonly table: TableView
  /** `null` where the source does not tell. */
  readonly workers: readonly WorkerView[] | null
  /** How much of the above is of the whole group, and how old it is. */
  readonly workersNote: string
  readonly groups: readonly GroupView[]
  readonly groupsNote: string
  readonly events: readonly EventView[]
}

export interface PageView {
  readonly version: string
  /** Client id of the worker that answers. */
  readonly worker: string
  readonly startedAt: string
  /** By the worker's clock, milliseconds of the epoch. */
  readonly nowMs: number
  /** The worst of the flows'. */
  readonly verdict: Verdict
  readonly flows: readonly FlowView[]
}
