/** What the worker shows over HTTP: metrics, probes, its status for machines, and the page for a person. */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { redactSecrets } from '../config/secret-values.ts'
import type { Config } from '../config/types.ts'
import { CHALLENGE, isAllowedIn } from './http-access.ts'
import { createHttpServer } from './http-tls.ts'
import type { WorkerStatus } from './status.ts'

/** What the server shows, and where it listens. */
export interface HttpOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** What clients have to show to see more than whether it lives and is ready. */
  readonly token?: Config['http']['token']
  readonly tls?: Config['http']['tls']
  /** Hears of a certificate that cannot be renewed. */
  readonly troubled?: (message: string) => void
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

/** Starts to listen; rejects with an `HttpListenError` or an `HttpTlsError` when it cannot. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const server = makeServer(options)
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

function makeServer(options: HttpOptions): Server {
  try {
    const { tls, troubled = () => {} } = options
    return createHttpServer(LIMITS, { tls, troubled }, (request, response) => {
      answerAsAllowed(request, options).then(reply => send(request, response, reply))
    })
  } catch (error) {
    throw new HttpTlsError(error as Error)
  }
}

/** Certificate and key do not do for a server. */
class HttpTlsError extends Error {
  readonly code = 'HTTP_TLS'
  readonly remedy = 'give a PEM certificate and the unencrypted private key that belongs to it'

  constructor(cause: Error) {
    super(`cannot serve https (FARLOG_HTTP_TLS_CERT_FILE, FARLOG_HTTP_TLS_KEY_FILE): ${cause.message}`, { cause })
    this.name = 'HttpTlsError'
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
  headersTimeout: 3_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024
}

/** An answer. */
export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Whoever has not shown the token learns of a worker only whether it lives and is ready, as its supervisor must. */
async function answerAsAllowed(request: IncomingMessage, options: HttpOptions): Promise<Reply> {
  const isAllowed = isAllowedIn(request.headers.authorization, options.token)
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') return METHOD_NOT_ALLOWED
    if (!isAllowed && !PROBES.has(pathOf(request))) return UNAUTHORIZED
    const reply = await answer(request, options)
    return isAllowed ? reply : json(reply.status, { ok: reply.status === 200 })
  } catch (error) {
    return isAllowed ? internalError(error) : json(500, failure('INTERNAL', 'the token lets you see more'))
  }
}

const PROBES = new Set(['/livez', '/readyz'])

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0]!
}

async function answer(request: IncomingMessage, { registry, status, live, page }: HttpOptions): Promise<Reply> {
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

const METHOD_NOT_ALLOWED: Reply = {
  ...json(405, failure('METHOD_NOT_ALLOWED', 'only GET and HEAD are answered')),
  headers: { allow: 'GET, HEAD' }
}

const UNAUTHORIZED: Reply = {
  ...json(401, failure('UNAUTHORIZED', 'show the token of FARLOG_HTTP_TOKEN as a bearer token')),
  headers: { 'www-authenticate': CHALLENGE }
}

function internalError(error: unknown): Reply {
  return json(500, failure('INTERNAL', error instanceof Error ? error.message : String(error)))
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const { status, type, headers } = reply
  const body = redactSecrets(reply.body)
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...SECURITY_HEADERS,
    // Bodies are never read: a connection that brings one cannot be used again.
    ...(hasBody(request) ? { connection: 'close' } : {}),
    ...headers
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Of every answer; the page's own policy, which lets its script run, replaces the one here. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'"
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
