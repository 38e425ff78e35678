/**
 * gzip of bytes whose repetitions are known already. Looking for them is nearly all that gzip does; what is left is to
 * count symbols, to give each block the code that fits it, and to write the bits.
 */
import { crc32 } from 'node:zlib'
import {
  CODE_LENGTH_ORDER,
  CODE_LENGTH_SYMBOLS,
  DISTANCE_BASES,
  DISTANCE_EXTRA_BITS,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  FIRST_LENGTH_SYMBOL,
  LENGTH_BASES,
  LENGTH_EXTRA_BITS,
  LITERAL_SYMBOLS,
  LONGEST_CODE,
  LONGEST_CODE_LENGTH_CODE,
  MEMBER_HEADER,
  MEMBER_TRAILER_BYTES
} from './deflate-format.ts'
import { distanceOf, LONGEST_MATCH, lengthOf, type Matches, SHORTEST_MATCH } from './matches.ts'
import { PrefixCode } from './prefix-code.ts'
import { wordsOf } from './words.ts'

/** A block's code fits its symbols the better the fewer there are, and takes some 80 bytes itself. */
const BLOCK_SYMBOLS_MAX = 32 * 1024
/** No symbol is longer than a code and its extra bits, so this is enough for a block, its codes included. */
const BLOCK_BYTES_MAX = BLOCK_SYMBOLS_MAX * 6 + 1024
const OUTPUT_BYTES_FIRST = 256 * 1024
/** A result larger than this has a buffer of its own, which is not kept. */
const KEPT_OUTPUT_BYTES_MAX = 4 * 1024 * 1024

let output = Buffer.alloc(0)
let outputWords = wordsOf(output)

/**
 * @param start of the bytes to compress; places of matches count from the beginning of `bytes` too
 * @returns a gzip member, a view of memory that the next call writes over
 */
export function deflateKnown(bytes: Buffer, start: number, end: number, matches: Matches): Buffer {
  if (output.length < OUTPUT_BYTES_FIRST || output.length > KEPT_OUTPUT_BYTES_MAX) grow(0, OUTPUT_BYTES_FIRST)
  for (let i = 0; i < MEMBER_HEADER.length; i++) output[i] = MEMBER_HEADER[i]!
  const writer = new BitWriter(MEMBER_HEADER.length)
  const cursor = new Cursor(start, end, matches)
  do {
    if (output.length < writer.at + BLOCK_BYTES_MAX) grow(writer.at, output.length * 2)
    writeBlock(bytes, cursor, writer)
  } while (cursor.at < end)
  const at = writer.finish()
  outputWords.setUint32(at, crc32(bytes.subarray(start, end)), true)
  outputWords.setUint32(at + 4, end - start, true)
  return output.subarray(0, at + MEMBER_TRAILER_BYTES)
}

function grow(kept: number, bytes: number): void {
  const larger = Buffer.allocUnsafeSlow(bytes)
  output.copy(larger, 0, 0, kept)
  output = larger
  outputWords = wordsOf(larger)
}

/** What is still to be written. */
class Cursor {
  at: number
  readonly end: number
  readonly words: Int32Array
  /** The next match's place in `words`, and where they end. */
  next = 0
  readonly matchesEnd: number

  constructor(start: number, end: number, matches: Matches) {
    this.at = start
    this.end = end
    this.words = matches.words
    this.matchesEnd = matches.count * 2
  }
}

const literalCounts = new Int32Array(LITERAL_SYMBOLS)
const distanceCounts = new Int32Array(DISTANCE_SYMBOLS)
const literalCode = new PrefixCode(LITERAL_SYMBOLS, LONGEST_CODE)
const distanceCode = new PrefixCode(DISTANCE_SYMBOLS, LONGEST_CODE)

function writeBlock(bytes: Buffer, cursor: Cursor, writer: BitWriter): void {
  const { at: start, next: firstMatch } = cursor
  countSymbols(bytes, cursor)
  const { at: end, next: matchesEnd } = cursor
  literalCode.build(literalCounts)
  distanceCode.build(distanceCounts)
  writer.put(end === cursor.end ? 1 : 0, 1)
  writer.put(DYNAMIC, 2)
  writeCodes(writer)
  writer.writeSymbols(bytes, start, end, cursor.words, firstMatch, matchesEnd)
}

const DYNAMIC = 2

