import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BatchView, batchesIn, lastBatchIn, readInt64, writeInt64 } from '../../../src/records/batch.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { aSourceLog } from './support/arbitraries.ts'
import { isRecordsError } from './support/is-records-error.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type PlainRecord, sealRaw } from './support/records.ts'

const anInt53 = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const anInt32 = fc.integer()

describe('readInt64 and writeInt64', () => {
  it('agree with Node’s own for every number up to 2^53', () => {
    fc.assert(
      fc.property(anInt53, value => {
        const bytes = Buffer.alloc(10, 0xaa)
        writeInt64(bytes, value, 1)
        assert.equal(bytes.readBigInt64BE(1), BigInt(value))
        assert.equal(readInt64(bytes, 1), value)
      })
    )
  })
})

describe('BatchView', () => {
  it('reads every header field, wherever the batch lies in the buffer', () => {
    const fields = fc.record({
      baseOffset: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 2 ** 31 }),
      leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
      codec: fc.integer({ min: 0, max: 4 }),
      bits: fc.nat({ max: 15 }),
      lastOffsetDelta: fc.nat(),
      baseTimestamp: anInt53.map(BigInt),
      maxTimestamp: anInt53.map(BigInt),
      producerId: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }).map(BigInt),
      producerEpoch: fc.integer({ min: -1, max: 32_767 }),
      baseSequence: anInt32
    })
    fc.assert(
      fc.property(fields, anInt32, fc.nat({ max: 100 }), (given, recordCount, before) => {
        const attributes = given.codec | (given.bits << 3)
        const batch = sealRaw(recordCount, Buffer.from('anything'), { ...given, attributes })
        const bytes = Buffer.concat([Buffer.alloc(before, 0xff), batch, Buffer.from('behind')])
        const view = new BatchView(bytes, before, before + batch.length)
        assert.doesNotThrow(() => view.assertIntact())
        assert.deepEqual(
          {
            baseOffset: view.baseOffset,
            leaderEpoch: view.leaderEpoch,
            magic: view.magic,
            codec: view.codec,
            lastOffset: view.lastOffset,
            isLogAppendTime: view.isLogAppendTime,
            isTransactional: view.isTransactional,
            isControl: view.isControl,
            baseTimestamp: BigInt(view.baseTimestamp),
            maxTimestamp: BigInt(view.maxTimestamp),
            producerId: BigInt(view.producerId),
            recordCount: view.recordCount
          },
          {
            baseOffset: given.baseOffset,
            leaderEpoch: given.leaderEpoch,
            magic: 2,
            codec: given.codec,
            lastOffset: given.baseOffset + given.lastOffsetDelta,
            isLogAppendTime: (attributes & ATTRIBUTE.logAppendTime) !== 0,
            isTransactional: (attributes & ATTRIBUTE.transactional) !== 0,
            isControl: (attributes & ATTRIBUTE.control) !== 0,
            baseTimestamp: given.baseTimestamp,
            maxTimestamp: given.maxTimestamp,
            producerId: given.producerId,
            recordCount
          }
        )
      })
    )
  })

  it('refuses each codec number that names none', () => {
    for (const codec of [5, 6, 7]) {
      const view = viewOf(sealRaw(0, Buffer.alloc(0), batchFields([], { baseOffset: 42, attributes: codec })))
      assert.throws(() => view.codec, isRecordsError('UNKNOWN_CODEC', 42))
    }
  })

  it('tells an abort marker from a commit marker, and neither from a marker that compaction emptied', () => {
    assert.equal(viewOf(marker(0)).controlType, 0)
    assert.equal(viewOf(marker(1)).controlType, 1)
    const empty = sealRaw(0, Buffer.alloc(0), batchFields([], { attributes: ATTRIBUTE.control }))
    assert.equal(viewOf(empty).controlType, -1)
    const followed = Buffer.concat([empty, marker(0)])
    assert.equal(new BatchView(followed, 0, empty.length).controlType, -1)
  })

  it('finds every single changed byte that the CRC covers', () => {
    const batch = encodeBatch([aPlainRecord(7)], batchFields([aPlainRecord(7)]))
    for (let at = 21; at < batch.length; at++) {
      const changed = Buffer.from(batch)
      changed[at]! ^= 0x40
      assert.throws(() => viewOf(changed).assertIntact(), isRecordsError('CORRUPT_BATCH', 7))
    }
    for (let at = 17; at < 21; at++) {
      const changed = Buffer.from(batch)
      changed[at]! ^= 0x01
      assert.throws(() => viewOf(changed).assertIntact(), isRecordsError('CORRUPT_BATCH', 7))
    }
  })

  it('takes any base offset and leader epoch, which brokers set without a new CRC', () => {
    const batch = encodeBatch([aPlainRecord(7)], batchFields([aPlainRecord(7)]))
    batch.writeBigInt64BE(123_456n, 0)
    batch.writeInt32BE(99, 12)
    assert.doesNotThrow(() => viewOf(batch).assertIntact())
  })

  it('refuses every message format but 2 before it looks at the CRC', () => {
    for (const magic of [-1, 0, 1, 3, 127]) {
      const batch = encodeBatch([aPlainRecord(7)], batchFields([aPlainRecord(7)]))
      batch.writeInt8(magic, 16)
      assert.throws(() => viewOf(batch).assertIntact(), isRecordsError('UNSUPPORTED_MAGIC', 7))
    }
  })
})

