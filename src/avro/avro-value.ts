/**
 * Values of one Avro schema. In the event log they stand in Avro's single-object encoding: a reader who has several schemas can
 * tell which one a value was written with.
 *
 *     C3 01 | fingerprint of the schema, 8 bytes little-endian (CRC-64-AVRO of its canonical form) | the record
 */
import { createWriteStream, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import avro from 'avsc'

const MARKER = Buffer.from([0xc3, 0x01])

/** Reads and writes the values of one of the schemas in `schemas/`. */
export class AvroValue<Value extends object> {
  readonly #type: avro.Type
  readonly #head: Buffer

  /** @param name the schema's file, without `.avsc` */
  constructor(name: string) {
    const schema = readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8')
    this.#type = avro.Type.forSchema(JSON.parse(schema))
    this.#head = Buffer.concat([MARKER, fingerprintOf(JSON.stringify(this.#type.schema()))])
  }

  /** As an object container file, which has the schema in it. @throws the file system's error */
  async writeFile(path: string, values: Iterable<Value>): Promise<void> {
    // Whole or not at all: what is there already may be all that is left of an earlier try.
    const unfinished = `${path}.unfinished`
    await pipeline(Readable.from(values), new avro.streams.BlockEncoder(this.#type), createWriteStream(unfinished))
    await rename(unfinished, path)
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
