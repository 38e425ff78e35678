import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BATCH_OVERHEAD_BYTES, BatchView } from '../../../src/records/batch.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { RecordCursor } from '../../../src/records/record-cursor.ts'
import { aSourceLog } from './support/arbitraries.ts'
import { isRecordsError } from './support/is-records-error.ts'
import { COMPRESSORS } from './support/plain-codecs.ts'
import {
  ATTRIBUTE,
  type BatchFields,
  batchFields,
  encodeBatch,
  encodeHeaders,
  type PlainRecord,
  sealRaw,
  varint
} from './support/records.ts'

describe('RecordCursor', () => {
  it('says of every record where its fields lie', () => {
    fc.assert(
      fc.property(aSourceLog, log => {
        for (const { bytes, records } of log) {
          const cursor = new RecordCursor(viewOf(bytes))
          for (const [index, record] of records.entries()) {
            assert.equal(cursor.remainingRecords, records.length - index)
            assert.ok(cursor.next())
            assert.equal(cursor.offset, record.offset)
            assert.equal(BigInt(cursor.timestamp), record.timestamp)
            assert.equal(cursor.attributes, record.attributes & 0xff)
            assert.equal(cursor.headerCount, record.headers.length)
            assert.deepEqual(cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd), payloadOf(record))
            assert.deepEqual(
              cursor.bytes.subarray(cursor.headersStart, cursor.headersEnd),
              encodeHeaders(record.headers)
            )
          }
          assert.deepEqual([cursor.remainingRecords, cursor.remainingBytes], [0, 0])
          assert.equal(cursor.next(), false)
          assert.equal(cursor.next(), false)
        }
      })
    )
  })

  it('walks changed bytes to the end or refuses them, never reading a field from behind the record', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 })
    const aLie = fc.option(fc.constantFrom(-1, 0, 1, 5, 2 ** 31 - 1, -(2 ** 31)), { freq: 3 })
    fc.assert(
      fc.property(aSourceLog, changes, aLie, ([source], where, recordCount) => {
        const { records, compressor } = source!
        const fields = batchFields(records, { attributes: compressor.codec })
        const plain = encodeBatch(records, fields).subarray(61)
        for (const [at, byte] of where) plain[at % plain.length] = byte
        const bytes = sealRaw(recordCount ?? records.length, compressor.compress(plain), fields)
        assert.doesNotThrow(() => viewOf(bytes).assertIntact())
        assertWalksOrRefuses(viewOf(bytes))
      }),
      { numRuns: 500 }
    )
  })

  it('walks a thousand kinds of garbage to the end or refuses it', () => {
    const garbage = fc.array(fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0xff)), {
      maxLength: 40
    })
    fc.assert(
      fc.property(garbage, fc.integer({ min: 0, max: 4 }), (bytes, recordCount) => {
        assertWalksOrRefuses(viewOf(sealRaw(recordCount, Buffer.from(bytes), batchFields([]))))
      }),
      { numRuns: 1_000 }
    )
  })

  it('refuses compressed records that do not decompress, and names the batch', () => {
    for (const { codec } of COMPRESSORS.filter(({ codec }) => codec !== 0)) {
      const bytes = sealRaw(
        1,
        Buffer.from('this is not compressed'),
        batchFields([], { baseOffset: 42, attributes: codec })
      )
      assert.throws(() => new RecordCursor(viewOf(bytes)), isRecordsError('UNDECODABLE_RECORDS', 42), `codec ${codec}`)
    }
  })

  it('refuses compressed records of which the end is missing', () => {
    const records = Array.from({ length: 40 }, (_, offset) => plainRecord(offset))
    for (const { codec, name, compress } of COMPRESSORS.filter(({ codec }) => codec !== 0)) {
      const fields = batchFields(records, { attributes: codec })
      const whole = compress(encodeBatch(records, fields).subarray(61))
      for (const missing of [8, 9, whole.length >> 1]) {
        assert.throws(
          () => walk(viewOf(sealRaw(40, whole.subarray(0, -missing), fields))),
          RecordsError,
          `${name}, ${missing} missing`
        )
      }
    }
  })

  const malformed: [what: string, recordCount: number, records: Buffer][] = [
    ['claims fewer records than it has', 1, twoRecords()],
    ['claims more records than it has', 3, twoRecords()],
    ['claims a negative number of records', -1, twoRecords()],
    ['has a record of negative length', 1, varint(-1)],
    ['has a record that ends behind it', 1, Buffer.concat([varint(100), Buffer.alloc(20)])],
    ['has a record of no bytes', 1, varint(0)],
    ['has a key that is longer than its record', 1, rawRecord(varint(50), varint(-1), varint(0))],
    ['has a value that is longer than its record', 1, rawRecord(varint(-1), varint(50), varint(0))],
    ['has a value whose length says 2^31 - 1', 1, rawRecord(varint(-1), varint(2 ** 31 - 1), varint(0))],
    ['has a negative number of headers', 1, rawRecord(varint(-1), varint(-1), varint(-1))],
    ['has more headers than fit', 1, rawRecord(varint(-1), varint(-1), varint(2), Buffer.from('abc'))],
    [
      'has bytes behind its last record',
      1,
      Buffer.concat([rawRecord(varint(-1), varint(-1), varint(0)), Buffer.from([0])])
    ]
  ]
  for (const [what, recordCount, records] of malformed) {
    it(`refuses a batch that ${what}, although its CRC is right`, () => {
      const view = viewOf(sealRaw(recordCount, records, batchFields([], { baseOffset: 42 })))
      assert.doesNotThrow(() => view.assertIntact())
      assert.throws(() => walk(view), isRecordsError('MALFORMED_BATCH', 42))
    })
  }

  it('does not read on into the next batch where a record’s last length is missing', () => {
    const cut = Buffer.from([6, 0, 0, 0])
    const first = sealRaw(1, cut, batchFields([], { baseOffset: 42 }))
    const both = Buffer.concat([first, sealRaw(1, twoRecords(), batchFields([]))])
    assert.throws(() => walk(new BatchView(both, 0, first.length)), isRecordsError('MALFORMED_BATCH', 42))
  })

  describe('at timestamps that a number does not hold exactly', () => {
    const cases: [what: string, fields: Partial<BatchFields>, timestamp: bigint][] = [
      ['a base', { baseTimestamp: 2n ** 53n }, 2n ** 53n],
      ['a base far in the past', { baseTimestamp: -(2n ** 60n) }, -(2n ** 60n)],
      ['a newest timestamp', { maxTimestamp: 2n ** 53n, attributes: ATTRIBUTE.logAppendTime }, 5n],
      ['a sum', { baseTimestamp: 2n ** 52n }, 2n ** 53n],
      ['a delta', { baseTimestamp: 0n, maxTimestamp: 0n }, 2n ** 62n + 1n]
    ]
    for (const [what, given, timestamp] of cases) {
      it(`refuses ${what}`, () => {
        const records = [plainRecord(42, { timestamp })]
        const bytes = encodeBatch(records, batchFields(records, given))
        assert.throws(() => walk(viewOf(bytes)), isRecordsError('TIMESTAMP_OUT_OF_RANGE', 42))
      })
    }
  })
})

