/**
 * A source partition with transactions, as a broker stores it and as it answers fetches under read_committed: a log is made
 * of what interleaved producers do, and an answer has whole batches from the one that holds the fetch offset on, the last one
 * cut anywhere, with the aborted transactions that touch them.
 */
import fc from 'fast-check'
import type { AbortedTransaction } from '../../../../src/rewrite/rewriter.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type PlainRecord, sealRaw } from '../../records/support/records.ts'

export type ProducerAct =
  /** Some records, in the producer's transaction; the first ones open it. */
  | { readonly kind: 'send'; readonly producer: number; readonly records: number; readonly hole: number }
  /** Some records outside of any transaction. */
  | { readonly kind: 'send-plainly'; readonly producer: number; readonly records: number; readonly hole: number }
  /** The same, but compaction has taken all the records since. */
  | { readonly kind: 'send-compacted'; readonly producer: number; readonly records: number }
  | { readonly kind: 'end'; readonly producer: number; readonly commit: boolean }

const aProducer = fc.nat({ max: 2 })
const records = fc.integer({ min: 1, max: 4 })
const hole = fc.constantFrom(0, 0, 2)

/** What three producers do in turn. */
export const producerActs: fc.Arbitrary<ProducerAct[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), producer: aProducer, records, hole }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('send-plainly' as const), producer: aProducer, records, hole })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('send-compacted' as const), producer: aProducer, records }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('end' as const), producer: aProducer, commit: fc.boolean() })
    }
  ),
  { maxLength: 40, size: 'max' }
)

interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Buffer
  /** Of data: which producer's transaction it is part of. */
  readonly transaction: Transaction | undefined
  readonly records: readonly PlainRecord[]
}

interface Transaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of its marker; `undefined` while it is open. */
  lastOffset: number | undefined
  isAborted: boolean
}

/** A Fetch response's part of this partition. */
export interface Answer {
  readonly records: Buffer
  readonly abortedTransactions: readonly AbortedTransaction[]
}

export class TransactionalLog {
  readonly #batches: StoredBatch[] = []
  readonly #transactions: Transaction[] = []
  #nextOffset: number

  constructor(firstOffset: number, acts: readonly ProducerAct[]) {
    this.#nextOffset = firstOffset
    for (const act of acts) this.#do(act)
  }

  /** The first offset of an open transaction, or the end of the log. */
  get lastStableOffset(): number {
    return Math.min(this.#nextOffset, ...this.#transactions.filter(isOpen).map(({ firstOffset }) => firstOffset))
  }

  /** Records that a reader of committed records sees from this offset on. */
  committedFrom(fetchOffset: number): PlainRecord[] {
    return this.#batches
      .filter(({ lastOffset, transaction }) => lastOffset < this.lastStableOffset && transaction?.isAborted !== true)
      .flatMap(batch => batch.records.filter(({ offset }) => offset >= fetchOffset))
  }

  /** The answer to a fetch; `bytesMax` cuts it, but not within its first batch. */
  fetch(fetchOffset: number, bytesMax: number): Answer {
    const stable = this.#batches.filter(({ lastOffset }) => lastOffset < this.lastStableOffset)
    const wanted = stable.filter(({ lastOffset }) => lastOffset >= fetchOffset).map(({ bytes }) => bytes)
    const upTo = this.#offsetAtBytes(stable, fetchOffset, bytesMax)
    return {
      records: Buffer.concat(wanted).subarray(0, Math.max(bytesMax, wanted[0]?.length ?? 0)),
      // In the order in which they ended, as the broker's index of aborted transactions has them.
      abortedTransactions: this.#transactions
        .filter(
          ({ isAborted, firstOffset, lastOffset }) => isAborted && lastOffset! >= fetchOffset && firstOffset < upTo
        )
        .toSorted((a, b) => a.lastOffset! - b.lastOffset!)
        .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    }
  }

  #offsetAtBytes(stable: readonly StoredBatch[], fetchOffset: number, bytesMax: number): number {
    let bytes = 0
    for (const batch of stable) {
      if (batch.lastOffset < fetchOffset) continue
      bytes += batch.bytes.length
      if (bytes >= bytesMax) return batch.lastOffset + 1
    }
    return this.lastStableOffset
  }

  #do(act: ProducerAct): void {
    const producerId = 100 + act.producer
    const open = this.#transactions.find(each => each.producerId === producerId && isOpen(each))
    switch (act.kind) {
      case 'send': {
        const transaction = open ?? {
          producerId,
          firstOffset: this.#nextOffset,
          lastOffset: undefined,
          isAborted: false
        }
        if (open === undefined) this.#transactions.push(transaction)
        this.#append(producerId, act.records, act.hole, transaction)
        break
      }
      case 'send-plainly':
        this.#append(producerId, act.records, act.hole, undefined)
        break
      case 'send-compacted':
        this.#store(
          sealRaw(0, Buffer.alloc(0), {
            ...batchFields([], { baseOffset: this.#nextOffset, producerId: BigInt(producerId) }),
            lastOffsetDelta: act.records - 1
          }),
          act.records,
          [],
          undefined
        )
        break
      case 'end':
        if (open !== undefined) this.#end(open, act.commit)
    }
  }

  #append(producerId: number, count: number, holeBehind: number, transaction: Transaction | undefined): void {
    const records = Array.from({ length: count }, (_, i): PlainRecord => {
      const offset = this.#nextOffset + i
      return {
        attributes: 0,
        timestamp: 1_000n,
        offset,
        key: null,
        value: Buffer.from(`record ${offset}`),
        headers: []
      }
    })
    const fields = batchFields(records, {
      lastOffsetDelta: count - 1 + holeBehind,
      attributes: transaction === undefined ? 0 : ATTRIBUTE.transactional,
      producerId: BigInt(producerId)
    })
    this.#store(encodeBatch(records, fields), count + holeBehind, records, transaction)
  }

  #end(transaction: Transaction, commit: boolean): void {
    const marker: PlainRecord = {
      attributes: 0,
      timestamp: 1_000n,
      offset: this.#nextOffset,
      key: Buffer.from([0, 0, 0, commit ? 1 : 0]),
      value: Buffer.alloc(6),
      headers: []
    }
    const fields = batchFields([marker], {
      attributes: ATTRIBUTE.transactional | ATTRIBUTE.control,
      producerId: BigInt(transaction.producerId)
    })
    transaction.lastOffset = this.#nextOffset
    transaction.isAborted = !commit
    this.#store(encodeBatch([marker], fields), 1, [], undefined)
  }

  #store(bytes: Buffer, offsets: number, records: readonly PlainRecord[], transaction: Transaction | undefined): void {
    const baseOffset = this.#nextOffset
    this.#nextOffset += offsets
    this.#batches.push({ baseOffset, lastOffset: this.#nextOffset - 1, bytes, transaction, records })
  }
}

function isOpen({ lastOffset }: Transaction): boolean {
  return lastOffset === undefined
}
