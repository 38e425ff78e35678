import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { Registry } from 'prom-client'
import { type HttpOptions, type HttpServer, type Page, startHttp } from '../../../src/observe/http.ts'
import { isAllowedIn } from '../../../src/observe/http-access.ts'
import { createHttpServer } from '../../../src/observe/http-tls.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { until } from '../../support/wait.ts'
import { workerStatus } from './worker-status.ts'

const TOKEN = 'unit-test-token'
const PAGE: Page = {
  answer: path => (path === '/' ? { status: 200, type: 'text/html', body: 'a page' } : undefined),
  close: async () => {}
}
const PATHS = ['/', '/metrics', '/api/status', '/livez', '/readyz', '/nowhere']

describe('the HTTP port behind a token', () => {
  const registry = new Registry()
  const status = () => workerStatus({ notReadyReason: 'east has not answered' })
  createMetrics(registry).useStatus(status)
  let server: HttpServer
  let token: () => string

  const start = (more: Partial<HttpOptions> = {}): Promise<HttpServer> =>
    startHttp({
      ...{ host: '127.0.0.1', port: 0, status, live: () => ({ ok: true, reason: null }), registry, page: PAGE },
      token: () => token(),
      ...more
    })
  const ask = (path: string, authorization?: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, authorization === undefined ? {} : { headers: { authorization } })

  beforeEach(async () => {
    token = () => TOKEN
    server = await start()
  })
  afterEach(() => server.close())

  it('lets nobody in without it, but a probe, which learns yes or no', async () => {
    for (const path of PATHS) {
      const response = await ask(path)
      const body = await response.text()
      if (path === '/livez' || path === '/readyz') {
        assert.equal(response.status, path === '/livez' ? 200 : 503)
        assert.deepEqual(JSON.parse(body), { ok: path === '/livez' })
      } else {
        assert.equal(response.status, 401, path)
        assert.match(response.headers.get('www-authenticate')!, /^Basic /)
        assert.equal(JSON.parse(body).error.code, 'UNAUTHORIZED')
      }
    }
  })

  it('lets in who shows it, as a bearer token or as a password', async () => {
    const basic = `Basic ${Buffer.from(`anybody:${TOKEN}`).toString('base64')}`
    for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, basic]) {
      for (const path of ['/', '/metrics', '/api/status']) {
        assert.equal((await ask(path, authorization)).status, 200, `${path} ${authorization}`)
      }
      const ready = await ask('/readyz', authorization)
      assert.match(await ready.text(), /east has not answered/)
    }
  })

  it('lets in nobody with anything else', async () => {
    const others = ['', 'x', TOKEN, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, 'Bearer', `Digest ${TOKEN}`]
    const basic = [TOKEN, `${TOKEN}:`, 'user:'].map(text => `Basic ${Buffer.from(text).toString('base64')}`)
    for (const authorization of [...others, ...basic]) {
      assert.equal((await ask('/metrics', authorization)).status, 401, authorization)
    }
    assert.equal(isAllowedIn(undefined, undefined), true)
  })

  it('takes a new one from its file', async () => {
    token = () => 'another-token'
    assert.equal((await ask('/metrics', `Bearer ${TOKEN}`)).status, 401)
    assert.equal((await ask('/metrics', 'Bearer another-token')).status, 200)
  })

  it('lets nobody in while the file is empty or cannot be read, and goes on answering probes', async () => {
    const unreadable = () => {
      throw new Error('cannot read /run/secrets/token')
    }
    const empty = ['', ':', 'user:'].map(text => `Basic ${Buffer.from(text).toString('base64')}`)
    for (const read of [unreadable, () => '']) {
      token = read
      for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${TOKEN}`, ...empty]) {
        const response = await ask('/metrics', authorization)
        assert.equal(response.status, 401, String(authorization))
        assert.doesNotMatch(await response.text(), /run.secrets/)
        assert.equal((await ask('/livez', authorization)).status, 200)
        assert.deepEqual(await (await ask('/readyz', authorization)).json(), { ok: false })
      }
    }
  })

  it('changes nothing, whatever the method', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const path of PATHS) {
        const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}` }
        })
        assert.equal(response.status, 405, `${method} ${path}`)
        assert.equal(response.headers.get('allow'), 'GET, HEAD')
      }
    }
  })

  it('sends headers with every answer that keep it from being used elsewhere', async () => {
    for (const path of PATHS) {
      const { headers } = await ask(path, `Bearer ${TOKEN}`)
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
      assert.equal(headers.get('x-frame-options'), 'DENY')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.match(headers.get('content-security-policy')!, /default-src 'none'/)
      assert.match(headers.get('content-security-policy')!, /frame-ancestors 'none'/)
    }
  })

  it('ends a connection whose headers do not come, or are too many, and answers others meanwhile', async function () {
    this.timeout(15_000)
    const slow = await open(`GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: `)
    const dripping = setInterval(() => slow.write('x'), 500)
    const ended = new Promise(resolve => slow.once('close', resolve))
    const large = await open(`GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(17 * 1024)}\r\n\r\n`)
    assert.match(await text(large), /^HTTP\/1\.1 431 /)
    assert.equal((await ask('/livez')).status, 200)
    await ended
    clearInterval(dripping)
  })

  it('takes no more connections than it can bear, and others again when these are gone', async function () {
    this.timeout(15_000)
    const sockets = await Promise.all(Array.from({ length: 128 }, () => open('')))
    await once(
      connect(server.port, '127.0.0.1')
        .on('error', () => {})
        .resume(),
      'close'
    )
    for (const socket of sockets) socket.destroy()
    await until(async () => (await ask('/livez')).ok, { timeoutMs: 5_000, describe: 'an answer' })
  })

  async function open(bytes: string): Promise<Socket> {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(bytes)
    return socket
  }

  describe('by https', () => {
    let dir: string
    const pair = (name: string) => {
      const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`)]
      const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
      execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-days', '2', ...files], { stdio: 'ignore' })
      return {
        cert: readFileSync(join(dir, `${name}.pem`), 'utf8'),
        key: readFileSync(join(dir, `${name}.key`), 'utf8')
      }
    }
    before(() => {
      dir = mkdtempSync(join(tmpdir(), 'farlog-https-'))
    })
    after(() => rmSync(dir, { recursive: true }))

    it('answers, and not by http', async () => {
      const { cert, key } = pair('first')
      const secured = await start({ tls: { cert: () => cert, key: () => key } })
      try {
        const { status, body } = await askTls(secured.port, '/livez', cert)
        assert.deepEqual([status, body], [200, '{"ok":true}\n'])
        await assert.rejects(fetch(`http://127.0.0.1:${secured.port}/livez`))
      } finally {
        await secured.close()
      }
    })

    it('shows a new certificate when the files have changed, and the old one while they do not fit', async () => {
      const [old, fresh] = [pair('old'), pair('fresh')]
      let now = old
      const tls = { cert: () => now.cert, key: () => now.key }
      const told: string[] = []
      const troubled = (message: string) => void told.push(message)
      const rotating = createHttpServer({}, { tls, troubled, checkIntervalMs: 20 }, (_, response) => {
        response.end('here')
      })
      rotating.listen(0, '127.0.0.1')
      await once(rotating, 'listening')
      const { port } = rotating.address() as { port: number }
      try {
        assert.equal((await askTls(port, '/', old.cert)).name, 'old')
        now = { cert: fresh.cert, key: old.key }
        await until(() => told.length > 0, { timeoutMs: 5_000, describe: 'the complaint' })
        assert.match(
          told[0]!,
          /^certificate and key of the HTTP port cannot be renewed, the old ones are shown: .*mismatch/
        )
        await new Promise(resolve => setTimeout(resolve, 100))
        assert.equal(told.length, 1, 'once')
        assert.equal((await askTls(port, '/', old.cert)).name, 'old')
        now = fresh
        const isFresh = async () => (await askTls(port, '/', fresh.cert)).name === 'fresh'
        await until(isFresh, { timeoutMs: 5_000, describe: 'the new certificate' })
      } finally {
        rotating.closeAllConnections()
        rotating.close()
      }
    })

    it('names the variables where certificate and key do not belong together', async () => {
      const tls = { cert: () => pair('a').cert, key: () => pair('b').key }
      await assert.rejects(start({ tls }), { code: 'HTTP_TLS', message: /FARLOG_HTTP_TLS_KEY_FILE/ })
    })
  })
})

async function askTls(
  port: number,
  path: string,
  ca: string
): Promise<{ status: number; body: string; name: unknown }> {
  const request = get({ host: '127.0.0.1', port, path, ca, agent: false })
  const [response] = await once(request, 'response')
  const name = (response.socket as TLSSocket).getPeerCertificate().subject.CN
  return { status: response.statusCode, body: await text(response), name }
}
