import assert from 'node:assert/strict'
import type { FlowContext } from '../../../src/flow/flow-context.ts'
import { PartitionMirror } from '../../../src/flow/partition-mirror.ts'

describe('a partition that is assigned', () => {
  it('is as far behind as it was with the owner before', () => {
    const sourceEnd = { offset: 200, seenAtMs: 0, lagSeconds: 90 }
    const progress = { nextSourceOffset: 100, topicId: 'a', leaderEpoch: 0, destinationOffset: 7, sourceEnd }
    const assignment = { topic: 'orders', partition: 0, destinationTopic: 'east.orders', batchBytesMax: 1, progress }
    const mirror = new PartitionMirror({} as FlowContext, assignment)
    mirror.sourceEndSeen(300, performance.now())
    const { lagRecords, lagSeconds } = mirror.takeReport(performance.now())!
    assert.equal(lagRecords, 200)
    assert.ok(lagSeconds! >= 90 && lagSeconds! < 100, `${lagSeconds}`)
  })
})
