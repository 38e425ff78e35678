import assert from 'node:assert/strict'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { ClusterError } from '../../../src/cluster/errors.ts'
import { TopicRemover } from '../../../src/destination/topic-remover.ts'

const AFTER_MS = 60_000
const COPIED = [
  { topic: 'orders', partitions: 1, destinationTopic: 'east.orders' },
  { topic: 'payments', partitions: 1, destinationTopic: 'east.payments' }
]

/** A source whose topics come and go, and a destination that notes what is deleted there. */
class World {
  nowMs = 0
  isHeld = false
  clusterId = 'first'
  readonly there = new Set(['orders', 'payments'])
  readonly forbidden = new Set<string>()
  readonly deleted: string[] = []
  readonly said: string[] = []
  failure: ClusterError | undefined
  readonly remover: TopicRemover

  constructor() {
    const world = this
    const source = {
      get clusterId() {
        return world.clusterId
      },
      topic: (name: string) => (world.there.has(name) ? { name } : undefined),
      isForbidden: (name: string) => world.forbidden.has(name),
      refresh: async () => {}
    }
    this.remover = new TopicRemover({
      source: source as unknown as Cluster,
      destination: {
        alias: 'west',
        admin: {
          deleteTopic: async name => {
            if (world.failure !== undefined) throw world.failure
            world.deleted.push(name)
          }
        }
      },
      afterMs: AFTER_MS,
      isHeld: () => world.isHeld,
      log: (_level, message) => world.said.push(message),
      nowMs: () => world.nowMs
    })
  }

  /** A look after some time. */
  async look(afterMs = 0): Promise<void> {
    this.nowMs += afterMs
    await this.remover.look(COPIED.filter(({ topic }) => this.there.has(topic)))
  }
}

describe('TopicRemover', () => {
  it('deletes a copy once its topic has been gone for long enough, and no other', async () => {
    const world = new World()
    await world.look()
    world.there.delete('orders')
    await world.look(1_000)
    await world.look(AFTER_MS - 1)
    assert.deepEqual(world.deleted, [])
    await world.look(1)
    await world.look(AFTER_MS)
    assert.deepEqual(world.deleted, ['east.orders'])
    assert.equal(world.said.length, 2)
  })

  it('begins anew when the topic was there again meanwhile', async () => {
    const world = new World()
    await world.look()
    world.there.delete('orders')
    await world.look()
    world.there.add('orders')
    await world.look(AFTER_MS)
    world.there.delete('orders')
    await world.look(AFTER_MS)
    await world.look(AFTER_MS - 1)
    assert.deepEqual(world.deleted, [])
  })

  it('leaves alone what it has never seen at the source', async () => {
    const world = new World()
    world.there.delete('orders')
    await world.look()
    await world.look(AFTER_MS)
    assert.deepEqual(world.deleted, [])
  })

  it('takes a topic that may not be seen any more for one that is there', async () => {
    const world = new World()
    await world.look()
    world.there.delete('orders')
    world.forbidden.add('orders')
    for (let i = 0; i < 3; i++) await world.look(AFTER_MS)
    assert.deepEqual(world.deleted, [])
  })

  it('deletes nothing when another cluster answers, which has none of the topics', async () => {
    const world = new World()
    await world.look()
    world.clusterId = 'second'
    world.there.clear()
    for (let i = 0; i < 3; i++) await world.look(AFTER_MS)
    assert.deepEqual(world.deleted, [])
  })

  it('waits while an order stops the flow, and tries again where it may not delete, naming the ACL', async () => {
    const world = new World()
    await world.look()
    world.there.delete('orders')
    await world.look()
    world.isHeld = true
    await world.look(AFTER_MS)
    assert.deepEqual(world.deleted, [])
    world.isHeld = false
    world.failure = new ClusterError('TOPIC_AUTHORIZATION_FAILED', 'no', false)
    await world.look()
    assert.equal(world.said.at(-1), 'deleting a copy failed, trying again')
    world.failure = undefined
    await world.look()
    assert.deepEqual(world.deleted, ['east.orders'])
  })
})
