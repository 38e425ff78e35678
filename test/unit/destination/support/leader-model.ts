/**
 * A partition's leader as far as idempotent producers see it (Kafka's ProducerStateManager and ProducerAppendInfo):
 * the last five batches of a producer are remembered and answered again, a sequence that does not follow is refused,
 * and a producer the leader knows nothing of may begin anywhere. A record is eight bytes: its source offset.
 */
import { BATCH_OVERHEAD_BYTES } from '../../../../src/records/batch.ts'

const REMEMBERED_BATCHES = 5
const SEQUENCE_MODULUS = 2 ** 31

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
}

interface ProducerState {
  readonly epoch: number
  readonly batches: RememberedBatch[]
  /** Of its newest batch or marker. */
  readonly timestampMs: number
}

export interface LeaderAnswer {
  readonly error: string
  readonly baseOffset: number
}

export class LeaderModel {
  /** Source offsets in the order they were appended. */
  readonly log: number[] = []
  readonly #producers = new Map<number, ProducerState>()

  /** A transaction marker, as a fence leaves one. */
  mark(producerId: number, epoch: number, timestampMs = 0): void {
    this.#producers.set(producerId, { epoch, batches: [], timestampMs })
  }

  /** Forgets producers whose newest records are not younger than this. */
  expireProducers(untilMs: number): void {
    for (const [id, { timestampMs }] of this.#producers) if (timestampMs <= untilMs) this.#producers.delete(id)
  }

  append(batch: Buffer): LeaderAnswer {
    const producerId = Number(batch.readBigInt64BE(43))
    const epoch = batch.readInt16BE(51)
    const firstSequence = batch.readInt32BE(53)
    const count = batch.readInt32BE(57)
    const lastSequence = (firstSequence + count - 1) % SEQUENCE_MODULUS
    const state = this.#producers.get(producerId)
    if (state !== undefined && epoch < state.epoch) return refused('INVALID_PRODUCER_EPOCH')
    const known = state?.epoch === epoch ? state.batches : []
    const same = known.find(each => each.firstSequence === firstSequence && each.lastSequence === lastSequence)
    if (same !== undefined) return { error: 'NONE', baseOffset: same.baseOffset }
    if (state !== undefined) {
      const last = known.at(-1)?.lastSequence
      const expected = last === undefined ? 0 : (last + 1) % SEQUENCE_MODULUS
      if (firstSequence !== expected) return refused('OUT_OF_ORDER_SEQUENCE_NUMBER')
    }
    const baseOffset = this.log.length
    for (let i = 0; i < count; i++) {
      this.log.push(Number(batch.readBigInt64BE(BATCH_OVERHEAD_BYTES + i * RECORD_BYTES)))
    }
    const batches = [...known, { firstSequence, lastSequence, baseOffset }].slice(-REMEMBERED_BATCHES)
    this.#producers.set(producerId, { epoch, batches, timestampMs: Number(batch.readBigInt64BE(35)) })
    return { error: 'NONE', baseOffset }
  }
}

export const RECORD_BYTES = 8

function refused(error: string): LeaderAnswer {
  return { error, baseOffset: -1 }
}
