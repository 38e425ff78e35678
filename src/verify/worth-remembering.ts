import type { VerifiedPartition, VerifiedPlace } from './verified-partition.ts'

/**
 * Whether what was found now takes the place of what is remembered.
 * @param isConfirmed all was equal, from where what is remembered ended: then only if it reaches further, for somebody else
 * may have gone on meanwhile. Otherwise also if it reaches less far: what is wrong must not be remembered as equal.
 */
export function isWorthRemembering(
  found: VerifiedPartition,
  newest: VerifiedPartition | undefined,
  isConfirmed: boolean
): boolean {
  if (newest === undefined) return found.nextSourceOffset > 0 || found.nextDestinationOffset > 0
  const isOfSameTopics =
    found.sourceTopicId === newest.sourceTopicId && found.destinationTopicId === newest.destinationTopicId
  if (!isOfSameTopics) return true
  return isConfirmed ? isAhead(found, newest) : !isSamePlace(found, newest)
}

/** Further in either log, and in none behind. */
function isAhead(a: VerifiedPlace, b: VerifiedPlace): boolean {
  return !isBehind(a, b) && !isSamePlace(a, b)
}

/** Behind in either log. */
export function isBehind(a: VerifiedPlace, b: VerifiedPlace): boolean {
  return a.nextSourceOffset < b.nextSourceOffset || a.nextDestinationOffset < b.nextDestinationOffset
}

/** The same in both logs. */
export function isSamePlace(a: VerifiedPlace, b: VerifiedPlace | undefined): boolean {
  return a.nextSourceOffset === b?.nextSourceOffset && a.nextDestinationOffset === b.nextDestinationOffset
}
