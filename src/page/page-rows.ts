/** Partitions as the page shows them: what this worker knows of its own, and what the clusters say of all others. Pure. */
import type { EventStatus, PartitionStatus } from '../observe/status.ts'
import { counted } from '../terminal/amounts.ts'
import type { OutsidePartition } from './group-look.ts'
import type { OutsideLag } from './outside-lag.ts'
import { type PartitionRow, ROW_STATES, type RowQuery, type RowState } from './page-view.ts'

/** The reason of a row whose earlier copies are not at the destination any more. */
export const COPIES_GONE = 'copies gone'

/** What makes lag trouble. */
export interface Limits {
  /** Lag up to this is what an asynchronous copy is. */
  readonly lagSeconds: number
  /** How long a partition with something left to do may stand still. */
  readonly stallSeconds: number
}

/** @param standingSeconds for how long it has not moved */
export function ownRow(status: PartitionStatus, worker: string, standingSeconds: number, limits: Limits): PartitionRow {
  const { topic, partition, nextSourceOffset, sourceEndOffset, lagRecords, lagSeconds, etaSeconds } = status
  const state = ownState(status, standingSeconds, limits)
  const details = [
    status.detail ?? standingInWords(status, standingSeconds, limits),
    status.verifyDifferences > 0 ? differing(status.verifyDifferences) : null
  ]
  return {
    ...{ topic, partition, state, reason: status.reason, detail: joined(details), worker, isOwn: true },
    ...{ nextSourceOffset, sourceEndOffset, lagRecords, lagSeconds, etaSeconds }
  }
}

function ownState(status: PartitionStatus, standingSeconds: number, limits: Limits): RowState {
  if (status.state === 'halted') return status.reason === 'stopped' ? 'stopped' : 'halted'
  const { lagRecords, lagSeconds } = status
  const isStanding = standingSeconds >= limits.stallSeconds
  if (isStanding && lagRecords !== null && lagRecords > 0) return 'stalled'
  if (status.verifyDifferences > 0) return 'differs'
  const isStarting = status.state !== 'mirroring'
  if (lagRecords === null || lagSeconds === null) return isStarting && !isStanding ? 'starting' : 'unknown'
  if (lagSeconds > limits.lagSeconds) return 'behind'
  return isStarting ? 'starting' : 'up to date'
}

function standingInWords({ state }: PartitionStatus, standingSeconds: number, limits: Limits): string | null {
  if (standingSeconds < limits.stallSeconds) return null
  if (state === 'mirroring' || state === 'draining') return standing(standingSeconds)
  const doing = state === 'fencing' ? 'earlier owners are being shut out' : 'it is being found out where to go on'
  return `${doing} for ${Math.round(standingSeconds)} s, which takes a moment where both clusters answer: the log of this worker may say why`
}

/**
 * Whether it is meant to move: it is about to begin, or is known to have something left to do that is not held back on purpose. Where the
 * source does not tell, nobody knows whether there is anything.
 */
export function isOwnWaiting({ state, lagRecords, etaSeconds }: PartitionStatus): boolean {
  if (state === 'halted') return false
  if (state === 'fencing' || state === 'resuming') return true
  return lagRecords !== null && lagRecords > 0 && etaSeconds !== 0
}

/** What there is to know of a partition that this worker does not mirror, beside what the clusters say. */
export interface OutsideNews {
  readonly lag: OutsideLag
  /** Client id of its owner. */
  readonly worker: string | null
  readonly etaSeconds: number | null
  readonly standingSeconds: number
  /** It stands still by an order, as the whole flow does or because it has copied all that was to be copied. */
  readonly isStopped: boolean
  /** What its owner wrote to the event log when it halted the partition, if nobody has decided since. */
  readonly halt: EventStatus | undefined
}

export function outsideRow(seen: OutsidePartition, news: OutsideNews, limits: Limits): PartitionRow {
  const { topic, partition, judgement } = seen
  const { lag, worker, etaSeconds, standingSeconds } = news
  const state = outsideState(judgement, news, limits)
  const halted = state === 'halted' ? haltOf(judgement, news) : undefined
  const stalled = `${standing(standingSeconds)}${worker === null ? '' : `; the page or the log of ${worker} may say why`}`
  return {
    ...{ topic, partition, state, worker, isOwn: false },
    reason: state === 'differs' ? COPIES_GONE : (halted?.reason ?? null),
    detail: joined([halted?.detail ?? judgement.detail, state === 'stalled' ? stalled : null]),
    nextSourceOffset: judgement.nextSourceOffset,
    sourceEndOffset: lag.sourceEndOffset,
    lagRecords: lag.records,
    lagSeconds: lag.seconds,
    etaSeconds: lag.records === 0 ? 0 : etaSeconds
  }
}

