import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mock } from 'node:test'
import { librdkafkaOptions } from '../../../src/cluster/client-options.ts'
import { readSecurity } from '../../../src/cluster/kept-secrets.ts'
import { hearTroubles } from '../../../src/cluster/librdkafka-troubles.ts'
import { TokenError } from '../../../src/cluster/oauth-token.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { environment } from '../config/environment.ts'

const ENDPOINT = 'https://id.example/token'
const cluster = loadConfig(
  environment({
    FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
    FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER',
    FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: ENDPOINT,
    FARLOG_EAST_OAUTH_CLIENT_ID: 'farlog',
    FARLOG_EAST_OAUTH_CLIENT_SECRET: 's'
  })
).flows[0]!.source

const REFUSED_LINE = '[thrd:sasl://east-1:9092/1]: sasl://east-1:9092/1: SASL authentication error: invalid_token'
const REFUSED =
  /^east: the broker refused the token, authentication failed \(OAUTHBEARER\): check FARLOG_EAST_OAUTH_CLIENT_ID/

describe('troubles of librdkafka’s', () => {
  let clock: ReturnType<typeof mock.method<Performance, 'now'>>
  let nowMs: number

  beforeEach(() => {
    nowMs = 1_000_000
    clock = mock.method(performance, 'now', () => nowMs)
  })
  afterEach(() => clock.mock.restore())

  /** What is told of these pieces, in the order they come in. */
  function told(...pieces: (['log' | 'error', string] | ['token', Error] | ['pause', number])[]): string[] {
    const client = new EventEmitter()
    const said: string[] = []
    const heard = { client, secrets: readSecurity(cluster).secrets, cluster, context: 'group g' }
    hearTroubles(heard, { troubled: ({ message }) => void said.push(message) })
    for (const [kind, piece] of pieces) {
      if (kind === 'token') client.emit('error', piece)
      else if (kind === 'pause') nowMs += piece
      else client.emit(`event.${kind}`, { message: piece })
    }
    return said
  }

  it('name the cluster, what to check and the reason where there is no token, and once', () => {
    const refused = new TokenError(`no token from ${ENDPOINT}: status 401`, true, new Error('status 401'))
    refused.message = `oauthbearer_token_refresh_cb: ${refused.message}`
    assert.deepEqual(told(['token', refused], ['error', 'authentication failure']), [
      'east: the endpoint gave no token, authentication failed (OAUTHBEARER): check FARLOG_EAST_OAUTH_CLIENT_ID and ' +
        `FARLOG_EAST_OAUTH_CLIENT_SECRET [east group g: no token from ${ENDPOINT}: status 401]`
    ])
    const silent = new TokenError(`no token from ${ENDPOINT}: fetch failed`, false, new Error('fetch failed'))
    assert.match(
      told(['token', silent])[0]!,
      /^east: the token endpoint did not answer, .*: check FARLOG_EAST_OAUTH_TOKEN_ENDPOINT/
    )
  })

  it('are not told by what was logged before something else', () => {
    const missing = new TokenError(`no token from ${ENDPOINT}: status 401`, true, undefined)
    const [first, second, ...more] = told(
      ['log', REFUSED_LINE],
      ['error', 'authentication failure'],
      ['pause', 60_000],
      ['token', missing],
      ['error', 'authentication failure']
    )
    assert.match(first!, REFUSED)
    assert.match(second!, /^east: the endpoint gave no token/)
    assert.deepEqual(more, [])
  })

  it('are the broker’s again once there is a token', () => {
    const missing = new TokenError(`no token from ${ENDPOINT}: status 401`, true, undefined)
    const said = told(
      ['token', missing],
      ['error', 'authentication failure'],
      ['pause', 60_000],
      ['log', REFUSED_LINE],
      ['error', 'authentication failure']
    )
    assert.match(said[1]!, REFUSED)
  })

  it('leave out that all brokers are down, of each of which it has been said', () => {
    assert.deepEqual(told(['error', 'all broker connections are down']), [])
  })

  it('do not change what others who wait for the same token hear', async () => {
    const fetched = mock.method(globalThis, 'fetch', async () => Response.json({}, { status: 401 }))
    try {
      const ask = librdkafkaOptions(cluster).oauthbearer_token_refresh_cb as () => Promise<unknown>
      const errors = await Promise.all([ask(), ask()].map(asking => asking.catch((error: Error) => error)))
      assert.notEqual(errors[0], errors[1])
      for (const error of errors) assert.match(String(error), /no token from/)
    } finally {
      fetched.mock.restore()
    }
  })
})
