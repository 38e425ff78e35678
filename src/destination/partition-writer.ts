/**
 * Writes one destination partition: an ordered run of batches, up to five of them in flight, each acknowledged once.
 *
 *     open ──take──▶ sent ──▶ acknowledged ──(oldest first)──▶ progress
 *      ▲               │
 *   splice          failed ──(when nothing of this partition is in flight any more, after a pause)──▶ sent again
 *
 * Sending a failed batch again while later ones are in flight would put them in front of it, or have the leader refuse
 * them one by one; so the window first drains, then all that is not acknowledged goes again, in order, with the same
 * bytes and sequence numbers, and the leader leaves out what it has already (KIP-98).
 *
 * A leader that knows nothing of a producer takes any sequence number for its first. Were the first batch refused and
 * the second one, already in flight, taken as the first, the retry would come out of order and the log would have a
 * hole where nobody looks for one. So until the leader has acknowledged something, and again after a silence in which
 * it may have forgotten (`producer.id.expiration.ms`), one batch goes alone.
 *
 * The age that counts there is that of a producer's newest records by their timestamps (ProducerStateManager.isProducerExpired), so
 * while old records are copied a leader may forget at any time. Old batches therefore always go alone, and one whose outcome is not
 * known is not sent again: the log decides.
 */
import type { ProducerIdentity } from '../cluster/transactions.ts'
import { BatchBuilder, type SealedBatch } from '../records/batch-builder.ts'
import type { BufferPool } from '../records/buffer-pool.ts'
import { Codec } from '../records/codecs.ts'
import type { BatchSink } from '../records/splice.ts'
import { type ProduceOutcome, produceOutcome } from './produce-outcome.ts'

/** A leader remembers the last five batches of a producer; with more in flight it could not tell a retry from a gap. */
const IN_FLIGHT_BATCHES_MAX = 5
/** A leader forgets a producer only after far longer than this without a batch (a day, unless told otherwise). */
const LEADER_REMEMBERS_MS = 600_000
/** Records older than this may make it forget earlier: half of the broker's default, for clocks that differ. */
const FORGETTABLE_AGE_MS = 12 * 3_600_000
/** Sequence numbers count records modulo 2^31 (Kafka's DefaultRecordBatch.incrementSequence). */
const SEQUENCE_MODULUS = 2 ** 31

/** What an acknowledgement tells about one batch. */
export interface AcknowledgedBatch {
  readonly records: number
  readonly bytes: number
  /** Distinct record timestamps in a row, and how many records share each. */
  readonly timestamps: readonly number[]
  readonly timestampCounts: readonly number[]
  /** Of its first record; `undefined` where the leader had it from an earlier try. */
  readonly baseOffset: number | undefined
}

/** A failure that the writer can't mend: the partition's owner decides. */
export interface WriteFailure {
  readonly outcome: Exclude<ProduceOutcome, 'acknowledged' | 'retry'>
  /** Kafka's name of the error. */
  readonly error: string
  readonly message: string | null
  readonly firstSourceOffset: number
  readonly records: number
  readonly bytes: number
}

export interface WriterListener {
  /**
   * All source offsets below this are at the destination, or are nothing that goes there.
   * @param destinationOffset where the newest of those records is; `undefined` where that is not known
   */
  progressed(nextSourceOffset: number, destinationOffset: number | undefined): void
  acknowledged(batch: AcknowledgedBatch): void
  /** The destination refused a write because a newer owner has fenced this one; told once, even after `close`. */
  fenced(): void
  /** The writer is closed. */
  failed(failure: WriteFailure): void
}

/** A batch on its way; handed out by `take`, handed back through `settle`. */
export interface OutgoingBatch {
  readonly sealed: SealedBatch
  readonly records: number
}

interface PendingBatch {
  builder: BatchBuilder | undefined
  sealed: SealedBatch | undefined
  state: 'open' | 'ready' | 'sent' | 'failed' | 'acknowledged'
  records: number
  /** When it was sent for the first time. */
  sentAtMs: number
  /** Set once sealed: a leader that has it as a producer's newest may forget the producer at once. */
  isForgettable: boolean
  firstSourceOffset: number
  /** Source offsets below this are settled once the batch is acknowledged. */
  nextSourceOffset: number
  /** Of its last record, once acknowledged; `undefined` where the leader had it from an earlier try. */
  lastDestinationOffset: number | undefined
  timestamps: readonly number[]
  timestampCounts: readonly number[]
}

export interface PartitionWriterOptions {
  readonly topic: string
  readonly partition: number
  readonly identity: ProducerIdentity
  /** The destination topic's `max.message.bytes`. */
  readonly batchBytesMax: number
  readonly pool: BufferPool
  readonly listener: WriterListener
  /** A monotonic clock in milliseconds. */
  readonly nowMs?: () => number
  /** The clock that records' timestamps are compared with. */
  readonly wallClockMs?: () => number
}

