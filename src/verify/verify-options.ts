/**
 * - `incremental`: goes on where an earlier run found both sides equal;
 * - `full`: reads all, and compares the copies with what they were then too;
 * - `none`: reads all, knows nothing of earlier runs, and leaves nothing to later ones.
 */
export type MemoryUse = 'incremental' | 'full' | 'none'

/** What to verify and how much of it to tell. */
export interface VerifyOptions {
  /** Patterns that narrow the configured topics down. */
  readonly topics: readonly string[] | undefined
  /** How many differences to tell of each partition. */
  readonly differencesPerPartition: number
  /** How many differences to tell in all. */
  readonly differencesMax: number
  readonly isLagAllowed: boolean
  readonly memory: MemoryUse
  /** Whom to name with what is remembered. */
  readonly verifiedBy: string
}
