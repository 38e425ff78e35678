import type { LoggedBatch } from '../../destination/support/fake-destination.ts'
import { COMPRESSORS } from '../../records/support/plain-codecs.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type PlainRecord, sealRaw } from '../../records/support/records.ts'

/** A copy as one who has read the whole log knows it. */
export interface KnownCopy {
  readonly sourceOffset: number
  readonly destinationOffset: number
}

export interface BatchOptions {
  /** Whether its writer had fenced the partition. */
  readonly isFenced?: boolean
  /** Index into the codecs. */
  readonly compressor?: number
  /** Of every three records compaction has taken the second. */
  readonly holes?: boolean
}

const FENCED_EPOCH = 7

/** The log of `east.orders-3` at the destination, as owners, others and the cleaner leave it. */
export class CopiedLog {
  readonly batches: LoggedBatch[] = []
  /** In the order in which they stand there. */
  readonly copies: KnownCopy[] = []
  /** Where records of others stand. */
  readonly others: number[] = []
  nextOffset: number

  constructor(firstOffset = 0) {
    this.nextOffset = firstOffset
  }

  /** One batch of copies. */
  copy(sourceOffsets: readonly number[], options: BatchOptions = {}): void {
    const { isFenced = true, holes = false } = options
    const baseOffset = this.nextOffset
    const records: PlainRecord[] = []
    for (const [index, sourceOffset] of sourceOffsets.entries()) {
      const offset = this.nextOffset++
      if (holes && index % 3 === 1) continue
      this.copies.push({ sourceOffset, destinationOffset: offset })
      records.push(record(offset, `east/orders/3/${sourceOffset}`))
    }
    this.#store(baseOffset, records, options, isFenced ? FENCED_EPOCH : 0)
  }

  /** Somebody else's records, and copies of another partition; under the identity policy they stand in between. */
  foreign(count: number, options: BatchOptions = {}): void {
    const baseOffset = this.nextOffset
    const records = Array.from({ length: count }, (_, index) =>
      record(this.nextOffset++, index % 2 === 0 ? undefined : `east/orders/2/${index}`)
    )
    this.others.push(...records.map(({ offset }) => offset))
    this.#store(baseOffset, records, options, 3)
  }

  /** What a fence leaves. */
  marker(): void {
    const offset = this.nextOffset++
    const records = [{ ...record(offset, undefined), key: Buffer.from([0, 0, 0, 0]) }]
    const fields = batchFields(records, { attributes: ATTRIBUTE.control | ATTRIBUTE.transactional })
    this.batches.push({ lastOffset: offset, bytes: encodeBatch(records, fields) })
  }

  /** Compaction has left nothing of these, or a batch without records. */
  hole(offsets: number, isBatchKept: boolean): void {
    const baseOffset = this.nextOffset
    this.nextOffset += offsets
    if (!isBatchKept) return
    const fields = { ...batchFields([], { baseOffset }), lastOffsetDelta: offsets - 1 }
    this.batches.push({ lastOffset: this.nextOffset - 1, bytes: sealRaw(0, Buffer.alloc(0), fields) })
  }

  /** What a full read finds. */
  firstFrom(sourceOffset: number, firstDestinationOffset: number): KnownCopy | undefined {
    return this.copies.find(
      copy => copy.destinationOffset >= firstDestinationOffset && copy.sourceOffset >= sourceOffset
    )
  }

  newest(firstDestinationOffset: number): KnownCopy | undefined {
    const newest = this.copies.at(-1)
    return newest && newest.destinationOffset >= firstDestinationOffset ? newest : undefined
  }

  #store(baseOffset: number, records: readonly PlainRecord[], options: BatchOptions, producerEpoch: number): void {
    const { codec, compress } = COMPRESSORS[options.compressor ?? 0]!
    const lastOffset = this.nextOffset - 1
    const fields = batchFields(records, {
      baseOffset,
      lastOffsetDelta: lastOffset - baseOffset,
      attributes: codec,
      producerId: 4_000n,
      producerEpoch
    })
    this.batches.push({ lastOffset, bytes: encodeBatch(records, fields, compress) })
  }
}

function record(offset: number, origin: string | undefined): PlainRecord {
  const headers = origin === undefined ? [] : [{ key: 'farlog.origin', value: Buffer.from(origin) }]
  return { attributes: 0, timestamp: 1_000n, offset, key: null, value: Buffer.from('value'), headers }
}
