import type { VerifiedPartition, VerifiedPlace } from './verified-partition.ts'

/** What the two logs look like when a comparison begins. */
export interface LogsNow {
  readonly sourceTopicId: string
  /** `undefined` where the destination has no such partition. */
  readonly destinationTopicId: string | undefined
  readonly sourceEndOffset: number
  readonly destinationEndOffset: number
  /** Where the leader epoch that was remembered of the source ends now; `undefined` where that is unknown. */
  readonly sourceEpochEndOffset: number | undefined
  readonly destinationEpochEndOffset: number | undefined
}

/** Where a comparison begins. */
export type Beginning =
  /** Behind what was found equal. */
  | { readonly kind: 'go-on'; readonly from: VerifiedPlace }
  /** At the beginning of both logs: what was remembered does not hold any more, or there is nothing. */
  | { readonly kind: 'anew'; readonly because: AnewReason }

/** Why all is read. */
export type AnewReason =
  | 'nothing was remembered'
  | 'the source topic was made anew'
  | 'the destination topic was made anew'
  | "the source's log was cut back"
  | "the destination's log was cut back"

/**
 * Whether what was remembered still holds. An id tells a topic that was made anew under its name. A log that was cut back (unclean leader
 * election) is told by its end, or, where it has grown again since, by the end of the leader epoch (KIP-101): what was verified lay within it.
 */
export function whereToBegin(remembered: VerifiedPartition | undefined, now: LogsNow): Beginning {
  if (remembered === undefined) return { kind: 'anew', because: 'nothing was remembered' }
  const because = whyVoid(remembered, now)
  return because === undefined ? { kind: 'go-on', from: remembered } : { kind: 'anew', because }
}

function whyVoid(remembered: VerifiedPartition, now: LogsNow): AnewReason | undefined {
  if (remembered.sourceTopicId !== now.sourceTopicId) return 'the source topic was made anew'
  if (remembered.destinationTopicId !== now.destinationTopicId) return 'the destination topic was made anew'
  const sourceEnd = Math.min(now.sourceEndOffset, now.sourceEpochEndOffset ?? Number.POSITIVE_INFINITY)
  if (sourceEnd < remembered.nextSourceOffset) return "the source's log was cut back"
  const destinationEnd = Math.min(now.destinationEndOffset, now.destinationEpochEndOffset ?? Number.POSITIVE_INFINITY)
  return destinationEnd < remembered.nextDestinationOffset ? "the destination's log was cut back" : undefined
}
