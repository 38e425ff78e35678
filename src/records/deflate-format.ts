/** What RFC 1951 (deflate) and RFC 1952 (gzip) lay down, for reading and for writing. */
import { LONGEST_MATCH, SHORTEST_MATCH } from './matches.ts'

/** Magic, deflate, no flags, no time, no level, a system that is not known. */
export const MEMBER_HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
/** CRC-32 and length of the plain bytes. */
export const MEMBER_TRAILER_BYTES = 8

export const LONGEST_CODE = 15
/** Of the code in which the lengths of codes are written. */
export const LONGEST_CODE_LENGTH_CODE = 7
export const END_OF_BLOCK = 256
export const FIRST_LENGTH_SYMBOL = 257
export const LITERAL_SYMBOLS = 286
export const DISTANCE_SYMBOLS = 30
export const CODE_LENGTH_SYMBOLS = 19

/** Section 3.2.5: by symbol, from `FIRST_LENGTH_SYMBOL` on. */
export const LENGTH_EXTRA_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
export const LENGTH_BASES = LENGTH_EXTRA_BITS.map((_, symbol) =>
  // The longest match has a symbol of its own, though the one before it reaches as far.
  symbol === 28 ? LONGEST_MATCH : basesOf(LENGTH_EXTRA_BITS, SHORTEST_MATCH, symbol)
)
export const DISTANCE_EXTRA_BITS = Array.from({ length: DISTANCE_SYMBOLS }, (_, symbol) =>
  Math.max((symbol >> 1) - 1, 0)
)
export const DISTANCE_BASES = DISTANCE_EXTRA_BITS.map((_, symbol) => basesOf(DISTANCE_EXTRA_BITS, 1, symbol))

/** Section 3.2.7: in which order a block says how long the codes of code lengths are. */
export const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** Each symbol stands for 2^extra values, and the next one begins behind them. */
function basesOf(extraBits: readonly number[], first: number, symbol: number): number {
  return extraBits.slice(0, symbol).reduce((base, extra) => base + 2 ** extra, first)
}