export class PartitionWriter implements BatchSink {
  readonly topic: string
  readonly partition: number
  readonly #identity: ProducerIdentity
  readonly #batchBytesMax: number
  readonly #pool: BufferPool
  readonly #listener: WriterListener
  /** Oldest first: those in flight, then those that wait, then perhaps the open one. */
  #batches: PendingBatch[] = []
  #open: BatchBuilder | undefined
  #openBatch: PendingBatch | undefined
  #closedBytes = 0
  #inFlight = 0
  #hasFailed = false
  #nextSequence = 0
  #isLastSentForgettable = false
  #isClosed = false
  #isFenced = false
  /** When the leader last acknowledged a batch. */
  #knownAtMs = Number.NEGATIVE_INFINITY
  readonly #nowMs: () => number
  readonly #wallClockMs: () => number

  constructor(options: PartitionWriterOptions) {
    this.topic = options.topic
    this.partition = options.partition
    this.#identity = options.identity
    this.#batchBytesMax = options.batchBytesMax
    this.#pool = options.pool
    this.#listener = options.listener
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.#wallClockMs = options.wallClockMs ?? (() => Date.now())
  }

  /** Bytes held: in flight, waiting and open. */
  get bufferedBytes(): number {
    return this.#closedBytes + (this.#open?.length ?? 0)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Everything handed to it is acknowledged. */
  get isIdle(): boolean {
    return this.#batches.length === 0
  }

  /** Whether `take` would give a batch. */
  get canSend(): boolean {
    if (this.#isClosed || this.#hasFailed || this.#inFlight >= this.#inFlightMax) return false
    const next = this.#batches[this.#firstUnsent()]
    if (next === undefined || (next.state !== 'ready' && (next.builder?.recordCount ?? 0) === 0)) return false
    return this.#inFlight === 0 || !this.#isForgettable(next)
  }

  /** About how many bytes `take` would give: 0 where it would give nothing. */
  get nextBytes(): number {
    if (!this.canSend) return 0
    const next = this.#batches[this.#firstUnsent()]!
    return next.sealed?.bytes.length ?? next.builder!.length
  }

  get #inFlightMax(): number {
    if (this.#isLastSentForgettable) return 1
    return this.#nowMs() - this.#knownAtMs < LEADER_REMEMBERS_MS ? IN_FLIGHT_BATCHES_MAX : 1
  }

  builderFor(codec: Codec, recordBytes: number, expectedBytes: number): BatchBuilder {
    const open = this.#open
    if (open !== undefined && open.codec === codec && open.length + recordBytes <= this.#bytesMax(codec)) {
      open.ensure(recordBytes)
      return open
    }
    return this.#begin(codec, recordBytes, expectedBytes)
  }

  /**
   * The source has been read up to this offset: what lies between the last record handed over and it (markers, aborted
   * or looped records, compaction's holes) needs no acknowledgement of its own.
   */
  advance(nextSourceOffset: number): void {
    const last = this.#batches.at(-1)
    if (last === undefined) this.#listener.progressed(nextSourceOffset, undefined)
    else last.nextSourceOffset = nextSourceOffset
  }

  /** The next batch to send, finished and stamped, or `undefined` where the window is full or nothing waits. */
  take(): OutgoingBatch | undefined {
    if (!this.canSend) return undefined
    const batch = this.#batches[this.#firstUnsent()]!
    if (batch.state === 'open') {
      this.#seal(batch)
      batch.sentAtMs = this.#nowMs()
    } else if (this.#nowMs() - batch.sentAtMs > LEADER_REMEMBERS_MS) {
      // It may be in the log since then, and the leader may have forgotten that it came from us: the log decides.
      this.#giveUp(batch, 'resume', 'RETRIED_FOR_TOO_LONG', null)
      return undefined
    }
    batch.state = 'sent'
    this.#isLastSentForgettable = batch.isForgettable
    this.#inFlight++
    return batch as OutgoingBatch
  }

  /**
   * What became of a batch that `take` gave.
   * @param error `NONE`, Kafka's name of the error, or one of ClusterError's own codes
   * @returns whether failed batches wait to be sent again: call `retry` after a pause
   */
  settle(outgoing: OutgoingBatch, error: string, message: string | null, baseOffset: number): { retryDue: boolean } {
    const batch = outgoing as PendingBatch
    this.#inFlight--
    const outcome = produceOutcome(error, this.#hasFailed)
    if (outcome === 'fenced' && !this.#isFenced) {
      this.#isFenced = true
      this.#listener.fenced()
    }
    if (this.#isClosed) {
      batch.sealed?.release()
      return { retryDue: false }
    }
    if (outcome === 'acknowledged') {
      batch.state = 'acknowledged'
      if (baseOffset >= 0) batch.lastDestinationOffset = baseOffset + batch.records - 1
      this.#knownAtMs = batch.isForgettable ? Number.NEGATIVE_INFINITY : this.#nowMs()
      this.#listener.acknowledged({
        records: batch.records,
        bytes: batch.sealed!.bytes.length,
        timestamps: batch.timestamps,
        timestampCounts: batch.timestampCounts,
        baseOffset: baseOffset >= 0 ? baseOffset : undefined
      })
      this.#dropAcknowledged()
    } else if (outcome === 'retry' && batch.isForgettable) {
      this.#giveUp(batch, 'resume', error, message)
      return { retryDue: false }
    } else if (outcome === 'retry') {
      batch.state = 'failed'
      this.#hasFailed = true
    } else {
      this.#giveUp(batch, outcome, error, message)
      return { retryDue: false }
    }
    return { retryDue: this.#hasFailed && this.#inFlight === 0 }
  }

  /** Makes what failed ready to be sent again, once nothing is in flight any more. */
  retry(): void {
    if (this.#inFlight > 0) return
    for (const batch of this.#batches) if (batch.state === 'failed') batch.state = 'ready'
    this.#hasFailed = false
  }

  /** Gives up all that is not in flight; what is in flight may still arrive, but nobody hears of it. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const batch of this.#batches) {
      batch.builder?.discard()
      // The bytes of a batch in flight are still being sent from: `settle` gives them back.
      if (batch.state !== 'sent') batch.sealed?.release()
    }
    this.#batches = []
    this.#open = undefined
    this.#openBatch = undefined
    this.#closedBytes = 0
  }

  #giveUp(batch: PendingBatch, outcome: WriteFailure['outcome'], error: string, message: string | null): void {
    const { firstSourceOffset, records } = batch
    const bytes = batch.sealed!.bytes.length
    batch.sealed!.release()
    batch.sealed = undefined
    this.close()
    this.#listener.failed({ outcome, error, message, firstSourceOffset, records, bytes })
  }

  #bytesMax(codec: Codec): number {
    // What does not compress grows a little by the codec's framing.
    return codec === Codec.none ? this.#batchBytesMax : Math.floor(this.#batchBytesMax * 0.98) - 1024
  }

  #begin(codec: Codec, recordBytes: number, expectedBytes: number): BatchBuilder {
    this.#finishOpen()
    const capacityBytes = Math.max(Math.min(expectedBytes + 61, this.#bytesMax(codec)), recordBytes + 61)
    const builder = new BatchBuilder(this.#pool, codec, capacityBytes)
    this.#open = builder
    this.#openBatch = {
      builder,
      sealed: undefined,
      state: 'open',
      records: 0,
      sentAtMs: 0,
      isForgettable: false,
      firstSourceOffset: -1,
      nextSourceOffset: -1,
      lastDestinationOffset: undefined,
      timestamps: [],
      timestampCounts: []
    }
    this.#batches.push(this.#openBatch)
    return builder
  }

  /** No record goes into the open batch any more. */
  #finishOpen(): void {
    if (this.#openBatch === undefined) return
    const builder = this.#openBatch.builder!
    this.#openBatch.nextSourceOffset = Math.max(this.#openBatch.nextSourceOffset, builder.lastSourceOffset + 1)
    this.#closedBytes += builder.length
    this.#open = undefined
    this.#openBatch = undefined
  }

  #seal(batch: PendingBatch): void {
    if (batch === this.#openBatch) this.#finishOpen()
    const builder = batch.builder!
    const records = builder.recordCount
    this.#closedBytes -= builder.length
    batch.isForgettable = this.#isForgettable(batch)
    batch.sealed = builder.seal({ ...this.#identity, baseSequence: this.#nextSequence })
    this.#closedBytes += batch.sealed.bytes.length
    this.#nextSequence = (this.#nextSequence + records) % SEQUENCE_MODULUS
    batch.records = records
    batch.firstSourceOffset = builder.firstSourceOffset
    batch.timestamps = builder.timestamps
    batch.timestampCounts = builder.timestampCounts
    batch.builder = undefined
  }

  #isForgettable({ builder, isForgettable }: PendingBatch): boolean {
    return isForgettable || (builder !== undefined && this.#wallClockMs() - builder.maxTimestamp > FORGETTABLE_AGE_MS)
  }

  #firstUnsent(): number {
    let index = 0
    while (index < this.#batches.length) {
      const { state } = this.#batches[index]!
      if (state === 'open' || state === 'ready') return index
      index++
    }
    return index
  }

  /** Progress follows the oldest batch: a later one acknowledged early waits here for those before it. */
  #dropAcknowledged(): void {
    let dropped = 0
    let nextSourceOffset = -1
    let destinationOffset: number | undefined
    while (this.#batches[dropped]?.state === 'acknowledged') {
      const batch = this.#batches[dropped]!
      nextSourceOffset = batch.nextSourceOffset
      destinationOffset = batch.lastDestinationOffset ?? destinationOffset
      this.#closedBytes -= batch.sealed!.bytes.length
      batch.sealed!.release()
      dropped++
    }
    if (dropped === 0) return
    this.#batches.splice(0, dropped)
    this.#listener.progressed(nextSourceOffset, destinationOffset)
  }
}
