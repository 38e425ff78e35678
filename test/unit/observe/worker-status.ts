import type { FlowStatus, PartitionStatus, WorkerStatus } from '../../../src/observe/status.ts'

/** A partition that is mirrored and has a little lag, with what a test changes. */
export function partitionStatus(changes: Partial<PartitionStatus> = {}): PartitionStatus {
  return {
    topic: 'orders',
    partition: 0,
    destinationTopic: 'east.orders',
    state: 'mirroring',
    reason: null,
    detail: null,
    nextSourceOffset: 90,
    sourceEndOffset: 100,
    lagRecords: 10,
    lagSeconds: 1.5,
    retentionMarginSeconds: 600_000,
    etaSeconds: 0,
    verifiedOffset: 80,
    verifyDifferences: 0,
    ...changes
  }
}

/** A flow from east to west, with what a test changes. */
export function flowStatus(changes: Partial<FlowStatus> = {}): FlowStatus {
  return {
    source: 'east',
    destination: 'west',
    groupId: 'farlog-east-west',
    notReadyReason: null,
    stopped: null,
    order: null,
    partitions: [partitionStatus()],
    etaSeconds: 0,
    exposure: { records: 10, seconds: 1.5 },
    events: [],
    halts: [],
    groups: [],
    heartbeatAgeSeconds: null,
    rates: { recordsPerSecond: 1_000, bytesPerSecond: 1_048_576 },
    ...changes
  }
}

/** A worker that is ready, with one flow, with what a test changes. */
export function workerStatus(changes: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    version: '0.1.0',
    startedAt: '2026-01-01T00:00:00.000Z',
    notReadyReason: null,
    flows: [flowStatus()],
    ...changes
  }
}
