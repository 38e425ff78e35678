import assert from 'node:assert/strict'
import fc from 'fast-check'
import { findEnd } from '../../../src/destination/find-end.ts'
import { ProvenanceReader } from '../../../src/rewrite/provenance.ts'
import { COMPRESSORS } from '../records/support/plain-codecs.ts'
import {
  ATTRIBUTE,
  batchFields,
  encodeBatch,
  type Header,
  type PlainRecord,
  sealRaw
} from '../records/support/records.ts'
import { DESTINATION, FakeDestination, type LoggedBatch } from './support/fake-destination.ts'

const SIGNAL = new AbortController().signal
const origin = new ProvenanceReader('east', 'orders', 3)

/** What a record of the destination's log is to us. */
type RecordKind = 'own' | 'other-partition' | 'without-provenance'

type Written =
  | {
      readonly kind: 'data'
      readonly records: readonly RecordKind[]
      readonly compressor: number
      readonly holes: boolean
    }
  | { readonly kind: 'marker' }
  | { readonly kind: 'emptied'; readonly offsets: number }
  /** Compaction has left nothing. */
  | { readonly kind: 'hole'; readonly offsets: number }

const foreign = fc.constantFrom<RecordKind>('other-partition', 'without-provenance')
const anyKind = fc.constantFrom<RecordKind>('own', 'own', 'other-partition', 'without-provenance')
const data = (kind: fc.Arbitrary<RecordKind>) =>
  fc.record({
    kind: fc.constant('data' as const),
    records: fc.array(kind, { minLength: 1, maxLength: 30 }),
    compressor: fc.nat({ max: COMPRESSORS.length - 1 }),
    holes: fc.boolean()
  })
const written = (kind: fc.Arbitrary<RecordKind>): fc.Arbitrary<Written> =>
  fc.oneof(
    { weight: 5, arbitrary: data(kind) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('marker' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('emptied' as const), offsets: fc.integer({ min: 1, max: 40 }) })
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('hole' as const), offsets: fc.integer({ min: 1, max: 60 }) })
    }
  )

describe('finding the end', () => {
  it('finds the newest record of ours above what progress covers, whatever else is in the log', async () => {
    const aLog = fc.record({
      firstOffset: fc.constantFrom(0, 7, 2 ** 40),
      before: fc.array(written(anyKind), { maxLength: 12 }),
      /** Under the identity policy others write to the same topic; here behind all of ours. */
      behind: fc.array(written(foreign), { maxLength: 12 }),
      meanwhile: fc.array(written(foreign), { maxLength: 3 }),
      /** How much retention has taken, and how far progress goes, as parts of the log. */
      deleted: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      covered: fc.option(fc.double({ min: 0, max: 1.2, noNaN: true })),
      answerBytes: fc.constantFrom(1, 300, 2_000, 1_000_000)
    })
    await fc.assert(
      fc.asyncProperty(aLog, async ({ firstOffset, before, behind, meanwhile, deleted, covered, answerBytes }) => {
        const log = new WrittenLog(firstOffset)
        for (const each of [...before, ...behind]) log.write(each)
        const logEnd = log.nextOffset
        for (const each of meanwhile) log.write(each)
        const offsetAt = (part: number) => firstOffset + Math.floor(part * (logEnd - firstOffset))
        const logStart = deleted === null ? firstOffset : offsetAt(deleted)
        const coveredOffset = covered === null ? -1 : offsetAt(covered) - 1
        const stored = log.batches.filter(({ lastOffset }) => lastOffset >= logStart)
        const destination = new FakeDestination(stored, logStart, logEnd, answerBytes)
        const end = await findEnd(destination.cluster, DESTINATION, origin, coveredOffset, SIGNAL)
        assert.deepEqual(end, log.newestOwn(logStart, coveredOffset < logEnd ? coveredOffset : -1))
        assert.equal(destination.held, 0, 'all memory is given back')
      }),
      { numRuns: 300 }
    )
  })

  it('reads once where the newest record lies right before the fence’s marker, however long the log', async () => {
    const log = new WrittenLog(0)
    for (let batch = 0; batch < 500; batch++)
      log.write({ kind: 'data', records: Array(20).fill('own'), compressor: 0, holes: false })
    log.write({ kind: 'marker' })
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    const end = await findEnd(destination.cluster, DESTINATION, origin, -1, SIGNAL)
    assert.deepEqual(end, { sourceOffset: log.newestOwn(0, -1)!.sourceOffset, destinationOffset: 9_999 })
    assert.equal(destination.fetches, 1)
  })

  it('asks for nothing where the log is empty or progress covers all of it', async () => {
    const log = new WrittenLog(0)
    log.write({ kind: 'data', records: ['own', 'own'], compressor: 0, holes: false })
    for (const [batches, logStart, logEnd, covered] of [
      [[], 0, 0, -1],
      [[], 9, 9, -1],
      [log.batches, 0, 2, 1]
    ] as const) {
      const destination = new FakeDestination(batches, logStart, logEnd, 1_000)
      assert.equal(await findEnd(destination.cluster, DESTINATION, origin, covered, SIGNAL), undefined)
      assert.equal(destination.fetches, 0)
    }
  })

  it('refuses a corrupt batch instead of passing over what may be the newest record', async () => {
    // In its records, in the bit that makes it a marker, and in the number that says where it ends.
    for (const [at, bits] of [
      [70, 1],
      [22, 0x20],
      [23, 0x80]
    ] as const) {
      const log = new WrittenLog(0)
      log.write({ kind: 'data', records: ['own'], compressor: 0, holes: false })
      log.write({ kind: 'data', records: ['own'], compressor: 0, holes: false })
      log.batches[1]!.bytes[at]! ^= bits
      const destination = new FakeDestination(log.batches, 0, 2, 1_000)
      await assert.rejects(findEnd(destination.cluster, DESTINATION, origin, -1, SIGNAL), { code: 'CORRUPT_BATCH' })
      assert.equal(destination.held, 0)
    }
  })
})

