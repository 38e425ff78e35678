import assert from 'node:assert/strict'
import type { FlowFacts } from '../../../src/plan/facts.ts'
import type { FlowPlan, PlannedTopic } from '../../../src/plan/plan.ts'
import { type PlanConfig, planFlow } from '../../../src/plan/plan-flow.ts'
import { CONFIG, clusterFacts, FLOW, failed, flowFacts, NOT_ALLOWED, NOT_THERE, pair, without } from './support.ts'

describe('the plan of a flow', () => {
  it('has nothing to say of topics that are alike', () => {
    const { blockers, notes, topics, leftOut } = plan()
    assert.deepEqual([blockers, notes, leftOut], [[], [], []])
    assert.deepEqual(
      topics.map(({ state, partitionsToCreate }) => [state, partitionsToCreate]),
      [['there', 0]]
    )
  })

  it('says of each topic in which state it is and how many partitions are to be created', () => {
    const pairs = [
      pair({ topic: 'missing', destinationPartitions: 0 }),
      pair({ topic: 'short', destinationPartitions: 1 }),
      pair({ topic: 'wide', destinationPartitions: 5 })
    ]
    const { topics, notes, blockers } = plan({ pairs })
    assert.deepEqual(
      topics.map(({ topic, state, partitionsToCreate }) => [topic, state, partitionsToCreate]),
      [
        ['missing', 'to create', 3],
        ['short', 'short of partitions', 2],
        ['wide', 'there', 0]
      ]
    )
    assert.deepEqual(blockers, [])
    assert.deepEqual(notes, ['east.wide has 5 partitions and wide 3: the further ones stay as they are'])
  })

  it('shows entries with what they are and what they would be', () => {
    const there = { isFixed: false, origin: 'topic' } as const
    const changed = pair({
      configChanges: [
        { name: 'retention.ms', value: '1' },
        { name: 'segment.bytes', value: null }
      ],
      destinationConfig: new Map([
        ['retention.ms', { ...there, value: '2' }],
        ['segment.bytes', { ...there, value: '3' }]
      ])
    })
    assert.deepEqual(plan({ pairs: [changed] }).topics[0]!.configs, [
      { name: 'retention.ms', from: '2', to: '1' },
      { name: 'segment.bytes', from: '3', to: null }
    ])
  })

  it('shows each topic its own missing ACLs', () => {
    const acl = { principal: 'User:reader', host: '*', operation: 'READ', permission: 'ALLOW' } as const
    const { topics } = plan({
      pairs: [pair(), pair({ topic: 'clicks' })],
      missingAcls: [{ ...acl, topic: 'east.clicks' }]
    })
    const acls = topics.map((topic: PlannedTopic) => topic.acls)
    assert.deepEqual(acls, [[], ['ALLOW READ on east.clicks to User:reader from *']])
  })

  it('blocks a topic that the destination would not create, grow or configure, in its own words', () => {
    const pairs = [
      pair({ topic: 'a', destinationPartitions: 0, topicRefusal: failed('POLICY_VIOLATION') }),
      pair({ topic: 'b', destinationPartitions: 1, topicRefusal: failed('INVALID_PARTITIONS') }),
      pair({ topic: 'c', configRefusal: failed('INVALID_CONFIG') })
    ]
    const { blockers, topics } = plan({ pairs })
    assert.deepEqual(blockers, [
      { code: 'CANNOT_CREATE', topic: 'a', message: 'west: POLICY_VIOLATION' },
      { code: 'CANNOT_GROW', topic: 'b', message: 'west: INVALID_PARTITIONS' },
      { code: 'CANNOT_CONFIGURE', topic: 'c', message: 'west: INVALID_CONFIG' }
    ])
    assert.ok(topics.every(({ state }) => state === 'blocked'))
  })

  it('says once that there are too few brokers, not again of each topic', () => {
    const refused = pair({ destinationPartitions: 0, topicRefusal: failed('INVALID_REPLICATION_FACTOR') })
    const facts = { pairs: [refused], destination: clusterFacts('west', { brokers: 1 }) }
    assert.deepEqual(codes(plan(facts, { replicationFactor: 3 })), ['REPLICATION_FACTOR'])
    assert.deepEqual(codes(plan(facts)), ['CANNOT_CREATE'], 'the brokers’ own default')
  })

  it('blocks cycles that are asked for, and leaves out those that a catch-all takes along', () => {
    const refused = [{ topic: 'west.orders', kind: 'cycle', reason: 'it came from west' }] as const
    const caught = plan({ refused })
    assert.deepEqual(caught.blockers, [])
    assert.deepEqual(caught.leftOut, [{ topic: 'west.orders', reason: 'it came from west' }])
    assert.deepEqual(codes(plan({ refused }, { topics: { include: ['.*orders'], exclude: [] } })), ['CYCLE'])
  })

  it('blocks topics with one name, however they were selected', () => {
    const refused = [
      { topic: 'heartbeats', kind: 'same-name', reason: 'x is called y at the destination too' }
    ] as const
    assert.deepEqual(codes(plan({ refused })), ['SAME_NAME'])
  })

  it('tells a topic that is named and not there from one that may not be described', () => {
    const { blockers, notes } = plan({
      absent: new Map([
        ['gone', NOT_THERE],
        ['hidden', NOT_ALLOWED]
      ])
    })
    assert.deepEqual(blockers, [
      { code: 'MISSING_ACL', topic: 'hidden', message: 'missing ACL at east: DESCRIBE on topic hidden' }
    ])
    assert.deepEqual(notes, ['east has no topic gone, which FARLOG_TOPICS names'])
  })
})

