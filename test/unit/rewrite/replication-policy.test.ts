import assert from 'node:assert/strict'
import { replicationPolicy } from '../../../src/rewrite/replication-policy.ts'

describe('the default replication policy', () => {
  const policy = replicationPolicy('default', 'east', 'west', '.')

  it('puts the source’s alias in front', () => {
    assert.equal(policy.destinationTopic('orders'), 'east.orders')
    assert.equal(policy.destinationTopic('north.orders'), 'east.north.orders')
    assert.equal(policy.destinationTopic('heartbeats'), 'east.heartbeats')
    assert.equal(replicationPolicy('default', 'east', 'west', '_').destinationTopic('orders'), 'east_orders')
  })

  it('refuses what came from the destination, over however many hops', () => {
    for (const topic of [
      'west.orders',
      'west.north.orders',
      'north.west.orders',
      'west.heartbeats',
      'west.north.heartbeats'
    ]) {
      assert.match(policy.refusal(topic) ?? '', /it came from west/, topic)
    }
  })

  it('takes what came from elsewhere or only looks like the destination', () => {
    for (const topic of [
      'orders',
      'north.orders',
      'orders.west',
      'west',
      'western.orders',
      'west_orders',
      'north.heartbeats',
      'East.orders'
    ]) {
      assert.equal(policy.refusal(topic), null, topic)
    }
  })

  it('tells hops apart by the separator that was chosen', () => {
    const dashed = replicationPolicy('default', 'east', 'west', '__')
    assert.match(dashed.refusal('west__orders') ?? '', /it came from west/)
    assert.equal(dashed.refusal('west.orders'), null)
  })

  it('knows the destination by an alias that holds the separator', () => {
    for (const [alias, separator] of [
      ['dc.west', '.'],
      ['eu-west-1', '-'],
      ['eu_west', '_']
    ] as const) {
      const own = replicationPolicy('default', 'east', alias, separator)
      const backward = replicationPolicy('default', alias, 'east', separator)
      assert.match(own.refusal(backward.destinationTopic('orders')) ?? '', /it came from/, alias)
      assert.match(own.refusal(`north${separator}${backward.destinationTopic('orders')}`) ?? '', /it came from/, alias)
      assert.equal(own.refusal(`x${backward.destinationTopic('orders')}`), null, alias)
    }
  })
})

describe('the identity replication policy', () => {
  const policy = replicationPolicy('identity', 'east', 'west', '.')

  it('keeps names, but for heartbeats', () => {
    assert.equal(policy.destinationTopic('orders'), 'orders')
    assert.equal(policy.destinationTopic('west.orders'), 'west.orders')
    assert.equal(policy.destinationTopic('heartbeats'), 'east.heartbeats')
    assert.equal(policy.destinationTopic('north.heartbeats'), 'north.heartbeats')
  })

  it('takes a topic whatever prefix it has, for a name says nothing of where it came from', () => {
    assert.equal(policy.refusal('west.orders'), null)
  })

  it('refuses heartbeats that came from the destination, for their names say so under any policy', () => {
    assert.match(policy.refusal('west.heartbeats') ?? '', /it came from west/)
    assert.equal(policy.refusal('south.heartbeats'), null)
    assert.equal(policy.refusal('heartbeats'), null)
  })
})

describe('every replication policy', () => {
  for (const name of ['default', 'identity'] as const) {
    it(`refuses topics that are internal, hidden or tools’ own (${name})`, () => {
      const policy = replicationPolicy(name, 'east', 'west', '.')
      const refused: [topic: string, reason: RegExp][] = [
        ['__consumer_offsets', /internal to Kafka$/],
        ['__transaction_state', /internal to Kafka$/],
        ['.hidden', /begins|starts with a dot/],
        ['connect-internal', /internal to a Kafka tool/],
        ['mm2-offset-syncs.east.internal', /internal to a Kafka tool/],
        ['west.checkpoints.internal', /internal to a Kafka tool/]
      ]
      for (const [topic, reason] of refused) assert.match(policy.refusal(topic) ?? '', reason, topic)
    })

    it(`takes topics that only remind of internal ones (${name})`, () => {
      const policy = replicationPolicy(name, 'east', 'west', '.')
      for (const topic of ['_schemas', 'internal', 'internal.orders', 'orders.internals', 'a.b', 'orders__'])
        assert.equal(policy.refusal(topic), null, topic)
    })

    it(`refuses tools’ own topics under a separator of any kind (${name})`, () => {
      for (const separator of ['-', '_', '__', '.', '-.-']) {
        const policy = replicationPolicy(name, 'east', 'west', separator)
        assert.match(
          policy.refusal(`mm2-offset-syncs${separator}east${separator}internal`) ?? '',
          /internal to a Kafka tool/
        )
      }
    })
  }
})
