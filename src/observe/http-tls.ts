import { createServer as createPlainServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Config } from '../config/types.ts'

type TlsFiles = NonNullable<Config['http']['tls']>

/** A handshake is a few round trips. */
const HANDSHAKE_TIMEOUT_MS = 5_000
/** How soon a rotated certificate is shown. */
const FILES_CHECK_INTERVAL_MS = 10_000

/** A server for http or, with certificate and key, for https only, which follows their files. @throws where they are of no use */
export function createHttpServer(
  options: ServerOptions,
  tls: TlsFiles | undefined,
  answer: RequestListener,
  checkIntervalMs = FILES_CHECK_INTERVAL_MS
): Server | TlsServer {
  if (tls === undefined) return createPlainServer(options, answer)
  let [cert, key] = [tls.cert(), tls.key()]
  const server = createTlsServer({ ...options, cert, key, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, answer)
  const followFiles = () => {
    try {
      const [certNow, keyNow] = [tls.cert(), tls.key()]
      if (certNow === cert && keyNow === key) return
      server.setSecureContext({ cert: certNow, key: keyNow })
      ;[cert, key] = [certNow, keyNow]
    } catch {
      // Half of a rotation: the other half comes, and until then the old pair is good.
    }
  }
  const checking = setInterval(followFiles, checkIntervalMs)
  checking.unref()
  server.once('close', () => clearInterval(checking))
  return server
}
