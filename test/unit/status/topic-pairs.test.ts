import assert from 'node:assert/strict'
import { loadConfig } from '../../../src/config/load.ts'
import { TopicPairs } from '../../../src/status/topic-pairs.ts'
import { environment } from '../config/environment.ts'

function pairsOf(variables: Record<string, string>, only?: readonly string[]): TopicPairs {
  const config = loadConfig(environment(variables))
  return new TopicPairs(config, config.flows[0]!, only)
}

function topics(...names: string[]) {
  const leader = { nodeId: 1, leaderEpoch: 0 }
  return names.map(name => ({ name, topicId: '', partitions: [leader, leader] }))
}

describe('TopicPairs', () => {
  it('lists every partition of the topics that are mirrored', () => {
    const pairs = pairsOf({ FARLOG_TOPICS_EXCLUDE: 'secret' })
    assert.deepEqual(pairs.fromSource(topics('orders', 'secret', '__consumer_offsets', 'west.orders')), [
      { topic: 'orders', partition: 0, destinationTopic: 'east.orders' },
      { topic: 'orders', partition: 1, destinationTopic: 'east.orders' }
    ])
  })

  it('takes only what is asked for of what is configured', () => {
    const pairs = pairsOf({ FARLOG_TOPICS: 'orders.*' }, ['.*-a', 'clicks'])
    const found = pairs.fromSource(topics('orders-a', 'orders-b', 'clicks')).map(({ topic }) => topic)
    assert.deepEqual([...new Set(found)], ['orders-a'])
  })

  it('finds the same from what the destination holds', () => {
    const names = ['orders', 'clicks']
    const pairs = pairsOf({})
    assert.deepEqual(
      pairs.fromDestination(topics('east.orders', 'east.clicks', 'own', 'south.orders')),
      pairs.fromSource(topics(...names))
    )
    const identity = pairsOf({ FARLOG_REPLICATION_POLICY: 'identity' })
    assert.deepEqual(identity.fromDestination(topics(...names)), identity.fromSource(topics(...names)))
  })
})
