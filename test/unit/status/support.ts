import type { FlowOverview, PartitionRow } from '../../../src/status/overview.ts'

/** A row that is caught up, changed as the test needs it. */
export function row(changed: Partial<PartitionRow> = {}): PartitionRow {
  const topic = changed.topic ?? 'orders'
  return {
    topic,
    partition: 0,
    destinationTopic: `east.${topic}`,
    state: 'mirrored',
    detail: null,
    sourceEndOffset: 100,
    nextSourceOffset: 100,
    lagRecords: 0,
    lagSeconds: 0,
    etaSeconds: null,
    sourceRecordsPerSecond: null,
    mirroredRecordsPerSecond: null,
    ...changed
  }
}

/** A row that is behind. */
export function behind(
  lagRecords: number,
  lagSeconds: number | null,
  changed: Partial<PartitionRow> = {}
): PartitionRow {
  return row({ state: 'behind', nextSourceOffset: 100 - lagRecords, lagRecords, lagSeconds, ...changed })
}

/** A flow from east to west. */
export const FLOW: Pick<
  FlowOverview,
  'source' | 'destination' | 'groupId' | 'stopped' | 'workers' | 'problems' | 'events'
> = {
  source: 'east',
  destination: 'west',
  groupId: 'farlog-east-west',
  stopped: null,
  workers: 2,
  problems: [],
  events: []
}
