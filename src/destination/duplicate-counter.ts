/**
 * Counts the copies that somebody else wrote of the same source partition, where no fence keeps others out.
 *
 * The batches of who writes a partition alone stand one behind the other. Where the broker says that one does not, others
 * have written in between, and what is between is read: records of the same origin stand there twice, for they are copied by this
 * owner as well.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { RecordsError } from '../records/errors.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { readCopies } from './read-copies.ts'

export interface DuplicateCounterOptions {
  readonly destination: Cluster
  readonly partition: TopicPartition
  readonly origin: OriginReader
  /** Of the batches that are this owner's. */
  readonly producerId: number
  /** Where the newest copy stands that was there before this owner; `undefined`: there was none. */
  readonly newestOffset: number | undefined
  /** So many records more stand there twice. */
  found(records: number): void
}

const FETCH = { purpose: 'find-end', maxBytes: 1024 * 1024, doing: 'reading what others wrote to' }
const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 30_000

/** Destination offsets from `start` to before `end`. */
interface OffsetRange {
  readonly start: number
  readonly end: number
}

export class DuplicateCounter {
  readonly #options: DuplicateCounterOptions
  readonly #closed = new AbortController()
  /** Behind the newest record that is known to be this owner's. */
  #nextOffset: number | undefined
  /** What has to be read: from the first place where others wrote to the last, with all that is between. */
  #unread: OffsetRange | undefined
  #isReading = false

  constructor(options: DuplicateCounterOptions) {
    this.#options = options
    this.#nextOffset = options.newestOffset === undefined ? undefined : options.newestOffset + 1
  }

  /** A batch of this owner's stands there. */
  wrote(baseOffset: number, records: number): void {
    const expected = this.#nextOffset ?? baseOffset
    this.#nextOffset = Math.max(expected, baseOffset + records)
    if (baseOffset <= expected) return
    this.#unread = { start: this.#unread?.start ?? expected, end: baseOffset }
    if (!this.#isReading) void this.#read()
  }

  /** Nothing is read or told any more. */
  close(): void {
    this.#closed.abort()
  }

  async #read(): Promise<void> {
    const { signal } = this.#closed
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    this.#isReading = true
    while (this.#unread !== undefined && !signal.aborted) {
      const range = this.#unread
      this.#unread = undefined
      try {
        const duplicates = await this.#countIn(range)
        if (duplicates > 0 && !signal.aborted) this.#options.found(duplicates)
        backoff.reset()
      } catch (error) {
        if (signal.aborted) break
        if (!(error instanceof ClusterError || error instanceof RecordsError)) throw error
        // What is damaged, or deleted meanwhile, nobody knows to be there twice.
        if (error instanceof RecordsError || !error.retriable) continue
        this.#unread = { start: range.start, end: (this.#unread ?? range).end }
        await pause(backoff.nextMs(), signal)
      }
    }
    this.#isReading = false
  }

  async #countIn({ start, end }: OffsetRange): Promise<number> {
    const { destination, partition, origin } = this.#options
    const { signal } = this.#closed
    let duplicates = 0
    await readCopies({ destination, partition, origin, start, end, signal, ...FETCH }, ({ producerId }) => {
      if (producerId !== this.#options.producerId) duplicates++
    })
    return duplicates
  }
}
