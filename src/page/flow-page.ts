import { partitionKey } from '../cluster/offsets.ts'
import type { Config } from '../config/types.ts'
import { maxKnown, sumKnown } from '../lag/known.ts'
import type { FlowStatus, PartitionStatus } from '../observe/status.ts'
import { flowView } from './flow-view.ts'
import type { OutsidePartition } from './group-look.ts'
import type { LastSeen } from './group-watch.ts'
import { History, type Observed } from './history.ts'
import { byNeed, isOwnWaiting, type Limits, outsideRow, ownRow } from './page-rows.ts'
import type { FlowView, PartitionRow, RowQuery, RowState } from './page-view.ts'
import { SeenOthers } from './seen-others.ts'
import { StandingStill } from './standing-still.ts'
import type { Exposure } from './words.ts'

/** Ten minutes of samples. */
export const SAMPLE_INTERVAL_MS = 5_000
const SAMPLES = 121
/** A copy that is later than this is behind; below it, it is what an asynchronous copy is. */
const LAG_LIMIT_SECONDS = 10
/** What was seen of the others is shown for so long; looks are 5 s apart, and up to 15 s where they take long. */
const SEEN_MAX_AGE_MS = 60_000
const NO_BACKLOG: ReadonlySet<RowState> = new Set<RowState>(['halted', 'stopped', 'up to date'])

/** The moment something is told at. */
export interface Moment {
  /** Monotonic. */
  readonly nowMs: number
  /** Milliseconds of the epoch. */
  readonly wallNowMs: number
}

/** What is known of a flow at one moment, made once for all who ask. */
export interface FlowNow {
  readonly status: FlowStatus
  /** Those that need somebody first. */
  readonly rows: readonly PartitionRow[]
  readonly exposure: Exposure
  readonly etaSeconds: number | null
  readonly recordsPerSecond: number | null
  /** What was last seen of the group, if that is not too long ago. */
  readonly seen: LastSeen | undefined
}

/** One flow on the page: the rows of its partitions, and its last minutes. */
export class FlowPage {
  readonly limits: Limits
  /** What another worker holds back on purpose shows as lag that does not move. */
  readonly #othersLimits: Limits
  readonly delaySeconds: number
  readonly #clientId: string
  readonly #standing = new StandingStill()
  /** This worker's share, which is known all the time. */
  readonly #own = new History(SAMPLES)
  /** The whole group, as far as somebody has looked. */
  readonly #group = new History(SAMPLES)
  #others: SeenOthers | undefined

  constructor(config: Pick<Config, 'delayMs' | 'stallTimeoutMs'>, clientId: string) {
    this.#clientId = clientId
    this.delaySeconds = config.delayMs / 1_000
    this.limits = {
      lagSeconds: LAG_LIMIT_SECONDS + this.delaySeconds,
      stallSeconds: config.stallTimeoutMs / 1_000
    }
    this.#othersLimits = { ...this.limits, stallSeconds: this.limits.stallSeconds + this.delaySeconds }
  }

  /** Somebody has looked at the group. */
  seen(last: LastSeen): void {
    if (this.#others === undefined) this.#others = new SeenOthers(last)
    else this.#others.look(last)
  }

  /** Notes what is known now, every few seconds. */
  sample(status: FlowStatus, moment: Moment): void {
    this.#standing.look(status.partitions.filter(isOwnWaiting), moment.nowMs)
    // Nobody looks any more: thousands of partitions of others need not be kept for the next who does.
    if (this.#freshlySeen(moment) === undefined) this.#others = undefined
    const { exposure, rates } = status
    this.#own.add(moment.wallNowMs, {
      lagRecords: exposure.records,
      lagSeconds: exposure.seconds,
      recordsPerSecond: rates.recordsPerSecond
    })
    this.#group.add(moment.wallNowMs, this.#observedOfGroup(status, moment))
  }

  /** What is known of the flow. */
  now(status: FlowStatus, moment: Moment): FlowNow {
    const freshly = this.#freshlySeen(moment)
    const seen = freshly?.last
    const own = status.partitions.map(partition => this.#ownRow(partition, moment))
    // What has been taken over since it was looked at is in both.
    const owned = new Set(status.partitions.map(partitionKey))
    const others = (seen?.others ?? []).filter(partition => !owned.has(partitionKey(partition)))
    const outside = freshly === undefined ? [] : this.#outsideRows(others, status, freshly)
    const rows = [...own, ...outside].sort(byNeed)
    if (freshly === undefined) {
      // This worker's share says nothing of the whole.
      const unknown = { exposure: { records: null, seconds: null }, etaSeconds: null }
      return { status, rows, ...unknown, recordsPerSecond: status.rates.recordsPerSecond, seen }
    }
    if (others.length === 0) {
      const { exposure, etaSeconds, rates } = status
      return { status, rows, exposure, etaSeconds, recordsPerSecond: rates.recordsPerSecond, seen }
    }
    const passedPerSecond = freshly.recordsPerSecond
    return {
      status,
      rows,
      exposure: status.exposure.records === null ? { records: null, seconds: null } : exposureOf(rows),
      etaSeconds: longestEta(rows),
      recordsPerSecond: passedPerSecond === null ? null : status.rates.recordsPerSecond + passedPerSecond,
      seen
    }
  }

  /** As it is shown. */
  view(now: FlowNow, trouble: string | null, query: RowQuery, moment: Moment): FlowView {
    const isShared = now.rows.some(({ isOwn }) => !isOwn)
    return flowView({
      now,
      trouble,
      query,
      moment,
      samples: (isShared ? this.#group : this.#own).samples,
      limits: this.limits,
      delaySeconds: this.delaySeconds,
      clientId: this.#clientId
    })
  }

  #freshlySeen({ nowMs }: Moment): SeenOthers | undefined {
    const others = this.#others
    return others !== undefined && nowMs - others.last.atMs < SEEN_MAX_AGE_MS ? others : undefined
  }

  #observedOfGroup(status: FlowStatus, moment: Moment): Observed {
    const unknown = { lagRecords: null, lagSeconds: null, recordsPerSecond: null }
    if (this.#freshlySeen(moment) === undefined) return unknown
    const { exposure, recordsPerSecond } = this.now(status, moment)
    return { lagRecords: exposure.records, lagSeconds: exposure.seconds, recordsPerSecond }
  }

  #ownRow(partition: PartitionStatus, { nowMs }: Moment): PartitionRow {
    return ownRow(partition, this.#clientId, this.#standing.secondsOf(partition, nowMs), this.limits)
  }

  #outsideRows(others: readonly OutsidePartition[], status: FlowStatus, seen: SeenOthers): PartitionRow[] {
    const halts = new Map(status.halts.map(event => [partitionKey(event), event]))
    return others.map(partition => {
      const news = { ...seen.newsOf(partition, status.stopped), halt: halts.get(partitionKey(partition)) }
      return outsideRow(partition, news, this.#othersLimits)
    })
  }
}

function exposureOf(rows: readonly PartitionRow[]): Exposure {
  const records = sumKnown(rows.map(({ lagRecords }) => lagRecords))
  return { records, seconds: records === null ? null : maxKnown(rows.map(({ lagSeconds }) => lagSeconds)) }
}

/**
 * When the last of them will have caught up. What is up to date has records under way, which are no backlog; what stands still waits for
 * somebody, not for time.
 */
function longestEta(rows: readonly PartitionRow[]): number | null {
  const behind = rows.filter(({ state, lagRecords }) => (lagRecords ?? 0) > 0 && !NO_BACKLOG.has(state))
  return maxKnown(behind.map(({ etaSeconds }) => etaSeconds))
}
