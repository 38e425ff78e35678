/**
 * gzip undone in JavaScript, keeping what the stream said about repetitions: where each match is, how long it is and
 * how far back its copy begins. Batches of the same records can then be compressed without looking for them again
 * (`deflate.ts`), which is what gzip spends its time on.
 *
 * Understood is what producers write: one member (RFC 1952) of any blocks (RFC 1951), with its right length and CRC-32.
 * Everything else, damaged bytes too, is left to zlib, which also has the errors.
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
  MEMBER_HEADER,
  MEMBER_TRAILER_BYTES
} from './deflate-format.ts'
import { LONGEST_MATCH, type Matches, packMatch } from './matches.ts'
import { reversed } from './prefix-code.ts'
import { copyMatch, doubled, WORD_BYTES, wordsOf } from './words.ts'

/** What a stream held; gone with the next call. */
export interface TracedPlain {
  readonly plain: Buffer
  readonly matches: Matches
}

/** More than batches have; they bound what is kept from one to the next. What is larger is left to zlib. */
const PLAIN_BYTES_MAX = 16 * 1024 * 1024
const MATCH_WORDS_MAX = 2 * 1024 * 1024
/** A longest match, and the word that it may go beyond its end. */
const ROOM_BYTES = LONGEST_MATCH + WORD_BYTES

let plain = Buffer.allocUnsafeSlow(256 * 1024)
let plainWords = wordsOf(plain)
let matches = new Int32Array(64 * 1024)

/**
 * @param words what holds the stream
 * @returns `undefined` where it is not of the form understood here
 */
export function inflateTraced(words: DataView, start: number, end: number): TracedPlain | undefined {
  const deflateStart = start + MEMBER_HEADER.length
  const deflateEnd = end - MEMBER_TRAILER_BYTES
  if (deflateEnd <= deflateStart) return undefined
  // Behind the method and the flags, of which none is set, are a time, a level and a system, which say nothing.
  for (let i = 0; i < 4; i++) if (words.getUint8(start + i) !== MEMBER_HEADER[i]) return undefined
  const stream = new DeflateStream(words, deflateStart, deflateEnd)
  if (!stream.inflate()) return undefined
  const result = plain.subarray(0, stream.to)
  if (words.getUint32(deflateEnd + 4, true) !== result.length) return undefined
  if (words.getUint32(deflateEnd, true) !== crc32(result)) return undefined
  return { plain: result, matches: { words: matches, count: stream.matchCount } }
}

/** Bytes beyond the end, all in the trailer, that may be read ahead. */
const OVERREAD_BYTES = 4

/** Of a block's three header bits, the last two. */
const STORED = 0
const FIXED = 1
const DYNAMIC = 2

class DeflateStream {
  readonly #words: DataView
  readonly #end: number
  /** Where the next bits come from; may go two bytes beyond the end, into the trailer, for bits that are not used. */
  #at: number
  /** Bits read and not used yet, the next one lowest; at most 31. */
  #bits = 0
  #bitCount = 0
  to = 0
  matchCount = 0

  constructor(words: DataView, start: number, end: number) {
    this.#words = words
    this.#at = start
    this.#end = end
  }

