/**
 * The source partition's log: interleaved producers with and without transactions, aborted and committed, batches that
 * compaction has left holes in or nothing of, and leader epochs. It only grows: nothing is lost at the source.
 */

import type { SeededRandom } from '../support/seeded-random.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type PlainRecord, sealRaw } from '../unit/records/support/records.ts'

interface Transaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of its marker; `undefined` while it is open. */
  lastOffset: number | undefined
  isAborted: boolean
}

interface StoredBatch {
  readonly lastOffset: number
  readonly bytes: Buffer
  readonly records: readonly PlainRecord[]
  readonly transaction: Transaction | undefined
}

/** What a fetch of committed records gets. */
export interface SourceRead {
  readonly records: Buffer
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[]
}

const FIRST_PRODUCER_ID = 100
const PRODUCERS = 3
const HOLE_OFFSETS = [0, 0, 0, 1, 3]

export class SourceLog {
  /** What is to be copied, in order: all committed records below the last stable offset. */
  readonly committed: PlainRecord[] = []
  endOffset = 0
  lastStableOffset = 0
  leaderEpoch = 0
  /** Where the log ended when each leader took office, by epoch. */
  readonly #epochStarts = [0]
  readonly #random: SeededRandom
  readonly #timestampMs: () => number
  readonly #batches: StoredBatch[] = []
  readonly #open = new Map<number, Transaction>()
  readonly #transactions: Transaction[] = []
  /** How many batches lie below the last stable offset. */
  #stableBatches = 0

  constructor(random: SeededRandom, timestampMs: () => number) {
    this.#random = random
    this.#timestampMs = timestampMs
  }

  /** One producer does something. */
  act(): void {
    const random = this.#random
    const producerId = FIRST_PRODUCER_ID + random.integer(0, PRODUCERS - 1)
    const open = this.#open.get(producerId)
    if (open !== undefined && random.chance(0.6)) this.#end(open, random.chance(0.5))
    else if (open !== undefined || random.chance(0.25)) this.#send(producerId, open ?? this.#begin(producerId))
    else if (random.chance(0.08)) this.#storeCompacted(producerId)
    else this.#send(producerId, undefined)
    this.#advanceLastStable()
  }

  /** Another broker leads from now on. */
  elect(): void {
    this.leaderEpoch++
    this.#epochStarts.push(this.endOffset)
  }

  /** Where the records of a leader epoch end. */
  endOfEpoch(leaderEpoch: number): number {
    return this.#epochStarts[leaderEpoch + 1] ?? this.endOffset
  }

  /** Ends every transaction that is open. */
  finish(): void {
    for (const transaction of [...this.#open.values()]) this.#end(transaction, this.#random.chance(0.5))
    this.#advanceLastStable()
  }

  /** Whole batches of committed data from the one that holds the offset on; at least one, at most so many, the last perhaps cut. */
  read(fetchOffset: number, batchesMax: number): SourceRead {
    const stable = this.#batches.slice(0, this.#stableBatches)
    const wanted = stable.filter(({ lastOffset }) => lastOffset >= fetchOffset).slice(0, batchesMax)
    const upTo = wanted.at(-1)?.lastOffset ?? -1
    const records = Buffer.concat(wanted.map(({ bytes }) => bytes))
    const isCut = wanted.length > 1 && this.#random.chance(0.3)
    return {
      records: isCut ? records.subarray(0, records.length - 7) : records,
      abortedTransactions: this.#transactions.filter(
        ({ isAborted, firstOffset, lastOffset }) => isAborted && lastOffset! >= fetchOffset && firstOffset <= upTo
      )
    }
  }

  #begin(producerId: number): Transaction {
    const transaction = { producerId, firstOffset: this.endOffset, lastOffset: undefined, isAborted: false }
    this.#open.set(producerId, transaction)
    this.#transactions.push(transaction)
    return transaction
  }

  #send(producerId: number, transaction: Transaction | undefined): void {
    const count = this.#random.integer(1, 4)
    const holeBehind = this.#random.pick(HOLE_OFFSETS)
    const records = Array.from({ length: count }, (_, i): PlainRecord => {
      const offset = this.endOffset + i
      return {
        attributes: 0,
        timestamp: BigInt(this.#timestampMs()),
        offset,
        key: offset % 3 === 0 ? null : Buffer.from(`key ${offset % 5}`),
        value: offset % 7 === 0 ? null : Buffer.from(`value of ${offset}`),
        headers: offset % 4 === 0 ? [{ key: 'trace-id', value: Buffer.from([offset % 256]) }] : []
      }
    })
    const fields = batchFields(records, {
      lastOffsetDelta: count - 1 + holeBehind,
      attributes: transaction === undefined ? 0 : ATTRIBUTE.transactional,
      producerId: BigInt(producerId),
      leaderEpoch: this.leaderEpoch
    })
    this.#store(encodeBatch(records, fields), count + holeBehind, records, transaction)
  }

  /** A batch whose records compaction has all taken: its header stays. */
  #storeCompacted(producerId: number): void {
    const fields = batchFields([], {
      baseOffset: this.endOffset,
      producerId: BigInt(producerId),
      leaderEpoch: this.leaderEpoch,
      lastOffsetDelta: 1
    })
    this.#store(sealRaw(0, Buffer.alloc(0), fields), 2, [], undefined)
  }

  #end(transaction: Transaction, isAborted: boolean): void {
    transaction.lastOffset = this.endOffset
    transaction.isAborted = isAborted
    this.#open.delete(transaction.producerId)
    const bytes = markerBatch({
      offset: this.endOffset,
      isCommit: !isAborted,
      producerId: transaction.producerId,
      producerEpoch: 0,
      leaderEpoch: this.leaderEpoch
    })
    this.#store(bytes, 1, [], undefined)
  }

  #store(bytes: Buffer, offsets: number, records: readonly PlainRecord[], transaction: Transaction | undefined): void {
    this.endOffset += offsets
    this.#batches.push({ lastOffset: this.endOffset - 1, bytes, records, transaction })
  }

  #advanceLastStable(): void {
    let stable = this.endOffset
    for (const { firstOffset } of this.#open.values()) stable = Math.min(stable, firstOffset)
    this.lastStableOffset = stable
    for (; this.#stableBatches < this.#batches.length; this.#stableBatches++) {
      const { lastOffset, records, transaction } = this.#batches[this.#stableBatches]!
      if (lastOffset >= stable) return
      if (transaction?.isAborted !== true) this.committed.push(...records)
    }
  }
}

/** A transaction's end as both clusters write it. */
export function markerBatch(marker: {
  readonly offset: number
  readonly isCommit: boolean
  readonly producerId: number
  readonly producerEpoch: number
  readonly leaderEpoch: number
}): Buffer {
  const record: PlainRecord = {
    attributes: 0,
    timestamp: 1_000n,
    offset: marker.offset,
    key: Buffer.from([0, 0, 0, marker.isCommit ? 1 : 0]),
    value: Buffer.alloc(6),
    headers: []
  }
  const fields = batchFields([record], {
    attributes: ATTRIBUTE.transactional | ATTRIBUTE.control,
    producerId: BigInt(marker.producerId),
    producerEpoch: marker.producerEpoch,
    leaderEpoch: marker.leaderEpoch
  })
  return encodeBatch([record], fields)
}
