/**
 * Avro's single-object encoding, in which everything in the event log is written: a reader who has several schemas can tell
 * which one a value was written with.
 *
 *     C3 01 | fingerprint of the schema, 8 bytes little-endian (CRC-64-AVRO of its canonical form) | the record
 */
import { readFileSync } from 'node:fs'
import avro from 'avsc'

const MARKER = Buffer.from([0xc3, 0x01])

/** Reads and writes the values of one of the schemas in `schemas/`. */
export class SingleObject<Value extends object> {
  readonly #type: avro.Type
  readonly #head: Buffer

  /** @param name the schema's file, without `.avsc` */
  constructor(name: string) {
    const schema = readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8')
    this.#type = avro.Type.forSchema(JSON.parse(schema))
    this.#head = Buffer.concat([MARKER, fingerprintOf(JSON.stringify(this.#type.schema()))])
  }

  encode(value: Value): Buffer {
    return Buffer.concat([this.#head, this.#type.toBuffer(value)])
  }

  /** Reads bytes back; `undefined` where they are none of these, for anybody may write to a topic. */
  decode(bytes: Buffer): Value | undefined {
    const head = this.#head
    if (bytes.length < head.length || bytes.compare(head, 0, head.length, 0, head.length) !== 0) return undefined
    try {
      return { ...(this.#type.fromBuffer(bytes.subarray(head.length)) as Value) }
    } catch {
      return undefined
    }
  }
}

/** The Rabin fingerprint of the Avro specification. */
function fingerprintOf(canonicalSchema: string): Buffer {
  const empty = 0xc15d213aa4d7a795n
  let fingerprint = empty
  for (const byte of Buffer.from(canonicalSchema, 'utf8')) {
    let entry = (fingerprint ^ BigInt(byte)) & 0xffn
    for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (entry & 1n ? empty : 0n)
    fingerprint = (fingerprint >> 8n) ^ entry
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(fingerprint)
  return bytes
}
