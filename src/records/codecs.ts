import { encodeLz4 } from './lz4.ts'
import { dropLargeWasmInstances, runWasmCodec } from './wasm-codecs.ts'
import { dropLargeZlibResults, runZlibCodec } from './zlib-codecs.ts'

/** Codec numbers as in a batch's attributes (Kafka's CompressionType). */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type Codec = (typeof Codec)[keyof typeof Codec]

/**
 * The most a batch may decompress to. A broker takes compressed batches by their compressed size, so a small one can
 * hold a bomb; what real producers send (`batch.size`, `max.request.size`) is far below.
 */
export const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

/** Xerial's framing of snappy, which Kafka's Java producer writes: this magic, two int32 versions, then length-prefixed chunks. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

/**
 * Undoes the codec. Throws whatever the library throws when the bytes are not what the codec says.
 * @returns a view into memory that the next call to `compress` or `decompress` in this thread uses again
 */
export function decompress(codec: Codec, compressed: Buffer): Buffer {
  dropLargeResults()
  switch (codec) {
    case Codec.none:
      return compressed
    case Codec.gzip:
      return runZlibCodec('gunzip', compressed, DECOMPRESSED_BYTES_MAX)
    case Codec.snappy:
      return decompressSnappy(compressed)
    case Codec.lz4:
      return decompressLz4(compressed)
    case Codec.zstd:
      return runZlibCodec('zstdDecompress', compressed, DECOMPRESSED_BYTES_MAX)
  }
}

/**
 * Applies the codec: gzip at its usual level, zstd at its quickest of Kafka's.
 * @returns as `decompress` does
 */
export function compress(codec: Codec, plain: Buffer): Buffer {
  dropLargeResults()
  switch (codec) {
    case Codec.none:
      return plain
    case Codec.gzip:
      return runZlibCodec('gzip', plain, Number.POSITIVE_INFINITY)
    case Codec.snappy:
      // Raw, unframed snappy: every consumer reads both forms, librdkafka writes this one.
      return runWasmCodec('snappy_compress', plain)
    case Codec.lz4:
      return encodeLz4(plain)
    case Codec.zstd:
      return runZlibCodec('zstdCompress', plain, Number.POSITIVE_INFINITY)
  }
}

/**
 * What a huge batch took must not wait for the next one of its codec: a batch of each would add up to more than a worker has.
 */
function dropLargeResults(): void {
  dropLargeZlibResults()
  dropLargeWasmInstances()
}

/** Whether the number names a codec. */
export function isCodec(codec: number): codec is Codec {
  return codec >= Codec.none && codec <= Codec.zstd
}

function decompressLz4(compressed: Buffer): Buffer {
  assertLz4Fits(compressed)
  return runWasmCodec('lz4_decompress', compressed)
}

function decompressSnappy(compressed: Buffer): Buffer {
  const isXerial =
    compressed.length >= XERIAL_HEADER_BYTES &&
    compressed.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, 0, XERIAL_MAGIC.length) === 0
  return isXerial ? decompressXerial(compressed) : decompressSnappyBlock(compressed)
}

/** Kept from one batch to the next: the chunks' results stand in it one behind the other. */
let joined = Buffer.alloc(0)
const KEPT_JOINED_BYTES_MAX = 16 * 1024 * 1024

function decompressXerial(framed: Buffer): Buffer {
  const plainBytes = [...xerialChunks(framed)].reduce((sum, chunk) => sum + snappyPlainBytes(chunk), 0)
  assertFits('snappy', plainBytes)
  let into = joined
  if (into.length < plainBytes) {
    into = Buffer.allocUnsafeSlow(plainBytes)
    if (plainBytes <= KEPT_JOINED_BYTES_MAX) joined = into
  }
  let at = 0
  for (const chunk of xerialChunks(framed)) at += decompressSnappyBlock(chunk).copy(into, at)
  return into.subarray(0, at)
}

function* xerialChunks(framed: Buffer): Generator<Buffer, void, undefined> {
  let at = XERIAL_HEADER_BYTES
  while (at < framed.length) {
    if (at + 4 > framed.length) throw new RangeError('a snappy chunk ends within its length')
    const chunkBytes = framed.readUInt32BE(at)
    at += 4
    if (at + chunkBytes > framed.length) throw new RangeError('a snappy chunk is longer than the batch')
    yield framed.subarray(at, at + chunkBytes)
    at += chunkBytes
  }
}

function decompressSnappyBlock(block: Buffer): Buffer {
  assertFits('snappy', snappyPlainBytes(block))
  return runWasmCodec('snappy_decompress', block)
}

/** A snappy block starts with its plain length as a little-endian base-128 number: look before allocating. */
function snappyPlainBytes(block: Buffer): number {
  let plainBytes = 0
  for (let i = 0, scale = 1; i < 5 && i < block.length; i++, scale *= 128) {
    plainBytes += (block[i]! & 0x7f) * scale
    if (block[i]! < 0x80) break
  }
  return plainBytes
}

function assertFits(codec: string, plainBytes: number): void {
  if (plainBytes > DECOMPRESSED_BYTES_MAX) {
    throw new RangeError(`${codec} data expands beyond ${DECOMPRESSED_BYTES_MAX} bytes`)
  }
}

/** Bytes that one byte of an LZ4 block can stand for at most. */
const LZ4_RATIO_MAX = 255
const LZ4_BLOCK_MAX_BYTES = [0, 0, 0, 0, 65_536, 262_144, 1_048_576, 4_194_304]
const LZ4_UNCOMPRESSED_BIT = 0x80000000

/**
 * Throws where an LZ4 frame could hold more than the limit: the library itself has none. Each block holds at most what
 * the frame's header says, so counting blocks bounds the whole (the frame format's sections 3 and 4).
 */
function assertLz4Fits(frame: Buffer): void {
  if (frame.length * LZ4_RATIO_MAX <= DECOMPRESSED_BYTES_MAX) return
  const flags = frame[4]!
  const blockMaxBytes = LZ4_BLOCK_MAX_BYTES[(frame[5]! >> 4) & 0x07]!
  const blockChecksumBytes = flags & 0x10 ? 4 : 0
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0)
  let plainBytesMax = 0
  while (at + 4 <= frame.length) {
    const size = frame.readUInt32LE(at)
    if (size === 0) return
    const blockBytes = size % LZ4_UNCOMPRESSED_BIT
    plainBytesMax += Math.min(blockMaxBytes, size >= LZ4_UNCOMPRESSED_BIT ? blockBytes : blockBytes * LZ4_RATIO_MAX)
    assertFits('lz4', plainBytesMax)
    at += 4 + blockBytes + blockChecksumBytes
  }
}
