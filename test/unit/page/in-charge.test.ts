import assert from 'node:assert/strict'
import { inChargeOf } from '../../../src/page/group-look.ts'

describe('the worker in charge of what one does for all', () => {
  const worker = (clientId: string, ...names: readonly string[]) => ({
    clientId,
    host: '/1',
    partitions: names.map(name => {
      const [topic, partition] = name.split('/') as [string, string]
      return { topic, partition: Number(partition) }
    })
  })

  it('owns the first partition of the first topic, heartbeats among them', () => {
    assert.equal(inChargeOf([worker('a', 'orders/0', 'orders/1'), worker('b', 'heartbeats/0')]), 'b')
    assert.equal(inChargeOf([worker('a', 'heartbeats/0', 'users/0'), worker('b', 'apples/1', 'apples/0')]), 'b')
    assert.equal(inChargeOf([worker('a', 'apples/1', 'a/1'), worker('b', 'apples/0', 'a/0')]), 'b')
    // In the order that JavaScript sorts names in.
    assert.equal(inChargeOf([worker('a', 'apples/0'), worker('b', 'Zebra/0')]), 'b')
  })

  it('is not known where nobody owns that one, or anything', () => {
    assert.equal(inChargeOf([worker('a', 'apples/1', 'users/0')]), undefined)
    assert.equal(inChargeOf([worker('a')]), undefined)
    assert.equal(inChargeOf([]), undefined)
  })
})
