import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodePosition } from '../../../src/offsets/mm2-positions.ts'

const KEY = '["MirrorSourceConnector",{"cluster":"east","partition":3,"topic":"orders"}]'

describe('a MirrorMaker 2 position', () => {
  it('is the source offset of the last record that was written', () => {
    assert.deepEqual(decode(KEY, '{"offset":181}'), { topic: 'orders', partition: 3, lastWrittenOffset: 181 })
    assert.deepEqual(decode(KEY, '{"offset":0}')?.lastWrittenOffset, 0)
  })

  it('is read whatever the connector is called and the fields’ order', () => {
    const key = '["mirror-orders",{"topic":"orders","cluster":"east","partition":3}]'
    assert.deepEqual(decode(key, '{"offset":1}'), { topic: 'orders', partition: 3, lastWrittenOffset: 1 })
  })

  it('is none once it was taken back', () => {
    for (const value of [null, 'null', '{}', '{"offset":null}', '{"offset":-1}', '{"offset":1.5}', 'x']) {
      assert.deepEqual(decode(KEY, value), { topic: 'orders', partition: 3, lastWrittenOffset: null }, String(value))
    }
  })

  it('is none of another source, connector or format', () => {
    for (const key of [
      null,
      '["MirrorSourceConnector",{"cluster":"north","partition":3,"topic":"orders"}]',
      '["MirrorCheckpointConnector",{"group":"g","partition":3,"topic":"orders"}]',
      '["MirrorHeartbeatConnector",{"sourceClusterAlias":"east","targetClusterAlias":"west"}]',
      '["MirrorSourceConnector",{"cluster":"east","partition":"3","topic":"orders"}]',
      '["MirrorSourceConnector",{"cluster":"east","partition":-3,"topic":"orders"}]',
      '["MirrorSourceConnector",null]',
      '["MirrorSourceConnector"]',
      '{"cluster":"east","partition":3,"topic":"orders"}',
      'not JSON'
    ]) {
      assert.equal(decode(key, '{"offset":1}'), undefined, String(key))
    }
  })

  it('never throws, whatever the bytes', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map(text => Buffer.from(text))
    )
    fc.assert(
      fc.property(anyBytes, anyBytes, (key, value) => {
        const decoded = decodePosition('east', Buffer.from(key), Buffer.from(value))
        assert.ok(decoded === undefined || typeof decoded.topic === 'string')
      })
    )
  })
})

function decode(key: string | null, value: string | null) {
  return decodePosition('east', key === null ? null : Buffer.from(key), value === null ? null : Buffer.from(value))
}
