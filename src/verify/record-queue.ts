import type { ReadRecord } from '../cluster/record-reader.ts'

/** The records of one side that are at hand; whoever fills it waits until it is empty, so it never holds more than a chunk. */
export class RecordQueue {
  #records: readonly ReadRecord[] = []
  #at = 0
  #isEnded = false

  /** Nothing will come after what is at hand. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The next record, left where it is; `undefined` where none is at hand. */
  peek(): ReadRecord | undefined {
    return this.#records[this.#at]
  }

  take(): void {
    this.#at++
  }

  /** The next records, once those before them are taken. */
  fill(records: readonly ReadRecord[]): void {
    this.#records = records
    this.#at = 0
  }

  end(): void {
    this.#isEnded = true
  }
}