describe('batchesIn', () => {
  it('finds exactly the whole batches, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(aSourceLog, fc.double({ min: 0, max: 1, noNaN: true }), (log, fraction) => {
        const bytes = Buffer.concat(log.map(batch => batch.bytes))
        const cutAt = Math.round(fraction * bytes.length)
        assertWholeBatches(
          log.map(batch => batch.bytes),
          bytes.subarray(0, cutAt)
        )
      })
    )
  })

  it('finds exactly the whole batches at every cut of a short log', () => {
    const batches = [aPlainRecord(3), aPlainRecord(9)].map(record => encodeBatch([record], batchFields([record])))
    const bytes = Buffer.concat(batches)
    for (let cutAt = 0; cutAt <= bytes.length; cutAt++) assertWholeBatches(batches, bytes.subarray(0, cutAt))
  })

  it('finds exactly the whole messages at every cut of a log from before Kafka 0.11', () => {
    for (const magic of [0, 1]) {
      const messages = [oldMessage(magic, 5, 'first'), oldMessage(magic, 6, ''), oldMessage(magic, 7, 'third')]
      const bytes = Buffer.concat(messages)
      for (let cutAt = 0; cutAt <= bytes.length; cutAt++) assertWholeBatches(messages, bytes.subarray(0, cutAt))
    }
  })

  it('gives messages of formats 0 and 1 the offset that they carry, so that a halt can name it', () => {
    for (const magic of [0, 1]) {
      const [view] = [...batchesIn(oldMessage(magic, 1_234, 'value'))]
      assert.deepEqual([view?.magic, view?.baseOffset, view?.lastOffset], [magic, 1_234, 1_234])
      assert.throws(() => view?.assertIntact(), isRecordsError('UNSUPPORTED_MAGIC', 1_234))
    }
  })

  it('refuses a batch that claims fewer bytes than its own header has, instead of walking on the spot', () => {
    const batch = encodeBatch([aPlainRecord(7)], batchFields([aPlainRecord(7)]))
    for (const length of [-(2 ** 31), -12, -1, 0, 1, 13, 14, 48]) {
      const lying = Buffer.from(batch)
      lying.writeInt32BE(length, 8)
      assert.throws(() => [...batchesIn(lying)], isRecordsError('MALFORMED_BATCH', 7), `length ${length}`)
    }
  })

  it('ends on any bytes at all, with batches that lie within them one behind the other', () => {
    const someBytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
      fc.record({ log: aSourceLog, at: fc.nat({ max: 60 }), byte: fc.nat({ max: 255 }) }).map(({ log, at, byte }) => {
        const bytes = Buffer.concat(log.map(batch => batch.bytes))
        bytes[at] = byte
        return bytes
      })
    )
    fc.assert(
      fc.property(someBytes, bytes => {
        let end = 0
        try {
          for (const view of batchesIn(bytes)) {
            assert.equal(view.start, end)
            assert.ok(view.end > view.start && view.end <= bytes.length)
            end = view.end
          }
        } catch (error) {
          if (!(error instanceof RecordsError)) throw error
          assert.equal(error.code, 'MALFORMED_BATCH')
        }
      })
    )
  })
})

