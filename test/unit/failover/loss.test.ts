import assert from 'node:assert/strict'
import type { PartitionLoss } from '../../../src/events/partition-loss.ts'
import { type LossFacts, lossOf, totalLoss } from '../../../src/failover/loss.ts'
import type { Progress } from '../../../src/flow/messages.ts'

const TOPIC_ID = '0'.repeat(32)
const NOW_MS = 100_000
const COPY = { sourceOffset: 19, destinationOffset: 25, timestampMs: 7 }
const END = { offset: 30, seenAtMs: 90_000, lagSeconds: 2.5 }

function committed(changes: Partial<Progress> = {}): Progress {
  return { nextSourceOffset: 20, topicId: TOPIC_ID, leaderEpoch: 1, destinationOffset: 25, sourceEnd: END, ...changes }
}

function loss(changes: Partial<LossFacts> = {}): PartitionLoss {
  return lossOf({
    ...{ orderId: 'order', source: 'east', destination: 'west', nowMs: NOW_MS },
    partition: { topic: 'orders', partition: 3, destinationTopic: 'east.orders' },
    committed: committed(),
    newestCopy: COPY,
    sourceNow: undefined,
    ...changes
  })
}

describe('the loss of a partition', () => {
  it('is what the source was known to have beyond what is at the destination', () => {
    assert.deepEqual(loss(), {
      ...{ orderId: 'order', source: 'east', destination: 'west' },
      ...{ topic: 'orders', partition: 3, topicId: TOPIC_ID, destinationTopic: 'east.orders' },
      ...{ nextSourceOffset: 20, lastSourceOffset: 19, lastDestinationOffset: 25, lastTimestamp: 7 },
      ...{ sourceEndOffset: 30, sourceSeenAt: 90_000, lostRecordsMax: 10, lostSeconds: 2.5, reportedAt: NOW_MS }
    })
  })

  it('is counted from the further of what was committed and what the log holds', () => {
    assert.equal(loss({ newestCopy: { ...COPY, sourceOffset: 27 } }).lostRecordsMax, 2)
    // Markers behind the last record were passed.
    assert.equal(loss({ committed: committed({ nextSourceOffset: 24 }) }).nextSourceOffset, 24)
  })

  it('is none where copies were written since the source was last heard of', () => {
    const { lostRecordsMax, lostSeconds } = loss({ newestCopy: { ...COPY, sourceOffset: 44 } })
    assert.deepEqual([lostRecordsMax, lostSeconds], [0, 0])
  })

  it('is unknown, not 0, where the source’s end is', () => {
    const { lostRecordsMax, lostSeconds, sourceEndOffset } = loss({ committed: committed({ sourceEnd: undefined }) })
    assert.deepEqual([sourceEndOffset, lostRecordsMax, lostSeconds], [null, null, null])
    const nothing = loss({ committed: undefined, newestCopy: undefined })
    assert.deepEqual([nothing.nextSourceOffset, nothing.lostRecordsMax, nothing.topicId], [null, null, null])
  })

  it('is by the source’s own word where it still answers', () => {
    const sourceNow = { topicId: TOPIC_ID, logStartOffset: 5, lastStableOffset: 42 }
    const { sourceEndOffset, sourceSeenAt, lostRecordsMax, lostSeconds } = loss({ sourceNow })
    assert.deepEqual([sourceEndOffset, sourceSeenAt, lostRecordsMax], [42, NOW_MS, 22])
    // The oldest has waited on since it was last measured.
    assert.equal(lostSeconds, 12.5)
    const untouched = loss({ sourceNow, committed: undefined, newestCopy: undefined })
    assert.deepEqual([untouched.lostRecordsMax, untouched.lostSeconds], [37, null])
  })

  it('is not told by a topic that was made anew since', () => {
    const sourceNow = { topicId: 'f'.repeat(32), logStartOffset: 0, lastStableOffset: 1_000 }
    assert.equal(loss({ sourceNow }).lostRecordsMax, 10)
  })
})

describe('the loss of a flow', () => {
  it('sums what is known, and counts what is not', () => {
    const losses = [
      loss(),
      loss({ newestCopy: { ...COPY, sourceOffset: 40 } }),
      loss({ committed: committed({ sourceEnd: { ...END, offset: 23, seenAtMs: 95_000, lagSeconds: 9 } }) }),
      loss({ committed: committed({ sourceEnd: undefined }) })
    ]
    assert.deepEqual(totalLoss(losses), {
      ...{ partitions: 4, partitionsWithLoss: 2, lostRecordsMax: 13, lostSeconds: 9 },
      ...{ unknownPartitions: 1, lastContactAt: 95_000 }
    })
  })
})
