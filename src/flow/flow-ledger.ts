import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { FlowConfig } from '../config/types.ts'
import { ClosingRate } from '../lag/closing-rate.ts'
import { maxKnown, sumKnown } from '../lag/known.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { FlowStatus, PartitionStatus } from '../observe/status.ts'
import type { FlowReport, PartitionReport, Progress } from './messages.ts'
import type { MirroredPartition } from './verifier-messages.ts'

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

/**
 * What the main thread knows of a flow's partitions from the data plane's reports. Heartbeats are the flow's own probe: they are
 * mirrored and committed like all else, but nobody would miss them, so they are neither shown nor counted.
 */
export class FlowLedger {
  readonly labels: { readonly source: string; readonly destination: string }
  readonly #groupId: string
  readonly #metrics: Metrics
  readonly #isProbe: (partition: TopicPartition) => boolean
  /** Owned partitions, with the newest report of each once there is one. */
  readonly #owned = new Map<string, OwnedPartition>()
  readonly #uncommitted = new Map<string, Uncommitted>()
  /** Up to which source offset owned partitions were found equal to their copies. */
  readonly #verified = new Map<string, number>()
  /** How many differences were found in owned partitions: they stay ones when nobody verifies any more. */
  readonly #differences = new Map<string, number>()
  /** How far partitions were when they were taken away without a commit. */
  readonly #remembered = new Map<string, Progress>()
  #hasUrgent = false
  readonly #closingRate = new ClosingRate()
  /** When the backlog of each partition, and the whole, will be copied, as of the last look. */
  #etas = new Map<string, number | null>()
  #backlogSeenAtMs = Number.NEGATIVE_INFINITY
  /** What was acknowledged lately, oldest first. */
  readonly #acknowledged: { atMs: number; records: number; bytes: number }[] = []

  /** @param isProbe topics that only say whether the flow is alive */
  constructor(flow: FlowConfig, metrics: Metrics, isProbe: (topic: string) => boolean) {
    this.labels = { source: flow.source.alias, destination: flow.destination.alias }
    this.#groupId = flow.groupId
    this.#metrics = metrics
    this.#isProbe = ({ topic }) => isProbe(topic)
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
    for (const partition of partitions) {
      this.#owned.delete(partitionKey(partition))
      this.#verified.delete(partitionKey(partition))
      this.#differences.delete(partitionKey(partition))
    }
  }

  /** Owned partitions, as far as they are mirrored. */
  *mirrored(): Iterable<MirroredPartition> {
    for (const { topic, partition, report } of this.#owned.values()) {
      if (report?.progress !== undefined) yield { topic, partition, mirroredUpTo: report.progress.nextSourceOffset }
    }
  }

  /** All records of the partition below this source offset are equal to their copies. */
  verified(partition: TopicPartition, sourceOffset: number): void {
    if (this.owns(partition)) this.#verified.set(partitionKey(partition), sourceOffset)
  }

  foundDifferences({ topic, partition }: TopicPartition, differences: number): void {
    this.#metrics.countVerifyDifferences({ ...this.labels, topic, partition }, differences)
    const key = partitionKey({ topic, partition })
    if (this.#owned.has(key)) this.#differences.set(key, (this.#differences.get(key) ?? 0) + differences)
  }

  /** Nobody verifies any more. */
  forgetVerified(): void {
    this.#verified.clear()
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
      this.#note(partition)
      if (this.#isProbe(partition)) continue
      this.#metrics.countPartition(
        { ...this.labels, topic: partition.topic, partition: partition.partition },
        partition.counts
      )
      records += partition.counts.records
      bytes += partition.counts.bytes
    }
    this.#metrics.addLatencies(this.labels, report.latencyCounts, report.latencySumSeconds)
    for (let i = 0; i < report.fenced; i++) this.#metrics.countFenced(this.labels)
    for (const step of report.watchdogSteps) this.#metrics.countWatchdogStep(this.labels, step)
    for (const side of ['source', 'destination'] as const) {
      if (report.throttledMs[side] > 0)
        this.#metrics.countThrottled(this.labels, side, report.throttledMs[side] / 1_000)
    }
    for (const [operation, count] of Object.entries(report.retries)) {
      for (let i = 0; i < count; i++) this.#metrics.countRetry(this.labels, operation)
    }
    this.#acknowledged.push({ atMs: nowMs, records, bytes })
    while (this.#acknowledged[0]!.atMs < nowMs - RATE_WINDOW_MS) this.#acknowledged.shift()
    if (nowMs - this.#backlogSeenAtMs >= BACKLOG_INTERVAL_MS) this.#lookAtBacklog(nowMs)
  }

  /**
   * Whether somebody waits for some of it: of a partition's first progress nobody knows, until it is committed, which topic it
   * is about; and who has stopped the flow waits for its partitions to say that they stand still.
   */
  get hasUrgent(): boolean {
    return this.#hasUrgent
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
    this.#hasUrgent = false
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

  /**
   * @param nowMs by the monotonic clock
   * @param retentionMsOf after how long the source deletes a topic's records; `undefined` where that is not known, or never
   */
  status(
    nowMs: number,
    retentionMsOf: (topic: string) => number | undefined = () => undefined
  ): Omit<FlowStatus, 'notReadyReason' | 'events' | 'halts' | 'stopped' | 'order' | 'groups' | 'heartbeatAgeSeconds'> {
    const partitions = [...this.#owned.values()]
      .filter(owned => !this.#isProbe(owned))
      .map(owned => this.#statusOf(owned, retentionMsOf(owned.topic)))
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

  #statusOf({ topic, partition, report }: OwnedPartition, retentionMs: number | undefined): PartitionStatus {
    const key = partitionKey({ topic, partition })
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
      retentionMarginSeconds: retentionMargin(report, retentionMs),
      etaSeconds: isCopied ? 0 : (this.#etas.get(key) ?? null),
      verifiedOffset: this.#verified.get(key) ?? null,
      verifyDifferences: this.#differences.get(key) ?? 0
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
      progress?.resumed !== before?.resumed ||
      progress?.stopped !== before?.stopped ||
      progress?.sourceEnd?.offset !== before?.sourceEnd?.offset
    if (progress !== undefined && isNews) {
      this.#uncommitted.set(key, { topic, partition, progress })
      this.#hasUrgent ||=
        before === undefined || (progress.stopped !== undefined && progress.stopped !== before.stopped)
    }
  }
}

/**
 * Kafka deletes by the timestamps of records, so that is what counts here, also where a producer's clock was wrong. Of a topic without
 * anything new for longer than its retention the newest record that was copied is as old as one that is deleted now: it says nothing
 * of one that is missing unless one is known to be.
 */
function retentionMargin(report: PartitionReport | undefined, retentionMs: number | undefined): number | null {
  if (report === undefined || retentionMs === undefined) return null
  const { lagRecords, reachedTimestampMs, sourceEndOffset, progress } = report
  if (lagRecords === 0) return retentionMs / 1_000
  const wasBehind = sourceEndOffset !== null && sourceEndOffset > (progress?.nextSourceOffset ?? 0)
  if (lagRecords === null && !wasBehind) return null
  if (reachedTimestampMs === null || reachedTimestampMs < 0) return null
  return Math.max(0, (reachedTimestampMs + retentionMs - Date.now()) / 1_000)
}