describe('the ACLs that a plan misses', () => {
  it('are those of each side', () => {
    const restricted = pair({
      sourceOperations: without('READ'),
      sourceConfig: NOT_ALLOWED,
      destinationOperations: without('WRITE', 'READ'),
      destinationConfig: NOT_ALLOWED
    })
    assert.deepEqual(messages(plan({ pairs: [restricted] })), [
      'missing ACL at east: READ on topic orders',
      'missing ACL at east: DESCRIBE_CONFIGS on topic orders',
      'missing ACL at west: WRITE on topic east.orders',
      'missing ACL at west: READ on topic east.orders',
      'missing ACL at west: DESCRIBE_CONFIGS on topic east.orders'
    ])
  })

  it('are CREATE and WRITE of a topic that is not there', () => {
    const missing = { destinationPartitions: 0, destinationOperations: NOT_THERE, destinationConfig: NOT_THERE }
    const refused = pair({ ...missing, topicRefusal: NOT_ALLOWED, transaction: { withId: true, toTopic: false } })
    assert.deepEqual(messages(plan({ pairs: [refused] })), [
      'missing ACL at west: CREATE on topic east.orders',
      'missing ACL at west: WRITE on topic east.orders'
    ])
    assert.deepEqual(messages(plan({ pairs: [pair(missing)] })), [])
  })

  it('hold up growing and configuring only where there is something to grow or configure', () => {
    const restricted = { destinationOperations: without('ALTER', 'ALTER_CONFIGS') }
    const quiet = plan({ pairs: [pair(restricted)] })
    assert.deepEqual(quiet.blockers, [])
    assert.equal(quiet.notes.length, 2)
    assert.match(quiet.notes.join('\n'), /ALTER on east\.orders.*\n.*ALTER_CONFIGS on east\.orders/)
    const short = pair({
      ...restricted,
      destinationPartitions: 1,
      topicRefusal: NOT_ALLOWED,
      configRefusal: NOT_ALLOWED
    })
    const held = plan({ pairs: [short] })
    assert.deepEqual(messages(held), [
      'missing ACL at west: ALTER on topic east.orders',
      'missing ACL at west: ALTER_CONFIGS on topic east.orders'
    ])
    assert.deepEqual(held.notes, [])
  })

  it('do not count configurations that are not kept alike', () => {
    const restricted = pair({ sourceConfig: NOT_ALLOWED, destinationConfig: NOT_ALLOWED })
    const { blockers, notes } = plan({ pairs: [restricted] }, { syncTopicConfigs: false })
    assert.deepEqual(blockers, [])
    assert.match(notes.join(), /DESCRIBE_CONFIGS on east\.orders: Kafka’s default is taken/)
  })

  it('name transactional ids by topic, or all at once where none may be used', () => {
    const refused = { transaction: { withId: false, toTopic: true } }
    const both = [pair(refused), pair({ topic: 'clicks', ...refused })]
    const prefix = 'missing ACL at west: WRITE on transactional ids that begin with farlog/east/west/'
    assert.deepEqual(messages(plan({ pairs: both })), [prefix])
    assert.deepEqual(messages(plan({ pairs: [pair(), both[1]!] })), [`${prefix}clicks/`])
  })

  it('are those of the group on both sides', () => {
    const sides = {
      source: clusterFacts('east', { mayReadGroup: false }),
      destination: clusterFacts('west', { mayReadGroup: false })
    }
    assert.deepEqual(messages(plan(sides)), [
      'missing ACL at east: READ on group farlog-east-west',
      'missing ACL at west: READ on group farlog-east-west'
    ])
  })

  it('are those that copying ACLs needs, unless there is no authorizer', () => {
    const acl = { principal: 'User:reader', host: '*', operation: 'READ', permission: 'ALLOW' } as const
    const destination = clusterFacts('west', { operations: without('DESCRIBE', 'ALTER') })
    const needs = (operation: string) =>
      `missing ACL at west: ${operation} on the cluster, which FARLOG_SYNC_TOPIC_ACLS needs`
    const unread = plan({ destination, missingAcls: failed('CLUSTER_AUTHORIZATION_FAILED') })
    assert.deepEqual(messages(unread), [needs('DESCRIBE')])
    assert.deepEqual(messages(plan({ destination, missingAcls: [{ ...acl, topic: 'east.orders' }] })), [needs('ALTER')])
    assert.deepEqual(messages(plan({ destination, missingAcls: [] })), [])
    const off = plan({ missingAcls: failed('SECURITY_DISABLED') })
    assert.deepEqual(off.blockers, [])
    assert.match(off.notes.join(), /no ACLs are copied/)
  })

  it('are noted of topics of its own and of groups, which are no reason not to mirror', () => {
    const ownTopic = { alias: 'west', topic: 'farlog.events.east.internal', lacking: ['CREATE'] } as const
    const groups = [
      { groupId: 'billing', mayReadAtDestination: false },
      { groupId: 'audit', mayReadAtDestination: true }
    ]
    const { blockers, notes, groups: shown } = plan({ ownTopics: [{ ...ownTopic, consequence: 'no events' }], groups })
    assert.deepEqual(blockers, [])
    assert.deepEqual(notes, [
      'missing ACL at west: CREATE on topic farlog.events.east.internal: no events',
      'west does not grant READ on the groups billing: their offsets are not brought there'
    ])
    assert.deepEqual(shown, ['billing', 'audit'])
  })

  it('can’t all be found out of topics that are not there, which is said where there are ACLs', () => {
    const pairs = [pair({ destinationPartitions: 0, destinationOperations: NOT_THERE, destinationConfig: NOT_THERE })]
    assert.deepEqual(plan({ pairs }).notes, [])
    const destination = clusterFacts('west', { operations: without('CLUSTER_ACTION') })
    assert.match(plan({ pairs, destination }).notes.join(), /^whether west grants READ on topics/)
    const unasked = [{ ...pairs[0]!, transaction: undefined }]
    assert.match(plan({ pairs: unasked, destination }).notes.join(), /^whether west grants READ and WRITE on topics/)
  })
})

function plan(facts: Partial<FlowFacts> = {}, config: Partial<PlanConfig> = {}): FlowPlan {
  return planFlow({ ...CONFIG, ...config }, FLOW, flowFacts(facts))
}

function codes({ blockers }: FlowPlan): string[] {
  return blockers.map(({ code }) => code)
}

function messages({ blockers }: FlowPlan): string[] {
  return blockers.map(({ message }) => message)
}
