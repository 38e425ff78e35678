/** What a failback is asked for, and what it tells. */
import type { Config, FlowConfig } from '../config/types.ts'
import type { LostRecordSink } from './export-lost.ts'
import type { LostRange } from './lost-records.ts'
import type { ReverseStart } from './reverse-flow.ts'

/** In the order in which they are done. */
export const FAILBACK_STEPS = ['ready', 'divergence', 'lost', 'decision', 'reverse'] as const
export type FailbackStep = (typeof FAILBACK_STEPS)[number]

/** What becomes of records that exist only at the old source, once its flow runs again. */
export type LostDecision = 'keep' | 'skip'

export interface FailbackOptions {
  readonly config: Config
  /** As it was when it failed over: from the old source to where everybody is now. */
  readonly flow: FlowConfig
  /** Of the reverse flow's workers, where it is not the default. */
  readonly reverseGroupId: string | undefined
  readonly lost: LostDecision
  /** Where the lost records go to. */
  readonly sinks: readonly LostRecordSink[]
  /** The reverse flow reads all there is at the destination, and not only what stands behind the copies. */
  readonly readsWhole: boolean
  /** For transactions that are open at the old source. */
  readonly timeoutMs: number
  /** Tell everything, change nothing. */
  readonly isDryRun: boolean
  /** User and host. */
  readonly orderedBy: string
  /** Hears of each step what was done. */
  say(step: FailbackStep, what: string): void
  readonly signal: AbortSignal
}

/** What a failback has done, or would do: the shape of its JSON. */
export interface FailbackReport {
  readonly source: string
  readonly destination: string
  readonly isDryRun: boolean
  /** The order that the flow stands still by. */
  readonly orderId: string
  readonly warnings: readonly string[]
  readonly lost: {
    readonly decision: LostDecision
    readonly records: number
    readonly bytes: number
    /** Of all partitions, those that have lost nothing too. */
    readonly partitions: readonly LostRange[]
  }
  readonly reverse: ReverseStart
}
