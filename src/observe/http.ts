/** What the worker shows over HTTP: metrics, probes, its status for machines, and the page for a person. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import type { WorkerStatus } from './status.ts'

/** What the server shows, and where it listens. */
export interface HttpOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  status(): WorkerStatus
  /** Whether the event loop and the data plane turn; must not depend on a broker. */
  live(): { readonly ok: boolean; readonly reason: string | null }
  readonly registry: Registry
  readonly page: Page
}

/** The page for people. */
export interface Page {
  /** The answer for one of its paths; `undefined` for any other. */
  answer(path: string, query: URLSearchParams): Reply | undefined
  close(): Promise<void>
}

export interface HttpServer {
  readonly port: number
  /** Stops listening and ends the connections there are. */
  close(): Promise<void>
}

/** Starts to listen; rejects with an `HttpListenError` when it cannot. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const server = createServer(LIMITS, (request, response) => {
    answer(request, options)
      .catch(internalError)
      .then(reply => send(request, response, reply))
  })
  // Few clients belong here, and a stuck one must not hold a body in memory for ever.
  server.maxConnections = 128
  server.setTimeout(30_000)
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    }
  }
}

/** The address cannot be listened on. */
class HttpListenError extends Error {
  readonly code = 'HTTP_LISTEN'
  readonly remedy = 'set FARLOG_HTTP_PORT and FARLOG_HTTP_HOST to an address that is free on this machine'

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    const reason = cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message
    super(`cannot listen on ${host}:${port} (FARLOG_HTTP_HOST, FARLOG_HTTP_PORT): ${reason}`, { cause })
    this.name = 'HttpListenError'
  }
}

const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024
}

/** An answer. */
export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

async function answer(request: IncomingMessage, { registry, status, live, page }: HttpOptions): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const reply = json(405, failure('METHOD_NOT_ALLOWED', 'only GET and HEAD are answered'))
    return { ...reply, headers: { allow: 'GET, HEAD' } }
  }
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  switch (path) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() }
    case '/livez': {
      const { ok, reason } = live()
      return json(ok ? 200 : 503, { ok, reason })
    }
    case '/readyz': {
      const { notReadyReason: reason, flows } = status()
      // A worker that stands still by an order is as it should be.
      const stopped = flows.flatMap(({ source, destination, stopped }) =>
        stopped === null ? [] : [{ source, destination, ...stopped }]
      )
      return json(reason === null ? 200 : 503, { ok: reason === null, reason, stopped })
    }
    case '/api/status':
      return json(200, status())
    default:
      return (
        page.answer(path, new URLSearchParams(query)) ??
        json(404, failure('NOT_FOUND', 'there are /, /api/status, /api/page, /metrics, /livez and /readyz'))
      )
  }
}

function json(status: number, value: unknown): Reply {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` }
}

function failure(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } }
}

function internalError(error: unknown): Reply {
  return json(500, failure('INTERNAL', error instanceof Error ? error.message : String(error)))
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Reply): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // Bodies are never read: a connection that brings one cannot be used again.
    ...(hasBody(request) ? { connection: 'close' } : {}),
    ...headers
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

async function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new HttpListenError(host, port, error as NodeJS.ErrnoException)
  }
}
