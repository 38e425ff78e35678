import assert from 'node:assert/strict'
import type { PartitionLoss } from '../../../src/events/partition-loss.ts'
import { divergenceOf } from '../../../src/failover/divergence.ts'

const TOPIC_ID = '1'.repeat(32)
const SOURCE = { topicId: TOPIC_ID, logStartOffset: 0, endOffset: 30 }

function row(changes: Partial<PartitionLoss> = {}): PartitionLoss {
  return {
    ...{ orderId: 'order', source: 'east', destination: 'west', topic: 'orders', partition: 3, topicId: TOPIC_ID },
    ...{ destinationTopic: 'orders', nextSourceOffset: 20, lastSourceOffset: 17, lastDestinationOffset: 40 },
    ...{ lastTimestamp: 7, sourceEndOffset: 25, sourceSeenAt: 8, lostRecordsMax: 5, lostSeconds: 1, reportedAt: 9 },
    ...changes
  }
}

function divergence(now: Partial<PartitionLoss> = {}, reported: Partial<PartitionLoss> = {}, source = {}) {
  const found = divergenceOf(row(now), row(reported), { ...SOURCE, ...source })
  return [found.divergenceOffset, found.problem]
}

describe('the divergence of a partition', () => {
  it('is where the loss report ends, whatever progress has been set to since', () => {
    assert.deepEqual(divergence(), [20, null])
    assert.deepEqual(divergence({ nextSourceOffset: 29 }), [20, null])
    // Retention may have taken the newest copy.
    assert.deepEqual(divergence({ lastSourceOffset: null, lastDestinationOffset: null }), [20, null])
  })

  it('is behind the newest copy where more has crossed than was reported, and says so', () => {
    const [offset, problem] = divergence({ lastSourceOffset: 22 })
    assert.equal(offset, 23)
    assert.match(String(problem), /copies up to source offset 22 are there, and the loss report ends at 17/)
  })

  it('says what crossed and is not at the old source any more', () => {
    const [offset, problem] = divergence({}, {}, { endOffset: 15 })
    assert.equal(offset, 20)
    assert.match(String(problem), /^east came back with less than had crossed: offsets 15 to 19 exist only at west/)
  })

  it('says what the old source deleted before it could be looked at', () => {
    const [offset, problem] = divergence({}, {}, { logStartOffset: 26 })
    assert.equal(offset, 26)
    assert.match(String(problem), /^east has deleted offsets 20 to 25/)
  })

  it('is the beginning of a topic that was made again', () => {
    const [offset, problem] = divergence({}, {}, { topicId: '2'.repeat(32), logStartOffset: 3 })
    assert.equal(offset, 3)
    assert.match(String(problem), /made again/)
  })

  it('is the beginning where nothing had crossed', () => {
    const nothing = { nextSourceOffset: null, lastSourceOffset: null, lastDestinationOffset: null, topicId: null }
    assert.deepEqual(divergence(nothing, nothing), [0, null])
  })
})
