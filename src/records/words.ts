/**
 * The same bytes, to read and write numbers of several bytes: V8 does so with one instruction each, where Buffer's methods
 * put them together byte by byte.
 */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export const WORD_BYTES = 4

/**
 * Repeats what is `distance` bytes before `to`: a match of LZ4 or deflate, which may reach into what it writes itself. Writes up to
 * three bytes beyond its end.
 */
export function copyMatch(plain: DataView, to: number, distance: number, length: number): void {
  const end = to + length
  if (distance >= WORD_BYTES)
    for (; to < end; to += WORD_BYTES) plain.setInt32(to, plain.getInt32(to - distance, true), true)
  else for (; to < end; to++) plain.setUint8(to, plain.getUint8(to - distance))
}

/** 2^32 divided by the golden ratio: spreads what differs in few bits. */
const HASH_FACTOR = 0x9e3779b1

/** A number of so many bits for a word: the same for the same, and mostly another for another. */
export function hashOf(word: number, bits: number): number {
  return Math.imul(word, HASH_FACTOR) >>> (32 - bits)
}

/** The same numbers, and room for as many more. */
export function doubled(numbers: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(numbers.length * 2)
  larger.set(numbers)
  return larger
}