/** A destination partition whose records of ours carry source offsets that grow, with gaps. */
class WrittenLog {
  readonly batches: LoggedBatch[] = []
  readonly #own: { sourceOffset: number; destinationOffset: number }[] = []
  nextOffset: number

  constructor(firstOffset: number) {
    this.nextOffset = firstOffset
  }

  newestOwn(logStart: number, coveredOffset: number) {
    return this.#own.findLast(
      ({ destinationOffset }) => destinationOffset >= logStart && destinationOffset > coveredOffset
    )
  }

  write(what: Written): void {
    const baseOffset = this.nextOffset
    switch (what.kind) {
      case 'hole':
        this.nextOffset += what.offsets
        return
      case 'emptied': {
        this.nextOffset += what.offsets
        const fields = { ...batchFields([], { baseOffset }), lastOffsetDelta: what.offsets - 1 }
        this.#store(sealRaw(0, Buffer.alloc(0), fields))
        return
      }
      case 'marker': {
        const records = [this.#record([], Buffer.from([0, 0, 0, 0]))]
        this.#store(
          encodeBatch(records, batchFields(records, { attributes: ATTRIBUTE.control | ATTRIBUTE.transactional }))
        )
        return
      }
      case 'data': {
        const records = what.records.map((kind, index) => {
          if (what.holes && index % 3 === 1) this.nextOffset++
          return this.#recordOf(kind)
        })
        const { codec, compress } = COMPRESSORS[what.compressor]!
        const fields = batchFields(records, {
          baseOffset,
          lastOffsetDelta: this.nextOffset - 1 - baseOffset,
          attributes: codec
        })
        this.#store(encodeBatch(records, fields, compress))
      }
    }
  }

  #recordOf(kind: RecordKind): PlainRecord {
    if (kind === 'without-provenance') return this.#record([{ key: 'trace-id', value: null }])
    const sourceOffset = 1_000 + this.#own.length * 3
    const partition = kind === 'own' ? 3 : 2
    if (kind === 'own') this.#own.push({ sourceOffset, destinationOffset: this.nextOffset })
    return this.#record([{ key: 'farlog.origin', value: Buffer.from(`east/orders/${partition}/${sourceOffset}`) }])
  }

  #record(headers: Header[], key: Buffer | null = null): PlainRecord {
    return { attributes: 0, timestamp: 1_000n, offset: this.nextOffset++, key, value: Buffer.from('value'), headers }
  }

  #store(bytes: Buffer): void {
    this.batches.push({ lastOffset: this.nextOffset - 1, bytes })
  }
}
