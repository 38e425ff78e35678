import assert from 'node:assert/strict'
import { ClusterError } from '../../../src/cluster/errors.ts'
import type { LoggedOrder } from '../../../src/events/event-log.ts'
import { StandingOrders } from '../../../src/flow/standing-orders.ts'

function logged(offset: number, action: 'STOP' | 'START'): LoggedOrder {
  const order = {
    action,
    id: `${offset}`,
    source: 'east',
    destination: 'west',
    reason: '',
    orderedBy: '',
    orderedAt: 0,
    stopAt: null
  }
  return { logId: 'log', offset, order }
}

/** Orders over a log that is there, or a reason why it can't be read. */
function newOrders(log: LoggedOrder[], failure?: ClusterError) {
  const refused: string[] = []
  const standing = new StandingOrders({
    destination: 'west',
    readLog: async () => {
      if (failure !== undefined) throw failure
      return { logId: log.length === 0 ? undefined : 'log', orders: log }
    },
    refused: error => refused.push(error.code)
  })
  return { standing, refused }
}

describe('standing orders', () => {
  it('are not forgotten for a look that began before somebody told of one', async () => {
    const reading = Promise.withResolvers<{ logId: undefined; orders: [] }>()
    const standing = new StandingOrders({ destination: 'west', readLog: () => reading.promise, refused: assert.fail })
    const asked = standing.ask()
    standing.hear(logged(0, 'STOP'))
    reading.resolve({ logId: undefined, orders: [] })
    assert.equal((await asked)?.id, '0')
  })

  it('are read when asked for', async () => {
    const log: LoggedOrder[] = []
    const { standing } = newOrders(log)
    assert.equal(await standing.ask(), undefined)
    log.push(logged(0, 'STOP'))
    assert.equal(standing.stop, undefined)
    assert.equal((await standing.ask())?.id, '0')
    log.push(logged(1, 'START'))
    assert.equal(await standing.ask(), undefined)
  })

  it('are as others have heard them too, but never older than what was read', async () => {
    const { standing } = newOrders([logged(3, 'START')])
    await standing.ask()
    standing.hear(logged(2, 'STOP'))
    assert.ok(standing.stop === undefined)
    standing.hear(logged(4, 'STOP'))
    assert.deepEqual(standing.stop, logged(4, 'STOP').order)
  })

  it('keep nobody from mirroring who may not read them, which is said once', async () => {
    const { standing, refused } = newOrders([], new ClusterError('TOPIC_AUTHORIZATION_FAILED', 'no', false))
    assert.equal(await standing.ask(), undefined)
    assert.equal(await standing.ask(), undefined)
    assert.deepEqual(refused, ['TOPIC_AUTHORIZATION_FAILED'])
  })

  it('are asked for again where the log can’t be read now, whatever the reason', async () => {
    const { standing, refused } = newOrders([], new ClusterError('READ_STALLED', 'stalled', false))
    await assert.rejects(standing.ask(), { name: 'ClusterError', code: 'READ_STALLED', retriable: true })
    assert.deepEqual(refused, [])
  })
})
