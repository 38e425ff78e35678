/**
 * A plain record codec for judging the fast one: decodes a batch to objects and encodes objects to a batch, slowly and
 * with `bigint` wherever the format has 64 bits. It was written from the format's description and shares no code
 * with `src/records`.
 */
import assert from 'node:assert/strict'
import { crc32c } from '@node-rs/crc32'

export interface Header {
  readonly key: string
  readonly value: Buffer | null
}

export interface PlainRecord {
  readonly attributes: number
  readonly timestamp: bigint
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** The header fields of a batch that a test may care about. */
export interface BatchFields {
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
}

export const ATTRIBUTE = { logAppendTime: 0x08, transactional: 0x10, control: 0x20, deleteHorizon: 0x40 } as const

/** Header fields of an ordinary batch that holds these records. */
export function batchFields(records: readonly PlainRecord[], given: Partial<BatchFields> = {}): BatchFields {
  const baseOffset = given.baseOffset ?? records[0]?.offset ?? 0
  const timestamps = records.map(record => record.timestamp)
  const newestFirst = timestamps.toSorted((a, b) => Number(b - a))
  return {
    baseOffset,
    leaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: (records.at(-1)?.offset ?? baseOffset) - baseOffset,
    baseTimestamp: timestamps[0] ?? -1n,
    maxTimestamp: newestFirst[0] ?? -1n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    ...given
  }
}

/**
 * Encodes a batch of magic 2.
 * @param compress what is done to the records' bytes; `fields.attributes` must name the same codec
 */
export function encodeBatch(
  records: readonly PlainRecord[],
  fields: BatchFields,
  compress: (plain: Buffer) => Buffer = plain => plain
): Buffer {
  const plain = Buffer.concat(records.map(record => encodeRecord(record, fields)))
  return sealRaw(records.length, compress(plain), fields)
}

/** A batch around any bytes in place of its records, with the right CRC. */
export function sealRaw(recordCount: number, recordBytes: Buffer, fields: BatchFields): Buffer {
  const afterCrc = Buffer.concat([
    int16(fields.attributes),
    int32(fields.lastOffsetDelta),
    int64(fields.baseTimestamp),
    int64(fields.maxTimestamp),
    int64(fields.producerId),
    int16(fields.producerEpoch),
    int32(fields.baseSequence),
    int32(recordCount),
    recordBytes
  ])
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32c(afterCrc))
  return Buffer.concat([
    int64(BigInt(fields.baseOffset)),
    int32(9 + afterCrc.length),
    int32(fields.leaderEpoch),
    Buffer.from([2]),
    crc,
    afterCrc
  ])
}

/** Encodes headers as a record holds them, without the count in front. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  return Buffer.concat(
    headers.map(({ key, value }) => {
      const keyBytes = Buffer.from(key)
      return Buffer.concat([varint(keyBytes.length), keyBytes, bytesField(value)])
    })
  )
}

/**
 * Decodes one batch that fills the buffer, after checking everything that a broker would check.
 * @param decompress undoes the codec that `attributes` names
 */
export function decodeBatch(
  bytes: Buffer,
  decompress: (codec: number, compressed: Buffer) => Buffer
): { fields: BatchFields; records: PlainRecord[] } {
  assert.equal(bytes.readInt32BE(8), bytes.length - 12, 'batch length')
  assert.equal(bytes[16], 2, 'magic')
  assert.equal(bytes.readUInt32BE(17), crc32c(bytes.subarray(21)), 'CRC')
  const fields: BatchFields = {
    baseOffset: Number(bytes.readBigInt64BE(0)),
    leaderEpoch: bytes.readInt32BE(12),
    attributes: bytes.readInt16BE(21),
    lastOffsetDelta: bytes.readInt32BE(23),
    baseTimestamp: bytes.readBigInt64BE(27),
    maxTimestamp: bytes.readBigInt64BE(35),
    producerId: bytes.readBigInt64BE(43),
    producerEpoch: bytes.readInt16BE(51),
    baseSequence: bytes.readInt32BE(53)
  }
  const reader = new Reader(decompress(fields.attributes & 7, bytes.subarray(61)))
  const records: PlainRecord[] = []
  for (let count = bytes.readInt32BE(57); count > 0; count--) records.push(decodeRecord(reader, fields))
  reader.assertEnd()
  return { fields, records }
}

function encodeRecord(record: PlainRecord, { baseOffset, baseTimestamp }: BatchFields): Buffer {
  const body = Buffer.concat([
    Buffer.from([record.attributes]),
    varint(record.timestamp - baseTimestamp),
    varint(record.offset - baseOffset),
    bytesField(record.key),
    bytesField(record.value),
    varint(record.headers.length),
    encodeHeaders(record.headers)
  ])
  return Buffer.concat([varint(body.length), body])
}

function decodeRecord(outer: Reader, { baseOffset, baseTimestamp }: BatchFields): PlainRecord {
  const reader = new Reader(outer.bytes(outer.varint()))
  const attributes = reader.bytes(1).readInt8()
  const timestamp = baseTimestamp + reader.varlong()
  const offset = baseOffset + reader.varint()
  const key = reader.field()
  const value = reader.field()
  const headers: Header[] = []
  for (let count = reader.varint(); count > 0; count--) {
    headers.push({ key: reader.bytes(reader.varint()).toString(), value: reader.field() })
  }
  reader.assertEnd()
  return { attributes, timestamp, offset, key, value, headers }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  bytes(length: number): Buffer {
    assert.ok(length >= 0 && this.#at + length <= this.#bytes.length, `${length} bytes at ${this.#at}`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  field(): Buffer | null {
    const length = this.varint()
    return length < 0 ? null : this.bytes(length)
  }

  varint(): number {
    return Number(this.varlong())
  }

  varlong(): bigint {
    let raw = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(this.bytes(1)[0]!)
      raw |= (byte & 0x7fn) << shift
      if (byte < 0x80n) return BigInt.asIntN(64, raw % 2n === 0n ? raw / 2n : -(raw / 2n) - 1n)
    }
  }

  assertEnd(): void {
    assert.equal(this.#at, this.#bytes.length, 'all bytes are read')
  }
}

/** Zig-zag and base 128, by arithmetic on `bigint`. */
export function varint(value: number | bigint): Buffer {
  const number = BigInt(value)
  let raw = number >= 0n ? number * 2n : -number * 2n - 1n
  const bytes: number[] = []
  while (raw >= 128n) {
    bytes.push(Number(raw % 128n) + 128)
    raw /= 128n
  }
  bytes.push(Number(raw))
  return Buffer.from(bytes)
}

function bytesField(value: Buffer | null): Buffer {
  return value === null ? varint(-1) : Buffer.concat([varint(value.length), value])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
