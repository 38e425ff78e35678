import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PartitionWriter, type WriteFailure, type WriterListener } from '../../../src/destination/partition-writer.ts'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { CountingPool } from '../records/support/counting-pool.ts'
import { RECORD_BYTES } from './support/leader-model.ts'
import { type Delivery, type Step, WriterWorld } from './support/writer-world.ts'

const aDelivery = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Delivery>('answered') },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Delivery>(
      'refused',
      'appended-but-timed-out',
      'cut-before',
      'cut-after',
      'cut-after-all'
    )
  }
)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      records: fc.integer({ min: 1, max: 8 }),
      hole: fc.nat({ max: 2 })
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), offsets: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), delivery: aDelivery }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('retry' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quiet-day' as const) }) }
)
const steps = fc.array(aStep, { minLength: 1, maxLength: 120, size: 'max' })

describe('PartitionWriter against a leader', () => {
  it('leaves each record in the log exactly once and in order, whatever fails on the way (fenced)', () => {
    fc.assert(
      fc.property(steps, all => {
        const world = new WriterWorld({ fenced: true })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(world.leader.log, world.handedOver)
      }),
      { numRuns: 400 }
    )
  })

  it('leaves no record out when the leader does not know the producer yet (at-least-once)', () => {
    fc.assert(
      fc.property(steps, all => {
        const world = new WriterWorld({ fenced: false })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(
          [...new Set(world.leader.log)].toSorted((a, b) => a - b),
          world.handedOver
        )
      }),
      { numRuns: 400 }
    )
  })

  it('leaves each record in the log exactly once over outages that last for a day (fenced)', () => {
    const withOutages = fc.oneof(
      { weight: 20, arbitrary: aStep },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'outage-day' }) }
    )
    fc.assert(
      fc.property(fc.array(withOutages, { minLength: 1, maxLength: 120, size: 'max' }), all => {
        const world = new WriterWorld({ fenced: true })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(world.leader.log, world.handedOver)
      }),
      { numRuns: 200 }
    )
  })

  it('leaves no record out when the leader has forgotten a fenced producer that was quiet for a day', () => {
    const world = new WriterWorld({ fenced: true })
    world.take({ kind: 'append', records: 3, hole: 0 })
    world.settle()
    world.take({ kind: 'quiet-day' })
    world.take({ kind: 'append', records: 6, hole: 0 })
    world.take({ kind: 'send' })
    world.take({ kind: 'send' })
    world.take({ kind: 'deliver', delivery: 'refused' })
    world.take({ kind: 'deliver', delivery: 'answered' })
    world.settle()
    assert.deepEqual(world.leader.log, world.handedOver)
  })
})

describe('PartitionWriter, of records so old that a leader forgets whom they came from,', () => {
  it('leaves each record in the log exactly once and in order, whenever that happens (fenced)', () => {
    const ofAnyAge = fc.oneof(
      { weight: 16, arbitrary: aStep },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          records: fc.integer({ min: 1, max: 8 }),
          hole: fc.nat({ max: 2 }),
          isOld: fc.constant(true)
        })
      },
      { weight: 4, arbitrary: fc.constant<Step>({ kind: 'leader-forgets' }) }
    )
    fc.assert(
      fc.property(fc.array(ofAnyAge, { minLength: 1, maxLength: 120, size: 'max' }), all => {
        const world = new WriterWorld({ fenced: true })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(world.leader.log, world.handedOver)
      }),
      { numRuns: 1_000 }
    )
  })
})