  /** False where the bytes are no deflate stream that ends at their end. */
  inflate(): boolean {
    for (;;) {
      const isLast = this.#take(1)
      const kind = this.#take(2)
      if (kind === STORED) {
        if (!this.#stored()) return false
      } else if (kind === FIXED) {
        if (!this.#block(fixedLiterals(), fixedDistances())) return false
      } else if (kind !== DYNAMIC || !this.#dynamic()) {
        return false
      }
      if (isLast) return this.#at - (this.#bitCount >> 3) === this.#end
    }
  }

  /** Up to 16 bits; zeros beyond the end, which no stream is mistaken for: its end is compared afterwards. */
  #take(count: number): number {
    if (this.#at <= this.#end + OVERREAD_BYTES) this.#bits |= this.#words.getInt32(this.#at, true) << this.#bitCount
    this.#at += (31 - this.#bitCount) >> 3
    this.#bitCount |= 24
    const taken = this.#bits & ((1 << count) - 1)
    this.#bits = (this.#bits >>> count) | 0
    this.#bitCount -= count
    return taken
  }

  #stored(): boolean {
    this.#take(this.#bitCount & 7)
    const length = this.#take(16)
    const complement = this.#take(16)
    if ((length ^ complement) !== 0xffff) return false
    let from = this.#at - (this.#bitCount >> 3)
    if (from + length > this.#end || !makeRoom(this.to, length)) return false
    for (let i = 0; i < length; i++) plain[this.to++] = this.#words.getUint8(from++)
    this.#at = from
    this.#bits = this.#bitCount = 0
    return true
  }

  #dynamic(): boolean {
    const literalCount = this.#take(5) + 257
    const distanceCount = this.#take(5) + 1
    const codeLengthCount = this.#take(4) + 4
    if (literalCount > LITERAL_SYMBOLS || distanceCount > DISTANCE_SYMBOLS) return false
    lengths.fill(0, 0, CODE_LENGTH_SYMBOLS)
    for (let i = 0; i < codeLengthCount; i++) lengths[CODE_LENGTH_ORDER[i]!] = this.#take(3)
    if (!codeLengthTable.build(lengths, 0, CODE_LENGTH_SYMBOLS)) return false
    const all = literalCount + distanceCount
    for (let i = 0; i < all; ) {
      const symbol = this.#codeLengthSymbol()
      if (symbol < 0) return false
      if (symbol <= LONGEST_CODE) {
        lengths[i++] = symbol
        continue
      }
      const repeated = symbol === 16 ? lengths[i - 1] : 0
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7)
      if (repeated === undefined || i + times > all) return false
      lengths.fill(repeated, i, i + times)
      i += times
    }
    if (lengths[END_OF_BLOCK] === 0) return false
    return (
      literalTable.build(lengths, 0, literalCount) &&
      distanceTable.build(lengths, literalCount, all) &&
      this.#block(literalTable, distanceTable)
    )
  }

  #codeLengthSymbol(): number {
    this.#take(0)
    const entry = codeLengthTable.entries[this.#bits & codeLengthTable.mask]!
    if ((entry & KIND_MASK) === INVALID) return -1
    this.#take(entry & LENGTH_MASK)
    return entry >> VALUE_SHIFT
  }

