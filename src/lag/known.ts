/** Of amounts that may be unknown. */

/** `null` as soon as one is unknown: a sum of what is known would look like good news. */
export function sumKnown(values: readonly (number | null)[]): number | null {
  let sum = 0
  for (const value of values) {
    if (value === null) return null
    sum += value
  }
  return sum
}

/** `null` as soon as one is unknown; 0 of none. */
export function maxKnown(values: readonly (number | null)[]): number | null {
  let max = 0
  for (const value of values) {
    if (value === null) return null
    if (value > max) max = value
  }
  return max
}
