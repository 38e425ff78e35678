import { readVarint, varintEnd, writeVarint } from '../records/varint.ts'

/**
 * Provenance: each mirrored record carries where it came from, one header per hop,
 *
 *     farlog.origin = <source alias>/<topic>/<partition>/<offset>
 *
 * the oldest hop first. It is what makes the destination log its own index (resume, translation, verification) and
 * what stops loops. Neither an alias nor a Kafka topic name can hold a `/`.
 */
const PROVENANCE_KEY = 'farlog.origin'

const KEY_BYTES = Buffer.from(PROVENANCE_KEY, 'ascii')
const ZERO = 0x30
const NINE = 0x39
/** Digits of 2^53, the largest offset a number holds exactly. */
const OFFSET_DIGITS_MAX = 16

/**
 * The provenance header of one source partition as a record holds it, for any offset. Offsets mostly come one after
 * the other, so the digits are counted up in place like an odometer instead of being divided out for each record.
 */
export class ProvenanceHeader {
  readonly #origin: Buffer
  readonly #buffer: Buffer
  /** What the digits say. */
  #offset = 0
  #digitsStart = 0
  #end = 0
  #encoded: Buffer

  constructor(sourceAlias: string, topic: string, partition: number) {
    this.#origin = originPrefix(sourceAlias, topic, partition)
    this.#buffer = Buffer.alloc(5 + KEY_BYTES.length + 5 + this.#origin.length + OFFSET_DIGITS_MAX)
    this.#encoded = this.#layOut(0)
  }

  /** The encoded header for `sourceOffset`; the bytes are valid until the next call. */
  encode(sourceOffset: number): Buffer {
    if (sourceOffset !== this.#offset + 1 || !this.#countUp()) this.#encoded = this.#layOut(sourceOffset)
    this.#offset = sourceOffset
    return this.#encoded
  }

  /** Adds one to the digits in place; false when the number gets a digit longer. */
  #countUp(): boolean {
    const bytes = this.#buffer
    let at = this.#end - 1
    while (bytes[at] === NINE && at >= this.#digitsStart) at--
    if (at < this.#digitsStart) return false
    bytes[at] = bytes[at]! + 1
    bytes.fill(ZERO, at + 1, this.#end)
    return true
  }

  #layOut(offset: number): Buffer {
    const digits = String(offset)
    let at = writeVarint(this.#buffer, KEY_BYTES.length, 0)
    at += KEY_BYTES.copy(this.#buffer, at)
    at = writeVarint(this.#buffer, this.#origin.length + digits.length, at)
    at += this.#origin.copy(this.#buffer, at)
    this.#digitsStart = at
    this.#end = at + this.#buffer.write(digits, at, 'ascii')
    return this.#buffer.subarray(0, this.#end)
  }
}

/** `<alias>/<topic>/<partition>/`: what the provenance of every record of that partition starts with. */
function originPrefix(sourceAlias: string, topic: string, partition: number): Buffer {
  return Buffer.from(`${sourceAlias}/${topic}/${partition}/`, 'utf8')
}

/** Finds hops of one cluster among a record's headers: a record that has been at the destination must not go there again. */
export class HopDetector {
  readonly #alias: Buffer

  constructor(alias: string) {
    this.#alias = Buffer.from(`${alias}/`, 'utf8')
  }

  /** Whether any provenance header in these encoded headers names the cluster. */
  hasHop(bytes: Uint8Array, headersStart: number, headersEnd: number, headerCount: number): boolean {
    let at = headersStart
    for (let i = 0; i < headerCount && at < headersEnd; i++) {
      const keyLength = readVarint(bytes, at)
      const keyStart = varintEnd
      // A header's key is never null; a negative length would lead back to where we are.
      if (keyLength < 0) return false
      const valueLength = readVarint(bytes, keyStart + keyLength)
      const valueStart = varintEnd
      at = valueStart + Math.max(valueLength, 0)
      if (at > headersEnd) return false
      if (keyLength !== KEY_BYTES.length || valueLength < this.#alias.length) continue
      if (startsWith(bytes, keyStart, KEY_BYTES) && startsWith(bytes, valueStart, this.#alias)) return true
    }
    return false
  }
}

/**
 * Reads the provenance of one source partition back from encoded headers: the source offset in the **last** hop, or -1
 * where the last hop names another partition or there is none (other writers' records, under the identity policy).
 */
export class ProvenanceReader {
  readonly #origin: Buffer

  constructor(sourceAlias: string, topic: string, partition: number) {
    this.#origin = originPrefix(sourceAlias, topic, partition)
  }

  /** The source offset a record was mirrored from, or -1. */
  sourceOffset(bytes: Uint8Array, headersStart: number, headersEnd: number, headerCount: number): number {
    let lastHopStart = -1
    let lastHopEnd = -1
    let at = headersStart
    for (let i = 0; i < headerCount && at < headersEnd; i++) {
      const keyLength = readVarint(bytes, at)
      const keyStart = varintEnd
      if (keyLength < 0) return -1
      const valueLength = readVarint(bytes, keyStart + keyLength)
      const valueStart = varintEnd
      at = valueStart + Math.max(valueLength, 0)
      if (at > headersEnd) return -1
      if (keyLength === KEY_BYTES.length && startsWith(bytes, keyStart, KEY_BYTES)) {
        lastHopStart = valueStart
        lastHopEnd = at
      }
    }
    if (lastHopStart < 0 || lastHopEnd - lastHopStart <= this.#origin.length) return -1
    if (!startsWith(bytes, lastHopStart, this.#origin)) return -1
    return parseOffset(bytes, lastHopStart + this.#origin.length, lastHopEnd)
  }
}

function parseOffset(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > OFFSET_DIGITS_MAX) return -1
  let offset = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return -1
    offset = offset * 10 + digit
  }
  return offset
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}
