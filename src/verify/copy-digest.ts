import { hash } from 'node:crypto'
import type { ReadRecord } from '../cluster/record-reader.ts'

/** Four numbers of 32 bits. */
export type Digest = Uint32Array<ArrayBuffer>

export const DIGEST_WORDS = 4
const NULL = -1

/**
 * Digests copies one by one: the place, what it was made from, and all that must not change of it. The digest guards
 * against bits that change, not against an enemy: 128 bits of SHA-1 are the fastest that Node has for that.
 */
export class CopyDigester {
  readonly #digest: Digest = new Uint32Array(DIGEST_WORDS)
  /** Grows to the size of the largest copy. */
  #bytes = Buffer.allocUnsafe(4_096)
  #length = 0

  /**
   * @param originIndex of the header that is left out
   * @returns the same array each time: it holds until the next call
   */
  digest(copy: ReadRecord, sourceOffset: number, originIndex: number): Digest {
    this.#length = 0
    this.#reserve(24)
    this.#length = this.#bytes.writeDoubleBE(sourceOffset, this.#length)
    this.#length = this.#bytes.writeDoubleBE(copy.offset, this.#length)
    this.#length = this.#bytes.writeBigInt64BE(copy.timestamp, this.#length)
    this.#append(copy.key)
    this.#append(copy.value)
    this.#appendLength(copy.headers.length - 1)
    for (const [index, [name, value]] of copy.headers.entries()) {
      if (index === originIndex) continue
      this.#append(name)
      this.#append(value)
    }
    const hashed = hash('sha1', this.#bytes.subarray(0, this.#length), 'latin1')
    for (let word = 0; word < DIGEST_WORDS; word++) {
      const at = word * 4
      this.#digest[word] =
        hashed.charCodeAt(at) |
        (hashed.charCodeAt(at + 1) << 8) |
        (hashed.charCodeAt(at + 2) << 16) |
        (hashed.charCodeAt(at + 3) << 24)
    }
    return this.#digest
  }

  #append(bytes: Buffer | null): void {
    this.#appendLength(bytes === null ? NULL : bytes.length)
    if (bytes === null) return
    this.#reserve(bytes.length)
    this.#length += bytes.copy(this.#bytes, this.#length)
  }

  #appendLength(length: number): void {
    this.#reserve(4)
    this.#length = this.#bytes.writeInt32BE(length, this.#length)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
