/** Matches as deflate has them (RFC 1951): a run of bytes that repeats what stands some way before it. */
export interface Matches {
  /** Two numbers each, in the order of their places: the place, and what `packMatch` makes. */
  readonly words: Int32Array
  readonly count: number
}

export const SHORTEST_MATCH = 3
export const LONGEST_MATCH = 258
const DISTANCE_BITS = 15
export const FARTHEST_MATCH = 1 << DISTANCE_BITS

/** Length and distance in one number: `length << 15 | distance - 1`. */
export function packMatch(length: number, distance: number): number {
  return (length << DISTANCE_BITS) | (distance - 1)
}

export function lengthOf(match: number): number {
  return match >> DISTANCE_BITS
}

export function distanceOf(match: number): number {
  return (match & (FARTHEST_MATCH - 1)) + 1
}