/** Counts a block's symbols and moves the cursor behind it. */
function countSymbols(bytes: Buffer, cursor: Cursor): void {
  const { words } = cursor
  // Said to be int32, or V8 counts with doubles.
  const end = cursor.end | 0
  const matchesEnd = cursor.matchesEnd | 0
  literalCounts.fill(0)
  distanceCounts.fill(0)
  literalCounts[END_OF_BLOCK] = 1
  let at = cursor.at | 0
  let next = cursor.next | 0
  let room = BLOCK_SYMBOLS_MAX | 0
  while (at < end && room > 0) {
    const matchAt = next < matchesEnd ? words[next]! : end
    const literalsEnd = matchAt - at < room ? matchAt : (at + room) | 0
    room = (room - (literalsEnd - at)) | 0
    for (; at < literalsEnd; at = (at + 1) | 0) literalCounts[bytes[at]!]!++
    if (at < matchAt || next === matchesEnd || room === 0) continue
    const match = words[next + 1]!
    const length = lengthOf(match)
    literalCounts[lengthSymbols[length]!]!++
    distanceCounts[distanceSymbol(distanceOf(match))]!++
    at = (at + length) | 0
    next = (next + 2) | 0
    room = (room - 1) | 0
  }
  cursor.at = at
  cursor.next = next
}

const codeLengthCounts = new Int32Array(CODE_LENGTH_SYMBOLS)
const codeLengthCode = new PrefixCode(CODE_LENGTH_SYMBOLS, LONGEST_CODE_LENGTH_CODE)

/** The block's two codes (RFC 1951, 3.2.7): the lengths of all codes in a row, each as it is; runs of zeros are cut short. */
function writeCodes(writer: BitWriter): void {
  const literals = Math.max(literalCode.usedSymbols, FIRST_LENGTH_SYMBOL)
  const distances = Math.max(distanceCode.usedSymbols, 1)
  codeLengthCounts.fill(0)
  forEachCodeLength(literals, distances, symbol => {
    codeLengthCounts[symbol]!++
  })
  codeLengthCode.build(codeLengthCounts)
  let count = CODE_LENGTH_SYMBOLS
  while (count > 4 && codeLengthCode.lengths[CODE_LENGTH_ORDER[count - 1]!] === 0) count--
  writer.put(literals - FIRST_LENGTH_SYMBOL, 5)
  writer.put(distances - 1, 5)
  writer.put(count - 4, 4)
  for (let i = 0; i < count; i++) writer.put(codeLengthCode.lengths[CODE_LENGTH_ORDER[i]!]!, 3)
  forEachCodeLength(literals, distances, (symbol, extra, extraBits) => {
    writer.put(codeLengthCode.codes[symbol]!, codeLengthCode.lengths[symbol]!)
    writer.put(extra, extraBits)
  })
}

/** Zeros: 3 to 10 of them by one symbol, 11 to 138 by another. */
const SHORT_ZEROS = 17
const LONG_ZEROS = 18

function forEachCodeLength(
  literals: number,
  distances: number,
  visit: (symbol: number, extra: number, extraBits: number) => void
): void {
  const all = literals + distances
  const lengthAt = (i: number) => (i < literals ? literalCode.lengths[i]! : distanceCode.lengths[i - literals]!)
  for (let i = 0; i < all; ) {
    let zeros = 0
    while (zeros < 138 && i + zeros < all && lengthAt(i + zeros) === 0) zeros++
    if (zeros >= 11) visit(LONG_ZEROS, zeros - 11, 7)
    else if (zeros >= 3) visit(SHORT_ZEROS, zeros - 3, 3)
    else visit(lengthAt(i), 0, 0)
    i += zeros >= 3 ? zeros : 1
  }
}

/** By length of a match: its symbol. */
const lengthSymbols = new Uint16Array(LONGEST_MATCH + 1)
for (let length = SHORTEST_MATCH; length <= LONGEST_MATCH; length++) {
  lengthSymbols[length] = FIRST_LENGTH_SYMBOL + LENGTH_BASES.findLastIndex(base => base <= length)
}
/** By distance less one: below 256 each, from there on by the upper bits, since all later symbols stand for 128 distances and more. */
const nearSymbols = Uint8Array.from({ length: 256 }, (_, index) => symbolOfDistance(index + 1))
const farSymbols = Uint8Array.from({ length: 256 }, (_, index) => symbolOfDistance((index << 7) + 1))

function symbolOfDistance(distance: number): number {
  return DISTANCE_BASES.findLastIndex(base => base <= distance)
}

function distanceSymbol(distance: number): number {
  const index = distance - 1
  return index < 256 ? nearSymbols[index]! : farSymbols[index >> 7]!
}

