import assert from 'node:assert/strict'
import { ClusterError } from '../../../src/cluster/errors.ts'
import type { WriteFailure } from '../../../src/destination/partition-writer.ts'
import {
  diverged,
  gap,
  HaltError,
  type HaltReason,
  haltFor,
  haltForSource,
  haltForWrite,
  isHealable,
  recreated
} from '../../../src/flow/halt.ts'
import { RecordsError, type RecordsErrorCode } from '../../../src/records/errors.ts'

const failure: WriteFailure = {
  outcome: 'refused',
  error: 'INVALID_RECORD',
  message: null,
  firstSourceOffset: 42,
  records: 1,
  bytes: 2_000_000
}

describe('a halt', () => {
  it('is tried again, but where going on would skip records, mix two histories or disobey', () => {
    const decisions: Record<HaltReason, boolean> = {
      gap: false,
      recreated: false,
      diverged: false,
      stopped: false,
      'corrupt-batch': true,
      'unsupported-batch': true,
      'record-too-large': true,
      'not-authorized': true,
      fenced: true,
      'source-refused': true,
      'destination-refused': true,
      unexpected: true
    }
    for (const [reason, isTriedAgain] of Object.entries(decisions)) {
      assert.equal(isHealable({ reason: reason as HaltReason, detail: '' }), isTriedAgain, reason)
    }
  })

  it('is the one that was decided on', () => {
    const halt = gap('orders-3', 10, 25)
    assert.deepEqual(haltFor(new HaltError(halt)), halt)
  })

  it('says whether a batch is damaged or only cannot be mirrored', () => {
    const reasons: Record<RecordsErrorCode, HaltReason> = {
      CORRUPT_BATCH: 'corrupt-batch',
      MALFORMED_BATCH: 'corrupt-batch',
      UNDECODABLE_RECORDS: 'corrupt-batch',
      UNSUPPORTED_MAGIC: 'unsupported-batch',
      UNKNOWN_CODEC: 'unsupported-batch',
      TIMESTAMP_OUT_OF_RANGE: 'unsupported-batch'
    }
    for (const [code, reason] of Object.entries(reasons)) {
      const halt = haltFor(new RecordsError(code as RecordsErrorCode, 'the batch at offset 42 …', 42))
      assert.deepEqual(halt, { reason, detail: 'the batch at offset 42 …' })
    }
  })

  it('names a missing ACL, of a topic, a transactional id, the cluster or a group', () => {
    for (const code of ['TOPIC', 'TRANSACTIONAL_ID', 'CLUSTER', 'GROUP'].map(of => `${of}_AUTHORIZATION_FAILED`)) {
      assert.equal(haltFor(new ClusterError(code, 'west: …', false)).reason, 'not-authorized')
      assert.equal(haltForWrite('east.orders', { ...failure, error: code }, 1_000).reason, 'not-authorized')
    }
    assert.equal(haltFor(new ClusterError('POLICY_VIOLATION', 'west: …', false)).reason, 'destination-refused')
  })

  it('is our fault for anything else, and says what it was', () => {
    assert.deepEqual(haltFor(new TypeError('x is not a function')), {
      reason: 'unexpected',
      detail: 'x is not a function'
    })
    assert.deepEqual(haltFor('text'), { reason: 'unexpected', detail: 'text' })
  })

  it('tells what the source’s refusal means', () => {
    const unauthorized = haltForSource('orders', 'TOPIC_AUTHORIZATION_FAILED')
    assert.equal(unauthorized.reason, 'not-authorized')
    assert.match(unauthorized.detail, /READ on the topic/)
    assert.deepEqual(haltForSource('orders', 'POLICY_VIOLATION'), {
      reason: 'source-refused',
      detail: 'the source refuses to be read at orders: POLICY_VIOLATION'
    })
  })

  it('names the record that is too large, both sizes, and the setting to raise', () => {
    const halt = haltForWrite(
      'east.orders',
      { ...failure, outcome: 'too-large', error: 'MESSAGE_TOO_LARGE' },
      1_048_588
    )
    assert.equal(halt.reason, 'record-too-large')
    for (const part of ['source offset 42', '2000000 bytes', '1048588', 'max.message.bytes of east.orders']) {
      assert.ok(halt.detail.includes(part), part)
    }
  })

  it('tells of another owner, and of a refused batch with the broker’s reason', () => {
    const fenced = haltForWrite(
      'east.orders',
      { ...failure, outcome: 'fenced', error: 'INVALID_PRODUCER_EPOCH' },
      1_000
    )
    assert.equal(fenced.reason, 'fenced')
    assert.ok(fenced.detail.includes('INVALID_PRODUCER_EPOCH'))
    const refused = haltForWrite('east.orders', { ...failure, message: 'no key' }, 1_000)
    assert.deepEqual(refused, {
      reason: 'destination-refused',
      detail: 'east.orders refuses the batch that begins at source offset 42: INVALID_RECORD: no key'
    })
    assert.match(haltForWrite('east.orders', failure, 1_000).detail, /INVALID_RECORD$/)
  })

  it('says exactly which source offsets it is about', () => {
    assert.match(gap('orders-3', 10, 25).detail, /source offsets 10 to 24 of orders-3 /)
    const { reason, detail } = diverged('orders-3', 25, 40)
    assert.equal(reason, 'diverged')
    assert.match(detail, /orders-3 was cut back to offset 25, but records up to 39 had been mirrored/)
    const again = recreated('orders', 40, 0)
    assert.equal(again.reason, 'recreated')
    assert.match(again.detail, /orders was deleted and made again/)
    const { trouble } = gap('orders-3', 10, 25)
    assert.deepEqual(trouble, { kind: 'GAP', firstOffset: 10, nextOffset: 25 })
  })
})
