/**
 * The lag of a partition that another worker mirrors, as far as it can be told from outside.
 *
 * Its owner commits progress every three seconds, so what is committed is behind what is copied: to subtract it from the source's end
 * would show some thousand records of lag for a copy that is a millisecond late. But beside the offset stands what the owner itself knew at that
 * moment: where the source ended and how far the copy was behind. While that is fresh it is believed. Where it is old, either nothing has moved since,
 * or its owner is in trouble: then the difference to the source's end as it is now counts, which may come out too large and never too small.
 */
import type { SourceEnd } from '../flow/messages.ts'

export interface OutsideLag {
  /** Where the source ended by the word that the lag is told by. */
  readonly sourceEndOffset: number | null
  readonly records: number | null
  readonly seconds: number | null
}

export interface OutsideFacts {
  readonly nextSourceOffset: number | null
  /** As it is now. */
  readonly sourceEndOffset: number | null
  /** That, minus the offset to be copied next. */
  readonly lagRecords: number | null
  /** What the owner committed beside its progress; `undefined` where there is nothing. */
  readonly told: SourceEnd | undefined
  /** How old that is; where it is `undefined`, of no meaning. */
  readonly toldAgeMs: number
  /** Since something was first seen that is missing now; `undefined` where nobody looked before. */
  readonly behindMs: number | undefined
}

/** Commits come every three seconds where something moves. */
const FRESH_MS = 10_000

export function outsideLag(facts: OutsideFacts): OutsideLag {
  const { nextSourceOffset, sourceEndOffset, lagRecords, told, toldAgeMs, behindMs } = facts
  const behindSeconds = behindMs === undefined ? null : behindMs / 1_000
  if (lagRecords === null || lagRecords === 0) return { sourceEndOffset, records: lagRecords, seconds: lagRecords }
  if (told === undefined || nextSourceOffset === null) {
    return { sourceEndOffset, records: lagRecords, seconds: behindSeconds }
  }
  const left = Math.max(told.offset - nextSourceOffset, 0)
  if (toldAgeMs < FRESH_MS) {
    return { sourceEndOffset: nextSourceOffset + left, records: left, seconds: left === 0 ? 0 : told.lagSeconds }
  }
  // What was missing then is missing still, and what has come since has come since.
  const seconds = left > 0 ? told.lagSeconds + toldAgeMs / 1_000 : behindSeconds
  return { sourceEndOffset, records: lagRecords, seconds }
}