  /** Everything but the rare is in this loop, in local variables. */
  #block(literals: CodeTable, distances: CodeTable): boolean {
    const words = this.#words
    const atMax = this.#end + OVERREAD_BYTES
    const literalEntries = literals.entries
    const literalMask = literals.mask
    const distanceEntries = distances.entries
    const distanceMask = distances.mask
    let at = this.#at | 0
    let bits = this.#bits | 0
    let bitCount = this.#bitCount | 0
    let to = this.to | 0
    let matchAt = (this.matchCount * 2) | 0
    let out = plain
    let outWords = plainWords
    let roomEnd = plain.length - ROOM_BYTES
    for (;;) {
      if (at > atMax) return false
      bits |= words.getInt32(at, true) << bitCount
      at = (at + ((31 - bitCount) >> 3)) | 0
      bitCount |= 24
      let entry = literalEntries[bits & literalMask]!
      if ((entry & KIND_MASK) === SUBTABLE) {
        entry = literalEntries[(entry >> VALUE_SHIFT) + ((bits >>> ROOT_BITS) & ((1 << (entry & LENGTH_MASK)) - 1))]!
      }
      bits = (bits >>> (entry & LENGTH_MASK)) | 0
      bitCount = (bitCount - (entry & LENGTH_MASK)) | 0
      if ((entry & KIND_MASK) === LITERAL) {
        out[to] = entry >> VALUE_SHIFT
        to = (to + 1) | 0
        if (to <= roomEnd) continue
        if (!makeRoom(to, ROOM_BYTES)) return false
        out = plain
        outWords = plainWords
        roomEnd = plain.length - ROOM_BYTES
        continue
      }
      if ((entry & KIND_MASK) !== MATCH) {
        if ((entry & KIND_MASK) !== END) return false
        break
      }

      let extra = (entry >> EXTRA_SHIFT) & EXTRA_MASK
      const length = (entry >> VALUE_SHIFT) + (bits & ((1 << extra) - 1))
      bits = (bits >>> extra) | 0
      bitCount = (bitCount - extra) | 0

      if (at > atMax) return false
      bits |= words.getInt32(at, true) << bitCount
      at = (at + ((31 - bitCount) >> 3)) | 0
      bitCount |= 24
      entry = distanceEntries[bits & distanceMask]!
      if ((entry & KIND_MASK) === SUBTABLE) {
        entry = distanceEntries[(entry >> VALUE_SHIFT) + ((bits >>> ROOT_BITS) & ((1 << (entry & LENGTH_MASK)) - 1))]!
      }
      if ((entry & KIND_MASK) !== MATCH) return false
      bits = (bits >>> (entry & LENGTH_MASK)) | 0
      bitCount = (bitCount - (entry & LENGTH_MASK)) | 0
      if (at > atMax) return false
      bits |= words.getInt32(at, true) << bitCount
      at = (at + ((31 - bitCount) >> 3)) | 0
      bitCount |= 24
      extra = (entry >> EXTRA_SHIFT) & EXTRA_MASK
      const distance = (entry >> VALUE_SHIFT) + (bits & ((1 << extra) - 1))
      bits = (bits >>> extra) | 0
      bitCount = (bitCount - extra) | 0

      if (distance > to) return false
      if (matchAt === matches.length && !growMatches()) return false
      matches[matchAt] = to
      matches[matchAt + 1] = packMatch(length, distance)
      matchAt = (matchAt + 2) | 0
      copyMatch(outWords, to, distance, length)
      to = (to + length) | 0
      if (to <= roomEnd) continue
      if (!makeRoom(to, ROOM_BYTES)) return false
      out = plain
      outWords = plainWords
      roomEnd = plain.length - ROOM_BYTES
    }
    this.#at = at
    this.#bits = bits
    this.#bitCount = bitCount
    this.to = to
    this.matchCount = matchAt >> 1
    return true
  }
}

/** Makes the plain buffer hold `more` bytes behind the first `to`; false where that would be too many. */
function makeRoom(to: number, more: number): boolean {
  const needed = to + more + ROOM_BYTES
  if (needed <= plain.length) return true
  if (needed > PLAIN_BYTES_MAX) return false
  const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, plain.length * 2), PLAIN_BYTES_MAX))
  plain.copy(larger, 0, 0, to)
  plain = larger
  plainWords = wordsOf(larger)
  return true
}

function growMatches(): boolean {
  if (matches.length >= MATCH_WORDS_MAX) return false
  matches = doubled(matches)
  return true
}

/** An entry of a table: how many bits the code has, what kind of symbol it is, how many extra bits follow, a value. */
const LENGTH_MASK = 0x0f
const EXTRA_SHIFT = 4
const EXTRA_MASK = 0x0f
const KIND_MASK = 0x700
const LITERAL = 0x000
const MATCH = 0x100
const END = 0x200
/** The value is where further entries begin, the length how many more bits choose among them. */
const SUBTABLE = 0x300
const INVALID = 0x400
const VALUE_SHIFT = 11
/** Codes up to this long are found at once; longer ones, which are rare, in a second look. */
const ROOT_BITS = 10

const lengths = new Uint8Array(LITERAL_SYMBOLS + DISTANCE_SYMBOLS)
const codesOfLength = new Uint16Array(LONGEST_CODE + 1)
const nextCode = new Uint16Array(LONGEST_CODE + 2)

/** Canonical codes (RFC 1951, 3.2.2) by the bits they begin with, the first bit lowest. */
class CodeTable {
  readonly mask = (1 << ROOT_BITS) - 1
  /** The root, then room for a subtable of each length behind each root entry that could have one. */
  readonly entries = new Int32Array(1 << LONGEST_CODE)
  /** By symbol: its entry, without the code's length. */
  readonly #symbols: Int32Array

  constructor(symbols: Int32Array) {
    this.#symbols = symbols
  }

