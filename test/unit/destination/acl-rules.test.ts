import assert from 'node:assert/strict'
import type { AclBinding } from '../../../src/cluster/acl.ts'
import { missingAcls } from '../../../src/destination/acl-rules.ts'

const NAMES = new Map([['orders', 'east.orders']])

describe('the rules of topic ACLs', () => {
  it('do not copy leave to write, and copy leave to do everything as leave to read', () => {
    assert.deepEqual(missingAcls([acl('WRITE')], [], NAMES), [])
    assert.deepEqual(missingAcls([acl('ALL')], [], NAMES), [copy('READ')])
  })

  it('copy every other leave, and whatever is denied, as it is', () => {
    for (const operation of ['READ', 'DESCRIBE', 'CREATE', 'DELETE', 'ALTER', 'DESCRIBE_CONFIGS'] as const) {
      assert.deepEqual(missingAcls([acl(operation)], [], NAMES), [copy(operation)])
    }
    for (const operation of ['WRITE', 'ALL', 'READ'] as const) {
      const denied = { permission: 'DENY' } as const
      assert.deepEqual(missingAcls([acl(operation, denied)], [], NAMES), [copy(operation, denied)])
    }
  })

  it('copy principal and host', () => {
    const who = { principal: 'User:CN=reader,O=x', host: '10.0.0.1' }
    assert.deepEqual(missingAcls([acl('READ', who)], [], NAMES), [copy('READ', who)])
  })

  it('leave out what is there, and what would come twice', () => {
    assert.deepEqual(missingAcls([acl('READ'), acl('DESCRIBE')], [copy('READ')], NAMES), [copy('DESCRIBE')])
    assert.deepEqual(missingAcls([acl('READ'), acl('ALL')], [], NAMES), [copy('READ')])
    assert.deepEqual(missingAcls([acl('ALL')], [copy('READ')], NAMES), [])
  })

  it('leave out topics that are not mirrored, and the one that stands for all', () => {
    assert.deepEqual(missingAcls([acl('READ', { topic: 'others' }), acl('READ', { topic: '*' })], [], NAMES), [])
  })
})

function acl(operation: AclBinding['operation'], rest: Partial<AclBinding> = {}): AclBinding {
  return { topic: 'orders', principal: 'User:reader', host: '*', operation, permission: 'ALLOW', ...rest }
}

function copy(operation: AclBinding['operation'], rest: Partial<AclBinding> = {}): AclBinding {
  return acl(operation, { topic: 'east.orders', ...rest })
}
