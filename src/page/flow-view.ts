/** Puts what is known of a flow into words, rows and points. Pure. */
import type { TopicPartition } from '../cluster/offsets.ts'
import type { EventStatus, FlowStatus, GroupStatus, OrderStatus } from '../observe/status.ts'
import { counted, inThousands } from '../terminal/amounts.ts'
import type { FlowNow, Moment } from './flow-page.ts'
import type { History } from './history.ts'
import { COPIES_GONE, type Limits, needsAttention, selectRows } from './page-rows.ts'
import type {
  EventView,
  FlowView,
  GroupView,
  HistoryView,
  PartitionRow,
  RowQuery,
  ShownRow,
  TableView,
  WorkerView
} from './page-view.ts'
import { verdictOf } from './verdict.ts'
import { backlogInWords, exposureInWords, inBytes, inWords, type KnownPart, orDash } from './words.ts'

const ROWS_PER_PAGE = 25
const GROUPS_MAX = 10
const WORKERS_MAX = 20
const DAY_MS = 86_400_000
const ORDERED = { STOP: 'flow stopped', STOP_AT: 'flow to stand still at a time', START: 'flow started' } as const

export interface FlowViewFacts {
  readonly now: FlowNow
  /** Why the group can't be looked at; `null` where it can. */
  readonly trouble: string | null
  readonly query: RowQuery
  readonly moment: Moment
  readonly samples: History['samples']
  readonly limits: Limits
  readonly delaySeconds: number
  readonly clientId: string
}

export function flowView(facts: FlowViewFacts): FlowView {
  const { now, query, samples, moment } = facts
  const { status, rows, exposure, etaSeconds, seen } = now
  const { source, destination } = status
  const lately = status.events.filter(({ observedAt }) => moment.wallNowMs - Date.parse(observedAt) < DAY_MS)
  const differing = status.partitions.filter(({ verifyDifferences }) => verifyDifferences > 0)
  return {
    source,
    destination,
    verdict: verdictOf({
      ...{ source, destination, exposure, etaSeconds },
      notReadyReason: status.notReadyReason,
      stopped: status.stopped,
      unseen: unseenInWords(facts),
      partitions: rows.length,
      halted: haltedByReason(rows),
      stalled: rows.filter(({ state }) => state === 'stalled').length,
      differences: differing.reduce((sum, { verifyDifferences }) => sum + verifyDifferences, 0),
      differing: differing.map(nameOf),
      copiesGone: rows.filter(({ reason }) => reason === COPIES_GONE).map(nameOf),
      unknown: rows.filter(({ lagRecords, lagSeconds }) => lagRecords === null || lagSeconds === null).length,
      lagLimitSeconds: facts.limits.lagSeconds,
      delaySeconds: facts.delaySeconds,
      heartbeatAgeSeconds: status.heartbeatAgeSeconds,
      deletedInSeconds: deletedIn(status),
      passedLately: lately.filter(({ kind, action }) => kind !== 'RESUME' && action === 'CONTINUED').length,
      resumedLately: lately.filter(({ kind }) => kind === 'RESUME').length
    }),
    exposure: exposureInWords(source, rows.length, exposure, knownPart(now)),
    backlog: seen === undefined ? null : backlogInWords(exposure.records, etaSeconds),
    figures: figures(now),
    history: historyView(samples),
    table: tableView(rows, query),
    workers: workersView(facts),
    workersNote: workersNote(facts),
    groups: groupsView(status.groups),
    groupsNote: groupsNote(facts),
    events: eventsView(status.events, status.order)
  }
}

function unseenInWords({ now, trouble }: FlowViewFacts): string | null {
  if (now.seen !== undefined) return null
  return trouble === null ? 'is being looked at' : `can’t be looked at: ${trouble}`
}

function knownPart({ rows, seen }: FlowNow): KnownPart {
  let records = 0
  let seconds = 0
  let unknownPartitions = 0
  for (const { lagRecords, lagSeconds } of rows) {
    records += lagRecords ?? 0
    seconds = Math.max(seconds, lagSeconds ?? 0)
    if (lagRecords === null) unknownPartitions++
  }
  return { records, seconds, unknownPartitions, isWholeGroup: seen !== undefined }
}

function haltedByReason(rows: readonly PartitionRow[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { state, reason } of rows) {
    if (state !== 'halted') continue
    const named = reason ?? 'reason not known'
    counts.set(named, (counts.get(named) ?? 0) + 1)
  }
  return counts
}

/** Of this worker's partitions: the others' retention is watched by the others. */
function deletedIn({ partitions }: FlowStatus): number | null {
  let soonest: number | null = null
  for (const { lagRecords, retentionMarginSeconds: margin, etaSeconds } of partitions) {
    if (lagRecords === 0 || margin === null || margin > DELETED_SOON_SECONDS) continue
    // What is on its way is newer than the one before it, by whose time the margin goes.
    if (etaSeconds === 0 || (etaSeconds !== null && etaSeconds < margin)) continue
    soonest = Math.min(soonest ?? margin, margin)
  }
  return soonest
}