describe('lastBatchIn', () => {
  const aCut = fc.double({ min: 0, max: 1, noNaN: true })

  it('is the last of batchesIn, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(aSourceLog, aCut, (log, fraction) => {
        const bytes = Buffer.concat(log.map(batch => batch.bytes))
        assertSameLast(bytes.subarray(0, Math.round(fraction * bytes.length)))
      })
    )
  })

  it('is the last of batchesIn at every cut of a short log, of any format', () => {
    const batches = [aPlainRecord(3), aPlainRecord(9)].map(record => encodeBatch([record], batchFields([record])))
    const bytes = Buffer.concat([oldMessage(0, 1, 'first'), oldMessage(1, 2, ''), ...batches])
    for (let cutAt = 0; cutAt <= bytes.length; cutAt++) assertSameLast(bytes.subarray(0, cutAt))
    assert.equal(lastBatchIn(bytes)?.baseOffset, 9)
    assert.equal(lastBatchIn(bytes.subarray(0, bytes.length - 1))?.baseOffset, 3)
    assert.equal(lastBatchIn(bytes.subarray(0, 20)), undefined)
  })

  it('refuses what batchesIn refuses, in the same words', () => {
    const aDamage = fc.record({ log: aSourceLog, cut: aCut, at: fc.nat({ max: 200 }), byte: fc.nat({ max: 255 }) })
    fc.assert(
      fc.property(aDamage, ({ log, cut, at, byte }) => {
        const bytes = Buffer.concat(log.map(batch => batch.bytes))
        bytes[at % bytes.length] = byte
        assertSameLast(bytes.subarray(0, Math.round(cut * bytes.length)))
      })
    )
    const lying = encodeBatch([aPlainRecord(7)], batchFields([aPlainRecord(7)]))
    lying.writeInt32BE(0, 8)
    assert.throws(() => lastBatchIn(lying), isRecordsError('MALFORMED_BATCH', 7))
  })
})

/** Whether both find the same last batch, or refuse the bytes for the same reason. */
function assertSameLast(bytes: Buffer): void {
  const found = [() => lastBatchIn(bytes), () => [...batchesIn(bytes)].at(-1)].map(find => {
    try {
      const view = find()
      return view === undefined ? 'none' : { start: view.start, end: view.end, baseOffset: view.baseOffset }
    } catch (error) {
      if (!(error instanceof RecordsError)) throw error
      return { code: error.code, message: error.message, sourceOffset: error.sourceOffset }
    }
  })
  assert.deepEqual(found[0], found[1])
}

function assertWholeBatches(batches: readonly Buffer[], cut: Buffer): void {
  const expected: Buffer[] = []
  let bytes = 0
  for (const batch of batches) {
    bytes += batch.length
    if (bytes <= cut.length) expected.push(batch)
  }
  const found = [...batchesIn(cut)].map(view => view.bytes.subarray(view.start, view.end))
  assert.deepEqual(found, expected, `cut at ${cut.length}`)
}

function viewOf(batch: Buffer): BatchView {
  return new BatchView(batch, 0, batch.length)
}

function aPlainRecord(offset: number): PlainRecord {
  return { attributes: 0, timestamp: 1_000n, offset, key: null, value: Buffer.from('value'), headers: [] }
}

/** Key: version, type (0 abort, 1 commit). Value: version, coordinator epoch. */
function marker(type: number): Buffer {
  const record = { ...aPlainRecord(4), key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) }
  return encodeBatch([record], batchFields([record], { attributes: ATTRIBUTE.control | ATTRIBUTE.transactional }))
}

/** A message of format 0 or 1: offset, size, CRC-32, magic, attributes, timestamp (1 only), key, value. */
function oldMessage(magic: number, offset: number, value: string): Buffer {
  const timestamp = Buffer.alloc(magic === 1 ? 8 : 0)
  const length = Buffer.alloc(4)
  length.writeInt32BE(value.length)
  const body = Buffer.concat([
    Buffer.alloc(4),
    Buffer.from([magic, 0]),
    timestamp,
    Buffer.alloc(4, 0xff),
    length,
    Buffer.from(value)
  ])
  const head = Buffer.alloc(12)
  head.writeBigInt64BE(BigInt(offset))
  head.writeInt32BE(body.length, 8)
  return Buffer.concat([head, body])
}
