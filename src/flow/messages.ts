/** What the main thread (control plane) and the data-plane threads tell each other. */
import type { LoggedOrder } from '../events/event-log.ts'
import type { PartitionCounts } from '../observe/partition-counters.ts'
import type { PartitionState } from '../observe/status.ts'
import type { SourceTrouble } from './halt.ts'
import type { WatchdogStep } from './watchdog.ts'

/** Progress as it is committed to the source group: where to go on, and enough to tell whether that still makes sense. */
export interface Progress {
  /** All below it is acknowledged by the destination, or is nothing that goes there. */
  readonly nextSourceOffset: number
  /** The source topic's id when this was written. */
  readonly topicId: string | undefined
  /** Leader epoch of the last source batch; -1 while unknown. */
  readonly leaderEpoch: number
  /** Destination offset of the newest acknowledged record; `undefined` before the first one. */
  readonly destinationOffset: number | undefined
  /** The newest request to go on somewhere that was obeyed, `<log id>/<offset>`; see `src/flow/resume-requests.ts`. */
  readonly resumed?: string | undefined
  /** Id of the order that the partition stands still by, with nothing in flight; `undefined` where there is none. */
  readonly stopped?: string | undefined
  /** What was last heard of the source: all that is known of it once it is gone. */
  readonly sourceEnd?: SourceEnd | undefined
}

/** Where a source partition ended when it was last heard of and something had changed. */
export interface SourceEnd {
  /** Last stable offset. */
  readonly offset: number
  /** By the worker's clock, milliseconds of the epoch. */
  readonly seenAtMs: number
  /** How far the copy was behind then. */
  readonly lagSeconds: number
}

/** A source partition given to a thread. */
export interface Assignment {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  /** The destination topic's `max.message.bytes`. */
  readonly batchBytesMax: number
  /** What was committed last; `undefined` where nothing ever was. */
  readonly progress: Progress | undefined
}

export interface PartitionKey {
  readonly topic: string
  readonly partition: number
}

/** What a thread is started with. */
export interface DataPlaneData {
  readonly clientId: string
  /** By flow: what its threads have in common of their budget. */
  readonly budgets: readonly SharedArrayBuffer[]
}

export type ToThread =
  | { readonly kind: 'assign'; readonly flow: number; readonly assignments: readonly Assignment[] }
  /** Drain and let go; answered by `released` with the same id. */
  | {
      readonly kind: 'release'
      readonly flow: number
      readonly id: number
      readonly partitions: readonly PartitionKey[]
      /** How long what is in flight may take; 0 gives up at once (the assignment is lost, somebody else may own it). */
      readonly drainMs: number
    }
  /** Go on from there, whatever the partition did until now. */
  | { readonly kind: 'resume'; readonly flow: number; readonly partition: PartitionKey; readonly progress: Progress }
  /** The flow's newest order; `undefined`: there is none any more. */
  | { readonly kind: 'order'; readonly flow: number; readonly order: LoggedOrder | undefined }
  | { readonly kind: 'batch-limit'; readonly flow: number; readonly destinationTopic: string; readonly bytes: number }
  | { readonly kind: 'stop' }

/** Something happened to a source partition. */
export interface TroubleReport extends PartitionKey {
  readonly topicId: string
  readonly action: 'HALTED' | 'CONTINUED'
  readonly trouble: SourceTrouble
  /** Where it went on: copies of what follows stand at or behind this destination offset. `null` while it halts, or if unknown. */
  readonly destinationOffset: number | null
  readonly detail: string
}

/** News of one partition. */
export interface PartitionReport extends PartitionKey {
  readonly destinationTopic: string
  readonly state: PartitionState
  readonly reason: string | null
  readonly detail: string | null
  readonly progress: Progress | undefined
  readonly sourceEndOffset: number | null
  readonly lagRecords: number | null
  readonly lagSeconds: number | null
  /** Timestamp of about the next record needed: of the newest one acknowledged, or of the first that was read; `null` before. */
  readonly reachedTimestampMs: number | null
  /** What of the lag has to be caught up: neither new traffic under way nor held back on purpose. */
  readonly backlogRecords: number | null
  /** Since the last report. */
  readonly counts: PartitionCounts
}

export interface FlowReport {
  readonly flow: number
  /** Those with news since the last report. */
  readonly partitions: readonly PartitionReport[]
  readonly latencyCounts: Float64Array
  readonly latencySumSeconds: number
  readonly fenced: number
  readonly troubles: readonly TroubleReport[]
  /** What the watchdog did. */
  readonly watchdogSteps: readonly WatchdogStep[]
  /** For how long brokers have throttled the flow by a quota, in milliseconds, by side. */
  readonly throttledMs: { readonly source: number; readonly destination: number }
  /** Retries by operation. */
  readonly retries: Readonly<Record<string, number>>
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export type FromThread =
  /** Partitions stand still and nothing has helped: only a new process might. */
  | { readonly kind: 'stalled'; readonly detail: string }
  | { readonly kind: 'report'; readonly flows: readonly FlowReport[] }
  | {
      readonly kind: 'released'
      readonly flow: number
      readonly id: number
      readonly progress: readonly (PartitionKey & { readonly progress: Progress | undefined })[]
    }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }
