import assert from 'node:assert/strict'
import { type AclBinding, fromAcl, operationsIn, toAcl } from '../../../src/cluster/acl.ts'

describe('ACLs on the wire', () => {
  it('name authorized operations by bits (KIP-430)', () => {
    // What Kafka answers to a user with READ on a topic: DESCRIBE comes with it.
    assert.deepEqual([...operationsIn(0b1_0000_1000)], ['READ', 'DESCRIBE'])
    assert.deepEqual([...operationsIn(0)], [])
    // Kafka's number for "was not asked": no bit of an operation.
    assert.deepEqual([...operationsIn(-2_147_483_648)], [])
  })

  it('are the same after they were numbers', () => {
    const binding: AclBinding = {
      ...{ topic: 'orders', principal: 'User:reader', host: '*' },
      ...{ operation: 'DESCRIBE_CONFIGS', permission: 'DENY' }
    }
    const acl = toAcl(binding)
    assert.deepEqual(fromAcl(acl, acl), [binding])
  })

  it('are left out where their operation is newer than this client', () => {
    const acl = toAcl({ topic: 'orders', principal: 'User:reader', host: '*', operation: 'READ', permission: 'ALLOW' })
    assert.deepEqual(fromAcl(acl, { ...acl, operation: 99 as never }), [])
  })
})
