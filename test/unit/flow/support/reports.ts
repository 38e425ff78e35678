import type { FlowReport, PartitionReport, Progress } from '../../../../src/flow/messages.ts'
import { LATENCY_BUCKET_COUNT } from '../../../../src/observe/latency-buckets.ts'

/** Progress of a partition of a topic that has always been the same, with what a test changes. */
export function progressAt(nextSourceOffset: number, changes: Partial<Progress> = {}): Progress {
  return {
    nextSourceOffset,
    topicId: '0'.repeat(32),
    leaderEpoch: 1,
    destinationOffset: nextSourceOffset - 1,
    ...changes
  }
}

/** News of a partition that is mirrored and caught up, with what a test changes. */
export function partitionReport(changes: Partial<PartitionReport> = {}): PartitionReport {
  return {
    topic: 'orders',
    partition: 0,
    destinationTopic: 'east.orders',
    state: 'mirroring',
    reason: null,
    detail: null,
    progress: undefined,
    sourceEndOffset: 100,
    lagRecords: 0,
    reachedTimestampMs: null,
    lagSeconds: 0,
    backlogRecords: 0,
    counts: { records: 0, bytes: 0, gapRecords: 0, duplicateRecords: 0, loopedRecords: 0 },
    ...changes
  }
}

/** News of a flow, with what a test changes. */
export function flowReport(partitions: readonly PartitionReport[], changes: Partial<FlowReport> = {}): FlowReport {
  return {
    flow: 0,
    partitions,
    latencyCounts: new Float64Array(LATENCY_BUCKET_COUNT),
    latencySumSeconds: 0,
    fenced: 0,
    troubles: [],
    watchdogSteps: [],
    throttledMs: { source: 0, destination: 0 },
    retries: {},
    ...changes
  }
}
