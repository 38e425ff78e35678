import assert from 'node:assert/strict'
import { judge, type PartitionFacts } from '../../../src/status/judge.ts'

const TOPIC_ID = 'a'.repeat(32)

/** A partition with source offsets 10 to 99 whose copy is complete and committed. */
function facts(changed: Partial<PartitionFacts> = {}): PartitionFacts {
  return {
    topic: 'orders',
    partition: 3,
    destinationTopic: 'east.orders',
    source: { topicId: TOPIC_ID, logStartOffset: 10, lastStableOffset: 100, logEndOffset: 100 },
    destination: { logEndOffset: 120 },
    committed: committed(100),
    isGroupKnown: true,
    mirroredEnd: undefined,
    trouble: undefined,
    ...changed
  }
}

function committed(nextSourceOffset: number, topicId = TOPIC_ID, destinationOffset = 90) {
  return { nextSourceOffset, topicId, leaderEpoch: 0, destinationOffset }
}

function end(sourceOffset: number) {
  return { sourceOffset, destinationOffset: 119 }
}

describe('judge', () => {
  it('calls a partition mirrored when all that the source holds is at the destination', () => {
    assert.deepEqual(judge(facts(), 'earliest'), {
      state: 'mirrored',
      detail: null,
      sourceEndOffset: 100,
      nextSourceOffset: 100,
      lagRecords: 0
    })
  })

  it('takes committed progress or the newest copy, whichever is further', () => {
    const byCommit = judge(facts({ committed: committed(70), mirroredEnd: end(49) }), 'earliest')
    assert.deepEqual([byCommit.state, byCommit.nextSourceOffset, byCommit.lagRecords], ['behind', 70, 30])
    const byCopy = judge(facts({ committed: committed(70), mirroredEnd: end(79) }), 'earliest')
    assert.deepEqual([byCopy.state, byCopy.nextSourceOffset, byCopy.lagRecords], ['behind', 80, 20])
    const byCopyAlone = judge(facts({ committed: undefined, mirroredEnd: end(99) }), 'earliest')
    assert.deepEqual([byCopyAlone.state, byCopyAlone.nextSourceOffset], ['mirrored', 100])
  })

  it('ends at what is mirrored where an open transaction holds the last stable offset back', () => {
    const source = { topicId: TOPIC_ID, logStartOffset: 10, lastStableOffset: 100, logEndOffset: 130 }
    const judgement = judge(facts({ source, mirroredEnd: end(104) }), 'earliest')
    assert.deepEqual([judgement.state, judgement.sourceEndOffset, judgement.lagRecords], ['mirrored', 105, 0])
  })

  it('counts all of a partition that is not started, unless it is to start at the end', () => {
    const nothing = facts({ committed: undefined })
    assert.deepEqual(judge(nothing, 'earliest'), {
      state: 'not started',
      detail: null,
      sourceEndOffset: 100,
      nextSourceOffset: null,
      lagRecords: 90
    })
    assert.equal(judge(nothing, 'latest').lagRecords, null)
    const source = { topicId: TOPIC_ID, logStartOffset: 100, lastStableOffset: 100, logEndOffset: 100 }
    assert.equal(judge({ ...nothing, source }, 'latest').lagRecords, 0)
  })

  it('names the destination topic that is missing, or the partition', () => {
    const topic = judge(facts({ destination: 'no topic' }), 'earliest')
    assert.deepEqual([topic.state, topic.nextSourceOffset, topic.lagRecords], ['missing', null, 90])
    assert.match(topic.detail!, /^east\.orders is not at the destination/)
    const partition = judge(facts({ destination: 'no partition' }), 'earliest')
    assert.match(partition.detail!, /^east\.orders-3 is not at the destination/)
  })

  it('calls it a gap when the source has deleted what comes next', () => {
    const judgement = judge(facts({ committed: committed(4) }), 'earliest')
    assert.deepEqual([judgement.state, judgement.nextSourceOffset, judgement.lagRecords], ['gap', 4, 96])
    assert.match(judgement.detail!, /^source offsets 4 to 9 of orders-3 /)
    assert.equal(judge(facts({ committed: committed(10) }), 'earliest').state, 'behind')
  })

  it('does not take the offsets of an earlier topic of that name for its own', () => {
    const judgement = judge(facts({ committed: committed(100, 'b'.repeat(32)) }), 'earliest')
    assert.deepEqual([judgement.state, judgement.nextSourceOffset, judgement.lagRecords], ['recreated', null, 90])
  })

  it('trusts an offset that was set by hand, without a topic id', () => {
    const byHand = { nextSourceOffset: 100, topicId: undefined, leaderEpoch: -1, destinationOffset: undefined }
    assert.equal(judge(facts({ committed: byHand }), 'earliest').state, 'mirrored')
  })

  it('sees that the source was cut back below what was mirrored', () => {
    const judgement = judge(facts({ committed: committed(101) }), 'earliest')
    assert.deepEqual([judgement.state, judgement.lagRecords], ['diverged', null])
    assert.match(judgement.detail!, /orders-3 was cut back to offset 100/)
  })

  it('sees that the destination lost what had been written', () => {
    const judgement = judge(facts({ destination: { logEndOffset: 90 } }), 'earliest')
    assert.deepEqual([judgement.state, judgement.lagRecords], ['diverged', null])
    assert.match(judgement.detail!, /^east\.orders-3 ends at offset 90, but offset 90 had been written/)
    assert.equal(judge(facts({ destination: { logEndOffset: 91 } }), 'earliest').state, 'mirrored')
  })

  it('shows what is known while a side cannot be asked', () => {
    const withoutDestination = facts({ destination: undefined, committed: committed(70), trouble: 'west is gone' })
    assert.deepEqual(judge(withoutDestination, 'earliest'), {
      state: 'unreachable',
      detail: 'west is gone',
      sourceEndOffset: 100,
      nextSourceOffset: 70,
      lagRecords: 30
    })
    const withoutSource = facts({ source: undefined, committed: undefined, isGroupKnown: false, mirroredEnd: end(79) })
    assert.deepEqual(judge(withoutSource, 'earliest'), {
      state: 'unreachable',
      detail: null,
      sourceEndOffset: null,
      nextSourceOffset: 80,
      lagRecords: null
    })
    assert.equal(judge(facts({ isGroupKnown: false, committed: undefined }), 'earliest').state, 'unreachable')
  })
})
