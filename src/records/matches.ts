/** Matches as deflate has them (RFC 1951): a run of bytes that repeats what stands some way before it. */
export interface Matches {
  /** Two numbers each, in the order of their places: the place, and `length << 15 | distance - 1`. */
  readonly words: Int32Array
  readonly count: number
}

export const SHORTEST_MATCH = 3
export const LONGEST_MATCH = 258
export const MATCH_DISTANCE_BITS = 15
export const FARTHEST_MATCH = 1 << MATCH_DISTANCE_BITS
