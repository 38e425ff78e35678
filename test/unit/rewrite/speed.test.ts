import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { PartitionWriter } from '../../../src/destination/partition-writer.ts'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { Rewriter } from '../../../src/rewrite/rewriter.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { batchFields, encodeBatch, type PlainRecord } from '../records/support/records.ts'
import { rewriteAll } from './rewrite-all.ts'

/** An answer of a fetch: about a megabyte. */
const FETCHED_BYTES = 1 << 20
const BATCH_BYTES = 128 * 1024
const ROUNDS = 40

/**
 * What is measured is a multiple of a loop of plain JavaScript over the same bytes, so that slow machines are no
 * failure; the best of many rounds, so that busy ones are none. The limits are eight times what it takes and more: they are
 * there to catch the day the rewrite falls off its fast path, not the noise.
 */
describe('speed of the rewrite', function () {
  this.timeout(20_000)

  for (const { valueBytes, bytesReadMax } of [
    { valueBytes: 1_000, bytesReadMax: 5 },
    { valueBytes: 100, bytesReadMax: 20 }
  ]) {
    it(`takes less time for records of ${valueBytes} B than it takes to read their bytes ${bytesReadMax} times`, () => {
      const { bytes, records } = fetched(valueBytes)
      const partition = new MeasuredPartition()
      const [readNs, rewriteNs] = bestOf(
        ROUNDS,
        () => sumOf(bytes),
        () => partition.mirror(bytes)
      )
      assert.equal(partition.copiedRecords, records * ROUNDS)
      const perRecord = (rewriteNs / records).toFixed(0)
      const megabytesPerSecond = ((bytes.length * 1_000) / rewriteNs).toFixed(0)
      console.log(
        `      ${perRecord} ns per record, ${megabytesPerSecond} MB/s, ${(rewriteNs / readNs).toFixed(2)} times the reading`
      )
      assert.ok(rewriteNs < readNs * bytesReadMax, `${rewriteNs} ns, and ${readNs} ns to read the bytes`)
    })
  }

  it('takes less time for gzip than compressing the same bytes does', () => {
    const { bytes, records, plain } = fetchedGzip()
    const partition = new MeasuredPartition()
    const [compressNs, rewriteNs] = bestOf(
      ROUNDS / 2,
      () => gzipSync(plain),
      () => partition.mirror(bytes)
    )
    const share = rewriteNs / compressNs
    console.log(`      ${(rewriteNs / records).toFixed(0)} ns per record, ${share.toFixed(2)} times the compressing`)
    assert.ok(share < 0.9, `${rewriteNs} ns, and ${compressNs} ns to compress it`)
  })
})

/** From fetched bytes to sealed batches, acknowledged at once. */
class MeasuredPartition {
  copiedRecords = 0
  readonly #rewriter = new Rewriter({
    sourceAlias: 'east',
    destinationAlias: 'west',
    topic: 'orders',
    partition: 0,
    codec: undefined
  })
  readonly #writer = new PartitionWriter({
    topic: 'east.orders',
    partition: 0,
    identity: { producerId: 1, producerEpoch: 0 },
    batchBytesMax: 1_048_588,
    pool: new BufferPool(32 << 20),
    listener: { progressed() {}, acknowledged() {}, fenced() {}, failed() {} }
  })

  mirror(bytes: Buffer): void {
    const { copiedRecords, nextOffset } = rewriteAll(this.#rewriter, bytes, 0, [], this.#writer)
    this.copiedRecords += copiedRecords
    this.#writer.advance(nextOffset)
    for (let batch = this.#writer.take(); batch !== undefined; batch = this.#writer.take()) {
      this.#writer.settle(batch, 'NONE', null, 0)
    }
    assert.ok(this.#writer.isIdle)
  }
}

function fetched(valueBytes: number): { bytes: Buffer; records: number } {
  const batches: Buffer[] = []
  let offset = 0
  for (let size = 0; size < FETCHED_BYTES; ) {
    const records: PlainRecord[] = Array.from({ length: Math.floor(BATCH_BYTES / (valueBytes + 10)) }, (_, index) => ({
      attributes: 0,
      offset: offset + index,
      timestamp: 1_700_000_000_000n,
      key: null,
      value: randomBytes(valueBytes),
      headers: []
    }))
    const batch = encodeBatch(records, batchFields(records))
    batches.push(batch)
    size += batch.length
    offset += records.length
  }
  return { bytes: Buffer.concat(batches), records: offset }
}

/** Documents in gzip batches, as a producer makes them. */
function fetchedGzip(): { bytes: Buffer; records: number; plain: Buffer } {
  const random = new SeededRandom(1)
  const digits = (count: number) => String(Math.floor(random.next() * 10 ** count))
  const values: Buffer[] = []
  const batches = Array.from({ length: 8 }, (_, batch) => {
    const records: PlainRecord[] = Array.from({ length: 300 }, (_, index) => {
      const items = Array.from(
        { length: 4 },
        () => `{"sku":"SKU-${digits(7)}","quantity":${digits(1)},"currency":"EUR"}`
      )
      const value = Buffer.from(`{"order":"${digits(9)}${digits(9)}","customer":"${digits(8)}","items":[${items}]}`)
      values.push(value)
      return { attributes: 0, offset: batch * 300 + index, timestamp: 1n, key: null, value, headers: [] }
    })
    return encodeBatch(records, batchFields(records, { attributes: Codec.gzip }), gzipSync)
  })
  return { bytes: Buffer.concat(batches), records: values.length, plain: Buffer.concat(values) }
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i++) sum = (sum + bytes[i]!) | 0
  return sum
}

/** The least time that each took, in nanoseconds, of so many rounds in turn. */
function bestOf(rounds: number, one: () => unknown, other: () => unknown): [oneNs: number, otherNs: number] {
  let oneNs = Number.POSITIVE_INFINITY
  let otherNs = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    oneNs = Math.min(oneNs, nanosecondsOf(one))
    otherNs = Math.min(otherNs, nanosecondsOf(other))
  }
  return [oneNs, otherNs]
}

function nanosecondsOf(work: () => unknown): number {
  const began = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - began)
}
