import { crc32c } from '@node-rs/crc32'
import {
  BATCH_OVERHEAD_BYTES,
  LOG_OVERHEAD_BYTES,
  MAGIC,
  OFFSET_ATTRIBUTES,
  OFFSET_BASE_OFFSET,
  OFFSET_BASE_SEQUENCE,
  OFFSET_BASE_TIMESTAMP,
  OFFSET_BATCH_LENGTH,
  OFFSET_CRC,
  OFFSET_LAST_OFFSET_DELTA,
  OFFSET_LEADER_EPOCH,
  OFFSET_MAGIC,
  OFFSET_MAX_TIMESTAMP,
  OFFSET_PRODUCER_EPOCH,
  OFFSET_PRODUCER_ID,
  OFFSET_RECORD_COUNT,
  writeInt64
} from './batch.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Codec, compress } from './codecs.ts'
import { deflateKnown } from './deflate.ts'
import { KnownMatches } from './known-matches.ts'

/** Who writes a batch, and where in that writer's sequence it stands (KIP-98). */
export interface ProducerStamp {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/**
 * Written without looking for repetitions, a byte takes about as many bits as four that repeat: so few make no difference, and one
 * small batch among large ones does not make all be looked through.
 */
const KNOWN_BYTES_PER_UNKNOWN = 32

/**
 * One destination batch under construction: records are appended as bytes until it is sealed, then it is complete and
 * its bytes do not change any more, so a retry sends exactly what was sent before.
 *
 * Its records are numbered 0, 1, 2, … whatever the source's deltas were (compaction leaves holes there, and a produced
 * batch with `lastOffsetDelta + 1 != recordCount` is refused), and their timestamp deltas count from the first
 * record's timestamp, as Kafka's own MemoryRecordsBuilder has it.
 */
export class BatchBuilder {
  readonly codec: Codec
  readonly #pool: BufferPool
  /** Uncompressed: header space, then records. The splice writes into it directly. */
  bytes: Buffer
  /** End of the last record. */
  length = BATCH_OVERHEAD_BYTES
  recordCount = 0
  baseTimestamp = 0
  maxTimestamp = -1
  firstSourceOffset = -1
  lastSourceOffset = -1
  /** Distinct record timestamps in a row and how many records share each: what latency is measured from. */
  readonly timestamps: number[] = []
  readonly timestampCounts: number[] = []
  /** What repeats in the records, as long as that is known of nearly all of them: they are compressed with it then. */
  matches: KnownMatches | undefined
  /** Of records of which it is not known. */
  #unknownBytes = 0

  constructor(pool: BufferPool, codec: Codec, capacityBytes: number) {
    this.#pool = pool
    this.codec = codec
    this.bytes = pool.acquire(capacityBytes)
    if (codec === Codec.gzip) this.matches = new KnownMatches(pool, BATCH_OVERHEAD_BYTES, capacityBytes)
  }

  /** Makes room for `more` bytes behind the last record. */
  ensure(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const larger = this.#pool.acquire(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.#pool.release(this.bytes)
    this.bytes = larger
  }

  /** Counts a record whose bytes now end at `length`. */
  added(sourceOffset: number, timestamp: number, length: number): void {
    if (this.recordCount === 0) this.firstSourceOffset = sourceOffset
    this.lastSourceOffset = sourceOffset
    this.recordCount++
    this.length = length
    const last = this.timestamps.length - 1
    if (last >= 0 && this.timestamps[last] === timestamp) {
      this.timestampCounts[last]! += 1
    } else {
      this.timestamps.push(timestamp)
      this.timestampCounts.push(1)
      if (timestamp > this.maxTimestamp || last < 0) this.maxTimestamp = timestamp
    }
  }

  /** Compresses if need be, fills in the header and the CRC, and returns the finished batch. The builder is spent. */
  seal(stamp: ProducerStamp): SealedBatch {
    if (this.codec !== Codec.none) {
      const compressed = this.#compressed()
      this.#forgetMatches()
      const larger = this.#pool.acquire(BATCH_OVERHEAD_BYTES + compressed.length)
      compressed.copy(larger, BATCH_OVERHEAD_BYTES)
      this.#pool.release(this.bytes)
      this.bytes = larger
      this.length = BATCH_OVERHEAD_BYTES + compressed.length
    }
    const bytes = this.bytes
    writeInt64(bytes, 0, OFFSET_BASE_OFFSET)
    bytes.writeInt32BE(this.length - LOG_OVERHEAD_BYTES, OFFSET_BATCH_LENGTH)
    bytes.writeInt32BE(-1, OFFSET_LEADER_EPOCH)
    bytes.writeInt8(MAGIC, OFFSET_MAGIC)
    // The codec is all that is left of the source's attributes: never transactional, control, delete horizon or
    // append time, which a broker refuses from a producer or which would say something untrue about the copy.
    bytes.writeInt16BE(this.codec, OFFSET_ATTRIBUTES)
    bytes.writeInt32BE(this.recordCount - 1, OFFSET_LAST_OFFSET_DELTA)
    writeInt64(bytes, this.baseTimestamp, OFFSET_BASE_TIMESTAMP)
    writeInt64(bytes, this.maxTimestamp, OFFSET_MAX_TIMESTAMP)
    writeInt64(bytes, stamp.producerId, OFFSET_PRODUCER_ID)
    bytes.writeInt16BE(stamp.producerEpoch, OFFSET_PRODUCER_EPOCH)
    bytes.writeInt32BE(stamp.baseSequence, OFFSET_BASE_SEQUENCE)
    bytes.writeInt32BE(this.recordCount, OFFSET_RECORD_COUNT)
    bytes.writeUInt32BE(crc32c(bytes.subarray(OFFSET_ATTRIBUTES, this.length)), OFFSET_CRC)
    return { bytes: bytes.subarray(0, this.length), release: () => this.#pool.release(bytes) }
  }

  #compressed(): Buffer {
    if (this.matches === undefined || this.#isTooMuchUnknown(this.length)) {
      return compress(this.codec, this.bytes.subarray(BATCH_OVERHEAD_BYTES, this.length))
    }
    return deflateKnown(this.bytes, BATCH_OVERHEAD_BYTES, this.length, this.matches)
  }

  /** So many bytes were appended of which it is not known what repeats. */
  addedUnknown(bytes: number): void {
    this.#unknownBytes += bytes
    if (this.#isTooMuchUnknown(this.bytes.length)) this.#forgetMatches()
  }

  #isTooMuchUnknown(bytes: number): boolean {
    return this.#unknownBytes * KNOWN_BYTES_PER_UNKNOWN > bytes
  }

  #forgetMatches(): void {
    this.matches?.release()
    this.matches = undefined
  }

  /** Gives the memory back without a seal. */
  discard(): void {
    this.#forgetMatches()
    this.#pool.release(this.bytes)
  }
}

/** A finished batch, ready for a Produce request. */
export interface SealedBatch {
  readonly bytes: Buffer
  /** Gives the memory back, once nothing can send the bytes any more. */
  release(): void
}
