import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Codec } from '../../../src/records/codecs.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { type AbortedTransaction, type RewriteOptions, Rewriter } from '../../../src/rewrite/rewriter.ts'
import { aSourceLog } from '../records/support/arbitraries.ts'
import { isRecordsError } from '../records/support/is-records-error.ts'
import { LimitedSink } from '../records/support/limited-sink.ts'
import { COMPRESSORS, plainDecompress } from '../records/support/plain-codecs.ts'
import {
  ATTRIBUTE,
  batchFields,
  decodeBatch,
  encodeBatch,
  type Header,
  type PlainRecord,
  sealRaw
} from '../records/support/records.ts'
import { rewriteAll } from './rewrite-all.ts'
import { producerActs, TransactionalLog } from './support/transactional-log.ts'

const NO_ABORTS: readonly AbortedTransaction[] = []

describe('Rewriter', () => {
  it('copies what a reader of committed records sees, once, over any number of fetches', () => {
    const firstOffset = fc.constantFrom(0, 5, 2 ** 40)
    const steps = fc.constantFrom(1, 60, 1 << 20)
    const fetchBytes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(
        firstOffset,
        producerActs,
        fc.nat({ max: 12 }),
        fetchBytes,
        steps,
        (first, acts, skip, bytesMax, stepPlainBytes) => {
          const log = new TransactionalLog(first, acts)
          const rewriter = aRewriter({ stepPlainBytes })
          const sink = new LimitedSink(1_000)
          const start = Math.min(first + skip, log.lastStableOffset)
          let position = start
          let copied = 0
          for (let fetches = 0; position < log.lastStableOffset; fetches++) {
            const { records, abortedTransactions } = log.fetch(position, bytesMax[fetches % bytesMax.length]!)
            const result = rewriteAll(rewriter, records, position, abortedTransactions, sink)
            assert.ok(result.nextOffset > position, 'each fetch gets on')
            assert.equal(result.loopedRecords, 0)
            position = result.nextOffset
            copied += result.copiedRecords
          }
          const expected = log.committedFrom(start)
          assert.equal(position, log.lastStableOffset)
          assert.equal(copied, expected.length)
          assert.deepEqual(
            recordsIn(sink).map(({ value, headers }) => [value?.toString(), originsIn(headers)]),
            expected.map(({ value, offset }) => [value?.toString(), [`east/orders/3/${offset}`]])
          )
        }
      ),
      { numRuns: 300 }
    )
  })

  it('takes the aborted transactions in any order', () => {
    fc.assert(
      fc.property(producerActs, fc.infiniteStream(fc.nat()), (acts, ranks) => {
        const log = new TransactionalLog(0, acts)
        const { records, abortedTransactions } = log.fetch(0, 1 << 20)
        const shuffled = abortedTransactions
          .map(transaction => ({ transaction, rank: ranks.next().value }))
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ transaction }) => transaction)
        const sink = new LimitedSink(100_000)
        rewriteAll(aRewriter(), records, 0, shuffled, sink)
        assert.equal(recordsIn(sink).length, log.committedFrom(0).length)
      })
    )
  })

  it('leaves out an aborted transaction, but not the same producer’s committed ones before and behind it', () => {
    const log = new TransactionalLog(0, [
      { kind: 'send', producer: 0, records: 2, hole: 0 },
      { kind: 'end', producer: 0, commit: true },
      { kind: 'send', producer: 0, records: 2, hole: 0 },
      { kind: 'send', producer: 1, records: 1, hole: 0 },
      { kind: 'end', producer: 0, commit: false },
      { kind: 'send', producer: 0, records: 2, hole: 0 },
      { kind: 'end', producer: 1, commit: true },
      { kind: 'end', producer: 0, commit: true }
    ])
    const sink = new LimitedSink(100_000)
    const { records, abortedTransactions } = log.fetch(0, 1 << 20)
    const result = rewriteAll(aRewriter(), records, 0, abortedTransactions, sink)
    assert.deepEqual(result, { copiedRecords: 5, loopedRecords: 0, nextOffset: 11 })
    assert.deepEqual(
      recordsIn(sink).map(({ value }) => value?.toString()),
      [0, 1, 5, 7, 8].map(offset => `record ${offset}`)
    )
  })

  it('stops after each batch that has expanded to much, and says how far it has come', () => {
    const zstd = COMPRESSORS.find(({ codec }) => codec === Codec.zstd)!
    const batches = [0, 10, 20].map(first => {
      const records = [0, 1].map(i => plainRecord(first + i, { value: Buffer.alloc(3 << 20) }))
      const fields = batchFields(records, { attributes: Codec.zstd })
      return sealRaw(2, zstd.compress(encodeBatch(records, batchFields(records)).subarray(61)), fields)
    })
    const sink = new LimitedSink(1 << 30)
    const steps = aRewriter().rewrite(Buffer.concat(batches), 0, NO_ABORTS, sink)
    for (const nextOffset of [2, 12, 22]) {
      assert.deepEqual(steps.next().value, { copiedRecords: 2, loopedRecords: 0, nextOffset })
      assert.deepEqual(sink.builders.at(-1)!.lastSourceOffset, nextOffset - 1)
    }
    assert.deepEqual(steps.next().value, { copiedRecords: 0, loopedRecords: 0, nextOffset: 22 })
    assert.equal(steps.next().done, true)
  })

  it('leaves the position where it is when there is no whole batch', () => {
    const batch = batchOf([plainRecord(7)])
    for (const bytes of [Buffer.alloc(0), batch.subarray(0, 11), batch.subarray(0, -1)]) {
      const result = rewriteAll(aRewriter(), bytes, 7, NO_ABORTS, new LimitedSink(1_000))
      assert.deepEqual(result, { copiedRecords: 0, loopedRecords: 0, nextOffset: 7 })
    }
  })

  it('moves past a batch that compaction emptied, and past what it has seen already', () => {
    const log = new TransactionalLog(10, [
      { kind: 'send-plainly', producer: 0, records: 4, hole: 0 },
      { kind: 'send-compacted', producer: 0, records: 3 }
    ])
    const all = log.fetch(10, 1 << 20).records
    const sink = new LimitedSink(1_000)
    assert.equal(rewriteAll(aRewriter(), all, 12, NO_ABORTS, sink).nextOffset, 17)
    assert.deepEqual(
      recordsIn(sink).map(({ value }) => value?.toString()),
      ['record 12', 'record 13']
    )
    const none = new LimitedSink(1_000)
    assert.deepEqual(rewriteAll(aRewriter(), all, 17, NO_ABORTS, none), {
      copiedRecords: 0,
      loopedRecords: 0,
      nextOffset: 17
    })
    assert.equal(none.builders.length, 0)
    assert.equal(rewriteAll(aRewriter(), all, 40, NO_ABORTS, none).nextOffset, 40)
  })

  it('leaves out, and counts, what has been at the destination, on whichever hop', () => {
    const north = header('north/orders/0/1')
    const west = header('west/orders/0/2')
    const records = [[north], [west], [north, west], [west, north], []].map((headers, offset) =>
      plainRecord(offset, { headers })
    )
    const sink = new LimitedSink(1_000)
    const result = rewriteAll(aRewriter(), batchOf(records), 0, NO_ABORTS, sink)
    assert.deepEqual(result, { copiedRecords: 2, loopedRecords: 3, nextOffset: 5 })
    assert.deepEqual(
      recordsIn(sink).map(({ headers }) => originsIn(headers)),
      [['north/orders/0/1', 'east/orders/3/0'], ['east/orders/3/4']]
    )
  })

  it('keeps each batch’s codec, or uses the one that was chosen for all', () => {
    for (const { codec, compress } of COMPRESSORS) {
      const records = [plainRecord(0), plainRecord(1)]
      const bytes = encodeBatch(records, batchFields(records, { attributes: codec }), compress)
      const kept = new LimitedSink(1_000)
      rewriteAll(aRewriter(), bytes, 0, NO_ABORTS, kept)
      assert.deepEqual(
        kept.builders.map(builder => builder.codec),
        [codec]
      )
      for (const chosen of Object.values(Codec)) {
        const sink = new LimitedSink(1_000)
        rewriteAll(aRewriter({ codec: chosen }), bytes, 0, NO_ABORTS, sink)
        assert.deepEqual(
          sink.builders.map(builder => builder.codec),
          [chosen]
        )
        assert.equal(recordsIn(sink).length, 2)
      }
    }
  })

  it('refuses a corrupt batch after it has copied those before it, and nothing behind it', () => {
    const good = batchOf([plainRecord(0), plainRecord(1)])
    const corrupt = batchOf([plainRecord(2)])
    corrupt[corrupt.length - 1]! ^= 1
    const sink = new LimitedSink(1_000)
    const bytes = Buffer.concat([good, corrupt, batchOf([plainRecord(3)])])
    assert.throws(() => rewriteAll(aRewriter(), bytes, 0, NO_ABORTS, sink), isRecordsError('CORRUPT_BATCH', 2))
    assert.deepEqual(
      recordsIn(sink).map(({ headers }) => originsIn(headers)),
      [['east/orders/3/0'], ['east/orders/3/1']]
    )
  })

  it('refuses a corrupt batch also when it is a marker or part of an aborted transaction', () => {
    const record = plainRecord(4)
    for (const attributes of [ATTRIBUTE.control, ATTRIBUTE.transactional]) {
      const bytes = encodeBatch([record], batchFields([record], { attributes, producerId: 7n }))
      bytes[40]! ^= 1
      const aborted = [{ producerId: 7, firstOffset: 0 }]
      const rewrite = () => rewriteAll(aRewriter(), bytes, 0, aborted, new LimitedSink(1_000))
      assert.throws(rewrite, isRecordsError('CORRUPT_BATCH', 4))
    }
  })

  it('refuses a corrupt batch also when what is damaged says that it lies before the position', () => {
    const batch = batchOf([plainRecord(0), plainRecord(1)])
    batch[23]! ^= 0x80
    const rewrite = () => rewriteAll(aRewriter(), batch, 0, NO_ABORTS, new LimitedSink(1_000))
    assert.throws(rewrite, isRecordsError('CORRUPT_BATCH', 0))
  })

  it('throws nothing but RecordsError, whatever bytes it is given', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(aSourceLog, changes, fc.boolean(), (log, where, isResealed) => {
        const bytes = Buffer.concat(
          log.map(({ records, compressor }) => {
            const fields = batchFields(records, { attributes: compressor.codec })
            const batch = encodeBatch(records, fields)
            for (const [at, byte] of where) batch[61 + (at % (batch.length - 61))] = byte
            return isResealed ? sealRaw(records.length, compressor.compress(batch.subarray(61)), fields) : batch
          })
        )
        if (!isResealed) for (const [at, byte] of where) bytes[at % bytes.length] = byte
        try {
          rewriteAll(aRewriter(), bytes, log[0]!.baseOffset, NO_ABORTS, new LimitedSink(500))
        } catch (error) {
          if (!(error instanceof RecordsError)) throw error
        }
      }),
      { numRuns: 300 }
    )
  })
})

function aRewriter(given: Partial<RewriteOptions> = {}): Rewriter {
  return new Rewriter({
    sourceAlias: 'east',
    destinationAlias: 'west',
    topic: 'orders',
    partition: 3,
    codec: undefined,
    ...given
  })
}

function recordsIn(sink: LimitedSink): PlainRecord[] {
  return sink.seal().flatMap(bytes => decodeBatch(bytes, plainDecompress).records)
}

function originsIn(headers: readonly Header[]): string[] {
  return headers.filter(({ key }) => key === 'farlog.origin').map(({ value }) => String(value))
}

function header(origin: string): Header {
  return { key: 'farlog.origin', value: Buffer.from(origin) }
}

function batchOf(records: readonly PlainRecord[]): Buffer {
  return encodeBatch(records, batchFields(records))
}

function plainRecord(offset: number, given: Partial<PlainRecord> = {}): PlainRecord {
  return { attributes: 0, timestamp: 1_000n, offset, key: null, value: Buffer.from('value'), headers: [], ...given }
}