  /** False where the lengths are not those of a code, or of one that leaves codes unused. */
  build(all: Uint8Array, start: number, end: number): boolean {
    codesOfLength.fill(0)
    for (let i = start; i < end; i++) codesOfLength[all[i]!]!++
    codesOfLength[0] = 0
    let code = 0
    let used = 0
    let longest = 0
    for (let length = 1; length <= LONGEST_CODE; length++) {
      code <<= 1
      nextCode[length] = code
      code += codesOfLength[length]!
      used += codesOfLength[length]!
      if (codesOfLength[length]! > 0) longest = length
      if (code > 1 << length) return false
    }
    // A code of a single symbol, or of none, is allowed to leave codes unused.
    const isComplete = code === 1 << LONGEST_CODE
    if (!isComplete && (used > 1 || longest > 1)) return false
    const entries = this.entries
    if (!isComplete) entries.fill(INVALID, 0, 1 << ROOT_BITS)
    const subtableBits = Math.max(longest - ROOT_BITS, 0)
    let subtables = 1 << ROOT_BITS
    if (subtableBits > 0) entries.fill(INVALID, 0, 1 << ROOT_BITS)
    for (let i = start; i < end; i++) {
      const length = all[i]!
      if (length === 0) continue
      const code = reversed(nextCode[length]!++, length)
      const entry = this.#symbols[i - start]! | length
      if (length <= ROOT_BITS) {
        for (let at = code; at < 1 << ROOT_BITS; at += 1 << length) entries[at] = entry
        continue
      }
      const root = code & this.mask
      if ((entries[root]! & KIND_MASK) !== SUBTABLE) {
        entries[root] = (subtables << VALUE_SHIFT) | SUBTABLE | subtableBits
        subtables += 1 << subtableBits
      }
      const first = entries[root]! >>> VALUE_SHIFT
      for (let at = code >>> ROOT_BITS; at < 1 << subtableBits; at += 1 << (length - ROOT_BITS)) {
        entries[first + at] = entry
      }
    }
    return true
  }
}

const literalSymbols = Int32Array.from({ length: LITERAL_SYMBOLS + 2 }, (_, symbol) => {
  if (symbol < END_OF_BLOCK) return (symbol << VALUE_SHIFT) | LITERAL
  if (symbol === END_OF_BLOCK) return END
  const index = symbol - FIRST_LENGTH_SYMBOL
  // The fixed code has two more, which mean nothing.
  if (index >= LENGTH_BASES.length) return INVALID
  return (LENGTH_BASES[index]! << VALUE_SHIFT) | MATCH | (LENGTH_EXTRA_BITS[index]! << EXTRA_SHIFT)
})
const distanceSymbols = Int32Array.from({ length: DISTANCE_SYMBOLS + 2 }, (_, symbol) => {
  if (symbol >= DISTANCE_SYMBOLS) return INVALID
  return (DISTANCE_BASES[symbol]! << VALUE_SHIFT) | MATCH | (DISTANCE_EXTRA_BITS[symbol]! << EXTRA_SHIFT)
})

const literalTable = new CodeTable(literalSymbols)
const distanceTable = new CodeTable(distanceSymbols)
const codeLengthTable = new CodeTable(
  Int32Array.from({ length: CODE_LENGTH_SYMBOLS }, (_, symbol) => (symbol << VALUE_SHIFT) | LITERAL)
)

let fixed: [CodeTable, CodeTable] | undefined

function fixedLiterals(): CodeTable {
  return fixedTables()[0]
}

function fixedDistances(): CodeTable {
  return fixedTables()[1]
}

/** RFC 1951, 3.2.6. */
function fixedTables(): [CodeTable, CodeTable] {
  if (fixed !== undefined) return fixed
  const literals = Uint8Array.from({ length: LITERAL_SYMBOLS + 2 }, (_, symbol) =>
    symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8
  )
  fixed = [new CodeTable(literalSymbols), new CodeTable(distanceSymbols)]
  fixed[0].build(literals, 0, literals.length)
  fixed[1].build(new Uint8Array(DISTANCE_SYMBOLS + 2).fill(5), 0, DISTANCE_SYMBOLS + 2)
  return fixed
}