type Judged = OutsidePartition['judgement']

/** What the two logs say by themselves comes before what was written about them. */
const CONTRADICTIONS: ReadonlySet<string> = new Set<Judged['state']>(['gap', 'recreated', 'diverged'])

function haltOf(judgement: Judged, { halt }: OutsideNews): { readonly reason: string; readonly detail: string | null } {
  if (CONTRADICTIONS.has(judgement.state) || halt === undefined) {
    return { reason: judgement.state, detail: judgement.detail }
  }
  return { reason: halt.kind.toLowerCase(), detail: halt.detail }
}

function outsideState(judgement: Judged, news: OutsideNews, limits: Limits): RowState {
  const judged = judgement.state
  const { lag, standingSeconds, isStopped, halt } = news
  if (halt === undefined && areCopiesGone(judgement)) return 'differs'
  if (CONTRADICTIONS.has(judged)) return 'halted'
  if (judged === 'unreachable') return 'unknown'
  if (isStopped) return 'stopped'
  if (halt !== undefined) return 'halted'
  const isStanding = standingSeconds >= limits.stallSeconds
  if (judged === 'missing') return isStanding ? 'stalled' : 'starting'
  if (lag.records === 0) return 'up to date'
  if (isStanding) return 'stalled'
  if (judged === 'not started') return 'starting'
  // Less than a look ago there was nothing: it is on its way.
  return lag.seconds !== null && lag.seconds > limits.lagSeconds ? 'behind' : 'up to date'
}

/**
 * Either log may be the one that was cut back. Where the source's end is where it was, it is the destination's: its owner goes on, and
 * what is new is copied.
 */
function areCopiesGone({ state, nextSourceOffset, sourceEndOffset }: Judged): boolean {
  return (
    state === 'diverged' && nextSourceOffset !== null && sourceEndOffset !== null && nextSourceOffset <= sourceEndOffset
  )
}

function standing(seconds: number): string {
  return `it has records to copy and has not moved for ${Math.round(seconds)} s`
}

function differing(differences: number): string {
  return `verification found ${counted(differences, 'difference')} between its records and their copies: the log of this worker has each place`
}

function joined(details: readonly (string | null)[]): string | null {
  const told = details.filter(detail => detail !== null)
  return told.length === 0 ? null : told.join('; ')
}

const NEED = new Map<RowState, number>(ROW_STATES.map((state, index) => [state, index]))

/**
 * Those that need somebody first; among equals those with most lag. Lag that is not known could be any. Those that are up to date stay where
 * they are, whoever of them is a moment ahead of the others.
 */
export function byNeed(a: PartitionRow, b: PartitionRow): number {
  return (
    NEED.get(a.state)! - NEED.get(b.state)! ||
    (a.state === 'up to date' ? 0 : descending(a.lagSeconds, b.lagSeconds) || descending(a.lagRecords, b.lagRecords)) ||
    (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) ||
    a.partition - b.partition
  )
}

function descending(a: number | null, b: number | null): number {
  const [left, right] = [a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY]
  return left === right ? 0 : right - left
}

/** What somebody has to look at. */
export function needsAttention({ state }: PartitionRow): boolean {
  return state === 'halted' || state === 'stalled' || state === 'differs' || state === 'unknown'
}

/** Those that are asked for, in their order. A search is a part of a name and no pattern, so that no input can make it slow. */
export function selectRows(rows: readonly PartitionRow[], { filter, search }: RowQuery): readonly PartitionRow[] {
  const sought = search.trim().toLowerCase()
  if (filter === 'all' && sought === '') return rows
  return rows.filter(
    row =>
      (filter === 'all' || (filter === 'attention' ? needsAttention(row) : row.state === 'behind')) &&
      (sought === '' ||
        `${row.topic}-${row.partition}`.toLowerCase().includes(sought) ||
        (row.worker?.toLowerCase().includes(sought) ?? false))
  )
}
