import assert from 'node:assert/strict'
import { NetworkError, protocolErrors, ResponseError } from '@platformatic/kafka'
import {
  answerDespiteErrors,
  assertNoError,
  brokerError,
  ClusterError,
  errorName,
  toClusterError
} from '../../../src/cluster/errors.ts'

const NOT_LEADER = 6

describe('Kafka’s error numbers', () => {
  it('have Kafka’s names', () => {
    assert.deepEqual([0, -1, 1, NOT_LEADER, 45, 47, 90, 100].map(errorName), [
      'NONE',
      'UNKNOWN_SERVER_ERROR',
      'OFFSET_OUT_OF_RANGE',
      'NOT_LEADER_OR_FOLLOWER',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'INVALID_PRODUCER_EPOCH',
      'PRODUCER_FENCED',
      'UNKNOWN_TOPIC_ID'
    ])
  })

  it('have a name even when they are younger than us', () => {
    assert.equal(errorName(9_999), 'ERROR_9999')
    const error = brokerError(9_999, 'east')
    assert.deepEqual([error.code, error.retriable], ['ERROR_9999', false])
  })

  it('are errors but for 0', () => {
    assertNoError(0, 'east')
    assert.throws(() => assertNoError(NOT_LEADER, 'east: reading'), {
      name: 'ClusterError',
      code: 'NOT_LEADER_OR_FOLLOWER',
      retriable: true,
      message: /^east: reading: NOT_LEADER_OR_FOLLOWER \(/
    })
  })

  it('are retriable where Kafka says so', () => {
    for (const [name, { code, canRetry }] of Object.entries(protocolErrors) as [
      string,
      { code: number; canRetry: boolean }
    ][]) {
      const error = brokerError(code, 'east')
      assert.deepEqual([error.code, error.retriable], [name, canRetry])
    }
  })
})

describe('what a client library or the system threw', () => {
  it('is left as it is when it is ours already', () => {
    const error = new ClusterError('TIMED_OUT', 'broker', true)
    assert.equal(toClusterError(error, 'east'), error)
  })

  it('is what the broker answered, by its name, where a broker answered', () => {
    const thrown = new ResponseError(3, 12, { '/topics/0': [3, null] }, { topics: [] })
    const error = toClusterError(thrown, 'east')
    assert.deepEqual([error.code, error.retriable, error.cause], ['UNKNOWN_TOPIC_OR_PARTITION', true, thrown])
  })

  it('is what the broker answered, however deep the library has wrapped it', () => {
    const answered = Object.assign(new Error('topic exists'), { apiCode: 36 })
    const wrapped = new AggregateError(
      [new AggregateError([answered], 'received with error')],
      'creating topics failed'
    )
    assert.equal(toClusterError(wrapped, 'west').code, 'TOPIC_ALREADY_EXISTS')
  })

  it('is unreachable, with the innermost reasons once each, where nobody answered', () => {
    const refused = new Error('connect ECONNREFUSED 127.0.0.1:9092')
    const thrown = new NetworkError('Connection to broker failed.', { cause: new AggregateError([refused], '') })
    const error = toClusterError(thrown, 'east broker 127.0.0.1:9092')
    assert.deepEqual([error.code, error.retriable], ['UNREACHABLE', true])
    assert.match(
      error.message,
      /^east broker 127\.0\.0\.1:9092: Connection to broker failed\.: connect ECONNREFUSED 127\.0\.0\.1:9092$/
    )
  })

  it('says something even when it is no error', () => {
    assert.match(toClusterError('a string', 'east').message, /^east: a string$/)
    assert.match(toClusterError(undefined, 'east').message, /^east: undefined$/)
  })

  it('does not end in a circle of causes', () => {
    const error = new Error('round')
    error.cause = error
    assert.match(toClusterError(error, 'east').message, /^east: round$/)
  })

  it('is a refusal of the credentials where the broker refused them', () => {
    for (const text of ['SASL authentication failed.', 'No suitable SASL mechanism found']) {
      const error = toClusterError(new NetworkError('x', { cause: new Error(text) }), 'east')
      assert.deepEqual([error.code, error.retriable], ['AUTHENTICATION', true])
    }
    const saslAuthenticationFailed = 58
    const answered = new ResponseError(36, 2, { '': [saslAuthenticationFailed, 'no'] }, {})
    const error = toClusterError(new NetworkError('SASL authentication failed.', { cause: answered }), 'east')
    assert.deepEqual([error.code, error.retriable], ['AUTHENTICATION', true])
  })
})

describe('an answer that is an error in parts', () => {
  it('is still an answer', () => {
    const response = { topics: [1] }
    const thrown = new ResponseError(3, 12, { '/topics/0': [3, null] }, response)
    assert.equal(answerDespiteErrors(thrown), response)
    assert.equal(answerDespiteErrors(toClusterError(thrown, 'east')), response)
  })

  it('is none where nothing was answered', () => {
    assert.equal(answerDespiteErrors(new Error('no')), undefined)
    assert.equal(answerDespiteErrors(new ClusterError('TIMED_OUT', 'no', true)), undefined)
  })
})
