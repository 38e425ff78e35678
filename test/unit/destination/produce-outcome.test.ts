import assert from 'node:assert/strict'
import { protocolErrors } from '@platformatic/kafka'
import { type ProduceOutcome, produceOutcome } from '../../../src/destination/produce-outcome.ts'

const KAFKA_ERRORS = ['NONE', ...Object.keys(protocolErrors)]

describe('the outcome of a Produce answer', () => {
  it('is a place in the log for no error and for a duplicate, and for nothing else', () => {
    const acknowledged = KAFKA_ERRORS.filter(error => produceOutcome(error, false) === 'acknowledged')
    assert.deepEqual(new Set(acknowledged), new Set(['NONE', 'DUPLICATE_SEQUENCE_NUMBER']))
  })

  const outcomes: [what: string, outcome: ProduceOutcome, errors: string[]][] = [
    [
      'the same bytes again where the batch may be in the log already',
      'retry',
      ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'UNREACHABLE', 'TIMED_OUT', 'BAD_RESPONSE']
    ],
    [
      'the same bytes again where the partition or its leader is away for a while',
      'retry',
      [
        'LEADER_NOT_AVAILABLE',
        'NOT_LEADER_OR_FOLLOWER',
        'UNKNOWN_TOPIC_OR_PARTITION',
        'NOT_ENOUGH_REPLICAS',
        'KAFKA_STORAGE_ERROR',
        'BROKER_NOT_AVAILABLE',
        'REPLICA_NOT_AVAILABLE',
        'NETWORK_EXCEPTION',
        'THROTTLING_QUOTA_EXCEEDED'
      ]
    ],
    ['the same bytes again where they were damaged on the way', 'retry', ['CORRUPT_MESSAGE']],
    ['the same bytes again once the credentials are renewed', 'retry', ['AUTHENTICATION']],
    [
      'a look into the log where the leader knows something else of this producer',
      'resume',
      ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_ID_MAPPING']
    ],
    ['an end where another owner has raised the epoch', 'fenced', ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']],
    ['smaller batches, or an end, where it is too large', 'too-large', ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']],
    [
      'an end where somebody has to change something',
      'refused',
      [
        'TOPIC_AUTHORIZATION_FAILED',
        'CLUSTER_AUTHORIZATION_FAILED',
        'INVALID_TOPIC_EXCEPTION',
        'INVALID_RECORD',
        'INVALID_TIMESTAMP',
        'POLICY_VIOLATION',
        'UNSUPPORTED_COMPRESSION_TYPE',
        'UNSUPPORTED_FOR_MESSAGE_FORMAT',
        'UNSUPPORTED_VERSION',
        'UNKNOWN_SERVER_ERROR'
      ]
    ]
  ]
  for (const [what, outcome, errors] of outcomes) {
    it(`is ${what}`, () => {
      for (const error of errors) assert.equal(produceOutcome(error, false), outcome, error)
    })
  }

  it('is an end for an error that nobody knows yet', () => {
    for (const error of ['ERROR_9999', 'ERROR_-7', '']) {
      assert.equal(produceOutcome(error, false), 'refused', error)
    }
  })

  it('is another try where a batch before it has to be sent again first, and otherwise the same', () => {
    for (const error of KAFKA_ERRORS) {
      const expected = error === 'OUT_OF_ORDER_SEQUENCE_NUMBER' ? 'retry' : produceOutcome(error, false)
      assert.equal(produceOutcome(error, true), expected, error)
    }
  })
})
