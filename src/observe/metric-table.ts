/** Every metric farlog has, declared once. */
import { PARTITION_STATES } from './status.ts'

const FLOW = ['source', 'destination'] as const
const PARTITION = [...FLOW, 'topic', 'partition'] as const

/** Which flow a number is about: the aliases of its clusters. */
export interface FlowLabels {
  readonly source: string
  readonly destination: string
}

/** One metric of ours. */
export interface MetricDeclaration {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** What the last label can be, where that is known beforehand: a counter has a series for each from the start, at 0. */
  readonly values?: readonly string[]
}

/** In the order of `/metrics`. `topic` is always the source's name for it. */
export const METRICS = {
  records: {
    name: 'farlog_records_total',
    type: 'counter',
    help: 'Records acknowledged by the destination.',
    labels: PARTITION
  },
  bytes: {
    name: 'farlog_bytes_total',
    type: 'counter',
    help: 'Bytes of record batches acknowledged by the destination, as they were sent.',
    labels: PARTITION
  },
  gapRecords: {
    name: 'farlog_gap_records_total',
    type: 'counter',
    help: 'Source records that vanished before they were mirrored.',
    labels: PARTITION
  },
  duplicateRecords: {
    name: 'farlog_duplicate_records_total',
    type: 'counter',
    help: 'Records known to have been sent twice; at-least-once delivery only.',
    labels: PARTITION
  },
  loopedRecords: {
    name: 'farlog_looped_records_total',
    type: 'counter',
    help: 'Records not mirrored because their provenance says they have been at the destination.',
    labels: PARTITION
  },
  lagRecords: {
    name: 'farlog_lag_records',
    type: 'gauge',
    help: 'Source end (last stable offset) minus the next offset to be acknowledged; absent while the source cannot be asked.',
    labels: PARTITION
  },
  lagSeconds: {
    name: 'farlog_lag_seconds',
    type: 'gauge',
    help: 'How long the oldest source offset not yet acknowledged has been seen, by the clocks of this worker and of owners before it; 0 when caught up, absent while the source cannot be asked.',
    labels: PARTITION
  },
  retentionMargin: {
    name: 'farlog_retention_margin_seconds',
    type: 'gauge',
    help: "Estimated time until the source's retention deletes the next record needed, by record timestamps; absent while unknown and where retention is not by time.",
    labels: PARTITION
  },
  partitionState: {
    name: 'farlog_partition_state',
    type: 'gauge',
    help: '1 for the state the partition is in, 0 for the others.',
    labels: [...PARTITION, 'state'],
    values: PARTITION_STATES
  },
  verifiedOffset: {
    name: 'farlog_verified_offset',
    type: 'gauge',
    help: 'Source offset below which all records were found equal to their copies; absent where nobody verifies.',
    labels: PARTITION
  },
  verifyDifferences: {
    name: 'farlog_verify_differences_total',
    type: 'counter',
    help: 'Differences between records and their copies that verification in the background has found.',
    labels: PARTITION
  },
  lossExposureRecords: {
    name: 'farlog_loss_exposure_records',
    type: 'gauge',
    help: 'Records that would be lost if the source were lost now; absent while unknown.',
    labels: FLOW
  },
  lossExposureSeconds: {
    name: 'farlog_loss_exposure_seconds',
    type: 'gauge',
    help: 'How far back the records reach that would be lost if the source were lost now; absent while unknown.',
    labels: FLOW
  },
  backlogEta: {
    name: 'farlog_backlog_eta_seconds',
    type: 'gauge',
    help: 'Until the backlog is copied, at the rate of the last seconds; 0 when there is none, absent while unknown or not becoming less.',
    labels: FLOW
  },
  haltedPartitions: {
    name: 'farlog_halted_partitions',
    type: 'gauge',
    help: 'Partitions that wait for a person, by reason.',
    labels: [...FLOW, 'reason']
  },
  flowStopped: {
    name: 'farlog_flow_stopped',
    type: 'gauge',
    help: '1 where the flow stands still because somebody ordered it, 0 otherwise, and where no order has been read yet.',
    labels: FLOW
  },
  heartbeatAge: {
    name: 'farlog_heartbeat_age_seconds',
    type: 'gauge',
    help: 'Since the newest heartbeat that crossed the flow was sent; only in the worker that looks for it.',
    labels: FLOW
  },
  checkpointAge: {
    name: 'farlog_checkpoint_age_seconds',
    type: 'gauge',
    help: 'Since all positions of the group were last translated and written, or since it was first seen where they never were; only in the worker that does it.',
    labels: [...FLOW, 'group']
  },
  groupReprocessRecords: {
    name: 'farlog_group_reprocess_records',
    type: 'gauge',
    help: 'Source records the group had gone past when its last checkpoint was written: read again after a failover right before it.',
    labels: [...FLOW, 'group']
  },
  replicationLatency: {
    name: 'farlog_replication_latency_seconds',
    type: 'histogram',
    help: 'From the timestamp of a record to its acknowledgement by the destination.',
    labels: FLOW
  },
  fenced: {
    name: 'farlog_fenced_total',
    type: 'counter',
    help: 'Partitions let go because a newer owner had fenced this worker.',
    labels: FLOW
  },
  rebalances: {
    name: 'farlog_rebalances_total',
    type: 'counter',
    help: 'Rebalances of the consumer group that shares out the source partitions.',
    labels: FLOW
  },
  sourceEvents: {
    name: 'farlog_source_events_total',
    type: 'counter',
    help: 'Gaps, recreated topics and cut back logs met at the source, by kind.',
    labels: [...FLOW, 'kind'],
    values: ['GAP', 'RECREATED', 'DIVERGED']
  },
  watchdogSteps: {
    name: 'farlog_watchdog_steps_total',
    type: 'counter',
    help: 'What was done about partitions with lag, no progress and no error: reconnect, restart-flow, exit.',
    labels: [...FLOW, 'step'],
    values: ['reconnect', 'restart-flow', 'exit']
  },
  retries: {
    name: 'farlog_retries_total',
    type: 'counter',
    help: 'Requests sent again after a failure, by operation.',
    labels: [...FLOW, 'operation'],
    values: ['fetch', 'fencing', 'resuming', 'produce', 'commit', 'renewing']
  },
  throttled: {
    name: 'farlog_throttled_seconds_total',
    type: 'counter',
    help: 'For how long brokers have held the flow back by a quota, by side.',
    labels: [...FLOW, 'side'],
    values: ['source', 'destination']
  },
  buildInfo: {
    name: 'farlog_build_info',
    type: 'gauge',
    help: 'Always 1; the labels say what runs.',
    labels: ['version', 'node', 'librdkafka']
  }
} as const satisfies Record<string, MetricDeclaration>

/** What can happen to a source partition. */
export type SourceEventKind = (typeof METRICS.sourceEvents.values)[number]
/** What the watchdog does. */
export type WatchdogStepName = (typeof METRICS.watchdogSteps.values)[number]
