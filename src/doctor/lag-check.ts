/** Whether the source still has what is not mirrored yet, and for how long. Pure. */
import { ClusterError } from '../cluster/errors.ts'
import type { TopicConfig } from '../cluster/topic-admin.ts'
import type { FlowOverview, MirrorState, PartitionRow } from '../status/overview.ts'
import { duration } from '../status/status-text.ts'
import { counted } from '../terminal/amounts.ts'
import { listed, Notes, type Tell } from './finding.ts'

const RETENTION_SHARE_WARNING = 0.5
const RETENTION_SHARE_PROBLEM = 0.9
/** Shorter than a night's outage. */
const RETENTION_SECONDS_WARNING = 12 * 3_600
const STANDING: ReadonlySet<MirrorState> = new Set(['diverged', 'recreated', 'gap'])
const STANDING_TOLD_MAX = 3

/**
 * @param overview `undefined` where no worker has ever run
 * @param configs of the source topics, by name
 * @param delaySeconds how far behind the copy is kept on purpose
 */
export function checkLag(
  about: string,
  overview: Pick<FlowOverview, 'partitions' | 'problems' | 'totals'> | undefined,
  configs: ReadonlyMap<string, TopicConfig | ClusterError>,
  delaySeconds: number,
  tell: Tell
): void {
  const notes = new Notes('lag', about, tell)
  const retentions = new Map([...configs].map(([topic, config]) => [topic, retentionSeconds(config)]))
  const untold = [...configs.values()].filter(config => config instanceof ClusterError).length
  if (untold > 0) notes.skipped(`the source does not tell how long it keeps ${counted(untold, 'topic')}`)
  const isShort = tellShortRetention(retentions, delaySeconds, notes)
  if (overview === undefined) {
    if (!isShort && untold === 0) notes.ok('no worker has run yet, and the source keeps records for long enough')
    return
  }
  const isStanding = tellStanding(overview.partitions, notes)
  for (const { message } of overview.problems) notes.skipped(message)
  const unasked = overview.totals.states.unreachable
  if (unasked > 0) notes.skipped(`${counted(unasked, 'partition')} could not be asked for`, 'see farlog status')
  const isOvertaken = tellOvertaken(overview.partitions, retentions, notes)
  if (untold > 0 || isShort || isStanding || isOvertaken || unasked > 0 || overview.problems.length > 0) return
  const { lagRecords, lagSeconds } = overview.totals
  notes.ok(
    lagRecords === 0
      ? 'nothing is behind'
      : `of ${counted(lagRecords, 'record')} not mirrored yet the oldest is ${duration(lagSeconds)} old, and the source keeps it`
  )
}

function tellShortRetention(retentions: ReadonlyMap<string, number>, delaySeconds: number, notes: Notes): boolean {
  const all = [...retentions]
  const short = all.filter(([, seconds]) => seconds - delaySeconds < RETENTION_SECONDS_WARNING)
  if (short.length === 0) return false
  const tooShort = short.filter(([, seconds]) => seconds <= delaySeconds)
  if (tooShort.length > 0) {
    notes.problem(
      `${topicsOf(tooShort)}: the source keeps records for ${shortestOf(tooShort)} only, and deletes them before FARLOG_DELAY lets them be copied`,
      `raise retention.ms at the source well above ${duration(delaySeconds)}, or lower FARLOG_DELAY`
    )
  }
  const others = short.filter(([, seconds]) => seconds > delaySeconds)
  if (others.length > 0) {
    const share = delaySeconds > 0 ? `, of which FARLOG_DELAY takes ${duration(delaySeconds)}` : ''
    const longer = delaySeconds > 0 ? 'longer than the rest' : 'that is longer'
    notes.warning(
      `${topicsOf(others)}: the source keeps records for ${shortestOf(others)} only${share}; an outage ${longer} loses them`,
      'raise retention.ms at the source if that is too short'
    )
  }
  return true
}

function topicsOf(retentions: readonly (readonly [topic: string, seconds: number])[]): string {
  return listed(retentions.map(([topic]) => topic))
}

function shortestOf(retentions: readonly (readonly [topic: string, seconds: number])[]): string {
  return duration(Math.min(...retentions.map(([, seconds]) => seconds)))
}

function tellStanding(rows: readonly PartitionRow[], notes: Notes): boolean {
  const standing = rows.filter(({ state }) => STANDING.has(state))
  for (const { topic, partition, state, detail } of standing.slice(0, STANDING_TOLD_MAX)) {
    notes.problem(`${topic}-${partition}: ${state}${detail === null ? '' : `: ${detail}`}`, 'see farlog resume --help')
  }
  const more = standing.length - STANDING_TOLD_MAX
  if (more > 0) notes.problem(`${counted(more, 'more partition')} like that`, 'see farlog status')
  return standing.length > 0
}

/** Of a partition that nothing is mirrored of yet the oldest record is always as old as retention allows. */
function tellOvertaken(rows: readonly PartitionRow[], retentions: ReadonlyMap<string, number>, notes: Notes): boolean {
  const share = ({ topic, lagSeconds }: PartitionRow) =>
    (lagSeconds ?? 0) / (retentions.get(topic) ?? Number.POSITIVE_INFINITY)
  const late = rows.filter(row => row.state === 'behind' && share(row) > RETENTION_SHARE_WARNING)
  const atEdge = late.filter(row => share(row) > RETENTION_SHARE_PROBLEM)
  const later = late.filter(row => share(row) <= RETENTION_SHARE_PROBLEM)
  const remedy = 'raise retention.ms at the source until it has caught up'
  if (atEdge.length > 0) {
    notes.problem(`${names(atEdge)}: the source is about to delete what is not mirrored yet`, remedy)
  }
  if (later.length > 0)
    notes.warning(`${names(later)}: more than half of the source's retention is used up by lag`, remedy)
  return late.length > 0
}

function names(rows: readonly PartitionRow[]): string {
  return listed(rows.map(({ topic, partition }) => `${topic}-${partition}`))
}

/** For how long the source keeps the oldest records of any of these topics, by time. */
export function longestRetentionSeconds(configs: readonly (TopicConfig | ClusterError)[]): number {
  return Math.max(0, ...configs.map(retentionSeconds))
}

/** By time; what the source deletes by size nobody can tell in seconds. */
function retentionSeconds(config: TopicConfig | ClusterError): number {
  const isDeleted = !(config instanceof ClusterError) && config.get('cleanup.policy')?.value !== 'compact'
  const ms = isDeleted ? Number(config.get('retention.ms')?.value ?? -1) : -1
  return ms < 0 ? Number.POSITIVE_INFINITY : ms / 1000
}
