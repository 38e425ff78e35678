import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BatchView, batchesIn } from '../../../src/records/batch.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { Rewriter } from '../../../src/rewrite/rewriter.ts'
import { rewriteAll } from '../rewrite/rewrite-all.ts'
import { LIBRDKAFKA_RECORDS, librdkafkaRecord } from './fixtures/librdkafka-records.ts'
import { libraryDecode } from './support/library-decoder.ts'
import { LimitedSink } from './support/limited-sink.ts'
import { plainDecompress } from './support/plain-codecs.ts'
import { ATTRIBUTE, decodeBatch, type PlainRecord } from './support/records.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')
/** As `capture.ts` fetched them from a broker. */
const captured = readdirSync(FIXTURES)
  .filter(file => file.endsWith('.records'))
  .map(file => ({ name: file.replace('.records', ''), bytes: readFileSync(join(FIXTURES, file)) }))

describe('batches that real producers wrote and a real broker sent', () => {
  it('are there for each compression of both producers', () => {
    const names = new Set(captured.map(({ name }) => name))
    for (const [codecName, codec] of Object.entries(Codec)) {
      for (const producer of ['java', 'librdkafka']) {
        const name = `${producer}-${codecName}`
        assert.ok(names.has(name), name)
        assert.ok(
          [...batchesIn(fixture(name))].every(batch => batch.codec === codec),
          name
        )
      }
    }
  })

  for (const { name, bytes } of captured) {
    it(`are copied record by record: ${name}`, () => {
      const aborted = name === 'java-transactions' ? abortedTransactions() : []
      const expected = committedRecords(bytes, aborted)
      for (const codec of [undefined, ...Object.values(Codec)]) {
        for (const bytesMax of [1_000, 1_000_000]) {
          const sink = new LimitedSink(bytesMax)
          const options = { sourceAlias: 'east', destinationAlias: 'west', topic: 'captured', partition: 0, codec }
          const result = rewriteAll(new Rewriter(options), bytes, 0, aborted, sink)
          assert.deepEqual(
            { copiedRecords: result.copiedRecords, loopedRecords: result.loopedRecords },
            { copiedRecords: expected.length, loopedRecords: 0 }
          )
          const batches = sink.seal()
          const copies = batches.flatMap(batch => decodeBatch(batch, plainDecompress).records)
          assert.deepEqual(copies.map(withoutOffset), expected.map(withOrigin).map(withoutOffset))
          assert.deepEqual(batches.flatMap(libraryDecode).map(withoutOffset), copies.map(withoutOffset))
        }
      }
    })
  }

  it('hold what was given to librdkafka', () => {
    for (const codecName of Object.keys(Codec)) {
      const written = Array.from({ length: LIBRDKAFKA_RECORDS }, (_, offset) => librdkafkaRecord(offset))
      assert.deepEqual(committedRecords(fixture(`librdkafka-${codecName}`), []), written, codecName)
    }
  })

  it('hold append times, transactions that were aborted, and holes left by compaction', () => {
    assert.ok([...batchesIn(fixture('java-append-time'))].every(batch => batch.isLogAppendTime))
    const transactional = [...batchesIn(fixture('java-transactions'))]
    assert.ok(transactional.some(batch => batch.isControl && batch.controlType === 0))
    assert.ok(transactional.some(batch => batch.isControl && batch.controlType === 1))
    assert.ok(abortedTransactions().length > 0)
    const compacted = [...batchesIn(fixture('librdkafka-compacted'))]
    assert.ok(compacted.every(batch => batch.recordCount < batch.lastOffset + 1 - batch.baseOffset))
    assert.ok(compacted.some(batch => (attributesOf(batch) & ATTRIBUTE.deleteHorizon) !== 0))
  })
})

/** By the plain decoder: what a reader of committed records sees. One producer wrote each fixture. */
function committedRecords(bytes: Buffer, aborted: readonly { readonly firstOffset: number }[]): PlainRecord[] {
  let openAborts = 0
  const upcoming = aborted.map(({ firstOffset }) => firstOffset)
  return [...batchesIn(bytes)].flatMap(view => {
    const { fields, records } = decodeBatch(bytes.subarray(view.start, view.end), plainDecompress)
    while (upcoming.length > 0 && upcoming[0]! <= view.lastOffset) {
      upcoming.shift()
      openAborts++
    }
    if ((fields.attributes & ATTRIBUTE.control) !== 0) {
      if (records[0]!.key!.readInt16BE(2) === 0) openAborts--
      return []
    }
    if (openAborts > 0) return []
    const isAppendTime = (fields.attributes & ATTRIBUTE.logAppendTime) !== 0
    return records.map(record => (isAppendTime ? { ...record, timestamp: fields.maxTimestamp } : record))
  })
}

function withOrigin(record: PlainRecord): PlainRecord {
  const origin = { key: 'farlog.origin', value: Buffer.from(`east/captured/0/${record.offset}`) }
  return { ...record, headers: [...record.headers, origin] }
}

function withoutOffset({ offset: _, ...record }: PlainRecord): Omit<PlainRecord, 'offset'> {
  return record
}

function attributesOf(batch: BatchView): number {
  return batch.bytes.readInt16BE(batch.start + 21)
}

function abortedTransactions(): { producerId: number; firstOffset: number }[] {
  return JSON.parse(readFileSync(join(FIXTURES, 'java-transactions.aborted.json'), 'utf8'))
}

function fixture(name: string): Buffer {
  return captured.find(each => each.name === name)!.bytes
}
