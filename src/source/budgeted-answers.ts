import type { FetchResponse } from '../cluster/fetch.ts'
import { firstBatchBytes, lastBatchIn } from '../records/batch.ts'
import type { ByteBudget } from './byte-budget.ts'

/**
 * Where an answer holds fewer batches than this, too much of it may be the beginning of one that is fetched again. Across a long
 * way that is better than a single batch for each round trip.
 */
const BATCHES_MIN = 4
const BATCHES_MIN_FAR = 2
/** A broker sends one whole batch, however large, where it may send less than that. */
const ONE_BATCH = 1

/**
 * What one fetch loop asks for within a budget.
 *
 * A broker cuts an answer where it is full, in the midst of a batch, which then comes again whole. Where answers are small that
 * would be a good part of all that is paid for. So a multiple of a batch is asked for, as in a backlog most are alike; or a
 * single one, which is never cut.
 */
export class BudgetedAnswers {
  readonly #budget: ByteBudget
  readonly #isBacklog: boolean
  #isHungry = false
  /** Of the largest batch that the last answer held, or began with. */
  #batchBytes = 0

  constructor(budget: ByteBudget, isBacklog: boolean) {
    this.#budget = budget
    this.#isBacklog = isBacklog
  }

  /** How long until the next fetch; 0: now. */
  get waitMs(): number {
    return this.#budget.waitMs(this.#isBacklog)
  }

  /** How much the next answer may hold. */
  bytesMax(isFar: boolean): number {
    const bytesMax = this.#budget.answerBytesMax(this.#isBacklog)
    if (this.#batchBytes === 0) return bytesMax
    const batches = Math.floor(bytesMax / this.#batchBytes)
    return batches < (isFar ? BATCHES_MIN_FAR : BATCHES_MIN) ? ONE_BATCH : batches * this.#batchBytes
  }

  /** The loop begins to fetch: until an answer says otherwise, it has much to fetch. */
  begin(): void {
    this.#setHungry(true)
  }

  /** @param bytesMax what was asked for */
  received({ bytes, partitions }: FetchResponse, bytesMax: number): void {
    this.#budget.take(bytes, this.#isBacklog)
    const recordBytes = partitions.reduce((sum, { records }) => sum + records.length, 0)
    this.#setHungry(recordBytes > 0 && bytes >= bytesMax / 2)
    const batchBytes = partitions.reduce((most, { records }) => Math.max(most, largestBatchBytes(records)), 0)
    if (batchBytes > 0) this.#batchBytes = batchBytes
  }

  /** The loop fetches no more. */
  end(): void {
    this.#setHungry(false)
  }

  /** Whether there is more to fetch than one answer holds. */
  #setHungry(isHungry: boolean): void {
    if (isHungry === this.#isHungry) return
    this.#isHungry = isHungry
    this.#budget.countHungry(isHungry ? 1 : -1, this.#isBacklog)
  }
}

/** Of the last whole one and the one that is cut off behind it: neighbours are mostly alike. */
function largestBatchBytes(records: Buffer): number {
  try {
    const last = lastBatchIn(records)
    const cut = firstBatchBytes(records.subarray(last?.end ?? 0))
    return Math.max(cut, last === undefined ? 0 : last.end - last.start)
  } catch {
    // Whoever rewrites it says what is wrong with it.
    return 0
  }
}
