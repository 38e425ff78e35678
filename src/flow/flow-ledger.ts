import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { FlowConfig } from '../config/types.ts'
import { ClosingRate } from '../lag/closing-rate.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { FlowStatus, PartitionStatus } from '../observe/status.ts'
import type { FlowReport, PartitionReport, Progress } from './messages.ts'

/** Rates are over about this long. */
const RATE_WINDOW_MS = 5_000
/** How often it is looked how much of the backlog is left. */
const BACKLOG_INTERVAL_MS = 2_000
/** The backlog as a whole, beside its partitions; no partition's key, for it has no slash. */
const WHOLE = 'whole'

interface OwnedPartition extends TopicPartition {
  /** The newest, once there is one. */
  report: PartitionReport | undefined
}

interface Uncommitted extends TopicPartition {
  readonly progress: Progress
}

/** What the main thread knows of a flow's partitions from the data plane's reports. */
export class FlowLedger {
  readonly labels: { readonly source: string; readonly destination: string }
  readonly #groupId: string
  readonly #metrics: Metrics
  readonly #owned = new Map<string, OwnedPartition>()
  readonly #uncommitted = new Map<string, Uncommitted>()
  /** How far partitions were when they were taken away without a commit. */
  readonly #remembered = new Map<string, Progress>()
  #hasFirst = false
  readonly #closingRate = new ClosingRate()
  /** When the backlog of each partition, and the whole, will be copied, as of the last look. */
  #etas = new Map<string, number | null>()
  #backlogSeenAtMs = Number.NEGATIVE_INFINITY
  /** What was acknowledged lately, oldest first. */
  readonly #acknowledged: { atMs: number; records: number; bytes: number }[] = []

  constructor(flow: FlowConfig, metrics: Metrics) {
    this.labels = { source: flow.source.alias, destination: flow.destination.alias }
    this.#groupId = flow.groupId
    this.#metrics = metrics
  }

