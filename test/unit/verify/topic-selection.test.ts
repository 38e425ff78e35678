import assert from 'node:assert/strict'
import { selectTopics } from '../../../src/verify/topic-selection.ts'

describe('the topics to verify', () => {
  const aliases = { source: 'east', destination: 'west' }
  const everything = {
    topics: { include: ['.*'], exclude: [] },
    replicationPolicy: 'default' as const,
    replicationPolicySeparator: '.'
  }
  const names = (topics: string[], config = {}, only?: string[]) =>
    selectTopics(topics, { ...everything, ...config }, aliases, only).map(({ topic }) => topic)

  it('are never the internal ones, whatever is configured', () => {
    const internal = ['__consumer_offsets', '.hidden', 'connect-internal', 'mm2-offset-syncs.east.internal']
    assert.deepEqual(names([...internal, 'orders', '_schemas', 'internal']), ['_schemas', 'internal', 'orders'])
  })

  it('are not those that came from the destination', () => {
    const topics = ['west.orders', 'south.west.orders', 'south.orders', 'west', 'orders.west', 'western.orders']
    assert.deepEqual(names(topics), ['orders.west', 'south.orders', 'west', 'western.orders'])
    const identity = { replicationPolicy: 'identity' } as const
    assert.deepEqual(names(['west.orders'], identity), ['west.orders'])
    assert.deepEqual(names(['west.heartbeats', 'south.heartbeats'], identity), ['south.heartbeats'])
  })

  it('are the configured ones, narrowed down by whole names', () => {
    const config = { topics: { include: ['orders.*', 'users'], exclude: ['orders-old'] } }
    const topics = ['users', 'users2', 'orders', 'orders-old', 'orders-new']
    assert.deepEqual(names(topics, config), ['orders', 'orders-new', 'users'])
    assert.deepEqual(names(topics, config, ['orders', 'users2']), ['orders'])
  })

  it('have their copies where the policy puts them', () => {
    const destinationOf = (config = {}) =>
      selectTopics(['orders'], { ...everything, ...config }, aliases, undefined)[0]?.destinationTopic
    assert.equal(destinationOf(), 'east.orders')
    assert.equal(destinationOf({ replicationPolicySeparator: '_' }), 'east_orders')
    assert.equal(destinationOf({ replicationPolicy: 'identity' }), 'orders')
  })
})