function assertWalksOrRefuses(view: BatchView): void {
  try {
    walk(view)
  } catch (error) {
    if (!(error instanceof RecordsError)) throw error
    assert.ok(['MALFORMED_BATCH', 'TIMESTAMP_OUT_OF_RANGE'].includes(error.code), error.code)
  }
}

/** Walks to the end, checking that each record begins where the one before ended and holds its fields in order. */
function walk(view: BatchView): void {
  const cursor = new RecordCursor(view)
  let recordStart = cursor.bytes === view.bytes ? view.start + BATCH_OVERHEAD_BYTES : 0
  const end = recordStart + cursor.remainingBytes
  while (cursor.next()) {
    const { payloadStart, payloadEnd, headersStart, headersEnd } = cursor
    assert.equal(headersEnd, end - cursor.remainingBytes)
    const inOrder = [recordStart, payloadStart, payloadEnd, headersStart, headersEnd, end]
    assert.deepEqual(
      inOrder.toSorted((a, b) => a - b),
      inOrder
    )
    assert.ok(payloadStart - recordStart >= 4 && headersStart > payloadEnd)
    recordStart = headersEnd
  }
}

function payloadOf({ key, value }: PlainRecord): Buffer {
  const field = (bytes: Buffer | null) => (bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]))
  return Buffer.concat([field(key), field(value)])
}

function twoRecords(): Buffer {
  const records = [plainRecord(0), plainRecord(1)]
  return encodeBatch(records, batchFields(records)).subarray(61)
}

/** A record from its key on, with the right length in front. */
function rawRecord(...fromKey: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([0, 0, 0]), ...fromKey])
  return Buffer.concat([varint(body.length), body])
}

function viewOf(batch: Buffer): BatchView {
  return new BatchView(batch, 0, batch.length)
}

function plainRecord(offset: number, given: Partial<PlainRecord> = {}): PlainRecord {
  return { attributes: 0, timestamp: 1_000n, offset, key: null, value: Buffer.from('value'), headers: [], ...given }
}
