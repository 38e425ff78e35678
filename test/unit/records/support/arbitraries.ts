/** Random records and batches, with everything in them that Kafka allows and real logs have. */
import fc from 'fast-check'
import { COMPRESSORS, type Compressor } from './plain-codecs.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type Header, type PlainRecord } from './records.ts'

/** Far enough; what lies beyond has a test of its own. */
const TIMESTAMP_MAX = 2n ** 52n - 1n
const NOW = 1_790_000_000_000n

/** -1 (none), 0, around now, out of order, far in the future. */
const aTimestamp: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(-1n, 0n, TIMESTAMP_MAX) },
  { weight: 6, arbitrary: fc.bigInt({ min: NOW - 200_000_000n, max: NOW + 200_000_000n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: TIMESTAMP_MAX }) }
)

const shortBytes = fc.uint8Array({ maxLength: 12 }).map(bytes => Buffer.from(bytes))
/** Long enough for lengths of two bytes, and for bulk copies. */
const longBytes = fc
  .record({ seed: fc.uint8Array({ minLength: 1, maxLength: 8 }), length: fc.integer({ min: 30, max: 700 }) })
  .map(({ seed, length }) => Buffer.alloc(length, seed))

/** `null`, empty, short or long. */
const someBytes: fc.Arbitrary<Buffer | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 4, arbitrary: shortBytes },
  { weight: 1, arbitrary: longBytes }
)

/** Few names, so that duplicates are frequent. */
const aHeader: fc.Arbitrary<Header> = fc
  .tuple(fc.oneof(fc.constantFrom('', 'a', 'trace-id', 'farlog', 'ключ'), fc.string({ maxLength: 6 })), someBytes)
  .map(([key, value]) => ({ key, value }))
const someHeaders = fc.oneof(
  { weight: 15, arbitrary: fc.constant<Header[]>([]) },
  { weight: 15, arbitrary: fc.array(aHeader, { maxLength: 3 }) },
  // 63 headers and one more take a count of two bytes.
  {
    weight: 1,
    arbitrary: fc.tuple(aHeader, fc.constantFrom(62, 63, 64)).map(([header, n]) => Array<Header>(n).fill(header))
  }
)

/** A record without its place in the log. */
export type LooseRecord = Omit<PlainRecord, 'offset'>

/** Any record; its attributes are nearly always 0, as Kafka has no use for them yet. */
const aRecord: fc.Arbitrary<LooseRecord> = fc.record({
  attributes: fc.oneof(
    { weight: 9, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -128, max: 127 }) }
  ),
  timestamp: aTimestamp,
  key: someBytes,
  value: someBytes,
  headers: someHeaders
})

/** One batch as a source log holds it. */
export interface SourceBatch {
  readonly records: readonly PlainRecord[]
  readonly compressor: Compressor
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: bigint
  readonly leaderEpoch: number
  /** Set under log append time. */
  readonly appendTimestamp: bigint | undefined
  readonly bytes: Buffer
}

const aBatchShape = fc.record({
  compressor: fc.constantFrom(...COMPRESSORS),
  records: fc.array(fc.record({ record: aRecord, hole: fc.constantFrom(0, 0, 0, 0, 1, 90) }), {
    minLength: 1,
    maxLength: 12
  }),
  /** Offsets that compaction took away: before the first record (`baseOffset` stays) and behind the last one. */
  holeBefore: fc.constantFrom(0, 0, 3),
  holeBehind: fc.constantFrom(0, 0, 2, 100),
  gapBefore: fc.constantFrom(0, 0, 1, 7),
  bits: fc.constantFrom(0, 0, ATTRIBUTE.transactional, ATTRIBUTE.deleteHorizon),
  appendTimestamp: fc.option(fc.bigInt({ min: 0n, max: TIMESTAMP_MAX }), { freq: 4 }).map(time => time ?? undefined),
  /** The base is the first record's, unless the delete horizon stands in its place. */
  deleteHorizon: fc.bigInt({ min: 0n, max: NOW }),
  producerId: fc.bigInt({ min: -1n, max: 5_000n }),
  leaderEpoch: fc.nat({ max: 9 })
})

/** Some batches of one partition, one behind the other. */
export const aSourceLog: fc.Arbitrary<readonly SourceBatch[]> = fc
  .record({
    firstOffset: fc.oneof(fc.nat({ max: 30 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100_000 })),
    shapes: fc.array(aBatchShape, { minLength: 1, maxLength: 4 })
  })
  .map(({ firstOffset, shapes }) => {
    let nextOffset = firstOffset
    return shapes.map(shape => {
      const baseOffset = nextOffset + shape.gapBefore
      nextOffset = baseOffset + shape.holeBefore
      const records = shape.records.map(({ record, hole }) => {
        nextOffset += hole
        return { ...record, offset: nextOffset++ }
      })
      nextOffset += shape.holeBehind
      const { compressor, bits, producerId, leaderEpoch, appendTimestamp } = shape
      const fields = batchFields(records, {
        baseOffset,
        lastOffsetDelta: nextOffset - 1 - baseOffset,
        attributes: compressor.codec | bits | (appendTimestamp === undefined ? 0 : ATTRIBUTE.logAppendTime),
        producerId,
        leaderEpoch,
        ...(bits === ATTRIBUTE.deleteHorizon && { baseTimestamp: shape.deleteHorizon }),
        ...(appendTimestamp !== undefined && { maxTimestamp: appendTimestamp })
      })
      const bytes = encodeBatch(records, fields, plain => compressor.compress(plain))
      return {
        records,
        compressor,
        baseOffset,
        lastOffset: nextOffset - 1,
        producerId,
        leaderEpoch,
        appendTimestamp,
        bytes
      }
    })
  })
