import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Registry } from 'prom-client'
import { type HttpServer, type Page, startHttp } from '../../../src/observe/http.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { flowStatus, workerStatus } from './worker-status.ts'

describe('HTTP', () => {
  let status = workerStatus()
  let live: { ok: boolean; reason: string | null }
  let server: HttpServer
  const registry = new Registry()
  const page: Page = {
    answer: (path, query) =>
      path === '/' ? { status: 200, type: 'text/plain', body: `page ${query.get('page')}` } : undefined,
    close: async () => {}
  }
  createMetrics(registry).useStatus(() => status)

  const start = (port: number): Promise<HttpServer> =>
    startHttp({ host: '127.0.0.1', port, status: () => status, live: () => live, registry, page })
  const request = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, init)

  beforeEach(async () => {
    status = workerStatus()
    live = { ok: true, reason: null }
    server = await start(0)
  })
  afterEach(() => server.close())

  it('serves metrics as Prometheus reads them', async () => {
    const response = await request('/metrics')
    assert.equal(response.status, 200)
    assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
    assert.match(await response.text(), /^farlog_lag_records\{.*topic="orders".*\} 10$/m)
  })

  it('is alive by what the worker says, whether ready or not', async () => {
    status = workerStatus({ notReadyReason: 'east has not answered' })
    assert.equal((await request('/livez')).status, 200)
    live = { ok: false, reason: 'thread 1 has not turned for 30 s' }
    const response = await request('/livez')
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), live)
  })

  it('is ready, or tells why not', async () => {
    assert.equal((await request('/readyz')).status, 200)
    status = workerStatus({ notReadyReason: 'east has not answered' })
    const response = await request('/readyz')
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), { ok: false, reason: 'east has not answered', stopped: [] })
  })

  it('is ready where it stands still by an order, and says by whose', async () => {
    const stopped = {
      id: 'a',
      stoppedBy: 'ops@laptop',
      stoppedAt: '2026-01-01T00:00:00.000Z',
      stopAt: null,
      reason: 'failover'
    }
    status = workerStatus({ flows: [flowStatus(), flowStatus({ destination: 'south', stopped })] })
    const response = await request('/readyz')
    assert.equal(response.status, 200)
    const shown = [{ source: 'east', destination: 'south', ...stopped }]
    assert.deepEqual(await response.json(), { ok: true, reason: null, stopped: shown })
  })

  it('serves the status as JSON', async () => {
    const response = await request('/api/status?watch=1')
    assert.match(response.headers.get('content-type')!, /^application\/json/)
    assert.deepEqual(await response.json(), status)
  })

  it('leaves all other paths, and what is asked there, to the page', async () => {
    const response = await request('/?page=2')
    assert.equal(response.headers.get('content-type'), 'text/plain')
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(await response.text(), 'page 2')
  })

  it('answers HEAD without a body', async () => {
    const response = await request('/api/status', { method: 'HEAD' })
    assert.equal(response.status, 200)
    assert.equal(Number(response.headers.get('content-length')), JSON.stringify(status).length + 1)
    assert.equal(await response.text(), '')
  })

  it('answers an unknown path with 404 as JSON', async () => {
    const response = await request('/nowhere')
    assert.equal(response.status, 404)
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'NOT_FOUND')
  })

  it('refuses other methods', async () => {
    const response = await request('/livez', { method: 'POST', body: 'x'.repeat(100_000) })
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'GET, HEAD')
  })

  it('answers a failure of the worker with 500 and goes on', async () => {
    const failing = await startHttp({
      host: '127.0.0.1',
      port: 0,
      status: () => {
        throw new Error('no status now')
      },
      live: () => live,
      registry,
      page
    })
    try {
      const url = `http://127.0.0.1:${failing.port}`
      const response = await fetch(`${url}/readyz`)
      assert.equal(response.status, 500)
      assert.match(await response.text(), /no status now/)
      assert.equal((await fetch(`${url}/livez`)).status, 200)
    } finally {
      await failing.close()
    }
  })

  it('names the variable when the port is taken', async () => {
    await assert.rejects(start(server.port), {
      code: 'HTTP_LISTEN',
      message: /FARLOG_HTTP_PORT\): the port is taken$/,
      remedy: /FARLOG_HTTP_PORT/
    })
  })

  it('closes while a client holds a connection and says nothing', async () => {
    const client = connect(server.port, '127.0.0.1')
    await once(client, 'connect')
    const ended = once(client, 'close')
    client.resume()
    await server.close()
    await ended
    server = await start(0)
  })
})
