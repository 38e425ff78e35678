import { crc32c } from '@node-rs/crc32'
import { type Codec, isCodec } from './codecs.ts'
import { RecordsError } from './errors.ts'
import { wordsOf } from './words.ts'

/**
 * A view over the bytes of RecordBatch v2, the unit Kafka stores and sends (its class DefaultRecordBatch).
 *
 *      0  baseOffset            int64      offset of the first record
 *      8  batchLength           int32      bytes that follow this field
 *     12  partitionLeaderEpoch  int32      not covered by the CRC: the broker sets it
 *     16  magic                 int8       2
 *     17  crc                   uint32     CRC-32C of everything from `attributes` on
 *     21  attributes            int16      codec (3 bits), timestamp type, transactional, control, delete horizon
 *     23  lastOffsetDelta       int32
 *     27  baseTimestamp         int64
 *     35  maxTimestamp          int64
 *     43  producerId            int64
 *     51  producerEpoch         int16
 *     53  baseSequence          int32
 *     57  recordCount           int32
 *     61  records, compressed as a whole when the codec says so
 *
 * Offsets, timestamps and producer ids are 64 bits on the wire and `number` here: all of them stay below 2^53 for
 * longer than anyone's cluster lives, and arithmetic on `bigint` would cost more than the copy itself.
 */
export const BATCH_OVERHEAD_BYTES = 61
/** `baseOffset` and `batchLength`: what must be there before a batch's size is known. */
export const LOG_OVERHEAD_BYTES = 12
export const MAGIC = 2
/** A message of magic 0 without key and value: CRC, magic, attributes and two lengths. */
const OLD_MESSAGE_BYTES_MIN = 14

export const OFFSET_BASE_OFFSET = 0
export const OFFSET_BATCH_LENGTH = 8
export const OFFSET_LEADER_EPOCH = 12
export const OFFSET_MAGIC = 16
export const OFFSET_CRC = 17
export const OFFSET_ATTRIBUTES = 21
export const OFFSET_LAST_OFFSET_DELTA = 23
export const OFFSET_BASE_TIMESTAMP = 27
export const OFFSET_MAX_TIMESTAMP = 35
export const OFFSET_PRODUCER_ID = 43
export const OFFSET_PRODUCER_EPOCH = 51
export const OFFSET_BASE_SEQUENCE = 53
export const OFFSET_RECORD_COUNT = 57

const CODEC_MASK = 0x07
const LOG_APPEND_TIME_BIT = 0x08
const TRANSACTIONAL_BIT = 0x10
const CONTROL_BIT = 0x20

const TWO_POW_32 = 4294967296

/** Reads a signed 64-bit big-endian integer as a number; exact below 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_POW_32 + bytes.readUInt32BE(at + 4)
}

/** Writes a number as a signed 64-bit big-endian integer. */
export function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_POW_32)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * TWO_POW_32, at + 4)
}

/** One batch in a buffer that holds many: copies nothing. What is asked for several times per batch is read once. */
export class BatchView {
  readonly bytes: Buffer
  /** The same bytes, for numbers: V8 reads them with an instruction each. */
  readonly words: DataView
  /** Where this batch starts in `bytes`. */
  readonly start: number
  /** Where the next one starts. */
  readonly end: number
  readonly magic: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly #attributes: number

  constructor(bytes: Buffer, start: number, end: number, words = wordsOf(bytes)) {
    this.bytes = bytes
    this.words = words
    this.start = start
    this.end = end
    this.magic = words.getInt8(start + OFFSET_MAGIC)
    this.baseOffset = int64At(words, start + OFFSET_BASE_OFFSET)
    // Magic 0 and 1 wrap one message (or a compressed set, whose outer offset is the last inner one).
    const isOld = this.magic < MAGIC
    this.lastOffset = isOld ? this.baseOffset : this.baseOffset + words.getInt32(start + OFFSET_LAST_OFFSET_DELTA)
    this.#attributes = isOld ? 0 : words.getInt16(start + OFFSET_ATTRIBUTES)
  }

  get leaderEpoch(): number {
    return this.words.getInt32(this.start + OFFSET_LEADER_EPOCH)
  }

  /** @throws RecordsError `UNKNOWN_CODEC` */
  get codec(): Codec {
    const codec = this.#attributes & CODEC_MASK
    if (isCodec(codec)) return codec
    const offset = this.baseOffset
    throw new RecordsError(
      'UNKNOWN_CODEC',
      `the batch at offset ${offset} has codec ${codec}, which is not known`,
      offset
    )
  }