const DELETED_SOON_SECONDS = 3_600

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function figures({ status, rows, exposure, recordsPerSecond, seen }: FlowNow): FlowView['figures'] {
  const attention = rows.filter(needsAttention).length
  const behind = rows.filter(({ state }) => state === 'behind').length
  const { rates, heartbeatAgeSeconds } = status
  const isPart = seen === undefined || rows.some(({ isOwn }) => !isOwn)
  return [
    {
      name: 'Lag',
      value: orDash(exposure.seconds, inWords),
      note: exposure.records === null ? 'not known of all partitions' : counted(exposure.records, 'record')
    },
    {
      name: 'Throughput',
      value: orDash(recordsPerSecond, rate => `${inThousands(Math.round(rate))}/s`),
      note: `${inBytes(rates.bytesPerSecond)}/s${isPart ? ' by this worker' : ''}`
    },
    {
      name: 'Partitions',
      value: inThousands(rows.length),
      note: [
        ...(seen === undefined ? ['of this worker'] : []),
        `${inThousands(attention)} need attention`,
        ...(behind > 0 ? [`${inThousands(behind)} behind`] : [])
      ].join(', ')
    },
    {
      name: 'Workers',
      value: orDash(seen?.workers?.length ?? null, inThousands),
      note: `group ${status.groupId}`
    },
    ...(heartbeatAgeSeconds === null
      ? []
      : [{ name: 'Last heartbeat', value: `${inWords(heartbeatAgeSeconds)} ago`, note: 'across the flow' }])
  ]
}

function historyView(samples: FlowViewFacts['samples']): HistoryView {
  return {
    atMs: samples.map(({ atMs }) => atMs),
    lagRecords: samples.map(({ observed }) => observed.lagRecords),
    lagSeconds: samples.map(({ observed }) => observed.lagSeconds),
    recordsPerSecond: samples.map(({ observed }) => observed.recordsPerSecond)
  }
}

function tableView(rows: readonly PartitionRow[], query: RowQuery): TableView {
  const selected = selectRows(rows, query)
  const pages = Math.max(1, Math.ceil(selected.length / ROWS_PER_PAGE))
  const page = Math.min(query.page, pages - 1)
  const first = page * ROWS_PER_PAGE
  const shown = selected.slice(first, first + ROWS_PER_PAGE)
  const of = counted(selected.length, 'partition')
  const caption =
    shown.length === 0 ? 'No partition' : `${inThousands(first + 1)} to ${inThousands(first + shown.length)} of ${of}`
  return { rows: shown.map(shownRow), caption, page, pages }
}

function shownRow(row: PartitionRow): ShownRow {
  const { topic, partition, state, reason, detail, worker, lagRecords } = row
  const why = [reason, detail].filter(text => text !== null).join(': ')
  return {
    ...{ topic, partition, state },
    detail: why === '' ? null : why,
    worker: worker ?? 'nobody',
    nextSourceOffset: orDash(row.nextSourceOffset, inThousands),
    sourceEndOffset: orDash(row.sourceEndOffset, inThousands),
    lagRecords: orDash(lagRecords, inThousands),
    lagSeconds: orDash(row.lagSeconds, inWords),
    eta: lagRecords === 0 || row.etaSeconds === 0 || state === 'up to date' ? '' : orDash(row.etaSeconds, inWords)
  }
}

function workersView({ now, clientId }: FlowViewFacts): WorkerView[] | null {
  const workers = now.seen?.workers
  if (workers === undefined) return null
  const sorted = workers.toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1))
  return sorted.slice(0, WORKERS_MAX).map(worker => ({
    name: worker.clientId,
    host: worker.host.replace(/^\//, ''),
    partitions: counted(worker.partitions.length, 'partition'),
    isThis: worker.clientId === clientId
  }))
}

function workersNote({ now, trouble, moment }: FlowViewFacts): string {
  const { seen, status } = now
  const hidden = (seen?.workers?.length ?? 0) - WORKERS_MAX
  const more = hidden > 0 ? `${inThousands(hidden)} more are not listed. ` : ''
  if (trouble !== null) return `${more}The other workers’ partitions can’t be looked at: ${trouble}.`
  if (seen === undefined) return 'Only this worker’s partitions; those of the others are being looked at.'
  if (now.rows.every(({ isOwn }) => isOwn)) return `${more}This worker mirrors all partitions.`
  const age = inWords((moment.nowMs - seen.atMs) / 1_000)
  return `${more}What the other workers mirror was asked of ${status.source} and ${status.destination} ${age} ago, and is as their last commits tell it.`
}

/** Those that would read most again first. */
function groupsView(groups: readonly GroupStatus[]): GroupView[] {
  const sorted = groups.toSorted(
    (a, b) => b.reprocessRecords - a.reprocessRecords || b.checkpointAgeSeconds - a.checkpointAgeSeconds
  )
  return sorted.slice(0, GROUPS_MAX).map(({ group, checkpointAgeSeconds, reprocessRecords }) => ({
    group,
    checkpoint: `${inWords(checkpointAgeSeconds)} ago`,
    readAgain: reprocessRecords === 0 ? 'nothing' : counted(reprocessRecords, 'record')
  }))
}

/** One worker looks after groups for all. */
function groupsNote({ now, clientId }: FlowViewFacts): string {
  const { groups } = now.status
  const hidden = groups.length - GROUPS_MAX
  if (hidden > 0) return `${inThousands(hidden)} more, which would read less again, are in /api/status.`
  if (groups.length > 0) return ''
  const inCharge = now.seen?.inCharge
  if (inCharge === undefined)
    return 'One worker looks after the consumer groups of this flow; which one is not known now.'
  if (inCharge === clientId) return 'No consumer group has positions to bring along yet.'
  return `Worker ${inCharge} looks after the consumer groups of this flow; its page shows them.`
}

function eventsView(events: readonly EventStatus[], order: OrderStatus | null): EventView[] {
  const told = events.map(event => ({
    at: event.observedAt,
    what: `${event.kind.toLowerCase()}, ${event.action.toLowerCase()}`,
    detail: `${event.topic}-${event.partition}: ${event.detail}`,
    isTrouble: event.kind !== 'RESUME'
  }))
  if (order === null) return told
  const { action, orderedBy, orderedAt: at, reason } = order
  const ordered = {
    at,
    what: ORDERED[action],
    detail: `by ${orderedBy}: ${reason}`,
    isTrouble: action !== 'START'
  }
  return [...told, ordered].toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
}