  own(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      this.#owned.set(partitionKey({ topic, partition }), { topic, partition, report: undefined })
    }
  }

  owns(partition: TopicPartition): boolean {
    return this.#owned.has(partitionKey(partition))
  }

  disown(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#owned.delete(partitionKey(partition))
  }

  /** Their progress is not ours to commit any more. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) if (!this.owns(partition)) this.#uncommitted.delete(partitionKey(partition))
  }

  /** Owned partitions that have been heard of, with how far they got. */
  *resumable(): Iterable<TopicPartition & { readonly progress: Progress | undefined }> {
    for (const { topic, partition, report } of this.#owned.values()) {
      if (report !== undefined) yield { topic, partition, progress: report.progress }
    }
  }

  receive(report: FlowReport, nowMs: number): void {
    let records = 0
    let bytes = 0
    for (const partition of report.partitions) {
      this.#metrics.countPartition(
        { ...this.labels, topic: partition.topic, partition: partition.partition },
        partition.counts
      )
      records += partition.counts.records
      bytes += partition.counts.bytes
      this.#note(partition)
    }
    this.#metrics.addLatencies(this.labels, report.latencyCounts, report.latencySumSeconds)
    for (let i = 0; i < report.fenced; i++) this.#metrics.countFenced(this.labels)
    for (const step of report.watchdogSteps) this.#metrics.countWatchdogStep(this.labels, step)
    for (const [operation, count] of Object.entries(report.retries)) {
      for (let i = 0; i < count; i++) this.#metrics.countRetry(this.labels, operation)
    }
    this.#acknowledged.push({ atMs: nowMs, records, bytes })
    while (this.#acknowledged[0]!.atMs < nowMs - RATE_WINDOW_MS) this.#acknowledged.shift()
    if (nowMs - this.#backlogSeenAtMs >= BACKLOG_INTERVAL_MS) this.#lookAtBacklog(nowMs)
  }

  /** Whether some of it is the first there is of a partition: until it is committed, nobody knows which topic it is about. */
  get hasFirstUncommitted(): boolean {
    return this.#hasFirst
  }

  /** What becomes of these nobody has committed. */
  remember(lost: readonly (TopicPartition & { readonly progress: Progress | undefined })[]): void {
    for (const { topic, partition, progress } of lost) {
      if (progress !== undefined) this.#remembered.set(partitionKey({ topic, partition }), progress)
    }
  }

  /** Where a partition was, for one of which nothing is committed. */
  remembered(partition: TopicPartition): Progress | undefined {
    return this.#remembered.get(partitionKey(partition))
  }

  /** Progress that the group has not been told yet. */
  takeUncommitted(): Uncommitted[] {
    this.#hasFirst = false
    const taken = [...this.#uncommitted.values()]
    this.#uncommitted.clear()
    return taken
  }

  /** A commit failed: what has not moved on since is due again. */
  putBack(uncommitted: readonly Uncommitted[]): void {
    for (const entry of uncommitted) {
      const key = partitionKey(entry)
      if (this.#owned.has(key) && !this.#uncommitted.has(key)) this.#uncommitted.set(key, entry)
    }
  }

  status(nowMs: number): Omit<FlowStatus, 'events'> {
    const partitions = [...this.#owned.values()].map(owned => this.#statusOf(owned))
    const sinceMs = nowMs - RATE_WINDOW_MS
    const recent = this.#acknowledged.filter(({ atMs }) => atMs >= sinceMs)
    const perSecond = (sum: number) => Math.round((sum * 1000) / RATE_WINDOW_MS)
    return {
      ...this.labels,
      groupId: this.#groupId,
      partitions,
      etaSeconds: this.#etas.get(WHOLE) ?? null,
      exposure: {
        records: sumKnown(partitions.map(({ lagRecords }) => lagRecords)),
        seconds: maxKnown(partitions.map(({ lagSeconds }) => lagSeconds))
      },
      rates: {
        recordsPerSecond: perSecond(recent.reduce((sum, { records }) => sum + records, 0)),
        bytesPerSecond: perSecond(recent.reduce((sum, { bytes }) => sum + bytes, 0))
      }
    }
  }

  /** Halted partitions are left out: they wait for somebody, not for time. */
  #lookAtBacklog(nowMs: number): void {
    this.#backlogSeenAtMs = nowMs
    const left = new Map<string, number>()
    let whole: number | null = 0
    for (const [key, { report }] of this.#owned) {
      if (report?.state === 'halted') continue
      const records = report?.backlogRecords ?? null
      whole = records === null || whole === null ? null : whole + records
      if (records !== null && records > 0) left.set(key, records)
    }
    if (whole !== null) left.set(WHOLE, whole)
    this.#etas = this.#closingRate.look(left, nowMs)
  }

  #statusOf({ topic, partition, report }: OwnedPartition): PartitionStatus {
    const isCopied = report?.state !== 'halted' && report?.backlogRecords === 0
    return {
      topic,
      partition,
      destinationTopic: report?.destinationTopic ?? '',
      state: report?.state ?? 'fencing',
      reason: report?.reason ?? null,
      detail: report?.detail ?? null,
      nextSourceOffset: report?.progress?.nextSourceOffset ?? null,
      sourceEndOffset: report?.sourceEndOffset ?? null,
      lagRecords: report?.lagRecords ?? null,
      lagSeconds: report?.lagSeconds ?? null,
      etaSeconds: isCopied ? 0 : (this.#etas.get(partitionKey({ topic, partition })) ?? null)
    }
  }

  #note(report: PartitionReport): void {
    const key = partitionKey(report)
    const owned = this.#owned.get(key)
    if (owned === undefined) return
    const before = owned.report?.progress
    owned.report = report
    const { topic, partition, progress } = report
    const isNews =
      progress?.nextSourceOffset !== before?.nextSourceOffset ||
      progress?.topicId !== before?.topicId ||
      progress?.resumed !== before?.resumed
    if (progress !== undefined && isNews) {
      this.#uncommitted.set(key, { topic, partition, progress })
      this.#hasFirst ||= before === undefined
    }
  }
}

/** `null` as soon as one is unknown: a sum of what is known would look like good news. */
function sumKnown(values: readonly (number | null)[]): number | null {
  let sum = 0
  for (const value of values) {
    if (value === null) return null
    sum += value
  }
  return sum
}

function maxKnown(values: readonly (number | null)[]): number | null {
  let max = 0
  for (const value of values) {
    if (value === null) return null
    if (value > max) max = value
  }
  return max
}
