/**
 * The destination partition's log at its leader: what idempotent producers may append (Kafka's ProducerStateManager and
 * ProducerAppendInfo), how far replicas have followed, and what a new leader has of it.
 *
 * A batch that is not on all replicas yet can be gone with its leader: nobody reads it, and nobody is told of it. A new
 * leader holds all that was acknowledged, but learns only from its followers up to where that is, so for a moment it shows
 * less than its predecessor did.
 */

import type { KafkaError } from './kafka-errors.ts'
import { stampOf } from './requests.ts'
import { markerBatch } from './source-log.ts'

const REMEMBERED_BATCHES = 5

/** A batch in the log. */
export interface LoggedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Buffer
  readonly isMarker: boolean
  /** Of its newest record: a marker's is the time it was written, others have the one that their producer gave them. */
  readonly timestampMs: number
}

/** What became of a batch: where it stands, whether from now or from before, or why it does not. */
export type Appended =
  | { readonly baseOffset: number; readonly lastOffset: number; readonly isDuplicate: boolean }
  | { readonly error: KafkaError }

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
}

interface ProducerState {
  epoch: number
  batches: RememberedBatch[]
  /** Of its newest batch. */
  timestampMs: number
}

export interface DestinationLogOptions {
  wallClockMs(): number
  /** How old the newest batch of a producer is when it is forgotten (`producer.id.expiration.ms`). */
  readonly producerExpirationMs: number
}

export class DestinationLog {
  readonly batches: LoggedBatch[] = []
  leaderEpoch = 0
  /** Below this, all replicas have it. */
  replicatedOffset = 0
  /** What the leader knows of that: what is shown to readers. */
  highWatermark = 0
  /** Where the log ended when its leader took office. */
  epochStartOffset = 0
  readonly #options: DestinationLogOptions
  #producers = new Map<number, ProducerState>()

  constructor(options: DestinationLogOptions) {
    this.#options = options
  }

  get endOffset(): number {
    return (this.batches.at(-1)?.lastOffset ?? -1) + 1
  }

  /** As the leader takes a producer's batch; `bytes` are kept with their place in the log filled in. */
  append(bytes: Buffer): Appended {
    const { producerId, producerEpoch, firstSequence, lastSequence } = stampOf(bytes)
    const state = this.#producers.get(producerId)
    if (state !== undefined) {
      const known = state.epoch === producerEpoch ? state.batches : []
      const same = known.find(each => each.firstSequence === firstSequence && each.lastSequence === lastSequence)
      if (same !== undefined) return { baseOffset: same.baseOffset, lastOffset: same.lastOffset, isDuplicate: true }
      if (producerEpoch < state.epoch) return { error: 'INVALID_PRODUCER_EPOCH' }
      const expected = (known.at(-1)?.lastSequence ?? -1) + 1
      if (firstSequence !== expected) return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }
    }
    const baseOffset = this.endOffset
    const lastOffset = baseOffset + bytes.readInt32BE(23)
    const logged = Buffer.from(bytes)
    logged.writeBigInt64BE(BigInt(baseOffset), 0)
    logged.writeInt32BE(this.leaderEpoch, 12)
    const timestampMs = Number(bytes.readBigInt64BE(35))
    this.#store({ baseOffset, lastOffset, bytes: logged, isMarker: false, timestampMs })
    return { baseOffset, lastOffset, isDuplicate: false }
  }

  /** As the leader takes an abort marker from the coordinator. */
  appendMarker(producerId: number, producerEpoch: number): Appended {
    const state = this.#producers.get(producerId)
    if (state !== undefined && producerEpoch < state.epoch) return { error: 'INVALID_PRODUCER_EPOCH' }
    const offset = this.endOffset
    const bytes = markerBatch({ offset, isCommit: false, producerId, producerEpoch, leaderEpoch: this.leaderEpoch })
    const timestampMs = this.#options.wallClockMs()
    this.#store({ baseOffset: offset, lastOffset: offset, bytes, isMarker: true, timestampMs })
    return { baseOffset: offset, lastOffset: offset, isDuplicate: false }
  }

  /** Replicas have followed up to here. */
  replicated(offset: number): void {
    this.replicatedOffset = Math.max(this.replicatedOffset, Math.min(offset, this.endOffset))
    this.highWatermark = this.replicatedOffset
  }

  /**
   * Another replica takes over: it has nothing from `endOffset` on, and shows nothing from `highWatermark` on until its
   * followers have come to it.
   */
  elect(endOffset: number, highWatermark: number): void {
    while (this.endOffset > endOffset) this.batches.pop()
    this.leaderEpoch++
    this.epochStartOffset = this.endOffset
    this.highWatermark = highWatermark
    // A replica keeps the same book of producers, from its own log.
    this.#producers = new Map()
    for (const batch of this.batches) this.#remember(batch)
  }

  /**
   * Forgets producers, as brokers do every few minutes. How long one has been quiet is told by the timestamps of its records
   * (ProducerStateManager.isProducerExpired), however lately they were written.
   */
  expireProducers(): void {
    const oldestMs = this.#options.wallClockMs() - this.#options.producerExpirationMs
    for (const [producerId, { timestampMs }] of this.#producers) {
      if (timestampMs <= oldestMs) this.#producers.delete(producerId)
    }
  }

  /** Batches from the one that holds the offset on, up to what is shown. */
  read(fetchOffset: number, batchesMax: number): Buffer {
    const shown = this.batches.filter(
      ({ lastOffset }) =>
        lastOffset >= fetchOffset && lastOffset < this.highWatermark && fetchOffset < this.highWatermark
    )
    return Buffer.concat(shown.slice(0, batchesMax).map(({ bytes }) => bytes))
  }

  #store(batch: LoggedBatch): void {
    this.batches.push(batch)
    this.#remember(batch)
  }

  #remember({ baseOffset, lastOffset, bytes, isMarker, timestampMs }: LoggedBatch): void {
    const { producerId, producerEpoch, firstSequence, lastSequence } = stampOf(bytes)
    const state = this.#producers.get(producerId) ?? { epoch: producerEpoch, batches: [], timestampMs }
    // A new epoch begins with an empty memory.
    const known = state.epoch === producerEpoch ? state.batches : []
    const added = isMarker ? [] : [{ firstSequence, lastSequence, baseOffset, lastOffset }]
    this.#producers.set(producerId, {
      epoch: producerEpoch,
      batches: [...known, ...added].slice(-REMEMBERED_BATCHES),
      timestampMs
    })
  }
}
