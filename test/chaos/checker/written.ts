import type { FaultsFound } from './faults-found.ts'
import { type NumberRange, NumberRanges } from './number-ranges.ts'
import type { SeenRecord } from './seen-record.ts'

/** A writer's books about one partition: it numbered its records 0, 1, 2, … */
export interface WrittenBook {
  readonly writer: string
  readonly topic: string
  readonly partition: number
  /** How many numbers it used. */
  readonly written: number
  readonly aborted: readonly NumberRange[]
  /** Failed, or their commit did: they may be there or not. */
  readonly uncertain: readonly NumberRange[]
}

/** How many records of a book were acknowledged, so that they have to be there. */
export function acknowledgedIn({ written, aborted, uncertain }: WrittenBook): number {
  const size = (ranges: readonly NumberRange[]) => ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
  return written - size(aborted) - size(uncertain)
}

/**
 * Judges the source by the books of its writers: all that was acknowledged is there and in order, and nothing that was
 * aborted. Where it is not, the run says nothing about farlog.
 *
 * Some of it may be there twice, which is Kafka's own doing: after a kill a leader remembers no more than a producer's last
 * batch. Where it had written several whose acknowledgements were lost, it calls the first one that comes again out of
 * order, and the producer begins a new epoch and writes all of them anew. To farlog these are records like any other.
 */
export class WrittenCheck {
  readonly #writers: Map<string, WriterCheck>
  readonly #found: FaultsFound

  /** @param compactedKeys how many keys the partition has where it is compacted, else 0 */
  constructor(books: readonly WrittenBook[], compactedKeys: number, found: FaultsFound) {
    this.#found = found
    this.#writers = new Map(books.map(book => [book.writer, new WriterCheck(book, compactedKeys, found)]))
  }

  /** How many records the writers wrote once more. */
  get writtenAgain(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.writtenAgain, 0)
  }

  /** The next record that a committed reader of the source sees. */
  seen(record: SeenRecord): void {
    const { writer, number } = parseId(record.id)
    const check = this.#writers.get(writer)
    if (check) check.seen(number, record)
    else this.#found.add('unsound', `source offset ${record.offset} has the id "${record.id}", which nobody wrote`)
  }

  /** Whether a record was written in a transaction that was aborted. */
  isAborted({ id }: SeenRecord): boolean {
    const { writer, number } = parseId(id)
    return this.#writers.get(writer)?.isAborted(number) ?? false
  }

  /** All has been seen. */
  end(): void {
    for (const check of this.#writers.values()) check.end()
  }
}

function parseId(id: string): { writer: string; number: number } {
  const slash = id.lastIndexOf('/')
  return { writer: id.slice(0, slash), number: Number(id.slice(slash + 1)) }
}

class WriterCheck {
  writtenAgain = 0
  readonly #book: WrittenBook
  readonly #compactedKeys: number
  readonly #found: FaultsFound
  readonly #aborted: NumberRanges
  readonly #uncertain: NumberRanges
  /** The number behind the last one seen. */
  #next = 0
  /** Where the partition is compacted: the last number seen of each key. */
  readonly #lastByKey = new Map<number, number>()

  constructor(book: WrittenBook, compactedKeys: number, found: FaultsFound) {
    this.#book = book
    this.#compactedKeys = compactedKeys
    this.#found = found
    this.#aborted = new NumberRanges(book.aborted)
    this.#uncertain = new NumberRanges(book.uncertain)
  }

  isAborted(number: number): boolean {
    return this.#aborted.has(number)
  }

  seen(number: number, { id, offset }: SeenRecord): void {
    if (this.#aborted.has(number)) this.#found.add('unsound', `source offset ${offset}: ${id} was aborted`)
    if (!(number < this.#book.written)) this.#found.add('unsound', `source offset ${offset}: ${id} was never written`)
    if (this.#compactedKeys > 0) this.#noteKey(number)
    if (number < this.#next) {
      this.writtenAgain++
      return
    }
    this.#passed(number)
    this.#next = number + 1
  }

  end(): void {
    this.#passed(this.#book.written)
    if (this.#compactedKeys > 0) this.#endOfCompacted()
  }

  /** Everything from the last one seen up to this number is not there. */
  #passed(number: number): void {
    if (this.#compactedKeys > 0) return
    const missing =
      number -
      this.#next -
      this.#aborted.countWithin(this.#next, number) -
      this.#uncertain.countWithin(this.#next, number)
    this.#found.add('unkept', `${this.#book.writer}/${this.#next} to ${number - 1}`, Math.max(0, missing))
  }

  #noteKey(number: number): void {
    const key = number % this.#compactedKeys
    this.#lastByKey.set(key, Math.max(number, this.#lastByKey.get(key) ?? -1))
  }

  /** The cleaner may take all of a key but the last one. */
  #endOfCompacted(): void {
    const toFind = new Set(Array.from({ length: this.#compactedKeys }, (_, key) => key))
    for (let number = this.#book.written - 1; number >= 0 && toFind.size > 0; number--) {
      if (this.#uncertain.has(number) || this.#aborted.has(number)) continue
      const key = number % this.#compactedKeys
      if (!toFind.delete(key)) continue
      if ((this.#lastByKey.get(key) ?? -1) < number) this.#found.add('unkept', `${this.#book.writer}/${number}`)
    }
  }
}
