/** The gauges as they follow from what the worker knows about itself; what is unknown has no sample, never a 0. */
import type { Labels, Sample } from './computed-metric.ts'
import {
  type FlowStatus,
  type GroupStatus,
  PARTITION_STATES,
  type PartitionStatus,
  type WorkerStatus
} from './status.ts'

/** A flow with the labels of its samples, made once per scrape for all gauges. */
export interface LabelledFlow {
  readonly flow: FlowStatus
  readonly labels: Labels
  readonly partitions: readonly { readonly partition: PartitionStatus; readonly labels: Labels }[]
}

/** Each gauge that is computed from the worker's status, by its key in the metric table. */
export const STATUS_GAUGES = {
  lagRecords: flows => ofPartitions(flows, ({ lagRecords }) => lagRecords),
  lagSeconds: flows => ofPartitions(flows, ({ lagSeconds }) => lagSeconds),
  retentionMargin: flows => ofPartitions(flows, ({ retentionMarginSeconds }) => retentionMarginSeconds),
  verifiedOffset: flows => ofPartitions(flows, ({ verifiedOffset }) => verifiedOffset),
  partitionState: partitionStates,
  lossExposureRecords: flows => ofFlows(flows, ({ exposure }) => exposure.records),
  lossExposureSeconds: flows => ofFlows(flows, ({ exposure }) => exposure.seconds),
  backlogEta: flows => ofFlows(flows, ({ etaSeconds }) => etaSeconds),
  haltedPartitions,
  flowStopped: flows => ofFlows(flows, flow => (standsStill(flow) ? 1 : 0)),
  heartbeatAge: flows => ofFlows(flows, ({ heartbeatAgeSeconds }) => heartbeatAgeSeconds),
  checkpointAge: flows => ofGroups(flows, ({ checkpointAgeSeconds }) => checkpointAgeSeconds),
  groupReprocessRecords: flows => ofGroups(flows, ({ reprocessRecords }) => reprocessRecords)
} as const satisfies Record<string, (flows: readonly LabelledFlow[]) => Iterable<Sample>>

/** What the gauges are computed from. */
export function labelFlows(status: WorkerStatus): LabelledFlow[] {
  return status.flows.map(flow => {
    const labels = { source: flow.source, destination: flow.destination }
    const partitions = flow.partitions.map(partition => ({
      partition,
      labels: { ...labels, topic: partition.topic, partition: partition.partition }
    }))
    return { flow, labels, partitions }
  })
}

function* ofPartitions(
  flows: readonly LabelledFlow[],
  pick: (partition: PartitionStatus) => number | null
): Iterable<Sample> {
  for (const { partitions } of flows) {
    for (const { partition, labels } of partitions) {
      const value = pick(partition)
      if (value !== null) yield { labels, value }
    }
  }
}

function* ofFlows(flows: readonly LabelledFlow[], pick: (flow: FlowStatus) => number | null): Iterable<Sample> {
  for (const { flow, labels } of flows) {
    const value = pick(flow)
    if (value !== null) yield { labels, value }
  }
}

function* ofGroups(flows: readonly LabelledFlow[], pick: (group: GroupStatus) => number): Iterable<Sample> {
  for (const { flow, labels } of flows) {
    for (const group of flow.groups) yield { labels, ownLabels: { group: group.group }, value: pick(group) }
  }
}

/** The other states are there as 0, so that a change of state is a change of values and an alert on one can resolve. */
function* partitionStates(flows: readonly LabelledFlow[]): Iterable<Sample> {
  for (const { partitions } of flows) {
    for (const { partition, labels } of partitions) {
      for (const state of PARTITION_STATES) {
        yield { labels, ownLabels: { state }, value: state === partition.state ? 1 : 0 }
      }
    }
  }
}

/** At once, whatever its partitions do, or from a time on that its first partition has come to. */
function standsStill({ stopped, partitions }: FlowStatus): boolean {
  if (stopped === null) return false
  return stopped.stopAt === null || partitions.some(({ state, reason }) => state === 'halted' && reason === 'stopped')
}

function* haltedPartitions(flows: readonly LabelledFlow[]): Iterable<Sample> {
  for (const { flow, labels } of flows) {
    const countPerReason = new Map<string, number>()
    for (const { state, reason } of flow.partitions) {
      if (state !== 'halted') continue
      const label = reason ?? 'unknown'
      countPerReason.set(label, (countPerReason.get(label) ?? 0) + 1)
    }
    for (const [reason, count] of countPerReason) yield { labels, ownLabels: { reason }, value: count }
  }
}
