/** What a switchover is asked for, and what it tells. */
import type { Config, FlowConfig } from '../config/types.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import type { FlowReport } from '../verify/flow-report.ts'
import type { LossTotals } from './loss.ts'
import type { GroupOutcome } from './move-groups.ts'
import type { ReverseStart } from './reverse-flow.ts'

/** In the order in which they are done. */
export const SWITCHOVER_STEPS = ['ready', 'lag', 'producers', 'drained', 'groups', 'verify', 'stop', 'reverse'] as const
export type SwitchoverStep = (typeof SWITCHOVER_STEPS)[number]

export interface SwitchoverOptions {
  readonly config: Config
  readonly flow: FlowConfig
  /** Of the reverse flow's workers, where it is not the default. */
  readonly reverseGroupId: string | undefined
  /** Patterns that narrow the configured groups down; all of them when `undefined`. */
  readonly groups: readonly string[] | undefined
  readonly maxLagSeconds: number
  readonly quietMs: number
  /** For all that is waited for together. */
  readonly timeoutMs: number
  /**
   * Compares both sides, all of them where `isWhole`, and else what earlier runs have not compared; `undefined` to leave it out.
   * @throws VerifyError where it can't
   */
  readonly verify: ((isWhole: boolean) => Promise<FlowReport>) | undefined
  /** Tell what stands in the way, wait for nothing, change nothing. */
  readonly isDryRun: boolean
  /** User and host. */
  readonly orderedBy: string
  /** Hears of each step what was done, or is waited for. */
  say(step: SwitchoverStep, what: string): void
  readonly signal: AbortSignal
}

/** What a switchover has done, or would do: the shape of its JSON. */
export interface SwitchoverReport {
  readonly source: string
  readonly destination: string
  readonly isDryRun: boolean
  /**
   * `switched over`: now, or before (then nothing was done). `ready`: a dry run met nothing in the way. `refused`: a step could
   * not be done, and both sides are as they were. `stuck`: neither done nor undone; see the problem.
   */
  readonly outcome: 'switched over' | 'ready' | 'refused' | 'stuck'
  /** What stood in the way; in a dry run all of it. */
  readonly problems: readonly { readonly step: SwitchoverStep; readonly problem: string }[]
  /** Sentences about what is not as it should be. */
  readonly warnings: readonly string[]
  /** The order that the flow stands still by; `null` where it does not. */
  readonly order: FlowOrder | null
  readonly groups: readonly GroupOutcome[]
  /** Groups that still have members at the source. */
  readonly groupsAtSource: readonly string[]
  /** `null` where it was left out. */
  readonly verified: Pick<FlowReport, 'verdict' | 'totals'> | null
  /** `null` before the flow was stopped. */
  readonly loss: (LossTotals & { readonly losses: readonly PartitionLoss[] }) | null
  /** `null` before it was started. */
  readonly reverse: ReverseStart | null
}
