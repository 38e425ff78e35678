import { createServer as createPlainServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Config } from '../config/types.ts'

type TlsFiles = NonNullable<Config['http']['tls']>

/** A handshake is a few round trips. */
const HANDSHAKE_TIMEOUT_MS = 5_000
/** How soon a rotated certificate is shown. */
const FILES_CHECK_INTERVAL_MS = 10_000

export interface TlsOptions {
  readonly tls: TlsFiles | undefined
  /** Hears of files that have changed and are of no use: the old ones go on being used. */
  readonly troubled: (message: string) => void
  readonly checkIntervalMs?: number
}

/** A server for http or, with certificate and key, for https only, which follows their files. @throws where they are of no use */
export function createHttpServer(
  options: ServerOptions,
  { tls, troubled, checkIntervalMs = FILES_CHECK_INTERVAL_MS }: TlsOptions,
  answer: RequestListener
): Server | TlsServer {
  if (tls === undefined) return createPlainServer(options, answer)
  const { cert, key } = read(tls)
  const server = createTlsServer({ ...options, cert, key, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, answer)
  const checking = setInterval(followFiles(server, tls, { cert, key }, troubled), checkIntervalMs)
  checking.unref()
  server.once('close', () => clearInterval(checking))
  return server
}

interface Pair {
  readonly cert: string
  readonly key: string
}

function read({ cert, key }: TlsFiles): Pair {
  return { cert: cert(), key: key() }
}

/** Shows what the files hold from now on, once they fit each other. */
function followFiles(server: TlsServer, tls: TlsFiles, first: Pair, troubled: (message: string) => void): () => void {
  let shown = first
  let trouble: string | undefined
  let isTold = false
  return () => {
    try {
      const now = read(tls)
      if (now.cert !== shown.cert || now.key !== shown.key) {
        server.setSecureContext(now)
        shown = now
      }
      trouble = undefined
      isTold = false
    } catch (error) {
      const { message } = error as Error
      // At first it may be half of a rotation, whose other half comes.
      if (trouble === message && !isTold) {
        isTold = true
        troubled(`certificate and key of the HTTP port cannot be renewed, the old ones are shown: ${message}`)
      }
      trouble = message
    }
  }
}
