import { partitionKey } from '../cluster/offsets.ts'
import type { Config } from '../config/types.ts'
import { ClosingRate } from '../lag/closing-rate.ts'
import { maxKnown, sumKnown } from '../lag/known.ts'
import type { FlowStatus, PartitionStatus } from '../observe/status.ts'
import { flowView } from './flow-view.ts'
import type { OutsidePartition } from './group-look.ts'
import type { LastSeen } from './group-watch.ts'
import { History, type Observed } from './history.ts'
import { OutsideLags } from './outside-lags.ts'
import { byNeed, isOwnWaiting, type Limits, outsideRow, ownRow } from './page-rows.ts'
import type { FlowView, PartitionRow, RowQuery } from './page-view.ts'
import { PassedOffsets } from './passed-offsets.ts'
import { StandingStill } from './standing-still.ts'
import type { Exposure } from './words.ts'

/** Ten minutes of samples. */
export const SAMPLE_INTERVAL_MS = 5_000
const SAMPLES = 121
/** A copy that is later than this is behind; below it, it is what an asynchronous copy is. */
const LAG_LIMIT_SECONDS = 10
/** What was seen of the others is shown for so long; looks are 5 s apart, and up to 15 s where they take long. */
const SEEN_MAX_AGE_MS = 60_000

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
  readonly #othersStanding = new StandingStill()
  /** This worker's share, which is known all the time. */
  readonly #own = new History(SAMPLES)
  /** The whole group, as far as somebody has looked. */
  readonly #group = new History(SAMPLES)
  readonly #closing = new ClosingRate()
  readonly #passed = new PassedOffsets()
  #etas = new Map<string, number | null>()
  #othersLags = new OutsideLags()
  #owners = new Map<string, string>()
  #last: LastSeen | undefined

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
    this.#last = last
    this.#owners = ownersOf(last)
    const behind = last.others.filter(({ judgement }) => (judgement.lagRecords ?? 0) > 0)
    this.#othersLags.look(last.others, last.atMs, last.wallAtMs)
    this.#etas = this.#closing.look(
      new Map(behind.map(partition => [partitionKey(partition), partition.judgement.lagRecords!])),
      last.atMs
    )
    this.#othersStanding.look(behind.map(positionOf), last.atMs)
    this.#passed.look(last.others.map(positionOf), last.atMs)
  }

  /** Notes what is known now, every few seconds. */
  sample(status: FlowStatus, moment: Moment): void {
    this.#standing.look(status.partitions.filter(isOwnWaiting), moment.nowMs)
    if (this.#freshlySeen(moment) === undefined) this.#forgetOthers()
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
    const seen = this.#freshlySeen(moment)
    const own = status.partitions.map(partition => this.#ownRow(partition, moment))
    // What has been taken over since it was looked at is in both.
    const owned = new Set(status.partitions.map(partitionKey))
    const others = (seen?.others ?? []).filter(partition => !owned.has(partitionKey(partition)))
    const outside = seen === undefined ? [] : this.#outsideRows(others, status, seen)
    const rows = [...own, ...outside].sort(byNeed)
    if (seen === undefined) {
      // This worker's share says nothing of the whole.
      const unknown = { exposure: { records: null, seconds: null }, etaSeconds: null }
      return { status, rows, ...unknown, recordsPerSecond: status.rates.recordsPerSecond, seen }
    }
    if (others.length === 0) {
      const { exposure, etaSeconds, rates } = status
      return { status, rows, exposure, etaSeconds, recordsPerSecond: rates.recordsPerSecond, seen }
    }
    const passedPerSecond = this.#passed.perSecond
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

  /** Nobody looks any more: thousands of partitions of others need not be kept for the next who does. */
  #forgetOthers(): void {
    this.#last = undefined
    this.#owners = new Map()
    this.#othersLags = new OutsideLags()
    this.#etas = new Map()
  }

  #freshlySeen({ nowMs }: Moment): LastSeen | undefined {
    const last = this.#last
    return last !== undefined && nowMs - last.atMs < SEEN_MAX_AGE_MS ? last : undefined
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

  /** As of when they were looked at: what a commit tells does not become old by nobody looking for the next one. */
  #outsideRows(others: readonly OutsidePartition[], status: FlowStatus, at: LastSeen): PartitionRow[] {
    const halts = new Map(status.halts.map(event => [partitionKey(event), event]))
    const order = status.stopped
    return others.map(partition => {
      const key = partitionKey(partition)
      const news = {
        isStopped: order !== null && (order.stopAt === null || order.id === partition.stopped),
        halt: halts.get(key),
        lag: this.#othersLags.of(partition),
        worker: this.#owners.get(key) ?? null,
        etaSeconds: this.#etas.get(key) ?? null,
        standingSeconds: this.#othersStanding.secondsOf(partition, at.atMs)
      }
      return outsideRow(partition, news, this.#othersLimits)
    })
  }
}

function positionOf({ topic, partition, judgement }: OutsidePartition) {
  return { topic, partition, nextSourceOffset: judgement.nextSourceOffset }
}

function ownersOf({ workers }: LastSeen): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { clientId, partitions } of workers ?? []) {
    for (const partition of partitions) owners.set(partitionKey(partition), clientId)
  }
  return owners
}

function exposureOf(rows: readonly PartitionRow[]): Exposure {
  const records = sumKnown(rows.map(({ lagRecords }) => lagRecords))
  return { records, seconds: records === null ? null : maxKnown(rows.map(({ lagSeconds }) => lagSeconds)) }
}

/** Of those that are behind: when the last of them will have caught up. */
function longestEta(rows: readonly PartitionRow[]): number | null {
  const behind = rows.filter(({ state }) => state === 'behind' || state === 'stalled')
  return maxKnown(behind.map(({ etaSeconds }) => etaSeconds))
}
