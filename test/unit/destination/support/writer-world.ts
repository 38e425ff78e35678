/**
 * One partition's writer, the network, and the leader behind it, driven step by step: what an Attempt and the Dispatcher do
 * around the writer, with faults where the test wants them.
 */
import assert from 'node:assert/strict'
import { type OutgoingBatch, PartitionWriter, type WriteFailure } from '../../../../src/destination/partition-writer.ts'
import { BATCH_OVERHEAD_BYTES } from '../../../../src/records/batch.ts'
import { BufferPool } from '../../../../src/records/buffer-pool.ts'
import { Codec } from '../../../../src/records/codecs.ts'
import { LeaderModel, RECORD_BYTES } from './leader-model.ts'

/** What becomes of the next request on the wire. */
export type Delivery =
  | 'answered'
  /** The leader refuses it without a look: it does not lead just then, or lacks replicas. */
  | 'refused'
  /** It is appended, but the answer says that replicas did not follow in time. */
  | 'appended-but-timed-out'
  /** The connection breaks before it arrives: it and all behind it fail. */
  | 'cut-before'
  /** The connection breaks before the answer arrives; those behind it did not arrive. */
  | 'cut-after'
  /** The connection breaks before any answer arrives, but everything on it had arrived. */
  | 'cut-after-all'

export type Step =
  /** So many records are handed over, with holes in front of those that `holes` names. */
  | { readonly kind: 'append'; readonly records: number; readonly hole: number; readonly isOld?: boolean }
  /** The source is read on past something that is not mirrored. */
  | { readonly kind: 'pass'; readonly offsets: number }
  | { readonly kind: 'send' }
  | { readonly kind: 'deliver'; readonly delivery: Delivery }
  | { readonly kind: 'retry' }
  /** A day in which nothing happens, once all is acknowledged: the leader has forgotten its producers at its end. */
  | { readonly kind: 'quiet-day' }
  /** The same, also while something waits to be sent again: the destination could not be reached. */
  | { readonly kind: 'outage-day' }
  /** The leader looks for producers whose newest records are older than a day, as it does every ten minutes, and forgets them. */
  | { readonly kind: 'leader-forgets' }

