/**
 * LZ4 in JavaScript, for what it is quicker at than the WebAssembly module: frames of a few kilobytes, which cost the
 * module more than a microsecond each before their first byte, and compression, where the module is held up by copies
 * in and out. Large frames are decompressed by the module.
 *
 * Written frames are those of Kafka's producers: one header, blocks of at most 64 KiB that do not refer to one another,
 * no checksums. Of read ones only this form is understood, with one block and nothing behind it; everything else, damaged
 * bytes too, is left to the module, which also has the errors.
 *
 * Four bytes are read and written at a time, which may go up to three bytes beyond a run: there is always something behind it that
 * is not yet written or not yet looked at.
 */

import { copyMatch, hashOf, WORD_BYTES, wordsOf } from './words.ts'

/** Magic; version 1, independent blocks, no checksums, no size; blocks of at most 64 KiB; checksum of these two bytes. */
const HEADER = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]
const BLOCK_SIZE_BYTES = 4
const END_MARK_BYTES = 4
const BLOCK_START = HEADER.length + BLOCK_SIZE_BYTES
const BLOCK_PLAIN_BYTES_MAX = 64 * 1024
/** Of a block's size: its bytes are stored as they are. */
const STORED_BIT = 0x80000000
const SHORTEST_MATCH = 4

const SMALL_BLOCK_BYTES_MAX = 4 * 1024
/** Holds what `decodeSmallLz4` decoded, from its first byte on, until its next call. */
export const smallLz4Plain = Buffer.alloc(BLOCK_PLAIN_BYTES_MAX + WORD_BYTES)
const smallPlainWords = wordsOf(smallLz4Plain)

/**
 * Decodes a whole frame into `smallLz4Plain`.
 * @param words what holds the frame
 * @returns how many bytes it decoded to, or -1 where the frame is not of the form understood here
 */
export function decodeSmallLz4(words: DataView, start: number, end: number): number {
  const blockStart = start + BLOCK_START
  const blockEnd = end - END_MARK_BYTES
  if (blockEnd <= blockStart || blockEnd > blockStart + SMALL_BLOCK_BYTES_MAX) return -1
  for (let i = 0; i < HEADER.length; i++) if (words.getUint8(start + i) !== HEADER[i]) return -1
  // A stored block has the highest bit set, and so is none of these.
  if (words.getUint32(blockStart - BLOCK_SIZE_BYTES, true) !== blockEnd - blockStart) return -1
  if (words.getUint32(blockEnd, true) !== 0) return -1
  return decodeBlock(words, blockStart, blockEnd, smallPlainWords)
}

/** The end mark behind the block is what a word at its end may reach into. */
function decodeBlock(words: DataView, start: number, end: number, plain: DataView): number {
  let from = start
  let to = 0
  while (from < end) {
    const token = words.getUint8(from++)
    let literals = token >> 4
    if (literals === 15) {
      const more = furtherLength(words, from, end)
      if (more < 0) return -1
      literals += more
      from += furtherLengthBytes(more)
    }
    if (from + literals > end || to + literals > BLOCK_PLAIN_BYTES_MAX) return -1
    for (let i = 0; i < literals; i += WORD_BYTES) plain.setInt32(to + i, words.getInt32(from + i, true), true)
    from += literals
    to += literals
    // The last sequence has no match.
    if (from === end) return to
    if (from + 2 > end) return -1
    const distance = words.getUint16(from, true)
    from += 2
    let length = token & 15
    if (length === 15) {
      const more = furtherLength(words, from, end)
      if (more < 0) return -1
      length += more
      from += furtherLengthBytes(more)
    }
    length += SHORTEST_MATCH
    if (distance === 0 || distance > to || to + length > BLOCK_PLAIN_BYTES_MAX) return -1
    copyMatch(plain, to, distance, length)
    to += length
  }
  return -1
}

/** What a length of 15 goes on with: bytes to be added up, of which the last is not 255; -1 where it is cut off. */
function furtherLength(words: DataView, start: number, end: number): number {
  let sum = 0
  for (let at = start; at < end; at++) {
    const more = words.getUint8(at)
    sum += more
    if (more !== 255) return sum
  }
  return -1
}

/** How many bytes such a sum took: one for each 255 in it, and the last. */
function furtherLengthBytes(sum: number): number {
  return Math.floor(sum / 255) + 1
}

/** A block's last match begins this much before its end, and ends this much before it (the block format's end conditions). */
const LAST_MATCH_START_BYTES = 12
const LAST_LITERALS_BYTES = 5
const HASH_BITS = 13
/** Where in the block four bytes of this hash were seen last. */
const seenAt = new Uint16Array(1 << HASH_BITS)
/** So many bytes without a match, and the next are looked for a byte further apart, and so on. */
const SEARCHES_PER_STEP_BITS = 6
/** Enough for the limit that topics have unless told otherwise. */
const KEPT_FRAME_BYTES_MAX = 2 * 1024 * 1024

let keptFrame = Buffer.alloc(0)
let keptFrameWords = wordsOf(keptFrame)

