import { createSecureContext } from 'node:tls'
import type { Config } from '../config/types.ts'
import { checkCertificateEnd, endOfCertificate } from './certificate-end.ts'
import { Notes, type Tell } from './finding.ts'

/** Whether https can be served: a worker whose certificate and key do not do for that ends at its start. */
export function checkHttpPort({ tls }: Pick<Config['http'], 'tls'>, tell: Tell): void {
  if (tls === undefined) return
  const notes = new Notes('http', null, tell)
  try {
    const cert = tls.cert()
    createSecureContext({ cert, key: tls.key() })
    checkCertificateEnd('the certificate of the HTTP port', endOfCertificate(cert), notes)
  } catch (error) {
    notes.problem(
      `https cannot be served: ${(error as Error).message}`,
      'give a PEM certificate and the unencrypted private key that belongs to it by FARLOG_HTTP_TLS_CERT_FILE and FARLOG_HTTP_TLS_KEY_FILE'
    )
  }
}