/** For the block at hand, by symbol or by length of a match: the bits to write, above how many they are. */
const symbolBits = new Int32Array(LITERAL_SYMBOLS)
const lengthBits = new Int32Array(LONGEST_MATCH + 1)
const distanceBits = new Int32Array(DISTANCE_SYMBOLS)
const COUNT_BITS = 5
const COUNT_MASK = (1 << COUNT_BITS) - 1

/** Writes bits, the first one lowest. */
class BitWriter {
  at: number
  #bits = 0
  /** Fewer than eight. */
  #bitCount = 0

  constructor(at: number) {
    this.at = at
  }

  /** @param count at most 24 */
  put(bits: number, count: number): void {
    this.#bits |= bits << this.#bitCount
    this.#bitCount += count
    outputWords.setInt32(this.at, this.#bits, true)
    this.at += this.#bitCount >> 3
    this.#bits = (this.#bits >>> (this.#bitCount & ~7)) | 0
    this.#bitCount &= 7
  }

  /** @returns where the last byte ends */
  finish(): number {
    if (this.#bitCount > 0) this.put(0, 8 - this.#bitCount)
    return this.at
  }

  /** All symbols of a block, and its end. What is a number in an object elsewhere is one in a register here. */
  writeSymbols(
    bytes: Buffer,
    start: number,
    end: number,
    words: Int32Array,
    firstMatch: number,
    matchesEnd: number
  ): void {
    prepareBits()
    const out = outputWords
    let to = this.at | 0
    let bits = this.#bits | 0
    let bitCount = this.#bitCount | 0
    let at = start | 0
    for (let next = firstMatch | 0; ; next = (next + 2) | 0) {
      const matchAt = next < matchesEnd ? words[next]! : end | 0
      for (; at < matchAt; at = (at + 1) | 0) {
        const entry = symbolBits[bytes[at]!]!
        bits |= (entry >> COUNT_BITS) << bitCount
        bitCount = (bitCount + (entry & COUNT_MASK)) | 0
        out.setInt32(to, bits, true)
        to = (to + (bitCount >> 3)) | 0
        bits = (bits >>> (bitCount & 24)) | 0
        bitCount &= 7
      }
      if (next >= matchesEnd) break
      const match = words[next + 1]!
      const length = lengthOf(match)
      let entry = lengthBits[length]!
      bits |= (entry >> COUNT_BITS) << bitCount
      bitCount = (bitCount + (entry & COUNT_MASK)) | 0
      out.setInt32(to, bits, true)
      to = (to + (bitCount >> 3)) | 0
      bits = (bits >>> (bitCount & 24)) | 0
      bitCount &= 7
      const distance = distanceOf(match)
      const symbol = distanceSymbol(distance)
      entry = distanceBits[symbol]!
      bits |= (entry >> COUNT_BITS) << bitCount
      bitCount = (bitCount + (entry & COUNT_MASK)) | 0
      out.setInt32(to, bits, true)
      to = (to + (bitCount >> 3)) | 0
      bits = (bits >>> (bitCount & 24)) | 0
      bitCount &= 7
      bits |= (distance - distanceBases[symbol]!) << bitCount
      bitCount = (bitCount + distanceExtraBits[symbol]!) | 0
      out.setInt32(to, bits, true)
      to = (to + (bitCount >> 3)) | 0
      bits = (bits >>> (bitCount & 24)) | 0
      bitCount &= 7
      at = (at + length) | 0
    }
    this.at = to
    this.#bits = bits
    this.#bitCount = bitCount
    this.put(literalCode.codes[END_OF_BLOCK]!, literalCode.lengths[END_OF_BLOCK]!)
  }
}

const distanceBases = Int32Array.from(DISTANCE_BASES)
const distanceExtraBits = Int32Array.from(DISTANCE_EXTRA_BITS)

function prepareBits(): void {
  for (let symbol = 0; symbol < LITERAL_SYMBOLS; symbol++) {
    symbolBits[symbol] = (literalCode.codes[symbol]! << COUNT_BITS) | literalCode.lengths[symbol]!
  }
  for (let length = SHORTEST_MATCH; length <= LONGEST_MATCH; length++) {
    const symbol = lengthSymbols[length]!
    const index = symbol - FIRST_LENGTH_SYMBOL
    const codeBits = literalCode.lengths[symbol]!
    const bits = literalCode.codes[symbol]! | ((length - LENGTH_BASES[index]!) << codeBits)
    lengthBits[length] = (bits << COUNT_BITS) | (codeBits + LENGTH_EXTRA_BITS[index]!)
  }
  for (let symbol = 0; symbol < DISTANCE_SYMBOLS; symbol++) {
    distanceBits[symbol] = (distanceCode.codes[symbol]! << COUNT_BITS) | distanceCode.lengths[symbol]!
  }
}
