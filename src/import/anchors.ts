/** Where the two logs of a partition are known to agree, and so can be followed from. */
import type { OffsetSync } from '../offsets/mm2-format.ts'

/** The destination record at one offset is the copy of the source record at the other. */
export interface Anchor {
  readonly sourceOffset: number
  readonly destinationOffset: number
}

/** What the logs still hold: from the start, up to but without the end. */
export interface LogBounds {
  readonly sourceStartOffset: number
  readonly destinationStartOffset: number
  readonly destinationEndOffset: number
}

/**
 * How many destination records before the end are looked at, so that what a MirrorMaker 2 copied before it was killed and
 * started again is among them.
 */
export const LOOK_BACK_RECORDS = 10_000

/**
 * The offset syncs to follow the logs from, the best one first. None is beyond MirrorMaker 2's position: up to there all
 * is copied, whatever happened since. The first one lies far enough back that copies of a run before the last one are seen.
 * Where the logs do not go together from there (compaction has taken records out of one of them, the topic was
 * made anew), the nearest one is next.
 * @param syncs of this partition, oldest first
 * @param lastWrittenOffset MirrorMaker 2's position; `undefined` where it has none
 */
export function syncAnchors(
  syncs: readonly OffsetSync[],
  lastWrittenOffset: number | undefined,
  bounds: LogBounds
): Anchor[] {
  const usable = syncs
    .map(({ upstreamOffset, downstreamOffset }) => ({
      sourceOffset: upstreamOffset,
      destinationOffset: downstreamOffset
    }))
    .filter(
      ({ sourceOffset, destinationOffset }) =>
        sourceOffset >= bounds.sourceStartOffset &&
        sourceOffset <= (lastWrittenOffset ?? Number.POSITIVE_INFINITY) &&
        destinationOffset >= bounds.destinationStartOffset &&
        destinationOffset < bounds.destinationEndOffset
    )
  const nearest = usable.at(-1)
  if (nearest === undefined) return []
  const farEnough = bounds.destinationEndOffset - LOOK_BACK_RECORDS
  const far = usable.findLast(({ destinationOffset }) => destinationOffset <= farEnough) ?? usable[0]!
  return far === nearest ? [nearest] : [far, nearest]
}