const REFUSALS = ['NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'KAFKA_STORAGE_ERROR', 'LEADER_NOT_AVAILABLE']

export interface WorldOptions {
  /** Whether each new identity is fenced in by a marker (exactly-once), or unknown to the leader (at-least-once). */
  readonly fenced: boolean
}

export class WriterWorld {
  readonly leader = new LeaderModel()
  /** Source offsets of all records handed to any writer, in order. */
  readonly handedOver: number[] = []
  readonly #fenced: boolean
  /** Source offsets of records with a timestamp of long ago. */
  readonly #old = new Set<number>()
  readonly #wire: OutgoingBatch[] = []
  #writer!: PartitionWriter
  #nextSourceOffset = 0
  #epoch = -1
  #refusals = 0
  #retryDue = false
  #failure: WriteFailure | undefined
  #nowMs = 0
  progress = 0
  /** Passes through fencing after the first. */
  resumes = 0

  constructor({ fenced }: WorldOptions) {
    this.#fenced = fenced
    this.#begin()
  }

  get writer(): PartitionWriter {
    return this.#writer
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'append':
        this.#append(step.records, step.hole, step.isOld ?? false)
        break
      case 'pass':
        this.#nextSourceOffset += step.offsets
        this.#writer.advance(this.#nextSourceOffset)
        break
      case 'send':
        this.#send()
        break
      case 'deliver':
        this.#deliver(step.delivery)
        break
      case 'retry':
        if (this.#retryDue) {
          this.#retryDue = false
          this.#writer.retry()
        }
        break
      case 'quiet-day':
        if (this.#writer.isIdle) this.#passDay()
        break
      case 'outage-day':
        if (this.#wire.length === 0) this.#passDay()
        break
      case 'leader-forgets':
        this.leader.expireProducers(this.#wallMs - DAY_MS)
    }
    if (this.#failure !== undefined) this.#resume()
    this.#check()
  }

  /** No more faults: everything gets where it should. */
  settle(): void {
    for (let turn = 0; !this.#writer.isIdle; turn++) {
      assert.ok(turn < 1_000, 'the window gets empty in the end')
      this.take({ kind: 'retry' })
      this.take({ kind: 'send' })
      this.take({ kind: 'deliver', delivery: 'answered' })
    }
    assert.equal(this.#writer.bufferedBytes, 0)
    assert.equal(this.progress, this.#nextSourceOffset)
  }

  get #wallMs(): number {
    return YEAR_MS + this.#nowMs
  }

  #append(records: number, hole: number, isOld: boolean): void {
    this.#nextSourceOffset += hole
    for (let i = 0; i < records; i++) {
      if (isOld) this.#old.add(this.#nextSourceOffset)
      this.#handOver(this.#nextSourceOffset++)
    }
    this.#writer.advance(this.#nextSourceOffset)
  }

  #handOver(sourceOffset: number): void {
    this.handedOver.push(sourceOffset)
    const builder = this.#writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
    builder.bytes.writeBigInt64BE(BigInt(sourceOffset), builder.length)
    builder.added(sourceOffset, this.#old.has(sourceOffset) ? 0 : this.#wallMs, builder.length + RECORD_BYTES)
  }

  #send(): void {
    const expectedBytes = this.#writer.nextBytes
    const batch = this.#writer.take()
    if (batch === undefined) {
      assert.equal(this.#writer.nextBytes, 0, 'what gives nothing says so')
    } else {
      assert.equal(batch.sealed.bytes.length, expectedBytes, 'as many bytes as it said')
      this.#wire.push(batch)
    }
    assert.ok(this.#wire.length <= 5, 'no more than five batches are in flight')
  }

  #deliver(delivery: Delivery): void {
    const batch = this.#wire.shift()
    if (batch === undefined) return
    switch (delivery) {
      case 'answered': {
        const { error, baseOffset } = this.leader.append(batch.sealed.bytes)
        this.#answer(batch, error, baseOffset)
        break
      }
      case 'refused':
        this.#answer(batch, REFUSALS[this.#refusals++ % REFUSALS.length]!, -1)
        break
      case 'appended-but-timed-out': {
        const { error } = this.leader.append(batch.sealed.bytes)
        this.#answer(batch, error === 'NONE' ? 'REQUEST_TIMED_OUT' : error, -1)
        break
      }
      default: {
        const cut = [batch, ...this.#wire.splice(0)]
        const arrived = { 'cut-before': 0, 'cut-after': 1, 'cut-after-all': cut.length }[delivery]
        for (const each of cut.slice(0, arrived)) this.leader.append(each.sealed.bytes)
        for (const each of cut) this.#answer(each, 'UNREACHABLE', -1)
      }
    }
  }

  #answer(batch: OutgoingBatch, error: string, baseOffset: number): void {
    const { retryDue } = this.#writer.settle(batch, error, null, baseOffset)
    if (retryDue) this.#retryDue = true
    if (this.#failure !== undefined) this.#resume()
  }

  #passDay(): void {
    this.#nowMs += DAY_MS
    this.leader.expireProducers(this.#wallMs)
  }

  /** What the partition's owner does: fence, find the end, go on from there with what the source still has. */
  #resume(): void {
    assert.equal(this.#failure?.outcome, 'resume', `${this.#failure?.error} is not expected here`)
    this.#failure = undefined
    this.resumes++
    for (const late of this.#wire.splice(0)) {
      this.leader.append(late.sealed.bytes)
      this.#writer.settle(late, 'UNREACHABLE', null, -1)
    }
    assert.equal(this.#writer.bufferedBytes, 0, 'a closed writer holds nothing')
    this.#begin()
    const end = Math.max(this.leader.log.at(-1) ?? -1, this.progress - 1)
    this.progress = end + 1
    const again = this.handedOver.filter(offset => offset > end)
    this.handedOver.length -= again.length
    for (const offset of again) this.#handOver(offset)
    this.#writer.advance(this.#nextSourceOffset)
  }

  #begin(): void {
    this.#epoch++
    this.#retryDue = false
    if (this.#fenced) this.leader.mark(PRODUCER_ID, this.#epoch, this.#wallMs)
    this.#writer = new PartitionWriter({
      topic: 'orders',
      partition: 0,
      // An anonymous producer gets a new id each time.
      identity: this.#fenced
        ? { producerId: PRODUCER_ID, producerEpoch: this.#epoch + 1 }
        : { producerId: PRODUCER_ID + this.#epoch, producerEpoch: 0 },
      batchBytesMax: BATCH_OVERHEAD_BYTES + 3 * RECORD_BYTES,
      pool: new BufferPool(1 << 20),
      nowMs: () => this.#nowMs,
      wallClockMs: () => this.#wallMs,
      listener: {
        progressed: (next, destinationOffset) => {
          assert.ok(next >= this.progress, 'progress never goes back')
          this.progress = next
          if (destinationOffset !== undefined) this.#assertCovered(destinationOffset)
        },
        acknowledged: () => {},
        fenced: () => assert.fail('there is no other owner here'),
        failed: failure => {
          this.#failure = failure
        }
      }
    })
  }

  /** Who resumes reads nothing of the log up to there, so that must all be what progress speaks of. */
  #assertCovered(destinationOffset: number): void {
    const newest = this.leader.log[destinationOffset]
    assert.ok(
      newest !== undefined && newest < this.progress,
      `${newest} stands at destination offset ${destinationOffset}`
    )
  }

  #check(): void {
    const stored = new Set(this.leader.log)
    for (const offset of this.handedOver) {
      if (offset >= this.progress) break
      assert.ok(stored.has(offset), `progress is ${this.progress}, but ${offset} is not in the log`)
    }
  }
}

const PRODUCER_ID = 4_000
const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS
