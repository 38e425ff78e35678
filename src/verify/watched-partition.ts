import { Backoff } from '../cluster/retry.ts'
import type { PartitionOutcome, PartitionPair } from './compare-partition.ts'
import { DIFFERENCE_KINDS } from './differences.ts'
import type { OffsetRuns } from './offset-runs.ts'
import type { VerifiedPartition } from './verified-partition.ts'
import { isBehind, isSamePlace } from './worth-remembering.ts'

const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 5 * 60_000

/** What a turn means for its partition. */
export type TurnVerdict = 'equal' | 'different' | 'look again'

/**
 * One partition under continuous verification: how far it was found equal, and where to go on.
 *
 *     equal ──difference──▶ look again ──still there──▶ different: read on behind it, but equal no further
 *       ▲                      │
 *       └──────gone────────────┘
 *
 * The second look is there because a comparison that is slow by intention may have been overtaken: the destination may
 * have compacted meanwhile, or been told to.
 */
export class WatchedPartition {
  pair: PartitionPair
  /** The ends of the logs when it was last read as far as it goes; nothing to do until they move. */
  seen: string | undefined
  #equal: VerifiedPartition | undefined
  #next: VerifiedPartition | undefined
  #missing: OffsetRuns | undefined
  #isSecondLook = false
  /** What others remembered, as far as it was taken into account. */
  #heeded: VerifiedPartition | undefined
  #written: VerifiedPartition | undefined
  #writtenAtMs = Number.NEGATIVE_INFINITY
  readonly #backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
  #pausedUntilMs = 0
  #failureCode: string | undefined

  /** @param remembered where somebody got to before */
  constructor(pair: PartitionPair, remembered: VerifiedPartition | undefined) {
    this.pair = pair
    this.#heeded = remembered
    this.#equal = remembered
    this.#next = remembered
    this.#written = remembered
  }

  /** Where the next turn begins; `undefined` at the beginning. */
  get next(): VerifiedPartition | undefined {
    return this.#next
  }

  /** Records before that place without a copy; each turn needs its own, for it takes out of it. */
  get missing(): OffsetRuns | undefined {
    return this.#missing?.copy()
  }

  /** Up to where both sides are equal. */
  get equal(): VerifiedPartition | undefined {
    return this.#equal
  }

  isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs
  }

  /** Takes what a turn came to. */
  take(outcome: PartitionOutcome): TurnVerdict {
    this.#backoff.reset()
    this.#failureCode = undefined
    const isDifferent = DIFFERENCE_KINDS.some(kind => outcome.counts[kind] > 0)
    if (isDifferent && !this.#isSecondLook) {
      this.#isSecondLook = true
      return 'look again'
    }
    this.#isSecondLook = false
    // Once something was wrong, `next` has left `equal` behind, and what is equal after it counts no more.
    const wasEqual = this.#next === this.#equal || outcome.beginning.kind === 'anew'
    const isEqual = wasEqual && !isDifferent && isSamePlace(outcome.compared, outcome.verified)
    if (wasEqual) this.#equal = outcome.remember
    this.#next = isEqual ? this.#equal : outcome.goOn
    // Where the destination compacts, most of those are rightly gone.
    this.#missing = isEqual || this.pair.isDestinationCompacted ? undefined : outcome.missing
    return isDifferent ? 'different' : 'equal'
  }

  /** A turn could not be read to its end. @returns whether that is news */
  failed(code: string, nowMs: number): boolean {
    const isNews = this.#failureCode !== code
    this.#failureCode = code
    this.#pausedUntilMs = nowMs + this.#backoff.nextMs()
    this.seen = undefined
    return isNews
  }

  /**
   * Somebody else has found less to be equal, in a look at all of it perhaps: then so be it. Or more, where something stands in our way
   * that is not there any more.
   */
  heed(others: VerifiedPartition | undefined): void {
    if (others === undefined || others === this.#heeded) return
    this.#heeded = others
    const equal = this.#equal
    const isStuck = this.#next !== equal
    if (equal === undefined || isBehind(others, equal) || (isStuck && isBehind(equal, others))) {
      this.#equal = others
      this.#next = others
      this.#written = others
      this.#missing = undefined
      this.#isSecondLook = false
      this.seen = undefined
    }
  }

  /** What is to be remembered now: not more often than that, and only what is new. */
  toRemember(nowMs: number, intervalMs: number): VerifiedPartition | undefined {
    if (this.#equal === undefined || isKnown(this.#equal, this.#written)) return undefined
    return nowMs - this.#writtenAtMs < intervalMs ? undefined : this.#equal
  }

  /** @param remembered `undefined` where it failed */
  remembered(remembered: VerifiedPartition | undefined, nowMs: number): void {
    this.#writtenAtMs = nowMs
    if (remembered !== undefined) this.#written = remembered
  }
}

function isKnown(verified: VerifiedPartition, written: VerifiedPartition | undefined): boolean {
  return (
    isSamePlace(verified, written) &&
    verified.sourceTopicId === written?.sourceTopicId &&
    verified.destinationTopicId === written.destinationTopicId
  )
}
