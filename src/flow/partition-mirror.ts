/**
 * The life of one source partition in the data plane, from its assignment to its release.
 *
 *                    ┌──────── contradiction: the log decides ────────┐
 *                    ▼                                                │
 *     assigned ─▶ fencing ──▶ resuming ──▶ mirroring ──(release)──▶ draining ──▶ released
 *                    ▲  │         │            │
 *        after a     │  └─────────┴────────────┴──▶ halted (reason)
 *        growing     │                                │
 *        pause       └────────────────────────────────┘
 *
 * The order is the whole of exactly-once: first no earlier owner can write any more, then the destination log says how
 * far they got, then we go on from there. Read first and fence later, and a zombie writes in between, unseen.
 *
 * Each pass through fencing ends in a new Attempt with a position and a writer of its own; an old one is closed, and
 * its late answers go nowhere.
 */
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { ProducerIdentity } from '../cluster/transactions.ts'
import { transactionalId } from '../destination/fence.ts'
import type { WriteFailure } from '../destination/partition-writer.ts'
import { untilServed } from '../destination/until-served.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { PartitionLag } from '../lag/partition-lag.ts'
import type { PartitionState } from '../observe/status.ts'
import { Attempt, type AttemptEnd } from './attempt.ts'
import type { FlowContext } from './flow-context.ts'
import { type Halt, HaltError, haltFor, haltForWrite, isHealable, stopped } from './halt.ts'
import type { Assignment, PartitionReport, Progress, SourceEnd, TroubleReport } from './messages.ts'
import { findResumePoint, type ResumedProgress } from './resume-point.ts'

const HALT_PAUSE_FIRST_MS = 5_000
const HALT_PAUSE_MAX_MS = 300_000
/** Often enough for brokers that forget unused transactional ids after two days instead of a week. */
const FENCE_RENEWAL_INTERVAL_MS = 24 * 3_600_000
/**
 * A leader forgets a producer, and with it the fence, a day after its last write (`producer.id.expiration.ms`). So a partition that
 * stands still by an order is fenced again within that time: whoever was shut out stays out.
 */
const STOPPED_FENCE_INTERVAL_MS = 12 * 3_600_000
const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5_000
/** Below this many bytes a batch is not split any further. */
const BATCH_BYTES_MIN = 1024

/** Errors of fencing or resuming that pass by themselves although Kafka does not call them retriable. */
const PASSING_ERRORS = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  // A broker that is coming up or going down.
  'BROKER_NOT_AVAILABLE',
  'UNKNOWN_SERVER_ERROR',
  // Retention has gone on between a look at where the log begins and a read from there.
  'OFFSET_OUT_OF_RANGE'
])

