import type { FetchedPartition } from '../cluster/fetch.ts'
import type { ProducerIdentity } from '../cluster/transactions.ts'
import { DuplicateCounter } from '../destination/duplicate-counter.ts'
import {
  type AcknowledgedBatch,
  PartitionWriter,
  type WriteFailure,
  type WriterListener
} from '../destination/partition-writer.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { Delay } from '../lag/delay.ts'
import type { PartitionLag } from '../lag/partition-lag.ts'
import { batchesIn, lastBatchIn } from '../records/batch.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import { Rewriter } from '../rewrite/rewriter.ts'
import type { FetchTarget } from '../source/fetch-loop.ts'
import type { FlowContext } from './flow-context.ts'
import { diverged, type Halt, haltFor, haltForSource, stopped } from './halt.ts'
import type { Assignment, Progress } from './messages.ts'
import type { ResumedProgress } from './resume-point.ts'

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: 'released' }
  /** Fence and find the end again: what comes next is not where it was thought to be. */
  | { readonly kind: 'resume'; readonly error: string }
  | { readonly kind: 'write-failed'; readonly failure: WriteFailure }
  | { readonly kind: 'halted'; readonly halt: Halt }

export interface AttemptListener {
  progressed(progress: Progress): void
  acknowledged(batch: AcknowledgedBatch): void
  /** So many records more are known to be at the destination twice. */
  duplicated(records: number): void
  looped(records: number): void
  sourceEndSeen(endOffset: number): void
  /** It goes on with a record of this timestamp. */
  reached(timestampMs: number): void
}

/** How long records that are here already may take to arrive when the source has lost what follows them. */
const DRAIN_BEFORE_RESUME_MS = 30_000

/**
 * One pass of mirroring a partition from a known position under a known identity: source bytes come in through
 * FetchTarget, acknowledgements come back through WriterListener. It ends once and is then done for.
 */
export class Attempt implements FetchTarget, WriterListener {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly #flow: FlowContext
  readonly #listener: AttemptListener
  readonly #rewriter: Rewriter
  readonly #writer: PartitionWriter
  /** `undefined`: others are shut out. */
  readonly #duplicates: DuplicateCounter | undefined
  readonly #ended = Promise.withResolvers<AttemptEnd>()
  #progress: Progress
  fetchOffset: number
  /** Behind `fetchOffset` by what was received but not rewritten yet. */
  #processedOffset: number
  lastFetchedEpoch = -1
  isOpen = true
  #hasBegun = false
  isBacklog = true
  readonly #lag: PartitionLag
  /** `undefined`: it is copied as soon as it is there. */
  #delay: Delay | undefined
  /** By this it ends once it comes to what it may not copy. */
  #limit: FlowOrder | undefined
  /** Received, not yet rewritten. */
  #unprocessedBytes = 0
  /** What of `bufferedBytes` the flow knows of, and as what. */
  #countedBytes = 0
  #countedRewrittenBytes = 0
  #countedAsBacklog = true
  #idle: (() => void) | undefined

