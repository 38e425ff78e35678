/**
 * Compares a partition of the source with its copy, both read in their order, and says all that is wrong. Nothing of
 * farlog takes part. Records are paired by the source offset that a copy's origin names; since origins have to rise, two
 * cursors that move forward are enough, and only what has no partner is remembered.
 */
import { FaultsFound, type FoundKind } from './faults-found.ts'
import type { SeenRecord } from './seen-record.ts'
import { Unpaired } from './unpaired.ts'
import { type WrittenBook, WrittenCheck } from './written.ts'

export interface PartitionToCompare {
  readonly sourceAlias: string
  readonly topic: string
  readonly partition: number
  /** How many keys it has where it is compacted, else 0. */
  readonly compactedKeys: number
  /** What its writers wrote. */
  readonly books: readonly WrittenBook[]
  /** As a committed reader sees them. */
  readonly source: AsyncIterator<SeenRecord>
  /** As any reader sees them. */
  readonly copies: AsyncIterable<SeenRecord>
}

export interface PartitionVerdict {
  readonly topic: string
  readonly partition: number
  readonly sourceRecords: number
  readonly copies: number
  /** Records that the source has because a producer wrote them once more. */
  readonly writtenAgain: number
  /** Records that only one side has because the cleaner was quicker at the other. */
  readonly compacted: number
  readonly found: Readonly<Record<FoundKind, number>>
  /** Where; the first few. */
  readonly examples: readonly string[]
}

/** Reads both sides to their ends. */
export async function comparePartition(partition: PartitionToCompare): Promise<PartitionVerdict> {
  const comparison = new Comparison(partition)
  for await (const copy of partition.copies) await comparison.copy(copy)
  return comparison.end()
}

class Comparison {
  readonly #partition: PartitionToCompare
  readonly #found = new FaultsFound()
  readonly #written: WrittenCheck
  /** Records of the source without a copy, and copies without a record of the source. */
  readonly #withoutCopy: Unpaired
  readonly #withoutSource: Unpaired
  readonly #originPrefix: string
  #sourceRecord: SeenRecord | undefined
  #hasBegun = false
  #newestOrigin = -1
  #sourceRecords = 0
  #copies = 0
  #compacted = 0

  constructor(partition: PartitionToCompare) {
    const { sourceAlias, topic, compactedKeys, books } = partition
    this.#partition = partition
    this.#written = new WrittenCheck(books, compactedKeys, this.#found)
    this.#withoutCopy = new Unpaired(compactedKeys > 0)
    this.#withoutSource = new Unpaired(compactedKeys > 0)
    this.#originPrefix = `${sourceAlias}/${topic}/${partition.partition}/`
  }

  async copy(copy: SeenRecord): Promise<void> {
    this.#copies++
    const sourceOffset = this.#sourceOffsetOf(copy)
    if (sourceOffset === undefined) return
    if (this.#written.isAborted(copy)) {
      this.#found.add('aborted', `${copy.id} of source offset ${sourceOffset} at ${copy.offset}`)
      return
    }
    if (sourceOffset <= this.#newestOrigin) {
      const kind = this.#withoutCopy.takeBack(sourceOffset) ? 'inversions' : 'duplicated'
      this.#found.add(kind, `source offset ${sourceOffset} at ${copy.offset}, behind ${this.#newestOrigin}`)
      return
    }
    this.#newestOrigin = sourceOffset
    const original = await this.#advanceTo(sourceOffset)
    if (original) {
      this.#compare(original, copy)
      await this.#advance()
    } else {
      this.#withoutSource.add(copy.key, sourceOffset)
      this.#supersede()
    }
    this.#compacted += this.#withoutCopy.newer(copy.key, sourceOffset)
  }

  async end(): Promise<PartitionVerdict> {
    await this.#advanceTo(Number.POSITIVE_INFINITY)
    this.#written.end()
    for (const offset of this.#withoutCopy.sourceOffsets) this.#found.add('lost', `source offset ${offset}`)
    for (const offset of this.#withoutSource.sourceOffsets) this.#found.add('unexpected', `source offset ${offset}`)
    const { topic, partition } = this.#partition
    const { counts, examples } = this.#found
    return {
      topic,
      partition,
      sourceRecords: this.#sourceRecords,
      copies: this.#copies,
      writtenAgain: this.#written.writtenAgain,
      compacted: this.#compacted,
      found: counts,
      examples
    }
  }

  #sourceOffsetOf({ origins, offset }: SeenRecord): number | undefined {
    const [origin] = origins
    const digits = origin?.startsWith(this.#originPrefix) ? origin.slice(this.#originPrefix.length) : ''
    if (origins.length === 1 && /^(0|[1-9]\d*)$/.test(digits)) return Number(digits)
    this.#found.add('provenance', `destination offset ${offset} has ${origins.join(', ') || 'no origin'}`)
    return undefined
  }

  /** The source's record with this offset; those before it turn out to have no copy. */
  async #advanceTo(sourceOffset: number): Promise<SeenRecord | undefined> {
    if (!this.#hasBegun) await this.#advance()
    while (this.#sourceRecord && this.#sourceRecord.offset < sourceOffset) {
      this.#withoutCopy.add(this.#sourceRecord.key, this.#sourceRecord.offset)
      await this.#advance()
    }
    return this.#sourceRecord?.offset === sourceOffset ? this.#sourceRecord : undefined
  }

  async #advance(): Promise<void> {
    this.#hasBegun = true
    const { value, done } = await this.#partition.source.next()
    this.#sourceRecord = done ? undefined : value
    if (!this.#sourceRecord) return
    this.#sourceRecords++
    this.#written.seen(this.#sourceRecord)
    this.#supersede()
  }

  /** Older copies of the key that the source's record has need no partner. */
  #supersede(): void {
    if (!this.#sourceRecord) return
    this.#compacted += this.#withoutSource.newer(this.#sourceRecord.key, this.#sourceRecord.offset)
  }

  #compare(original: SeenRecord, copy: SeenRecord): void {
    const fields = (['key', 'value', 'headers', 'timestamp'] as const).filter(name => original[name] !== copy[name])
    if (fields.length === 0) return
    this.#found.add('differences', `${fields.join(', ')} of source offset ${original.offset} at ${copy.offset}`)
  }
}
