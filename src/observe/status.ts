/** What a worker knows about itself: the body of `/api/status` and the source of every per-partition metric. */

export const PARTITION_STATES = ['fencing', 'resuming', 'mirroring', 'draining', 'halted'] as const
export type PartitionState = (typeof PARTITION_STATES)[number]

export interface PartitionStatus {
  /** Source topic name. */
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  readonly state: PartitionState
  /** Why it halted; stays while that is tried again, `null` once it mirrors. */
  readonly reason: string | null
  /** One sentence for a person: which offsets, what to do. */
  readonly detail: string | null
  /** Next source offset to be acknowledged; `null` until the resume point is known. */
  readonly nextSourceOffset: number | null
  /** Source last stable offset as last seen; `null` until the source answered. */
  readonly sourceEndOffset: number | null
  /** `null` when the source cannot be asked now. */
  readonly lagRecords: number | null
  /** `null` when the source cannot be asked now; 0 when caught up. */
  readonly lagSeconds: number | null
  /** Until the source's retention deletes the next record needed, by the timestamps of its records; `null` while unknown (also whether there is such a record), and where it never does. */
  readonly retentionMarginSeconds: number | null
  /** Until its backlog is copied, at the rate of the last seconds; 0 when there is none, `null` while it is not known. */
  readonly etaSeconds: number | null
  /** Source offset below which all records were found equal to their copies; `null` while nobody has looked. */
  readonly verifiedOffset: number | null
  /** Differences from its copy that verification in the background has found since this worker owns it. */
  readonly verifyDifferences: number
}

/** Something that happened to a source partition; `schemas/source-event.avsc` describes the fields. */
export interface EventStatus {
  /** ISO 8601, by the clock of who observed it. */
  readonly observedAt: string
  readonly kind: string
  readonly action: string
  readonly topic: string
  readonly partition: number
  readonly firstOffset: number
  readonly nextOffset: number
  readonly detail: string
}

/** The order that a flow stands still by; `schemas/flow-order.avsc` describes the fields. */
export interface StopStatus {
  readonly id: string
  readonly stoppedBy: string
  /** ISO 8601, by the clock of who gave the order. */
  readonly stoppedAt: string
  /** What came to the source before is copied still, ISO 8601; `null`: the flow stands still at once. */
  readonly stopAt: string | null
  readonly reason: string
}

/** An order to stop or to start mirroring; `schemas/flow-order.avsc` describes the fields. */
export interface OrderStatus {
  readonly action: 'STOP' | 'STOP_AT' | 'START'
  readonly orderedBy: string
  /** ISO 8601, by the clock of who gave the order. */
  readonly orderedAt: string
  readonly reason: string
}

/** A consumer group whose positions this worker translates. */
export interface GroupStatus {
  readonly group: string
  /** Since its positions were last translated and written. */
  readonly checkpointAgeSeconds: number
  /** Source records it would have read again after a failover right before its last checkpoint. */
  readonly reprocessRecords: number
}

export interface FlowStatus {
  readonly source: string
  readonly destination: string
  readonly groupId: string
  /** `null` when this flow is ready, otherwise what is still missing. */
  readonly notReadyReason: string | null
  /** `null` unless somebody has ordered that nobody mirrors this flow. */
  readonly stopped: StopStatus | null
  /** The newest order, whether it stopped the flow or started it; `null` where nobody ever gave one. */
  readonly order: OrderStatus | null
  readonly partitions: readonly PartitionStatus[]
  /** What would be lost if the source were lost now; `null` while any partition's lag is unknown. */
  readonly exposure: { readonly records: number | null; readonly seconds: number | null }
  /** Until the backlog of all partitions that are not halted is copied, as that of a partition. */
  readonly etaSeconds: number | null
  /** What happened to source partitions lately, the newest first. */
  readonly events: readonly EventStatus[]
  /** The newest event of each partition, whoever owns it, that stands still because of the source and of which nobody has decided since. */
  readonly halts: readonly EventStatus[]
  /** Only in the worker that looks after groups and heartbeats for the whole flow; empty in the others. */
  readonly groups: readonly GroupStatus[]
  /** Since the newest heartbeat that arrived at the destination was sent; `null` in the other workers, and while none has arrived. */
  readonly heartbeatAgeSeconds: number | null
  /** Acknowledged by the destination over the last seconds. */
  readonly rates: { readonly recordsPerSecond: number; readonly bytesPerSecond: number }
}

export interface WorkerStatus {
  readonly version: string
  readonly startedAt: string
  /** `null` when all flows are ready, otherwise what the first is missing that is not, for `/readyz`. */
  readonly notReadyReason: string | null
  readonly flows: readonly FlowStatus[]
}