export class PartitionMirror {
  readonly #flow: FlowContext
  readonly #assignment: Assignment
  readonly #released = new AbortController()
  #isLeaving = false
  readonly lag = new PartitionLag()
  #state: PartitionState = 'fencing'
  #halt: Halt | undefined
  #attempt: Attempt | undefined
  #progress: Progress | undefined
  /** Ends the pause of a halt. */
  #wake = new AbortController()
  #batchBytesMax: number
  #counts = noCounts()
  #lastReport: PartitionReport | undefined
  /** What others were told last, and what it was made of. */
  #told: { readonly of: Progress | undefined; readonly progress: Progress | undefined } = {
    of: undefined,
    progress: undefined
  }
  #sourceEnd: SourceEnd | undefined
  #reachedTimestampMs: number | undefined
  /** Nothing happened since the last report, and nothing is missing at the destination. */
  #isQuiet = false

  constructor(flow: FlowContext, assignment: Assignment) {
    this.#flow = flow
    this.#assignment = assignment
    this.#progress = assignment.progress
    this.#sourceEnd = assignment.progress?.sourceEnd
    // A partition that halts before it has resumed is behind all the same.
    if (assignment.progress !== undefined) this.#inheritLag(assignment.progress)
    this.#batchBytesMax = assignment.batchBytesMax
  }

  #inheritLag({ nextSourceOffset, sourceEnd }: Progress): void {
    const { offset, lagSeconds } = sourceEnd ?? { offset: nextSourceOffset, lagSeconds: 0 }
    this.lag.inherit(nextSourceOffset, offset, lagSeconds, performance.now())
  }

  get topic(): string {
    return this.#assignment.topic
  }

  get partition(): number {
    return this.#assignment.partition
  }

  get destinationTopic(): string {
    return this.#assignment.destinationTopic
  }

  /** The assignment as it would be given to a successor. */
  get assignmentNow(): Assignment {
    const progress = this.#progress && { ...this.#progress, sourceEnd: this.#sourceEnd }
    return { ...this.#assignment, batchBytesMax: this.#batchBytesMax, progress }
  }

  /** It is meant to make progress: neither halted, nor being handed over, nor held back. */
  get isActive(): boolean {
    return this.#state !== 'halted' && this.#state !== 'draining' && this.#attempt?.isHeldBack !== true
  }

  get progress(): Progress | undefined {
    return this.#progress
  }

  /** It is being let go of, or has been: somebody else mirrors the partition next. */
  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** Whether a report may have something to tell: something happened, or time passes that counts. */
  get hasNews(): boolean {
    return !this.#isQuiet || this.#state !== 'mirroring'
  }

  /** The source said where the partition ends. */
  sourceEndSeen(endOffset: number, nowMs: number): void {
    this.#isQuiet = false
    this.lag.sourceEndSeen(endOffset, nowMs)
  }

  /** When the fetch loop that asks for this partition last had an answer; `undefined` while none asks. */
  get answeredAtMs(): number | undefined {
    return this.#attempt && this.#flow.reader.answeredAtMs(this.#attempt)
  }

  /** Mirrors until released. Never rejects. */
  async run(): Promise<void> {
    const haltBackoff = new Backoff(HALT_PAUSE_FIRST_MS, HALT_PAUSE_MAX_MS)
    const resumeBackoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    const signal = this.#released.signal
    while (!signal.aborted) {
      const before = this.#progress?.nextSourceOffset
      const end = await this.#mirrorOnce()
      if (end.kind === 'released' || signal.aborted) return
      const hasMoved = this.#progress?.nextSourceOffset !== before
      if (end.kind === 'resume') {
        if (hasMoved) resumeBackoff.reset()
        this.#log('warn', 'going back to the destination log to find where to go on', { error: end.error })
        await pause(resumeBackoff.nextMs(), signal)
        continue
      }
      const halt = end.kind === 'halted' ? end.halt : this.#judge(end.failure)
      // Orders may have changed while what was in flight arrived.
      if (halt === undefined || (halt.reason === 'stopped' && this.#flow.orders.standing === undefined)) continue
      if (hasMoved) haltBackoff.reset()
      this.#enterHalt(halt)
      if (halt.reason === 'stopped') this.#tellStopped()
      this.#wake = new AbortController()
      const woken = AbortSignal.any([signal, this.#wake.signal])
      if (halt.reason === 'stopped') await pause(STOPPED_FENCE_INTERVAL_MS, woken)
      else await (isHealable(halt) ? pause(haltBackoff.nextMs(), woken) : aborted(woken))
    }
  }

  /** Goes on from there instead, at once. */
  resumeAt(progress: Progress): void {
    this.#log('warn', 'going on where it was told to', { sourceOffset: progress.nextSourceOffset })
    this.restart('RESUME_REQUESTED')
    this.#setProgress(progress)
    this.#wake.abort()
  }

  /**
   * The flow is to stand still: what is in flight gets this long to be acknowledged. A pass that begins reads the order by
   * itself; this is for one that is under way.
   */
  async stop(order: FlowOrder, drainMs: number): Promise<void> {
    const attempt = this.#attempt
    if (attempt !== undefined) {
      this.#state = 'draining'
      await attempt.drain(drainMs)
      attempt.halt(stopped(order))
    } else if (this.#halt !== undefined && this.#state === 'halted') {
      if (isHealable(this.#halt)) this.#wake.abort()
      else this.#tellStopped()
    }
  }

  /** The flow may be mirrored again. @param limit an order that says how far */
  goOn(limit: FlowOrder | undefined): void {
    this.#attempt?.stopAt(limit)
    if (this.#state === 'halted' && this.#halt?.reason === 'stopped') this.#wake.abort()
  }

  /** Gives up what is under way, and fences and finds the end again. */
  restart(error: string): void {
    this.#attempt?.restart(error)
  }

  /** The destination topic's limit changed: it counts from the next attempt on. */
  setBatchLimit(bytes: number): void {
    this.#batchBytesMax = bytes
  }

  /** Lets go: reading stops at once, what is in flight may still be acknowledged within `drainMs`. */
  async release(drainMs: number): Promise<Progress | undefined> {
    this.#isLeaving = true
    const attempt = this.#attempt
    if (attempt !== undefined && drainMs > 0) {
      this.#state = 'draining'
      await attempt.drain(drainMs)
    }
    this.#released.abort()
    attempt?.close()
    return this.#toldProgress(performance.now())
  }

  /** What is new since the last report, or `undefined`. */
  takeReport(nowMs: number): PartitionReport | undefined {
    const lag = this.lag.at(nowMs)
    const report: PartitionReport = {
      topic: this.topic,
      partition: this.partition,
      destinationTopic: this.destinationTopic,
      state: this.#state,
      reason: this.#halt?.reason ?? null,
      detail: this.#halt?.detail ?? null,
      progress: this.#toldProgress(nowMs),
      sourceEndOffset: this.lag.sourceEndOffset ?? null,
      lagRecords: lag?.records ?? null,
      lagSeconds: lag?.seconds ?? null,
      reachedTimestampMs: this.#reachedTimestampMs ?? null,
      backlogRecords: this.#backlogRecords(lag?.records),
      counts: this.#counts
    }
    // What is held back grows older by the second; it does to say so now and then.
    this.#isQuiet = lag?.records === 0 || this.#attempt?.isHeldBack === true
    if (this.#lastReport !== undefined && isSame(report, this.#lastReport)) return undefined
    this.#lastReport = report
    this.#counts = noCounts()
    return report
  }

  /** New traffic that is under way is no backlog, and neither is what is held back. */
  #backlogRecords(lagRecords: number | undefined): number | null {
    const attempt = this.#attempt
    if (lagRecords === undefined || attempt === undefined) return lagRecords ?? null
    return attempt.isBacklog ? Math.max(lagRecords - attempt.heldRecords, 0) : 0
  }

  /** One pass: fence, find the end, mirror until something ends it. */
  async #mirrorOnce(): Promise<AttemptEnd> {
    const signal = this.#released.signal
    const attemptEnded = new AbortController()
    try {
      const established = await this.#establish(signal)
      // It may have been let go of while the last answer was on its way.
      if (established === undefined || signal.aborted) return { kind: 'released' }
      // An order may have been heard of meanwhile.
      const { stop } = this.#flow.orders
      if (stop !== undefined) return { kind: 'halted', halt: stopped(stop) }
      const { identity, progress } = established
      this.#state = 'mirroring'
      this.#halt = undefined
      this.#log('debug', 'mirroring', { nextSourceOffset: progress.nextSourceOffset })
      this.#attempt = new Attempt(this.#flow, this.#assignment, identity, progress, this.#batchBytesMax, this.lag, {
        progressed: progress => this.#setProgress(progress),
        acknowledged: batch => {
          this.#isQuiet = false
          this.#counts.records += batch.records
          this.#counts.bytes += batch.bytes
          this.#reachedTimestampMs = batch.timestamps.at(-1) ?? this.#reachedTimestampMs
          this.#flow.latencies.observe(batch.timestamps, batch.timestampCounts)
        },
        duplicated: records => {
          this.#counts.duplicateRecords += records
          this.#isQuiet = false
        },
        looped: records => {
          this.#counts.loopedRecords += records
          this.#isQuiet = false
        },
        reached: timestampMs => {
          this.#reachedTimestampMs = timestampMs
        },
        sourceEndSeen: endOffset => this.sourceEndSeen(endOffset, performance.now())
      })
      this.#attempt.stopAt(this.#flow.orders.standing)
      void this.#keepFence(identity, AbortSignal.any([signal, attemptEnded.signal]))
      return await this.#attempt.run()
    } catch (error) {
      return signal.aborted ? { kind: 'released' } : { kind: 'halted', halt: haltFor(error) }
    } finally {
      attemptEnded.abort()
      this.#attempt = undefined
    }
  }

  /** Fences and finds where to go on, again and again while the clusters are in trouble. */
  async #establish(
    signal: AbortSignal
  ): Promise<{ identity: ProducerIdentity; progress: ResumedProgress } | undefined> {
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    while (!signal.aborted) {
      try {
        this.#state = 'fencing'
        await this.#untilServed(signal)
        return await this.#flow.establishing.use(async () => {
          const identity = await this.#fence(signal)
          await this.#assertMayMirror()
          this.#state = 'resuming'
          return { identity, progress: await this.#resume(signal) }
        })
      } catch (error) {
        if (signal.aborted) return undefined
        if (!(error instanceof ClusterError) || !(error.retriable || PASSING_ERRORS.has(error.code))) throw error
        this.#flow.retrying(this.#state, `${this.topic}-${this.partition}: ${error.message}`)
      }
      await pause(backoff.nextMs(), signal)
      await Promise.all([
        this.#flow.destination.refreshTogether(this.destinationTopic),
        this.#flow.source.refreshTogether(this.topic)
      ])
    }
    return undefined
  }

  async #untilServed(signal: AbortSignal): Promise<void> {
    const { delivery, destination } = this.#flow
    const copy = { topic: this.destinationTopic, partition: this.partition }
    if (delivery === 'exactly-once') await untilServed(destination, copy, signal)
  }

  async #fence(signal: AbortSignal): Promise<ProducerIdentity> {
    const { fence, source, destination, delivery } = this.#flow
    if (delivery === 'at-least-once') return fence.anonymous(signal)
    const id = transactionalId(source.alias, destination.alias, this.topic, this.partition)
    return fence.raise(id, this.destinationTopic, this.partition, signal)
  }

  /** Repeats the fence's marker now and then; where it fails, the next time is soon enough. */
  async #keepFence(identity: ProducerIdentity, signal: AbortSignal): Promise<void> {
    const { fence, source, destination, delivery } = this.#flow
    if (delivery === 'at-least-once') return
    const id = transactionalId(source.alias, destination.alias, this.topic, this.partition)
    for (;;) {
      await pause(FENCE_RENEWAL_INTERVAL_MS, signal)
      if (signal.aborted) return
      try {
        await fence.renew(id, identity, this.destinationTopic, this.partition, signal)
      } catch (error) {
        if (!signal.aborted) this.#flow.retrying('renewing', `${this.topic}-${this.partition}: ${String(error)}`)
      }
    }
  }

  /** To be asked once the fence is made. @throws HaltError while the flow is stopped */
  async #assertMayMirror(): Promise<void> {
    const order = await this.#flow.orders.ask()
    if (order !== undefined) throw new HaltError(stopped(order))
  }

  async #resume(signal: AbortSignal): Promise<ResumedProgress> {
    const { progress, passed } = await findResumePoint(this.#flow, this.#assignment, this.#progress, signal)
    if (passed?.trouble !== undefined) {
      const { kind, firstOffset, nextOffset } = passed.trouble
      if (kind === 'GAP') this.#counts.gapRecords += nextOffset - firstOffset
      this.#log('warn', `going on: ${passed.detail}`, { firstSourceOffset: firstOffset, nextSourceOffset: nextOffset })
      const { destinationOffset } = progress
      this.#tellTrouble('CONTINUED', passed, destinationOffset === undefined ? null : destinationOffset + 1)
    }
    this.#setProgress({ ...progress, stopped: undefined })
    return progress
  }

  /** Progress as others are told of it, with what is known of the source; the same object until either has moved. */
  #toldProgress(nowMs: number): Progress | undefined {
    const progress = this.#progress
    if (progress === undefined) return undefined
    const sourceEnd = this.#seenEnd(progress, nowMs)
    if (progress !== this.#told.of || sourceEnd?.offset !== this.#sourceEnd?.offset) {
      this.#sourceEnd = sourceEnd
      this.#told = { of: progress, progress: { ...progress, sourceEnd } }
    }
    return this.#told.progress
  }

  /** Where the source ends; while it is not heard of, where it did. */
  #seenEnd({ nextSourceOffset }: Progress, nowMs: number): SourceEnd | undefined {
    const lag = this.lag.at(nowMs)
    const { sourceEndOffset, heardAtMs } = this.lag
    if (lag === undefined || sourceEndOffset === undefined) return this.#sourceEnd
    // A broker tells the end as it was before it read the records that come with it.
    const offset = Math.max(sourceEndOffset, nextSourceOffset)
    return { offset, seenAtMs: Math.round(Date.now() - (nowMs - heardAtMs)), lagSeconds: lag.seconds }
  }

  /** Says, where progress is committed, that nothing is in flight and nothing will be before the next order. */
  #tellStopped(): void {
    const stopped = this.#flow.orders.standing?.id
    if (this.#progress !== undefined && this.#progress.stopped !== stopped) {
      this.#setProgress({ ...this.#progress, stopped })
    }
  }

  #setProgress(progress: Progress): void {
    this.#isQuiet = false
    this.#progress = progress
    this.lag.acknowledged(progress.nextSourceOffset)
  }

  /** What to do about a write that failed for good; `undefined`: try again with smaller batches. */
  #judge(failure: WriteFailure): Halt | undefined {
    if (failure.outcome === 'too-large' && failure.records > 1 && this.#batchBytesMax > BATCH_BYTES_MIN) {
      // The topic's limit is lower than what its configuration said when it was asked.
      this.#batchBytesMax = Math.max(Math.floor(Math.min(failure.bytes, this.#batchBytesMax) / 2), BATCH_BYTES_MIN)
      this.#log('info', 'the destination takes smaller batches only', { batchBytesMax: this.#batchBytesMax })
      return undefined
    }
    return haltForWrite(this.destinationTopic, failure, this.#batchBytesMax)
  }

  #enterHalt(halt: Halt): void {
    if (this.#halt?.reason !== halt.reason) {
      // An order is no trouble, and of the whole flow.
      this.#log(halt.reason === 'stopped' ? 'debug' : 'error', `halted: ${halt.detail}`, { reason: halt.reason })
      this.#tellTrouble('HALTED', halt, null)
    }
    this.#state = 'halted'
    this.#halt = halt
  }

  #tellTrouble(
    action: TroubleReport['action'],
    { trouble, detail }: Halt,
    destinationOffset: TroubleReport['destinationOffset']
  ): void {
    if (trouble === undefined) return
    const { topic, partition } = this
    const topicId = this.#flow.source.topic(topic)?.topicId ?? ''
    this.#flow.troubled({ topic, partition, topicId, action, trouble, destinationOffset, detail })
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>): void {
    this.#flow.log(level, message, { topic: this.topic, partition: this.partition, ...fields })
  }
}

function noCounts() {
  return { records: 0, bytes: 0, gapRecords: 0, duplicateRecords: 0, loopedRecords: 0 }
}

function isSame(a: PartitionReport, b: PartitionReport): boolean {
  return (
    Object.values(a.counts).every(count => count === 0) &&
    a.state === b.state &&
    a.reason === b.reason &&
    a.progress === b.progress &&
    a.sourceEndOffset === b.sourceEndOffset &&
    a.lagRecords === b.lagRecords &&
    a.backlogRecords === b.backlogRecords &&
    a.lagSeconds === b.lagSeconds
  )
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