  constructor(
    flow: FlowContext,
    assignment: Assignment,
    identity: ProducerIdentity,
    progress: ResumedProgress,
    batchBytesMax: number,
    lag: PartitionLag,
    listener: AttemptListener
  ) {
    this.topic = assignment.topic
    this.partition = assignment.partition
    this.topicId = progress.topicId
    this.fetchOffset = progress.nextSourceOffset
    this.#processedOffset = progress.nextSourceOffset
    this.#flow = flow
    this.#progress = progress
    this.#listener = listener
    this.#lag = lag
    this.#delay = flow.delayMs > 0 ? new Delay(flow.delayMs, lag) : undefined
    this.#rewriter = new Rewriter({
      sourceAlias: flow.source.alias,
      destinationAlias: flow.destination.alias,
      topic: assignment.topic,
      partition: assignment.partition,
      codec: flow.codec
    })
    this.#writer = new PartitionWriter({
      topic: assignment.destinationTopic,
      partition: assignment.partition,
      identity,
      batchBytesMax,
      pool: flow.pool,
      listener: this
    })
    if (flow.delivery === 'exactly-once') return
    this.#duplicates = new DuplicateCounter({
      destination: flow.destination,
      partition: { topic: assignment.destinationTopic, partition: assignment.partition },
      origin: new ProvenanceReader(flow.source.alias, assignment.topic, assignment.partition),
      producerId: identity.producerId,
      newestOffset: progress.destinationOffset,
      found: records => listener.duplicated(records)
    })
  }

  /** Mirrors until something ends it. */
  run(): Promise<AttemptEnd> {
    this.#flow.reader.add(this)
    return this.#ended.promise
  }

  get bufferedBytes(): number {
    return this.#unprocessedBytes + this.#writer.bufferedBytes
  }

  get dueAtMs(): number {
    return this.#delay?.dueAtMs(this.fetchOffset) ?? 0
  }

  get fetchBytesMax(): number {
    return this.#delay?.fetchBytesMax ?? Number.POSITIVE_INFINITY
  }

  /** All that is missing at the destination is held back on purpose. */
  get isHeldBack(): boolean {
    return this.#delay !== undefined && this.bufferedBytes === 0 && this.dueAtMs > performance.now()
  }

  /** How many of the source's offsets are held back on purpose. */
  get heldRecords(): number {
    return this.#delay?.heldRecords(this.fetchOffset) ?? 0
  }

  /** Copies what came to the source before the order's time, and then stands still; `undefined`: it goes on and on. */
  stopAt(order: FlowOrder | undefined): void {
    if (order === this.#limit) return
    this.#limit = order
    this.#delay ??= new Delay(0, this.#lag)
    this.#delay.endAt(order?.stopAt ?? undefined)
    this.#flow.reader.roomMade(this)
  }

  /** Stops reading and waits until all that was read is acknowledged, or the time is over. */
  async drain(drainMs: number): Promise<void> {
    this.#stopReading()
    if (this.#writer.isIdle) return
    const idle = Promise.withResolvers<void>()
    this.#idle = idle.resolve
    const timer = setTimeout(idle.resolve, drainMs)
    await idle.promise
    clearTimeout(timer)
  }

  /** Gives up whatever is not acknowledged, to go on elsewhere. */
  restart(error: string): void {
    this.#end({ kind: 'resume', error })
  }

  /** Gives up whatever is not acknowledged, and stands still. */
  halt(halt: Halt): void {
    this.#end({ kind: 'halted', halt })
  }

  /** Gives up whatever is not acknowledged. */
  close(): void {
    this.#end({ kind: 'released' })
  }

  received(fetched: FetchedPartition): FetchedPartition {
    this.#listener.sourceEndSeen(fetched.lastStableOffset)
    if (fetched.divergingEndOffset !== undefined) {
      const halt = diverged(`${this.topic}-${this.partition}`, fetched.divergingEndOffset, this.fetchOffset)
      this.#end({ kind: 'halted', halt })
      return fetched
    }
    const due = this.#dueOf(fetched)
    this.#unprocessedBytes += due.records.length
    this.#countBuffered()
    try {
      const last = lastBatchIn(due.records)
      if (last !== undefined) {
        this.fetchOffset = Math.max(this.fetchOffset, last.lastOffset + 1)
        this.lastFetchedEpoch = last.leaderEpoch
      }
    } catch {
      // `process` meets the same bytes and says what is wrong with them, after what comes before them.
    }
    this.#endAtLimit()
    return due
  }

  *process({ records, abortedTransactions }: FetchedPartition): Generator<void, void, undefined> {
    try {
      if (!this.#hasBegun) this.#begun(records)
      const steps = this.#rewriter.rewrite(records, this.#processedOffset, abortedTransactions, this.#writer)
      for (const { loopedRecords, nextOffset } of steps) {
        if (loopedRecords > 0) this.#listener.looped(loopedRecords)
        this.#processedOffset = nextOffset
        this.#writer.advance(nextOffset)
        this.#flow.dispatcher.offer(this.#writer)
        this.#countBuffered()
        yield
      }
      this.#unprocessedBytes -= records.length
      this.#countBuffered()
      this.#endAtLimit()
    } catch (error) {
      this.#unprocessedBytes -= records.length
      // What comes before it is whole: it is copied first, so that the partition stands at the very offset that is named.
      const halt = haltFor(error)
      this.#flow.dispatcher.offer(this.#writer)
      void this.drain(DRAIN_BEFORE_RESUME_MS).then(() => this.#end({ kind: 'halted', halt }))
    }
  }

  #begun(records: Buffer): void {
    const [first] = batchesIn(records)
    if (first === undefined) return
    this.#hasBegun = true
    this.#listener.reached(first.baseTimestamp)
  }

  refused(error: string): void {
    if (error === 'OFFSET_OUT_OF_RANGE' || error === 'INCONSISTENT_TOPIC_ID') {
      // Records vanished, or the topic was made anew: the way to resume finds out which, and what to do. What is here
      // already must not be given up, for the source may not have it any more.
      void this.drain(DRAIN_BEFORE_RESUME_MS).then(() => this.#end({ kind: 'resume', error }))
      return
    }
    this.#end({ kind: 'halted', halt: haltForSource(this.topic, error) })
  }

  progressed(nextSourceOffset: number, destinationOffset: number | undefined): void {
    this.#progress = {
      ...this.#progress,
      nextSourceOffset,
      topicId: this.topicId,
      leaderEpoch: this.lastFetchedEpoch,
      destinationOffset: destinationOffset ?? this.#progress.destinationOffset
    }
    this.#listener.progressed(this.#progress)
    if (this.#writer.isIdle) this.#idle?.()
    this.#countBuffered()
    this.#flow.reader.roomMade(this)
  }

  acknowledged(batch: AcknowledgedBatch): void {
    this.#listener.acknowledged(batch)
    if (batch.baseOffset !== undefined) this.#duplicates?.wrote(batch.baseOffset, batch.records)
  }

  fenced(): void {
    this.#flow.fenced()
  }

  failed(failure: WriteFailure): void {
    if (failure.outcome === 'resume') this.#end({ kind: 'resume', error: failure.error })
    else this.#end({ kind: 'write-failed', failure })
  }

  /** What of it may be copied now. */
  #dueOf(fetched: FetchedPartition): FetchedPartition {
    if (this.#delay === undefined) return fetched
    try {
      const dueBytes = this.#delay.dueBytes(fetched.records, this.fetchOffset)
      return { ...fetched, records: fetched.records.subarray(0, dueBytes) }
    } catch {
      // As above.
      return fetched
    }
  }

  /** Where all that may be copied is on its way, it ends when that has arrived. */
  #endAtLimit(): void {
    const order = this.#limit
    if (order === undefined || this.#delay?.hasEnded !== true || this.#unprocessedBytes > 0) return
    void this.drain(DRAIN_BEFORE_RESUME_MS).then(() => this.#end({ kind: 'halted', halt: stopped(order) }))
  }

  #stopReading(): void {
    this.isOpen = false
    this.#flow.reader.remove(this)
  }

  #end(end: AttemptEnd): void {
    this.#stopReading()
    this.#writer.close()
    this.#duplicates?.close()
    this.#idle?.()
    this.#ended.resolve(end)
    this.#unprocessedBytes = 0
    this.#countBuffered()
    this.#flow.reader.roomMade(this)
  }

  /** Tells the flow what came in or went out: summing over all partitions whenever it asks would cost too much. */
  #countBuffered(): void {
    const bytes = this.bufferedBytes
    this.#flow.buffered.add(-this.#countedBytes, this.#countedAsBacklog)
    this.#flow.buffered.add(bytes, this.isBacklog)
    this.#countedBytes = bytes
    this.#countedAsBacklog = this.isBacklog
    const rewrittenBytes = this.#writer.bufferedBytes
    this.#flow.buffered.addRewritten(rewrittenBytes - this.#countedRewrittenBytes)
    this.#countedRewrittenBytes = rewrittenBytes
  }
}
