import assert from 'node:assert/strict'
import type { Config } from '../../../src/config/types.ts'
import { TopicSelection } from '../../../src/flow/topic-selection.ts'

const CONFIG = {
  topics: { include: ['.*'], exclude: ['secret'] },
  replicationPolicy: 'default',
  replicationPolicySeparator: '.',
  heartbeatIntervalMs: 0
} as const
const ALIASES = { source: 'east', destination: 'west' }

describe('which topics are mirrored', () => {
  it('are the configured ones but for those that must not be, each of which has its reason', () => {
    const { selected, refused } = divide(['orders', 'secret', 'west.orders', '__consumer_offsets'])
    assert.deepEqual(selected, [{ topic: 'orders', destinationTopic: 'east.orders' }])
    assert.deepEqual(
      refused.map(({ topic, kind }) => [topic, kind]),
      [
        ['__consumer_offsets', 'internal'],
        ['west.orders', 'cycle']
      ]
    )
  })

  it('are never two with one name, in whatever order the source tells them', () => {
    for (const topics of [
      ['heartbeats', 'east.heartbeats'],
      ['east.heartbeats', 'heartbeats']
    ]) {
      const { selected, refused } = divide(topics, { replicationPolicy: 'identity' })
      assert.deepEqual(selected, [{ topic: 'east.heartbeats', destinationTopic: 'east.heartbeats' }])
      assert.deepEqual(
        refused.map(({ topic, kind }) => [topic, kind]),
        [['heartbeats', 'same-name']]
      )
    }
  })
})

function divide(topics: readonly string[], config: Partial<Pick<Config, 'replicationPolicy'>> = {}) {
  return new TopicSelection({ ...CONFIG, ...config }, ALIASES).divide(topics)
}
