import { readInt64, writeInt64 } from '../records/batch.ts'
import { ClusterError } from './errors.ts'

const UNSIGNED_VARINT_BYTES_MAX = 5

/** Writes the flexible (KIP-482) encoding of requests into one growing buffer. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(1024)
  #length = 0

  int8(value: number): this {
    const at = this.#reserve(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  int16(value: number): this {
    const at = this.#reserve(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#reserve(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number): this {
    const at = this.#reserve(8)
    writeInt64(this.#bytes, value, at)
    return this
  }

  uuid(value: Buffer): this {
    const at = this.#reserve(16)
    value.copy(this.#bytes, at)
    return this
  }

  unsignedVarint(value: number): this {
    let rest = value >>> 0
    let at = this.#reserve(UNSIGNED_VARINT_BYTES_MAX)
    while (rest >= 0x80) {
      this.#bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[at++] = rest
    this.#length = at
    return this
  }

  /** `null` is length 0, as every compact type counts from 1. */
  compactString(value: string | null): this {
    if (value === null) return this.unsignedVarint(0)
    const length = Buffer.byteLength(value)
    this.unsignedVarint(length + 1)
    const at = this.#reserve(length)
    this.#bytes.write(value, at)
    return this
  }

  compactArrayLength(length: number): this {
    return this.unsignedVarint(length + 1)
  }

  noTags(): this {
    return this.unsignedVarint(0)
  }

  /** What was written since the last call; the writer starts anew. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafe(1024)
    this.#length = 0
    return taken
  }

  /** Makes room and says where it begins; only then may the bytes be asked for, since growing replaces them. */
  #reserve(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    return at
  }
}

/** Reads the flexible encoding of responses in place; every read is checked against the end. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int8(): number {
    return this.#bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  int64(): number {
    return readInt64(this.#bytes, this.#advance(8))
  }

  /** As hexadecimal digits without dashes. */
  uuid(): string {
    const at = this.#advance(16)
    return this.#bytes.toString('hex', at, at + 16)
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#advance(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw malformed('a number has more than five bytes')
  }

  compactString(): string | null {
    const length = this.unsignedVarint()
    if (length === 0) return null
    const at = this.#advance(length - 1)
    return this.#bytes.toString('utf8', at, at + length - 1)
  }

  /** A view, not a copy; empty for null. */
  compactBytes(): Buffer {
    const length = this.unsignedVarint()
    if (length === 0) return this.#bytes.subarray(0, 0)
    const at = this.#advance(length - 1)
    return this.#bytes.subarray(at, at + length - 1)
  }

  /** Number of elements; 0 for null. Each element takes at least a byte, so a lying length can't run away. */
  compactArrayLength(): number {
    const length = Math.max(this.unsignedVarint() - 1, 0)
    if (length > this.#bytes.length - this.#at) throw malformed(`an array claims ${length} elements`)
    return length
  }

  /** Calls back for each tagged field with its number and its bytes. */
  tags(onTag?: (tag: number, value: WireReader) => void): void {
    const count = this.unsignedVarint()
    for (let i = 0; i < count; i++) {
      const tag = this.unsignedVarint()
      const size = this.unsignedVarint()
      const at = this.#advance(size)
      onTag?.(tag, new WireReader(this.#bytes.subarray(at, at + size)))
    }
  }

  #advance(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#bytes.length) throw malformed(`${bytes} bytes expected, ${this.#bytes.length - at} left`)
    this.#at = at + bytes
    return at
  }
}

function malformed(what: string): ClusterError {
  return new ClusterError('BAD_RESPONSE', `a broker's answer is malformed: ${what}`, true)
}
