import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { BearerTokenProvider, type OauthConfig } from '../../../src/cluster/oauth-token.ts'
import { noteSecret } from '../../../src/config/secret-values.ts'

describe('bearer tokens', () => {
  let server: Server
  let requests: { readonly request: IncomingMessage; readonly body: string }[]
  let answer: { status: number; body: string }
  let nowMs: number

  beforeEach(async () => {
    requests = []
    nowMs = 0
    answer = { status: 200, body: JSON.stringify({ access_token: 'token', expires_in: 100 }) }
    server = createServer(async (request, response) => {
      requests.push({ request, body: await text(request) })
      response.writeHead(answer.status, { location: '/elsewhere' }).end(answer.body)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  function provider(change: Partial<OauthConfig> = {}): () => Promise<string> {
    const tokens = makeProvider(change)
    return async () => (await tokens.token()).token
  }

  function makeProvider(change: Partial<OauthConfig>): BearerTokenProvider {
    const oauth: OauthConfig = {
      tokenEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
      clientId: () => 'farlog',
      clientSecret: () => 's3cret:+/',
      scope: 'kafka read',
      ...change
    }
    return new BearerTokenProvider(oauth, { fetch, nowMs: () => nowMs, wallClockMs: () => 1_000 })
  }

  it('are asked for by client credentials', async () => {
    assert.equal(await provider()(), 'token')
    const [{ request, body }] = requests as [(typeof requests)[0]]
    assert.equal(request.method, 'POST')
    assert.equal(request.headers.authorization, `Basic ${Buffer.from('farlog:s3cret:+/').toString('base64')}`)
    assert.equal(request.headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8')
    assert.equal(body, 'grant_type=client_credentials&scope=kafka+read')
  })

  it('are kept until near their end', async () => {
    const token = provider()
    await token()
    nowMs = 79_999
    await token()
    assert.equal(requests.length, 1)
    nowMs = 80_000
    answer.body = JSON.stringify({ access_token: 'next', expires_in: 100 })
    assert.equal(await token(), 'next')
  })

  it('are asked for anew where the credentials have changed, but not where they cannot be read for a moment', async () => {
    let secret = () => 'first'
    const token = provider({ clientSecret: () => secret() })
    await token()
    secret = () => {
      throw new Error('no such file')
    }
    assert.equal(await token(), 'token')
    assert.equal(requests.length, 1)
    secret = () => 'second'
    answer.body = JSON.stringify({ access_token: 'next', expires_in: 100 })
    assert.deepEqual([await token(), await token()], ['next', 'next'])
    assert.equal(requests.length, 2)
    assert.equal(requests[1]!.request.headers.authorization, `Basic ${Buffer.from('farlog:second').toString('base64')}`)
  })

  it('are asked for anew where a broker refuses them, but at most every ten seconds', async () => {
    const tokens = makeProvider({})
    assert.equal(tokens.refused(), false)
    await tokens.token()
    answer.body = JSON.stringify({ access_token: 'next', expires_in: 100 })
    assert.equal(tokens.refused('another'), false)
    nowMs = 20_000
    assert.equal((await tokens.token()).token, 'token')
    assert.equal(tokens.refused('token'), true)
    assert.equal((await tokens.token()).token, 'next')
    // It is young: asking again at once would give no better one.
    assert.equal(tokens.refused(), true)
    nowMs = 29_999
    await tokens.token()
    assert.equal(requests.length, 2)
    nowMs = 30_000
    await tokens.token()
    assert.equal(requests.length, 3)
  })

  it('say until when they are good', async () => {
    assert.deepEqual((await makeProvider({}).token()).expiresAtMs, 101_000)
  })

  it('are refused without showing what stands in the query of the endpoint', async () => {
    const { port } = server.address() as AddressInfo
    answer.status = 400
    await assert.rejects(provider({ tokenEndpoint: `http://127.0.0.1:${port}/token?key=hidden` })(), (error: Error) => {
      assert.match(error.message, /no token from http:\/\/127\.0\.0\.1:\d+\/token: status 400/)
      assert.doesNotMatch(error.message, /hidden/)
      return true
    })
  })

  it('are asked for once where many connections need one', async () => {
    const token = provider()
    assert.deepEqual(await Promise.all([token(), token(), token()]), ['token', 'token', 'token'])
    assert.equal(requests.length, 1)
  })

  it('are asked for again after a failure, which names the endpoint and the reason but no secret', async () => {
    const token = provider()
    answer = { status: 401, body: JSON.stringify({ error: 'invalid_client', secret: 's3cret:+/' }) }
    await assert.rejects(token(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'AUTHENTICATION')
      assert.match(error.message, /no token from http:\/\/127\.0\.0\.1:\d+\/token: status 401 \(invalid_client\)/)
      assert.doesNotMatch(error.message, /s3cret/)
      return true
    })
    answer = { status: 200, body: JSON.stringify({ access_token: 'better' }) }
    assert.equal(await token(), 'better')
  })

  it('tell no secret, though the endpoint repeats what it was shown', async () => {
    const secret = noteSecret('a secret of a unit test')
    answer = { status: 401, body: JSON.stringify({ error: 'invalid_client', error_description: `no ${secret}` }) }
    await assert.rejects(provider({ clientSecret: () => secret })(), (error: Error) => {
      assert.match(error.message, /\(invalid_client: no \*{6}\)$/)
      assert.ok(!error.stack!.includes(secret))
      return true
    })
  })

  it('are not asked for elsewhere', async () => {
    answer = { status: 307, body: '' }
    await assert.rejects(provider()(), /no token from/)
    assert.equal(requests.length, 1)
  })

  it('are refused where the answer holds none', async () => {
    answer.body = '<html>'
    await assert.rejects(provider()(), /holds no access_token/)
  })
})
