import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mock } from 'node:test'
import { librdkafkaOptions } from '../../../src/cluster/client-options.ts'
import { readSecurity } from '../../../src/cluster/kept-secrets.ts'
import { hearTroubles } from '../../../src/cluster/librdkafka-troubles.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { ClusterConfig } from '../../../src/config/types.ts'
import { environment } from '../config/environment.ts'

const ENDPOINT = 'https://id.example/token'
const REFUSED_LINE = '[thrd:sasl://east-1:9092/1]: sasl://east-1:9092/1: SASL authentication error: invalid_token'
const REFUSED = /^east: the broker refused the token, .* \(OAUTHBEARER\): check FARLOG_EAST_OAUTH_CLIENT_ID/
const NO_TOKEN =
  'east: the endpoint gave no token, authentication failed (OAUTHBEARER): check FARLOG_EAST_OAUTH_CLIENT_ID and ' +
  `FARLOG_EAST_OAUTH_CLIENT_SECRET [east group g: no token from ${ENDPOINT}: status 401]`

describe('troubles of librdkafka’s', () => {
  let cluster: ClusterConfig
  let answer: () => Promise<Response>
  let fetched: ReturnType<typeof mock.method<typeof globalThis, 'fetch'>>

  const refuses = async () => Response.json({}, { status: 401 })
  const gives = async () => Response.json({ access_token: 'token', expires_in: 3_600 })

  beforeEach(() => {
    cluster = loadConfig(
      environment({
        FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
        FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER',
        FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: ENDPOINT,
        FARLOG_EAST_OAUTH_CLIENT_ID: 'farlog',
        FARLOG_EAST_OAUTH_CLIENT_SECRET: 's'
      })
    ).flows[0]!.source
    fetched = mock.method(globalThis, 'fetch', () => answer())
  })
  afterEach(() => fetched.mock.restore())

  type Piece = ['log' | 'error', string] | ['asks', () => Promise<Response>]

  /** What is told of these pieces, in the order they come in. */
  async function told(...pieces: Piece[]): Promise<string[]> {
    const client = Object.assign(new EventEmitter(), { isConnected: () => false })
    const { options, secrets } = readSecurity(cluster)
    const ask = options.oauthbearer_token_refresh_cb as () => Promise<unknown>
    const said: string[] = []
    const heard = { client, secrets, cluster, context: 'group g' }
    hearTroubles(heard, { troubled: ({ message }) => void said.push(message) })
    for (const [kind, piece] of pieces) {
      if (kind !== 'asks') client.emit(`event.${kind}`, { message: piece })
      else {
        answer = piece
        await ask().catch((error: Error) => {
          // As kafka-javascript does.
          error.message = `oauthbearer_token_refresh_cb: ${error.message}`
          client.emit('error', error)
        })
      }
    }
    return said
  }

  it('name the cluster, what to check and the reason where there is no token, and once', async () => {
    assert.deepEqual(await told(['asks', refuses], ['error', 'authentication failure']), [NO_TOKEN])
    const silent = () => Promise.reject(new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }))
    assert.deepEqual(await told(['asks', silent]), [
      'east: the token endpoint did not answer, authentication failed (OAUTHBEARER): check ' +
        `FARLOG_EAST_OAUTH_TOKEN_ENDPOINT [east group g: no token from ${ENDPOINT}: fetch failed: ECONNREFUSED]`
    ])
  })

  it('are not told by what was logged before there was no token', async () => {
    const [first, ...more] = await told(
      ['asks', gives],
      ['log', REFUSED_LINE],
      ['error', 'authentication failure'],
      ['error', 'broker transport failure']
    )
    assert.match(first!, REFUSED)
    assert.equal(more.length, 1)
    const refusedAndGone: Piece[] = [
      ['log', REFUSED_LINE],
      ['error', 'authentication failure']
    ]
    cluster = { ...cluster, sasl: { ...cluster.sasl!, oauth: { ...cluster.sasl!.oauth! } } }
    assert.deepEqual(await told(...refusedAndGone, ['asks', refuses], ['error', 'authentication failure']), [
      first!,
      NO_TOKEN
    ])
  })

  it('are the broker’s again once there is a token, and those that are not logged again have their reason', async () => {
    const said = await told(
      ['asks', refuses],
      ['asks', gives],
      ['log', REFUSED_LINE],
      ['error', 'authentication failure'],
      ['error', 'authentication failure']
    )
    assert.equal(said.length, 3)
    for (const refused of said.slice(1)) assert.match(refused, REFUSED)
  })

  it('leave out that all brokers are down, of each of which it has been said', async () => {
    assert.deepEqual(await told(['error', 'all broker connections are down']), [])
  })

  it('do not change what others who wait for the same token hear', async () => {
    answer = refuses
    const ask = librdkafkaOptions(cluster).oauthbearer_token_refresh_cb as () => Promise<unknown>
    const errors = await Promise.all([ask(), ask()].map(asking => asking.catch((error: Error) => error)))
    assert.notEqual(errors[0], errors[1])
    for (const error of errors) assert.match(String(error), /no token from/)
  })
})
