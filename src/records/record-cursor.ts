import { BATCH_OVERHEAD_BYTES, type BatchView } from './batch.ts'
import { Codec, decompress } from './codecs.ts'
import { RecordsError } from './errors.ts'
import { decodeSmallLz4, smallLz4Plain } from './lz4.ts'
import { readVarint, readVarlong, varintEnd } from './varint.ts'

/**
 * Walks the records of one data batch and says where each one's fields lie. It is a single object whose fields change
 * at every step, because an object per record is what the fast path is there to avoid.
 *
 *     length | attributes | Δtimestamp | Δoffset | key length, key, value length, value | header count | headers
 *                                                ^payloadStart               payloadEnd^               ^headersStart
 */
export class RecordCursor {
  readonly #baseOffset: number
  readonly #baseTimestamp: number
  readonly #count: number
  readonly #end: number
  #index = 0
  #at: number

  /** Holds the records, decompressed; the positions below point into it. Of a compressed batch it is gone with the next one. */
  readonly bytes: Buffer
  offset = -1
  /** Meaningless under log append time. */
  timestamp = -1
  attributes = 0
  payloadStart = 0
  payloadEnd = 0
  headerCount = 0
  headersStart = 0
  headersEnd = 0

  /**
   * @param plain the records' bytes, where somebody has decompressed them already
   * @throws RecordsError `UNKNOWN_CODEC`, `UNDECODABLE_RECORDS` or `MALFORMED_BATCH`
   */
  constructor(batch: BatchView, plain?: Buffer) {
    this.#baseOffset = batch.baseOffset
    this.#baseTimestamp = batch.baseTimestamp
    this.#count = batch.recordCount
    if (this.#count < 0) throw this.#malformed(`it claims ${this.#count} records`)
    if (!isExact(this.#baseTimestamp) || !isExact(batch.maxTimestamp)) throw this.#timestampOutOfRange()
    const recordsStart = batch.start + BATCH_OVERHEAD_BYTES
    if (batch.codec === Codec.none) {
      this.bytes = batch.bytes
      this.#at = recordsStart
      this.#end = batch.end
      return
    }
    if (plain !== undefined) {
      this.bytes = plain
      this.#at = 0
      this.#end = plain.length
      return
    }
    const smallBytes = batch.codec === Codec.lz4 ? decodeSmallLz4(batch.words, recordsStart, batch.end) : -1
    this.bytes = smallBytes < 0 ? decompressRecords(batch) : smallLz4Plain
    this.#at = 0
    this.#end = smallBytes < 0 ? this.bytes.length : smallBytes
  }

  /** Records not walked yet. */
  get remainingRecords(): number {
    return this.#count - this.#index
  }

  /** Bytes not walked yet. */
  get remainingBytes(): number {
    return this.#end - this.#at
  }

  /** Moves to the next record; false behind the last one. @throws RecordsError `MALFORMED_BATCH` */
  next(): boolean {
    if (this.#index === this.#count) {
      if (this.#at !== this.#end) throw this.#malformed(`${this.#end - this.#at} bytes follow its last record`)
      return false
    }
    const bytes = this.bytes
    const length = readVarint(bytes, this.#at)
    const bodyStart = varintEnd
    const bodyEnd = bodyStart + length
    if (length < 0 || bodyEnd > this.#end) throw this.#malformed(`record ${this.#index} claims ${length} bytes`)
    this.attributes = bytes[bodyStart]!
    this.timestamp = this.#baseTimestamp + readVarlong(bytes, bodyStart + 1)
    if (!isExact(this.timestamp)) throw this.#timestampOutOfRange()
    this.offset = this.#baseOffset + readVarint(bytes, varintEnd)
    this.payloadStart = varintEnd

    const keyLength = readVarint(bytes, this.payloadStart)
    const valueLengthAt = keyLength > 0 ? varintEnd + keyLength : varintEnd
    if (valueLengthAt > bodyEnd) throw this.#malformed(`the key of record ${this.#index} is longer than the record`)
    const valueLength = readVarint(bytes, valueLengthAt)
    this.payloadEnd = valueLength > 0 ? varintEnd + valueLength : varintEnd
    if (this.payloadEnd > bodyEnd) throw this.#malformed(`the value of record ${this.#index} is longer than the record`)
    this.headerCount = readVarint(bytes, this.payloadEnd)
    this.headersStart = varintEnd
    this.headersEnd = bodyEnd
    // A header has at least the lengths of its key and its value, a byte each.
    if (this.headerCount < 0 || this.headersStart + this.headerCount * 2 > bodyEnd) {
      throw this.#malformed(`record ${this.#index} claims ${this.headerCount} headers`)
    }
    this.#at = bodyEnd
    this.#index++
    return true
  }

  #timestampOutOfRange(): RecordsError {
    return new RecordsError(
      'TIMESTAMP_OUT_OF_RANGE',
      `the batch at offset ${this.#baseOffset} has a timestamp beyond 2^52 ms, which would not be copied exactly`,
      this.#baseOffset
    )
  }

  #malformed(what: string): RecordsError {
    return new RecordsError(
      'MALFORMED_BATCH',
      `the batch at offset ${this.#baseOffset} is malformed: ${what}`,
      this.#baseOffset
    )
  }
}

/** Timestamps in this range are exact as numbers, and so is the difference of any two. */
function isExact(timestamp: number): boolean {
  return timestamp <= TIMESTAMP_MAX && timestamp >= -TIMESTAMP_MAX
}

const TIMESTAMP_MAX = 2 ** 52

function decompressRecords(batch: BatchView): Buffer {
  const offset = batch.baseOffset
  try {
    return decompress(batch.codec, batch.bytes.subarray(batch.start + BATCH_OVERHEAD_BYTES, batch.end))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RecordsError(
      'UNDECODABLE_RECORDS',
      `the records of the batch at offset ${offset} do not decompress: ${reason}`,
      offset,
      { cause: error }
    )
  }
}
