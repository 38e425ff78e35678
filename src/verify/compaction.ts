import { hash } from 'node:crypto'
import type { ReadRecord } from '../cluster/record-reader.ts'

/**
 * Judges records without a copy in a destination that compacts: compaction there may have taken the copy, but only
 * where a newer one of the same key arrived. So a missing copy is a fault unless a copy of a later record with its key
 * turns up. What waits for one is remembered by key; where more keys wait than fit, the records are left unjudged and
 * counted as such.
 *
 * Two kinds of records are never held to be missing, since compaction may take them away for good: tombstones (after
 * `delete.retention.ms`) and records without a key.
 */
export class CompactionJudge {
  readonly #waitingMax: number
  /** Source offset of the newest record without a copy, by digest of the key. */
  readonly #waiting = new Map<string, number>()
  #compacted = 0
  #unjudged = 0

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax
  }

  /** Records whose copies compaction was right to take. */
  get compacted(): number {
    return this.#compacted
  }

  get unjudged(): number {
    return this.#unjudged
  }

  /** Every record without a copy has been judged, and excused. */
  get isSettled(): boolean {
    return this.#waiting.size === 0 && this.#unjudged === 0
  }

  get missing(): number {
    return this.#waiting.size
  }

  /** The record has no copy. */
  absent({ key, value, offset }: ReadRecord): void {
    if (key === null) {
      this.#compacted++
      return
    }
    const id = idOf(key)
    if (this.#waiting.has(id)) this.#compacted++
    if (value === null) {
      this.#waiting.delete(id)
      this.#compacted++
    } else if (this.#waiting.has(id) || this.#waiting.size < this.#waitingMax) {
      this.#waiting.set(id, offset)
    } else {
      this.#unjudged++
    }
  }

  /** There is a copy of the record with this key and offset. */
  present(key: Buffer | null, sourceOffset: number): void {
    if (key === null || this.#waiting.size === 0) return
    const id = idOf(key)
    const waiting = this.#waiting.get(id)
    if (waiting === undefined || waiting >= sourceOffset) return
    this.#waiting.delete(id)
    this.#compacted++
  }

  /** A copy of a record that was called absent has turned up after all. */
  arrivedLate(key: Buffer | null, sourceOffset: number): void {
    if (key !== null && this.#waiting.get(idOf(key)) === sourceOffset) this.#waiting.delete(idOf(key))
    else if (this.#compacted > 0) this.#compacted--
    else this.#unjudged--
    this.present(key, sourceOffset)
  }

  /** Source offsets of the records that are missing, ascending. */
  missingOffsets(): number[] {
    return [...this.#waiting.values()].sort((a, b) => a - b)
  }
}

function idOf(key: Buffer): string {
  return hash('sha1', key, 'latin1')
}
