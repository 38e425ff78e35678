import type { VerifiedPartition } from '../../../src/verify/verified-partition.ts'

/** What was remembered of east/orders/0, with what a test changes. */
export function verified(changes: Partial<VerifiedPartition> = {}): VerifiedPartition {
  return {
    topic: 'orders',
    partition: 0,
    sourceTopicId: '1'.repeat(32),
    destinationTopicId: '2'.repeat(32),
    nextSourceOffset: 0,
    nextDestinationOffset: 0,
    sourceLeaderEpoch: 3,
    destinationLeaderEpoch: -1,
    hasCopies: true,
    rangeSourceOffsets: 10_000,
    ranges: [],
    verifiedBy: 'somebody',
    verifiedAt: 1_700_000_000_000,
    ...changes
  }
}
