import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { BatchView, batchesIn } from '../../../src/records/batch.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { type OffsetHeader, spliceBatch } from '../../../src/records/splice.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { aSourceLog, type SourceBatch } from './support/arbitraries.ts'
import { libraryDecode } from './support/library-decoder.ts'
import { LimitedSink } from './support/limited-sink.ts'
import { plainDecompress } from './support/plain-codecs.ts'
import { ATTRIBUTE, batchFields, decodeBatch, encodeBatch, encodeHeaders, type PlainRecord } from './support/records.ts'

const CODECS = Object.values(Codec)
const MARK = 'farlog.origin'

/** What the destination should hold of a source record, but for its offset. */
type Copy = Omit<PlainRecord, 'offset'>

describe('splicing', () => {
  it('makes what decoding, adding a header and encoding would make, in batches that a broker takes', () => {
    const choices = fc.record({
      codec: fc.option(fc.constantFrom(...CODECS)),
      bytesMax: fc.constantFrom(200, 600, 5_000, 1_000_000),
      /** Records before the first batch's so-manieth are left out. */
      skip: fc.nat({ max: 4 }),
      /** Records whose offset leaves this remainder are taken for looped ones, if they have headers. */
      loopRemainder: fc.option(fc.nat({ max: 4 }))
    })
    fc.assert(
      fc.property(aSourceLog, choices, (log, { codec, bytesMax, skip, loopRemainder }) => {
        const fromOffset = log[0]!.baseOffset + skip
        const isLooped = (record: PlainRecord) =>
          loopRemainder !== null && record.headers.length > 0 && record.offset % 5 === loopRemainder
        const sameHeaders = recordsByHeaders(log)
        const sink = new LimitedSink(bytesMax)
        let copied = 0
        let looped = 0
        for (const batch of batchesIn(Buffer.concat(log.map(({ bytes }) => bytes)))) {
          const result = spliceBatch(
            batch,
            {
              codec: codec ?? batch.codec,
              fromOffset,
              bytesBehind: 0,
              header: offsetHeader,
              isLooped: (bytes, start, end, count) => {
                const found = sameHeaders.get(`${count} ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`)
                assert.ok(found !== undefined, 'these are the headers of a source record')
                return found.some(isLooped)
              }
            },
            sink
          )
          copied += result.copiedRecords
          looped += result.loopedRecords
        }

        const due = log.flatMap(({ records }) => records.filter(record => record.offset >= fromOffset))
        const kept = new Set(due.filter(record => !sameHeaders.get(headersKey(record))!.some(isLooped)))
        assert.deepEqual({ copied, looped }, { copied: kept.size, looped: due.length - kept.size })
        assert.deepEqual(
          assertBatches(sink, bytesMax),
          log.flatMap(batch => batch.records.filter(record => kept.has(record)).map(record => copyOf(record, batch)))
        )
      }),
      { numRuns: 200 }
    )
  })

  it('keeps timestamps of any size and order exactly, or refuses them', () => {
    // A broker takes negative timestamps from producers that send them.
    const aTimestamp = fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n })
    const aBatch = fc.record({
      baseTimestamp: aTimestamp,
      timestamps: fc.array(aTimestamp, { minLength: 1, maxLength: 3 })
    })
    fc.assert(
      fc.property(fc.array(aBatch, { minLength: 1, maxLength: 4 }), batches => {
        const sink = new LimitedSink(1_000_000)
        const kept: bigint[] = []
        for (const { baseTimestamp, timestamps } of batches) {
          const records = timestamps.map((timestamp, offset) => plainRecord(offset, { timestamp }))
          try {
            spliceAll([batchOf(records, { baseTimestamp })], sink)
            kept.push(...timestamps)
          } catch (error) {
            assert.ok(error instanceof RecordsError && error.code === 'TIMESTAMP_OUT_OF_RANGE')
            return
          }
        }
        assert.deepEqual(
          assertBatches(sink, 1_000_000).map(record => record.timestamp),
          kept
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it('gives each record of a batch with append times the append time', () => {
    const records = [
      plainRecord(0, { timestamp: 5n }),
      plainRecord(1, { timestamp: 900n }),
      plainRecord(2, { timestamp: -1n })
    ]
    const sink = new LimitedSink(1_000_000)
    spliceAll([batchOf(records, { attributes: ATTRIBUTE.logAppendTime, maxTimestamp: 1_234_567n })], sink)
    assert.deepEqual(
      assertBatches(sink, 1_000_000).map(record => record.timestamp),
      [1_234_567n, 1_234_567n, 1_234_567n]
    )
  })

  it('numbers records anew where compaction left holes, and begins a batch where the limit says so', () => {
    const holed = [plainRecord(0), plainRecord(2_000_000_000), plainRecord(2_000_000_001)]
    const sink = new LimitedSink(1_000_000)
    spliceAll([batchOf(holed)], sink)
    const [bytes] = sink.seal()
    assert.deepEqual(
      decodeBatch(bytes!, plainDecompress).records.map(record => record.offset),
      [0, 1, 2]
    )
    assert.deepEqual([sink.builders[0]!.firstSourceOffset, sink.builders[0]!.lastSourceOffset], [0, 2_000_000_001])

    const narrow = new LimitedSink(1)
    spliceAll([batchOf(holed)], narrow)
    assert.deepEqual(
      narrow.builders.map(builder => builder.recordCount),
      [1, 1, 1]
    )
  })

  it('copies a record of a megabyte with a thousand headers', () => {
    const headers = Array.from({ length: 1_000 }, (_, i) => ({
      key: `h${i % 10}`,
      value: i % 3 === 0 ? null : Buffer.from(`${i}`)
    }))
    const record = plainRecord(7, { key: Buffer.alloc(100_000, 'k'), value: Buffer.alloc(1_000_000, 'v'), headers })
    for (const codec of CODECS) {
      const sink = new LimitedSink(1_000)
      spliceAll([batchOf([record])], sink, codec)
      const [bytes, ...others] = sink.seal()
      assert.equal(others.length, 0)
      assert.deepEqual(libraryDecode(bytes!), [{ ...record, offset: 0, headers: [...headers, markOf(7)] }])
    }
  })

  it('carries over what gzip found in large batches, whatever is left out and wherever a new batch begins', () => {
    const choices = fc.record({
      seed: fc.integer(),
      batches: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 4 }),
      bytesMax: fc.constantFrom(3_000, 40_000, 1_000_000),
      skip: fc.nat({ max: 30 }),
      loopRemainder: fc.option(fc.nat({ max: 4 }))
    })
    let traced = 0
    fc.assert(
      fc.property(choices, ({ seed, batches, bytesMax, skip, loopRemainder }) => {
        const log = orders(seed, batches)
        const records = log.flat()
        const sink = new LimitedSink(bytesMax)
        let offset = 0
        const isLooped = (index: number) => records[index]!.headers.length > 0 && index % 5 === loopRemainder
        const due = records.filter(({ offset }) => offset >= skip)
        const withHeaders = due.filter(({ headers }) => headers.length > 0).map(record => record.offset)
        for (const batch of log.map(gzipped)) {
          spliceBatch(
            viewOf(batch),
            {
              codec: Codec.gzip,
              fromOffset: skip,
              bytesBehind: 0,
              header: offsetHeader,
              isLooped: () => isLooped(withHeaders[offset++]!)
            },
            sink
          )
        }
        traced += sink.builders.filter(({ matches }) => matches !== undefined).length
        assert.deepEqual(
          assertBatches(sink, bytesMax),
          due
            .filter(record => !isLooped(record.offset))
            .map(({ offset, ...record }) => ({
              ...record,
              headers: [...record.headers, markOf(offset)]
            }))
        )
      }),
      { numRuns: 60 }
    )
    assert.ok(traced > 100, `${traced} destination batches were compressed with what the source’s compressor found`)
  })

  it('writes gzip that is hardly larger than if it had looked for all repetitions anew', () => {
    const [first, second, few] = orders(1, [2_000, 2_000, 50]) as [PlainRecord[], PlainRecord[], PlainRecord[]]
    for (const log of [
      [gzipped(first), gzipped(second)],
      // So little that is not known makes no difference.
      [gzipped(first), gzipped(few), gzipped(second)],
      [gzipped(first), gzipped(second), batchOf(few)]
    ]) {
      const sink = new LimitedSink(1_000_000)
      spliceAll(log, sink, Codec.gzip)
      assert.ok(sink.builders[0]!.matches !== undefined)
      const [bytes, ...others] = sink.seal()
      assert.equal(others.length, 0)
      const compressed = bytes!.subarray(61)
      const anew = gzipSync(plainDecompress(Codec.gzip, compressed))
      assert.ok(!compressed.equals(anew))
      assert.ok(compressed.length < anew.length * 1.1, `${compressed.length} bytes, and ${anew.length}`)
    }
  })

  it('looks for repetitions anew where batches are too small, or of another codec, to know them of nearly all records', () => {
    const [large, small] = orders(1, [500, 40]) as [PlainRecord[], PlainRecord[]]
    for (const log of [
      [gzipped(large), gzipped(small)],
      [gzipped(small), gzipped(large)],
      [gzipped(large), batchOf(small)]
    ]) {
      const sink = new LimitedSink(1_000_000)
      spliceAll(log, sink, Codec.gzip)
      const [bytes, ...others] = sink.seal()
      assert.equal(others.length, 0)
      const plain = plainDecompress(Codec.gzip, bytes!.subarray(61))
      assert.ok(bytes!.subarray(61).equals(gzipSync(plain)))
    }
  })

  it('leaves nothing behind of a batch that lies wholly before the position', () => {
    const sink = new LimitedSink(1_000)
    const batch = batchOf([plainRecord(5), plainRecord(6)])
    const result = spliceBatch(
      viewOf(batch),
      { codec: Codec.none, fromOffset: 7, bytesBehind: 0, header: offsetHeader, isLooped: () => false },
      sink
    )
    assert.deepEqual(result, { copiedRecords: 0, loopedRecords: 0, plainBytes: 0 })
    assert.equal(sink.builders.length, 0)
  })

  it('asks nobody whether a record without headers is looped', () => {
    const sink = new LimitedSink(1_000)
    const isLooped = () => assert.fail('there are no headers to look at')
    spliceBatch(
      viewOf(batchOf([plainRecord(1)])),
      { codec: Codec.none, fromOffset: 0, bytesBehind: 0, header: offsetHeader, isLooped },
      sink
    )
    assert.equal(sink.builders[0]!.recordCount, 1)
  })
})

const offsetHeader: OffsetHeader = { encode: sourceOffset => encodeHeaders([markOf(sourceOffset)]) }

function markOf(sourceOffset: number) {
  return { key: MARK, value: Buffer.from(`${sourceOffset}`) }
}

/** Records as a shop may write them, in batches of so many: much repeats, and some have headers. */
function orders(seed: number, batches: readonly number[]): PlainRecord[][] {
  const random = new SeededRandom(seed)
  const digits = (count: number) => String(Math.floor(random.next() * 10 ** count))
  let offset = 0
  return batches.map(count =>
    Array.from({ length: count }, () => {
      const order = `{"order":"${digits(9)}${digits(9)}","customer":{"id":${digits(6)},"tier":"gold"},"total":${digits(4)},"currency":"EUR"}`
      return plainRecord(offset++, {
        timestamp: 1_700_000_000_000n + BigInt(digits(3)),
        key: random.next() < 0.3 ? null : Buffer.from(digits(5)),
        value: random.next() < 0.1 ? null : Buffer.from(order.repeat(1 + (Number(digits(1)) % 4))),
        headers: random.next() < 0.7 ? [] : [{ key: 'trace-id', value: Buffer.from(digits(8)) }]
      })
    })
  )
}

function gzipped(records: readonly PlainRecord[]): Buffer {
  return encodeBatch(records, batchFields(records, { attributes: Codec.gzip }), plain => gzipSync(plain))
}

function copyOf({ offset, ...record }: PlainRecord, { appendTimestamp }: SourceBatch): Copy {
  return { ...record, timestamp: appendTimestamp ?? record.timestamp, headers: [...record.headers, markOf(offset)] }
}

/** Splicing knows a record by its header bytes alone when it asks whether it is looped; several may have the same. */
function recordsByHeaders(log: readonly SourceBatch[]): Map<string, PlainRecord[]> {
  return Map.groupBy(
    log.flatMap(({ records }) => records),
    headersKey
  )
}

function headersKey({ headers }: PlainRecord): string {
  return `${headers.length} ${encodeHeaders(headers).toString('latin1')}`
}

/** Checks what a broker would refuse and what both decoders must agree on; returns all records in order. */
function assertBatches(sink: LimitedSink, bytesMax: number): Copy[] {
  const uncompressedBytes = sink.builders.map(builder => builder.length)
  let nextSequence = 0
  return sink.seal().flatMap((bytes, index) => {
    const builder = sink.builders[index]!
    const { fields, records } = decodeBatch(bytes, plainDecompress)
    const timestamps = records.map(record => record.timestamp)
    assert.deepEqual(
      fields,
      batchFields(records, {
        baseOffset: 0,
        leaderEpoch: -1,
        attributes: builder.codec,
        lastOffsetDelta: records.length - 1,
        baseTimestamp: timestamps[0]!,
        producerId: 4_000n,
        producerEpoch: 1,
        baseSequence: nextSequence
      })
    )
    nextSequence += records.length
    assert.deepEqual(
      records.map(record => record.offset),
      records.map((_, i) => i)
    )
    assert.ok(records.length === 1 || uncompressedBytes[index]! <= bytesMax, 'within the limit')
    assert.deepEqual(libraryDecode(bytes), records)
    assert.deepEqual(runsOf(builder.timestamps, builder.timestampCounts), timestamps)
    return records.map(({ offset: _, ...copy }) => copy)
  })
}

function runsOf(values: readonly number[], counts: readonly number[]): bigint[] {
  return values.flatMap((value, i) => Array<bigint>(counts[i]!).fill(BigInt(value)))
}

function spliceAll(log: readonly Buffer[], sink: LimitedSink, codec: Codec = Codec.none): void {
  for (const batch of log) {
    spliceBatch(
      viewOf(batch),
      { codec, fromOffset: 0, bytesBehind: 0, header: offsetHeader, isLooped: () => false },
      sink
    )
  }
}

function viewOf(batch: Buffer): BatchView {
  return new BatchView(batch, 0, batch.length)
}

function batchOf(records: readonly PlainRecord[], given: Parameters<typeof batchFields>[1] = {}): Buffer {
  return encodeBatch(records, batchFields(records, given))
}

function plainRecord(offset: number, given: Partial<PlainRecord> = {}): PlainRecord {
  return { attributes: 0, timestamp: 1_000n, offset, key: null, value: Buffer.from('value'), headers: [], ...given }
}