describe('PartitionWriter', () => {
  it('counts records on from 2^31 - 1 to 0, also within a batch', () => {
    const writer = aWriter()
    const sequences: number[] = []
    for (const records of [2 ** 30, 2 ** 30 - 2, 5, 1, 2 ** 31 - 1, 2]) {
      const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
      builder.added(0, 0, builder.length + RECORD_BYTES)
      // As if so many had been added; nobody looks at their bytes here.
      builder.recordCount = records
      const batch = writer.take()!
      const sequence = batch.sealed.bytes.readInt32BE(53)
      sequences.push(sequence)
      assert.equal(batch.sealed.bytes.readInt32BE(57), records)
      writer.settle(batch, 'NONE', null, 0)
    }
    assert.deepEqual(sequences, [0, 2 ** 30, 2 ** 31 - 2, 3, 4, 3])
  })

  it('sends the same bytes again when it tries again', () => {
    const writer = aWriter()
    const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
    builder.bytes.fill(7, builder.length, builder.length + RECORD_BYTES)
    builder.added(42, 0, builder.length + RECORD_BYTES)
    const batch = writer.take()!
    const sent = Buffer.from(batch.sealed.bytes)
    assert.deepEqual(writer.settle(batch, 'NOT_ENOUGH_REPLICAS', null, -1), { retryDue: true })
    assert.equal(writer.canSend, false)
    writer.retry()
    assert.deepEqual(writer.take()!.sealed.bytes, sent)
  })

  it('waits for everything in flight before it tries again, and then keeps the order', () => {
    const writer = aWriter()
    for (let record = 0; record < 4; record++) {
      const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
      builder.added(record, 0, builder.length + RECORD_BYTES)
    }
    writer.settle(writer.take()!, 'NONE', null, 0)
    const inFlight = [writer.take()!, writer.take()!, writer.take()!]
    assert.deepEqual(writer.settle(inFlight[0]!, 'NOT_LEADER_OR_FOLLOWER', null, -1), { retryDue: false })
    writer.retry()
    assert.equal(writer.take(), undefined)
    // What follows a batch that is missing comes out of order: that is no contradiction, it goes again behind it.
    assert.deepEqual(writer.settle(inFlight[1]!, 'OUT_OF_ORDER_SEQUENCE_NUMBER', null, -1), { retryDue: false })
    assert.deepEqual(writer.settle(inFlight[2]!, 'OUT_OF_ORDER_SEQUENCE_NUMBER', null, -1), { retryDue: true })
    assert.equal(writer.isClosed, false)
    writer.retry()
    assert.deepEqual([writer.take(), writer.take(), writer.take()], inFlight)
  })

  it('gives the memory of all batches back, acknowledged, refused or given up', () => {
    for (const error of ['NONE', 'INVALID_PRODUCER_EPOCH', 'MESSAGE_TOO_LARGE', 'NOT_LEADER_OR_FOLLOWER']) {
      const pool = new CountingPool()
      const writer = aWriter(pool)
      for (let record = 0; record < 8; record++) {
        const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
        builder.added(record, 0, builder.length + RECORD_BYTES)
      }
      writer.settle(writer.take()!, 'NONE', null, 0)
      const inFlight = [writer.take()!, writer.take()!, writer.take()!]
      writer.settle(inFlight[1]!, error, null, 1)
      writer.close()
      writer.settle(inFlight[0]!, 'NONE', null, 0)
      writer.settle(inFlight[2]!, 'UNREACHABLE', null, -1)
      assert.equal(pool.held, 0, error)
      assert.equal(writer.bufferedBytes, 0)
    }
  })

  it('tells once, also after it was closed, that another owner has fenced it', () => {
    let fenced = 0
    const writer = aWriter(new BufferPool(0), { fenced: () => fenced++ })
    for (let record = 0; record < 3; record++) {
      const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
      builder.added(record, 0, builder.length + RECORD_BYTES)
    }
    writer.settle(writer.take()!, 'NONE', null, 0)
    const [first, second] = [writer.take()!, writer.take()!]
    writer.close()
    writer.settle(first, 'INVALID_PRODUCER_EPOCH', null, -1)
    writer.settle(second, 'INVALID_PRODUCER_EPOCH', null, -1)
    assert.equal(fenced, 1)
  })

  it('names the batch that was refused for good', () => {
    let failure: WriteFailure | undefined
    const writer = aWriter(new BufferPool(0), { failed: given => (failure = given) })
    const builder = writer.builderFor(Codec.none, RECORD_BYTES, RECORD_BYTES)
    builder.added(42, 0, builder.length + RECORD_BYTES)
    writer.settle(writer.take()!, 'MESSAGE_TOO_LARGE', 'too large', -1)
    assert.deepEqual(failure, {
      outcome: 'too-large',
      error: 'MESSAGE_TOO_LARGE',
      message: 'too large',
      firstSourceOffset: 42,
      records: 1,
      bytes: 61 + RECORD_BYTES
    })
    assert.ok(writer.isClosed)
  })
})

/** One record fills a batch. */
function aWriter(pool = new BufferPool(0), listener: Partial<WriterListener> = {}): PartitionWriter {
  return new PartitionWriter({
    topic: 'orders',
    partition: 0,
    identity: { producerId: 4_000, producerEpoch: 1 },
    batchBytesMax: 61 + RECORD_BYTES,
    pool,
    nowMs: () => 0,
    wallClockMs: () => 0,
    listener: { progressed: () => {}, acknowledged: () => {}, fenced: () => {}, failed: () => {}, ...listener }
  })
}
