import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { LoggedOrder } from '../../../src/events/event-log.ts'
import { FLOW_ORDER, type FlowOrder, stopStatus } from '../../../src/events/flow-order.ts'
import { FlowOrders } from '../../../src/events/flow-orders.ts'
import { SOURCE_EVENT } from '../../../src/events/source-event.ts'

const orders: fc.Arbitrary<FlowOrder> = fc.record({
  action: fc.constantFrom('STOP', 'START', 'STOP_AT'),
  id: fc.uuid(),
  source: fc.string(),
  destination: fc.string(),
  reason: fc.string(),
  orderedBy: fc.string(),
  orderedAt: fc.nat({ max: 2 ** 45 }),
  stopAt: fc.option(fc.nat({ max: 2 ** 45 }))
})

function logged(
  offset: number,
  action: FlowOrder['action'],
  changes: { logId?: string; destination?: string } = {}
): LoggedOrder {
  const { logId = 'log', destination = 'west' } = changes
  const order = {
    action,
    id: `${offset}`,
    source: 'east',
    destination,
    reason: 'a test',
    orderedBy: 'me@here',
    orderedAt: 0,
    stopAt: null
  }
  return { logId, offset, order }
}

describe('an order', () => {
  it('is read as it was written, and is no event', () => {
    fc.assert(
      fc.property(orders, order => {
        const value = FLOW_ORDER.encode(order)
        assert.deepEqual(FLOW_ORDER.decode(value), { ...order })
        assert.equal(SOURCE_EVENT.decode(value), undefined)
      })
    )
  })

  it('is shown while it stops the flow', () => {
    const { order } = logged(0, 'STOP')
    assert.deepEqual(stopStatus(order), {
      id: '0',
      stoppedBy: 'me@here',
      stoppedAt: '1970-01-01T00:00:00.000Z',
      stopAt: null,
      reason: 'a test'
    })
    assert.equal(stopStatus(logged(1, 'START').order), null)
    assert.equal(stopStatus(undefined), null)
  })
})

describe('the orders of a flow', () => {
  it('are not forgotten for a first look at the log that is older than what somebody else has read', () => {
    const known = new FlowOrders('west')
    known.hear(logged(1, 'START'))
    known.note({ logId: 'log', orders: [logged(0, 'STOP')] })
    assert.equal(known.stop, undefined)
    assert.deepEqual(known.newest, logged(1, 'START'))
  })

  it('let it run where there are none', () => {
    assert.equal(new FlowOrders('west').stop, undefined)
  })

  it('are as the newest says', () => {
    const known = new FlowOrders('west')
    known.note({ logId: 'log', orders: [logged(0, 'STOP'), logged(3, 'START'), logged(7, 'STOP')] })
    assert.equal(known.stop?.id, '7')
    known.note({ logId: 'log', orders: [] })
    assert.equal(known.stop?.id, '7')
    known.note({ logId: 'log', orders: [logged(9, 'START')] })
    assert.equal(known.stop, undefined)
  })

  it('are not those to another destination', () => {
    const known = new FlowOrders('west')
    known.note({ logId: 'log', orders: [logged(0, 'STOP', { destination: 'south' })] })
    assert.equal(known.newest, undefined)
    known.hear(logged(1, 'STOP', { destination: 'south' }))
    assert.equal(known.newest, undefined)
  })

  it('do not go back where somebody tells late of what was read long ago', () => {
    const known = new FlowOrders('west')
    known.note({ logId: 'log', orders: [logged(5, 'START')] })
    known.hear(logged(4, 'STOP'))
    assert.equal(known.stop, undefined)
    known.hear(logged(6, 'STOP'))
    assert.equal(known.newest?.offset, 6)
  })

  it('are gone with the log', () => {
    const known = new FlowOrders('west')
    known.note({ logId: 'log', orders: [logged(5, 'STOP')] })
    known.note({ logId: 'another', orders: [logged(0, 'START', { logId: 'another' })] })
    assert.equal(known.newest?.offset, 0)
    known.note({ logId: undefined, orders: [] })
    assert.equal(known.newest, undefined)
  })
})