  /** Timestamps are the broker's append time: every record has `maxTimestamp`, its own delta means nothing. */
  get isLogAppendTime(): boolean {
    return (this.#attributes & LOG_APPEND_TIME_BIT) !== 0
  }

  get isTransactional(): boolean {
    return (this.#attributes & TRANSACTIONAL_BIT) !== 0
  }

  /** Holds a transaction marker, not data. */
  get isControl(): boolean {
    return (this.#attributes & CONTROL_BIT) !== 0
  }

  get baseTimestamp(): number {
    return int64At(this.words, this.start + OFFSET_BASE_TIMESTAMP)
  }

  get maxTimestamp(): number {
    return int64At(this.words, this.start + OFFSET_MAX_TIMESTAMP)
  }

  get producerId(): number {
    return int64At(this.words, this.start + OFFSET_PRODUCER_ID)
  }

  get producerEpoch(): number {
    return this.words.getInt16(this.start + OFFSET_PRODUCER_EPOCH)
  }

  get recordCount(): number {
    return this.words.getInt32(this.start + OFFSET_RECORD_COUNT)
  }

  /** For a control batch: 0 abort, 1 commit; key = int16 version, int16 type (Kafka's ControlRecordType). */
  get controlType(): number {
    // length, attributes, timestamp delta, offset delta and key length are one byte each in a marker's only record.
    const keyAt = this.start + BATCH_OVERHEAD_BYTES + 5
    return keyAt + 4 <= this.end ? this.words.getInt16(keyAt + 2) : -1
  }

  /** Throws unless this is a whole batch of magic 2 whose CRC matches. */
  assertIntact(): void {
    const offset = this.baseOffset
    if (this.magic !== MAGIC) {
      throw new RecordsError(
        'UNSUPPORTED_MAGIC',
        `the batch at offset ${offset} has message format ${this.magic}; only format ${MAGIC} (Kafka 0.11 and later) can be mirrored`,
        offset
      )
    }
    const declared = this.words.getUint32(this.start + OFFSET_CRC)
    const computed = crc32c(this.bytes.subarray(this.start + OFFSET_ATTRIBUTES, this.end))
    if (declared !== computed) {
      throw new RecordsError(
        'CORRUPT_BATCH',
        `the batch at offset ${offset} is corrupt: its CRC-32C is ${hex(declared)} but its bytes give ${hex(computed)}`,
        offset
      )
    }
  }
}

/**
 * The whole batches in a Fetch response's records field, in order. A broker cuts the last one where `max_bytes` ends
 * (Kafka's FileRecords sends slices): a cut batch is left out, the next fetch brings it whole.
 */
export function* batchesIn(bytes: Buffer): Generator<BatchView, void, undefined> {
  const words = wordsOf(bytes)
  for (let start = 0; ; ) {
    const end = batchEnd(words, start)
    if (end === undefined) return
    yield new BatchView(bytes, start, end, words)
    start = end
  }
}

/** The last of `batchesIn`, found by the batches' lengths alone; `undefined` where there is no whole one. */
export function lastBatchIn(bytes: Buffer): BatchView | undefined {
  const words = wordsOf(bytes)
  let start = 0
  let lastStart = -1
  for (;;) {
    const end = batchEnd(words, start)
    if (end === undefined) return lastStart < 0 ? undefined : new BatchView(bytes, lastStart, start, words)
    lastStart = start
    start = end
  }
}

/** How long the first batch is, also where the bytes end before it does; 0 where they don't say. */
export function firstBatchBytes(bytes: Buffer): number {
  return bytes.length < LOG_OVERHEAD_BYTES ? 0 : LOG_OVERHEAD_BYTES + bytes.readInt32BE(OFFSET_BATCH_LENGTH)
}

/** Where the batch that starts here ends; `undefined` where the bytes end first. */
function batchEnd(words: DataView, start: number): number | undefined {
  // Up to and with the magic, which is in the same place in every format and decides how much there must be.
  if (start + OFFSET_MAGIC >= words.byteLength) return undefined
  const batchLength = words.getInt32(start + OFFSET_BATCH_LENGTH)
  const isOld = words.getInt8(start + OFFSET_MAGIC) < MAGIC
  const smallest = isOld ? OLD_MESSAGE_BYTES_MIN : BATCH_OVERHEAD_BYTES - LOG_OVERHEAD_BYTES
  if (batchLength < smallest) {
    const offset = int64At(words, start)
    throw new RecordsError('MALFORMED_BATCH', `the batch at offset ${offset} claims ${batchLength} bytes`, offset)
  }
  const end = start + LOG_OVERHEAD_BYTES + batchLength
  return end > words.byteLength ? undefined : end
}

function int64At(words: DataView, at: number): number {
  return words.getInt32(at) * TWO_POW_32 + words.getUint32(at + 4)
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
