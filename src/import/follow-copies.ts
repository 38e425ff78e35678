/**
 * Where MirrorMaker 2 stopped, told from the two logs themselves.
 *
 * Its positions are flushed now and then: a killed MirrorMaker 2 has copied more than they say, and its copies do not say
 * where they came from. So both logs are read side by side from a place where they are known to agree. Each destination record
 * must be the copy of the next source record, and where the destination ends is what comes next.
 *
 *     source        a  b  c  d  e  f  g  h …
 *     destination   a  b  c  d  e  c  d  |          after e it was killed, and began again with c: so f comes next
 *                                  ╰── it began again
 *
 * It copies at least once: started again after a kill it begins at its last position, and writes a second time what it had
 * written beyond it. So a record that is not the next one may be one of those before. Records can be equal to one another, so
 * after that there may be several places where it can have gone on; all are followed until the records that come next rule them
 * out. Only a copy of the very next source record moves the end on, so each source record before the end has a copy of its own.
 */
import { createHash } from 'node:crypto'
import type { ReadRecord } from '../cluster/record-reader.ts'

/** How far the two logs go together. */
export type Followed =
  | {
      readonly kind: 'together'
      /** The first source offset that has no copy. */
      readonly nextSourceOffset: number
      /** Destination records that were followed. */
      readonly copies: number
      /** Those of them that are second copies. */
      readonly repeated: number
    }
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'apart'
      readonly copies: number
      /** The first destination record that is no copy of any source record that could come there. */
      readonly destinationOffset: number
      /** The source record that should have come; `undefined` where the source has no more. */
      readonly expectedSourceOffset: number | undefined
      /** In what the two differ. */
      readonly differing: readonly string[]
    }

/** As far back as this MirrorMaker 2 may have begun again, in records: what bounds the memory for it. */
const BEGIN_AGAIN_MAX = 100_000

/** Reads both sides to their ends. Each begins with the record that the other one's first record belongs to. */
export async function followCopies(
  source: AsyncIterable<ReadRecord>,
  destination: AsyncIterable<ReadRecord>
): Promise<Followed> {
  const originals = new Originals(source[Symbol.asyncIterator]())
  /** Where the next copy may belong, as numbers of originals. */
  let places: readonly number[] = [0]
  let copies = 0
  let repeated = 0
  for await (const copy of destination) {
    const digest = digestOf(copy)
    await originals.hasNext()
    const matching = places.filter(place => originals.isEqual(place, digest))
    places = (matching.length > 0 ? matching : originals.placesOf(digest)).map(place => place + 1)
    if (places.length === 0) {
      const expected = originals.next
      return {
        kind: 'apart',
        copies,
        destinationOffset: copy.offset,
        expectedSourceOffset: expected?.offset,
        differing: expected === undefined ? [] : differingParts(expected, copy)
      }
    }
    copies++
    if (places.includes(originals.copied + 1)) originals.advance()
    else repeated++
  }
  const last = originals.lastCopiedOffset
  if (last === undefined) return { kind: 'nothing' }
  return { kind: 'together', nextSourceOffset: last + 1, copies, repeated }
}

/** The source's records up to the first one that was not copied, as digests: the newest of those that were, and that one. */
class Originals {
  readonly #source: AsyncIterator<ReadRecord>
  /** Of those that were copied; the first is the original with the number `#firstKept`. */
  #digests: string[] = []
  #firstKept = 0
  #next: { readonly record: ReadRecord; readonly digest: string } | undefined
  #lastCopiedOffset: number | undefined

  constructor(source: AsyncIterator<ReadRecord>) {
    this.#source = source
  }

  /** How many were copied; also the number of the next one. */
  get copied(): number {
    return this.#firstKept + this.#digests.length
  }

  get lastCopiedOffset(): number | undefined {
    return this.#lastCopiedOffset
  }

  /** The first that was not copied, once `hasNext` has found it. */
  get next(): ReadRecord | undefined {
    return this.#next?.record
  }

  async hasNext(): Promise<boolean> {
    if (this.#next !== undefined) return true
    const { value, done } = await this.#source.next()
    if (done) return false
    this.#next = { record: value, digest: digestOf(value) }
    return true
  }

  isEqual(place: number, digest: string): boolean {
    return (place === this.copied ? this.#next?.digest : this.#digests[place - this.#firstKept]) === digest
  }

  /** The numbers of all equal ones: those that were copied before, and the next one. */
  placesOf(digest: string): number[] {
    const places = this.#digests.flatMap((kept, index) => (kept === digest ? [this.#firstKept + index] : []))
    if (this.#next?.digest === digest) places.push(this.copied)
    return places
  }

  /** The next one has been copied. */
  advance(): void {
    const { record, digest } = this.#next!
    this.#digests.push(digest)
    this.#lastCopiedOffset = record.offset
    this.#next = undefined
    // Half at a time: to shift each would cost as much as all of it.
    if (this.#digests.length < 2 * BEGIN_AGAIN_MAX) return
    this.#digests = this.#digests.slice(BEGIN_AGAIN_MAX)
    this.#firstKept += BEGIN_AGAIN_MAX
  }
}

/** All that MirrorMaker 2 copies of a record, boiled down. */
export function digestOf({ timestamp, key, value, headers }: ReadRecord): string {
  const hash = createHash('sha256')
  const add = (bytes: Buffer | null): void => {
    hash.update(`${bytes?.length ?? 'null'},`)
    if (bytes !== null) hash.update(bytes)
  }
  hash.update(`${timestamp},${headers.length},`)
  add(key)
  add(value)
  for (const [name, headerValue] of headers) {
    add(name)
    add(headerValue)
  }
  return hash.digest('base64')
}

function differingParts(original: ReadRecord, copy: ReadRecord): string[] {
  const isEqual = (a: Buffer | null, b: Buffer | null) => (a === null || b === null ? a === b : a.equals(b))
  const areHeadersEqual =
    original.headers.length === copy.headers.length &&
    original.headers.every(
      ([name, value], i) => name.equals(copy.headers[i]![0]) && isEqual(value, copy.headers[i]![1])
    )
  return [
    ...(isEqual(original.key, copy.key) ? [] : ['key']),
    ...(isEqual(original.value, copy.value) ? [] : ['value']),
    ...(areHeadersEqual ? [] : ['headers']),
    ...(original.timestamp === copy.timestamp ? [] : ['timestamp'])
  ]
}
