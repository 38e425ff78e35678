/**
 * The CRCs of many small batches, checked by one pass over all of them.
 *
 * A call of the native CRC costs more than the few hundred bytes of a one-record batch, and each needs a view of its own.
 * But CRCs can be put together (zlib's crc32_combine): what the whole of a run has to give follows from what each of its
 * batches declares and from the bytes between, which are the 21 in front of what a batch's CRC covers. So one call over the
 * run is compared with that. CRCs are linear: a batch that is not what it declares changes the sum, just as it would
 * have changed its own. Where they differ, each batch is looked at alone, to say which it is.
 */
import { crc32c } from '@node-rs/crc32'
import {
  BATCH_OVERHEAD_BYTES,
  type BatchView,
  LOG_OVERHEAD_BYTES,
  MAGIC,
  OFFSET_ATTRIBUTES,
  OFFSET_BATCH_LENGTH,
  OFFSET_CRC,
  OFFSET_MAGIC
} from './batch.ts'

/** Of larger batches the bytes take the time, not the call. */
const SMALL_BATCH_BYTES_MAX = 4 * 1024
/** A run is looked at again soon after, so it should still be in the cache then. */
const RUN_BYTES_MAX = 256 * 1024

/** Checks the batches of one buffer, in order. */
export class IntactRuns {
  /** All batches up to here are intact. */
  #intactTo = 0
  /** Up to here no further run begins. */
  #lookedTo = 0

  /** @throws RecordsError as `BatchView.assertIntact` does, for the first batch that it would throw for */
  assertIntact(batch: BatchView): void {
    if (batch.end <= this.#intactTo) return
    if (batch.start >= this.#lookedTo) this.#look(batch)
    if (batch.end > this.#intactTo) batch.assertIntact()
  }

  #look({ bytes, words, start }: BatchView): void {
    const runEndMax = start + RUN_BYTES_MAX
    let end = start
    let crc = 0
    while (end < runEndMax && end + BATCH_OVERHEAD_BYTES <= bytes.length) {
      const batchBytes = LOG_OVERHEAD_BYTES + words.getInt32(end + OFFSET_BATCH_LENGTH)
      // What is odd about a batch is said when it is its turn.
      if (batchBytes < BATCH_OVERHEAD_BYTES || batchBytes > SMALL_BATCH_BYTES_MAX) break
      if (end + batchBytes > bytes.length || words.getInt8(end + OFFSET_MAGIC) !== MAGIC) break
      crc = extended(crc, words, end)
      crc = shifted(crc, batchBytes - OFFSET_ATTRIBUTES) ^ words.getInt32(end + OFFSET_CRC)
      end += batchBytes
    }
    // Nothing, where the first one is not a small batch: that is looked at alone.
    this.#lookedTo = end
    if (end > start && crc32c(bytes.subarray(start, end)) === crc >>> 0) this.#intactTo = end
  }
}

/** CRC-32C's polynomial (Castagnoli), its bits reversed. */
const POLYNOMIAL = 0x82f63b78
/** By a byte: what it becomes as many bits later as a byte has; then two, three and four bytes later. */
const byteTables = makeByteTables()

function makeByteTables(): Int32Array {
  const all = new Int32Array(4 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 1; bit <= 32; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
      if (bit % 8 === 0) all[(bit / 8 - 1) * 256 + byte] = crc
    }
  }
  return all
}

/** The CRC of some bytes and of the head of a batch behind them, from the CRC of the former (slicing by four). */
function extended(crc: number, words: DataView, head: number): number {
  let register = ~crc
  for (let at = head; at < head + HEAD_WORDS_BYTES; at += 4) {
    register ^= words.getInt32(at, true)
    register =
      byteTables[768 + (register & 0xff)]! ^
      byteTables[512 + ((register >>> 8) & 0xff)]! ^
      byteTables[256 + ((register >>> 16) & 0xff)]! ^
      byteTables[register >>> 24]!
  }
  return ~(byteTables[(register ^ words.getUint8(head + HEAD_WORDS_BYTES)) & 0xff]! ^ (register >>> 8))
}

/** A head has five words and a byte. */
const HEAD_WORDS_BYTES = OFFSET_ATTRIBUTES - 1

/**
 * What a CRC contributes to that of a whole whose last `bytes` bytes come behind it: a product modulo the polynomial, looked up by
 * half bytes. A number of bytes is two digits of base 64, each with tables for its 64 values.
 */
function shifted(crc: number, bytes: number): number {
  tables ??= [shiftTables(1), shiftTables(DIGIT_VALUES)]
  return product(tables[1]!, bytes >>> DIGIT_BITS, product(tables[0]!, bytes & (DIGIT_VALUES - 1), crc))
}

const DIGIT_BITS = 6
const DIGIT_VALUES = 1 << DIGIT_BITS
const NIBBLES = 8
const NIBBLE_VALUES = 16
const TABLE_LENGTH = NIBBLES * NIBBLE_VALUES
let tables: [Int32Array, Int32Array] | undefined

function product(all: Int32Array, digit: number, crc: number): number {
  const at = digit * TABLE_LENGTH
  return (
    all[at + (crc & 15)]! ^
    all[at + 16 + ((crc >>> 4) & 15)]! ^
    all[at + 32 + ((crc >>> 8) & 15)]! ^
    all[at + 48 + ((crc >>> 12) & 15)]! ^
    all[at + 64 + ((crc >>> 16) & 15)]! ^
    all[at + 80 + ((crc >>> 20) & 15)]! ^
    all[at + 96 + ((crc >>> 24) & 15)]! ^
    all[at + 112 + (crc >>> 28)]!
  )
}

/** For each digit, each half byte of a CRC and each value of that: what it becomes `digit * unitBytes` bytes later. */
function shiftTables(unitBytes: number): Int32Array {
  const all = new Int32Array(DIGIT_VALUES * TABLE_LENGTH)
  for (let entry = 0; entry < TABLE_LENGTH; entry++) {
    let crc = (entry % NIBBLE_VALUES) << (4 * Math.floor(entry / NIBBLE_VALUES))
    for (let digit = 0; digit < DIGIT_VALUES; digit++) {
      all[digit * TABLE_LENGTH + entry] = crc
      for (let i = 0; i < unitBytes; i++) crc = byteTables[crc & 0xff]! ^ (crc >>> 8)
    }
  }
  return all
}
