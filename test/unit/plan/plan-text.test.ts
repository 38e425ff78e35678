import assert from 'node:assert/strict'
import type { FlowPlan } from '../../../src/plan/plan.ts'
import { planText } from '../../../src/plan/plan-text.ts'

const FLOW: FlowPlan = {
  source: 'east',
  destination: 'west',
  groupId: 'farlog-east-west',
  blockers: [],
  notes: [],
  topics: [
    {
      ...{ topic: 'orders', destinationTopic: 'east.orders', state: 'short of partitions' },
      ...{ partitions: 12, destinationPartitions: 10, partitionsToCreate: 2 },
      configs: [
        { name: 'retention.ms', from: '1', to: '2' },
        { name: 'segment.bytes', from: '3', to: null }
      ],
      acls: ['ALLOW READ on east.orders to User:reader from *']
    },
    {
      ...{ topic: 'clicks', destinationTopic: 'east.clicks', state: 'there' },
      ...{ partitions: 1, destinationPartitions: 1, partitionsToCreate: 0, configs: [], acls: [] }
    }
  ],
  leftOut: [{ topic: 'west.orders', reason: 'it came from west' }],
  groups: ['billing']
}

describe('the text of a plan', () => {
  it('shows each topic, what differs, what is left out, and what there is to do', () => {
    assert.equal(
      text(FLOW),
      `east → west   group farlog-east-west

TOPIC   PARTITIONS  DESTINATION  TO CREATE  CONFIGS  ACLS  STATE
orders          12  east.orders          2        2     1  short of partitions
clicks           1  east.clicks          -        -     -  there

differences:
  east.orders: retention.ms: 1 becomes 2
  east.orders: segment.bytes: 3 is removed
  east.orders: ALLOW READ on east.orders to User:reader from *

left out:
  west.orders: it came from west

1 group whose offsets are translated:
  billing

2 topics: 1 short of partitions, 1 there; 2 partitions to create, 2 configurations to change, 1 ACL to create
`
    )
  })

  it('says when there is nothing to do, and when there is nothing at all', () => {
    const { topics, ...rest } = { ...FLOW, leftOut: [], groups: null }
    assert.match(text({ ...rest, topics: topics.slice(1) }), /\n1 topic: 1 there; nothing to do\n$/)
    assert.equal(
      text({ ...rest, topics: [] }),
      'east → west   group farlog-east-west\n\nno topic is selected; nothing to do\n'
    )
  })

  it('shows first what blocks it', () => {
    const blockers = [{ code: 'UNREACHABLE', topic: null, message: 'west: ECONNREFUSED' }] as const
    const blocked = text({ ...FLOW, blockers, topics: [], leftOut: [], groups: null })
    assert.equal(blocked.split('\n')[1], 'blocked: west: ECONNREFUSED')
    assert.match(blocked, /; 1 blocker\n$/)
  })
})

function text(flow: FlowPlan): string {
  return planText({ isBlocked: flow.blockers.length > 0, flows: [flow] }, Number.POSITIVE_INFINITY)
}
