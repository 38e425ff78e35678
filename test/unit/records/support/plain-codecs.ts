/**
 * Slow decoders for judging the fast ones: snappy and LZ4 byte by byte, as their format descriptions have them. gzip and zstd
 * are Node's own on both sides. Shares no code with `src/records`.
 */
import assert from 'node:assert/strict'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'

/** One way a producer may compress a batch's records. */
export interface Compressor {
  /** As batch attributes number it. */
  readonly codec: number
  readonly name: string
  compress(plain: Buffer): Buffer
}

/** Every codec, and for those that come in several forms each of them. */
export const COMPRESSORS: readonly Compressor[] = [
  { codec: 0, name: 'none', compress: plain => plain },
  { codec: 1, name: 'gzip', compress: plain => gzipSync(plain) },
  { codec: 2, name: 'snappy', compress: plain => snappyCompress(plain) },
  { codec: 2, name: 'snappy in xerial frames', compress: plain => xerial(plain, 1_000) },
  { codec: 3, name: 'lz4', compress: plain => lz4Compress(plain) },
  { codec: 4, name: 'zstd', compress: plain => zstdCompressSync(plain) }
]

/** Undoes the codec that a batch's attributes name. */
export function plainDecompress(codec: number, compressed: Buffer): Buffer {
  switch (codec) {
    case 0:
      return compressed
    case 1:
      return gunzipSync(compressed)
    case 2:
      return compressed.subarray(0, 8).equals(XERIAL_MAGIC) ? unframeXerial(compressed) : snappyBlock(compressed)
    case 3:
      return lz4Frame(compressed)
    case 4:
      return zstdDecompressSync(compressed)
    default:
      return assert.fail(`codec ${codec}`)
  }
}

const XERIAL_MAGIC = Buffer.from('82534e4150505900', 'hex')
/** Version 1, compatible with 1. */
const XERIAL_VERSIONS = Buffer.from('0000000100000001', 'hex')

/** As snappy-java's SnappyOutputStream writes it: a header, then blocks with their lengths in front. */
export function xerial(plain: Buffer, blockBytes: number): Buffer {
  const parts: Buffer[] = [XERIAL_MAGIC, XERIAL_VERSIONS]
  for (let at = 0; at < plain.length; at += blockBytes) {
    const block = snappyCompress(plain.subarray(at, at + blockBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

function unframeXerial(framed: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let at = 16; at < framed.length; ) {
    const length = framed.readInt32BE(at)
    blocks.push(snappyBlock(framed.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return Buffer.concat(blocks)
}

/** Elements of literals and copies behind the plain length. */
function snappyBlock(block: Buffer): Buffer {
  let at = 0
  let plainLength = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = block[at++]!
    plainLength += (byte % 128) * scale
    if (byte < 128) break
  }
  const plain: number[] = []
  while (at < block.length) {
    const tag = block[at++]!
    const kind = tag % 4
    const rest = tag >> 2
    if (kind === 0) {
      let length = rest + 1
      if (rest >= 60) {
        const lengthBytes = rest - 59
        length = block.readUIntLE(at, lengthBytes) + 1
        at += lengthBytes
      }
      plain.push(...block.subarray(at, at + length))
      at += length
    } else if (kind === 1) {
      copyBack(plain, (tag >> 5) * 256 + block[at++]!, (rest % 8) + 4)
    } else {
      const offsetBytes = kind === 2 ? 2 : 4
      copyBack(plain, block.readUIntLE(at, offsetBytes), rest + 1)
      at += offsetBytes
    }
  }
  assert.equal(plain.length, plainLength, 'plain length of a snappy block')
  return Buffer.from(plain)
}

/** A frame of blocks; checksums are skipped. */
function lz4Frame(frame: Buffer): Buffer {
  assert.equal(frame.readUInt32LE(0), 0x184d2204, 'LZ4 magic')
  const flags = frame[4]!
  const blockChecksumBytes = flags & 0x10 ? 4 : 0
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0)
  const plain: number[] = []
  for (;;) {
    const size = frame.readUInt32LE(at)
    at += 4
    if (size === 0) return Buffer.from(plain)
    const length = size & 0x7fffffff
    const block = frame.subarray(at, at + length)
    if (size >= 0x80000000) plain.push(...block)
    else lz4Block(block, plain)
    at += length + blockChecksumBytes
  }
}

function lz4Block(block: Buffer, plain: number[]): void {
  let at = 0
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    if (nibble === 15) {
      let byte: number
      do {
        byte = block[at++]!
        length += byte
      } while (byte === 255)
    }
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = lengthFrom(token >> 4)
    plain.push(...block.subarray(at, at + literals))
    at += literals
    if (at >= block.length) return
    const distance = block.readUInt16LE(at)
    at += 2
    copyBack(plain, distance, lengthFrom(token % 16) + 4)
  }
}

function copyBack(plain: number[], distance: number, length: number): void {
  assert.ok(distance > 0 && distance <= plain.length, `a copy from ${distance} bytes back, of ${plain.length}`)
  for (let i = 0; i < length; i++) plain.push(plain[plain.length - distance]!)
}
