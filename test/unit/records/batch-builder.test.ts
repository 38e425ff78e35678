import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BatchBuilder } from '../../../src/records/batch-builder.ts'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { CountingPool } from './support/counting-pool.ts'
import { plainDecompress } from './support/plain-codecs.ts'
import { batchFields, decodeBatch, encodeBatch, type PlainRecord } from './support/records.ts'

const CODECS = Object.values(Codec)
const STAMP = { producerId: 4_000, producerEpoch: 3, baseSequence: 17 }

describe('BatchBuilder', () => {
  it('stamps any producer id, epoch and sequence', () => {
    const stamp = fc.record({
      producerId: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      producerEpoch: fc.integer({ min: -1, max: 32_767 }),
      baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 })
    })
    fc.assert(
      fc.property(stamp, fc.constantFrom(...CODECS), (given, codec) => {
        const { fields } = decodeBatch(filled(codec, [5]).seal(given).bytes, plainDecompress)
        const { producerId, producerEpoch, baseSequence } = fields
        assert.deepEqual({ producerId: Number(producerId), producerEpoch, baseSequence }, { ...given })
      })
    )
  })

  it('names base offset 0, no leader epoch, the codec alone, and the newest timestamp', () => {
    for (const codec of CODECS) {
      const { fields, records } = decodeBatch(filled(codec, [50, -1, 70, 70, 60]).seal(STAMP).bytes, plainDecompress)
      const { baseOffset, leaderEpoch, attributes, lastOffsetDelta, baseTimestamp, maxTimestamp } = fields
      assert.deepEqual(
        { baseOffset, leaderEpoch, attributes, lastOffsetDelta, baseTimestamp, maxTimestamp },
        { baseOffset: 0, leaderEpoch: -1, attributes: codec, lastOffsetDelta: 4, baseTimestamp: 50n, maxTimestamp: 70n }
      )
      assert.deepEqual(
        records.map(record => record.timestamp),
        [50n, -1n, 70n, 70n, 60n]
      )
    }
  })

  it('has -1 for the newest timestamp of records without one', () => {
    const { fields } = decodeBatch(filled(Codec.none, [-1, -1]).seal(STAMP).bytes, plainDecompress)
    assert.equal(fields.maxTimestamp, -1n)
  })

  it('counts how many records in a row share a timestamp', () => {
    const builder = filled(Codec.none, [5, 5, 5, 9, 5, 5])
    assert.deepEqual(builder.timestamps, [5, 9, 5])
    assert.deepEqual(builder.timestampCounts, [3, 1, 2])
    builder.discard()
  })

  it('remembers the first and the last source offset', () => {
    const builder = filled(Codec.none, [1, 2, 3])
    assert.deepEqual([builder.firstSourceOffset, builder.lastSourceOffset], [1_000, 1_020])
  })

  it('keeps what it has when it needs more room than it was made with', () => {
    const small = filled(Codec.none, Array(500).fill(7), 70)
    const large = filled(Codec.none, Array(500).fill(7), 100_000)
    assert.deepEqual(small.seal(STAMP).bytes, large.seal(STAMP).bytes)
  })

  it('keeps a sealed batch’s bytes until they are released, while other batches are built', () => {
    const pool = new BufferPool(1 << 20)
    for (const codec of CODECS) {
      const sealed = filled(codec, [1, 2, 3], 200, pool).seal(STAMP)
      const before = Buffer.from(sealed.bytes)
      const others = [filled(codec, Array(30).fill(9), 200, pool), filled(codec, [8], 200, pool)]
      const sealedOthers = others.map(other => other.seal(STAMP))
      assert.deepEqual(sealed.bytes, before)
      sealed.release()
      for (const other of sealedOthers) other.release()
    }
  })

  it('gives all memory back, sealed or discarded', () => {
    for (const codec of CODECS) {
      const pool = new CountingPool()
      filled(codec, Array(200).fill(5), 70, pool).seal(STAMP).release()
      filled(codec, [5], 70, pool).discard()
      assert.equal(pool.held, 0, `codec ${codec}`)
    }
  })
})

/** A builder with records of these timestamps, whose source offsets are ten apart. */
function filled(
  codec: Codec,
  timestamps: readonly number[],
  capacityBytes = 4_096,
  pool = new BufferPool(0)
): BatchBuilder {
  const builder = new BatchBuilder(pool, codec, capacityBytes)
  builder.baseTimestamp = timestamps[0]!
  const records = timestamps.map(
    (timestamp, offset): PlainRecord => ({
      attributes: 0,
      timestamp: BigInt(timestamp),
      offset,
      key: null,
      value: Buffer.from(`value ${offset}`),
      headers: []
    })
  )
  const fields = batchFields(records)
  for (const record of records) {
    const bytes = encodeBatch([record], fields).subarray(61)
    builder.ensure(bytes.length)
    bytes.copy(builder.bytes, builder.length)
    builder.added(1_000 + 10 * record.offset, Number(record.timestamp), builder.length + bytes.length)
  }
  return builder
}
