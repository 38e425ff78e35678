/** What to verify and how much of it to tell. */
export interface VerifyOptions {
  /** Patterns that narrow the configured topics down. */
  readonly topics: readonly string[] | undefined
  /** How many differences to tell of each partition. */
  readonly differencesPerPartition: number
  /** How many differences to tell in all. */
  readonly differencesMax: number
  readonly isLagAllowed: boolean
}
