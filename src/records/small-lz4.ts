/**
 * LZ4 frames of a few kilobytes, decoded here. The WebAssembly module takes more than a microsecond to begin and end a
 * frame, however little is in it; where each record is a batch of its own, that would be the largest part of all.
 *
 * Only what Kafka's producers write for such batches is understood: the one frame header they use, one block, and
 * nothing behind it. Everything else, damaged bytes too, is left to the module, which also has the errors.
 */

/** Magic; version 1, independent blocks, no checksums, no size; blocks of at most 64 KiB; checksum of these two bytes. */
const HEADER = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]
const END_MARK_BYTES = 4
const BLOCK_START = HEADER.length + 4
const BLOCK_BYTES_MAX = 4 * 1024
const DECODED_BYTES_MAX = 64 * 1024
/** Longer runs are copied by the engine, shorter ones faster byte by byte. */
const BULK_BYTES_MIN = 48
const SHORTEST_MATCH = 4

const decoded = Buffer.alloc(DECODED_BYTES_MAX)

/**
 * Decodes a whole frame.
 * @returns a view of memory that the next call writes over, or `undefined` where the frame is none of these
 */
export function decodeSmallLz4(frame: Uint8Array): Buffer | undefined {
  const end = frame.length - END_MARK_BYTES
  if (end <= BLOCK_START || end > BLOCK_START + BLOCK_BYTES_MAX) return undefined
  for (let i = 0; i < HEADER.length; i++) if (frame[i] !== HEADER[i]) return undefined
  // A stored block has the highest bit set, and so is none of these.
  if (uint32(frame, HEADER.length) !== end - BLOCK_START || uint32(frame, end) !== 0) return undefined
  return decodeBlock(frame, BLOCK_START, end)
}

function decodeBlock(bytes: Uint8Array, start: number, end: number): Buffer | undefined {
  let from = start
  let to = 0
  while (from < end) {
    const token = bytes[from++]!
    let literals = token >> 4
    if (literals === 15) {
      const more = furtherLength(bytes, from, end)
      if (more < 0) return undefined
      literals += more
      from += furtherLengthBytes(more)
    }
    if (from + literals > end || to + literals > DECODED_BYTES_MAX) return undefined
    if (literals < BULK_BYTES_MIN) for (let i = 0; i < literals; i++) decoded[to + i] = bytes[from + i]!
    else decoded.set(bytes.subarray(from, from + literals), to)
    from += literals
    to += literals
    // The last sequence has no match.
    if (from === end) return decoded.subarray(0, to)
    if (from + 2 > end) return undefined
    const distance = bytes[from]! | (bytes[from + 1]! << 8)
    from += 2
    let length = token & 15
    if (length === 15) {
      const more = furtherLength(bytes, from, end)
      if (more < 0) return undefined
      length += more
      from += furtherLengthBytes(more)
    }
    length += SHORTEST_MATCH
    if (distance === 0 || distance > to || to + length > DECODED_BYTES_MAX) return undefined
    // A match may reach into what it writes itself.
    for (const matchEnd = to + length; to < matchEnd; to++) decoded[to] = decoded[to - distance]!
  }
  return undefined
}

/** What a length of 15 goes on with: bytes to be added up, of which the last is not 255; -1 where it is cut off. */
function furtherLength(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0
  for (let at = start; at < end; at++) {
    sum += bytes[at]!
    if (bytes[at] !== 255) return sum
  }
  return -1
}

/** How many bytes such a sum took: one for each 255 in it, and the last. */
function furtherLengthBytes(sum: number): number {
  return Math.floor(sum / 255) + 1
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