/**
 * Encodes a frame, as fast as it can and not as small as it can be.
 * @returns a view of memory that the next call writes over
 */
export function encodeLz4(plain: Buffer): Buffer {
  const plainWords = wordsOf(plain)
  let frame = keptFrame
  let frameWords = keptFrameWords
  const bytesMax = frameBytesMax(plain.length)
  if (frame.length < bytesMax) {
    frame = Buffer.allocUnsafeSlow(bytesMax)
    frameWords = wordsOf(frame)
    if (bytesMax <= KEPT_FRAME_BYTES_MAX) {
      keptFrame = frame
      keptFrameWords = frameWords
    }
  }
  let at = HEADER.length
  for (let i = 0; i < at; i++) frame[i] = HEADER[i]!
  for (let start = 0; start < plain.length; start += BLOCK_PLAIN_BYTES_MAX) {
    const end = Math.min(start + BLOCK_PLAIN_BYTES_MAX, plain.length)
    const blockStart = at + BLOCK_SIZE_BYTES
    let blockEnd = encodeBlock(plainWords, start, end, frameWords, blockStart)
    let size = blockEnd - blockStart
    if (size >= end - start) {
      plain.copy(frame, blockStart, start, end)
      blockEnd = blockStart + end - start
      size = STORED_BIT + end - start
    }
    frameWords.setUint32(at, size, true)
    at = blockEnd
  }
  frameWords.setUint32(at, 0, true)
  return frame.subarray(0, at + END_MARK_BYTES)
}

/** What does not compress grows by a byte in 255, and a block by what frames it; words may reach beyond its end. */
function frameBytesMax(plainBytes: number): number {
  const blocks = Math.ceil(plainBytes / BLOCK_PLAIN_BYTES_MAX)
  return HEADER.length + plainBytes + Math.ceil(plainBytes / 255) + blocks * 32 + END_MARK_BYTES
}

/** @returns where in `out` the block ends */
function encodeBlock(words: DataView, start: number, end: number, out: DataView, outStart: number): number {
  const lastMatchStart = end - LAST_MATCH_START_BYTES
  const matchEndMax = end - LAST_LITERALS_BYTES
  let to = outStart
  let literalsStart = start
  seenAt.fill(0)
  for (let at = start + 1; ; ) {
    let candidate = -1
    for (let searches = 1 << SEARCHES_PER_STEP_BITS; at <= lastMatchStart; at += searches++ >> SEARCHES_PER_STEP_BITS) {
      const word = words.getInt32(at, true)
      const hash = hashOf(word, HASH_BITS)
      // Where nothing was seen it is the block's start, which is as good a candidate as any.
      const seen = start + seenAt[hash]!
      seenAt[hash] = at - start
      if (words.getInt32(seen, true) === word) {
        candidate = seen
        break
      }
    }
    if (candidate < 0) break

    const literals = at - literalsStart
    const tokenAt = to++
    let token = literals << 4
    if (literals >= 15) {
      token = 0xf0
      to = writeFurtherLength(out, to, literals - 15)
    }
    for (let i = 0; i < literals; i += WORD_BYTES) out.setInt32(to + i, words.getInt32(literalsStart + i, true), true)
    to += literals
    out.setUint16(to, at - candidate, true)
    to += 2
    const matchEnd = endOfMatch(words, at, candidate, matchEndMax)
    const further = matchEnd - at - SHORTEST_MATCH
    if (further >= 15) {
      token |= 15
      to = writeFurtherLength(out, to, further - 15)
    } else {
      token |= further
    }
    out.setUint8(tokenAt, token)
    at = literalsStart = matchEnd
  }
  return writeLastLiterals(words, literalsStart, end, out, to)
}

/** How far what begins at both places is the same, given that its first word is. */
function endOfMatch(words: DataView, at: number, candidate: number, endMax: number): number {
  let end = at + WORD_BYTES
  let other = candidate + WORD_BYTES
  while (end + WORD_BYTES <= endMax) {
    const difference = words.getInt32(end, true) ^ words.getInt32(other, true)
    // The lowest set bit is in the first byte that differs.
    if (difference !== 0) return end + ((31 - Math.clz32(difference & -difference)) >> 3)
    end += WORD_BYTES
    other += WORD_BYTES
  }
  while (end < endMax && words.getUint8(end) === words.getUint8(other)) {
    end++
    other++
  }
  return end
}

function writeLastLiterals(words: DataView, start: number, end: number, out: DataView, outStart: number): number {
  const literals = end - start
  let to = outStart
  out.setUint8(to++, Math.min(literals, 15) << 4)
  if (literals >= 15) to = writeFurtherLength(out, to, literals - 15)
  for (let at = start; at < end; at++) out.setUint8(to++, words.getUint8(at))
  return to
}

/** Writes what `furtherLength` reads. */
function writeFurtherLength(out: DataView, at: number, length: number): number {
  let rest = length
  while (rest >= 255) {
    out.setUint8(at++, 255)
    rest -= 255
  }
  out.setUint8(at++, rest)
  return at
}
