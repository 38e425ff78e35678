/**
 * A cluster and farlog that do not accept each other: credentials, certificates, or a listener of another kind than was
 * configured. Both client libraries tell it in many ways, and over and over; here it becomes one sentence that names the
 * cluster, how it is authenticated, and the variable to change, and never a value. All of it may pass: secrets are read from
 * their files again at each attempt.
 */
import type { ClusterConfig, SaslMechanism } from '../config/types.ts'
import { ofCluster, PER_CLUSTER } from '../config/variables.ts'
import { brokerAnswer, ClusterError, causesOf, errorName, reasonOf, toClusterError } from './errors.ts'
import { TokenError } from './oauth-token.ts'

type PerCluster = keyof typeof PER_CLUSTER

/** What is wrong, and what to look at: variables, or what to do where none of ours is at fault. */
interface Refusal {
  readonly what: string
  readonly by: 'TLS' | SaslMechanism | undefined
  readonly check: readonly PerCluster[] | string
}

/** As `toClusterError`, of what was thrown while a connection was made or authenticated anew. */
export function connectionError(error: unknown, context: string, cluster: ClusterConfig): ClusterError {
  const isOurs = error instanceof ClusterError && !(error instanceof TokenError)
  const refusal = isOurs ? undefined : refusalOf(error, cluster)
  if (refusal === undefined) return toClusterError(error, context)
  return new ClusterError('AUTHENTICATION', `${refusal} [${context}: ${saidOf(error)}]`, true, { cause: error })
}

/** A broker's own words where there are any: the library's, around them, tell of no more than the request. */
function saidOf(error: unknown): string {
  const tokenError = causesOf(error).find(cause => cause instanceof TokenError)
  // Which has its causes in it; kafka-javascript puts the name of its option in front.
  if (tokenError !== undefined) return tokenError.message.replace(/^oauthbearer_token_refresh_cb: /, '')
  const causes = causesOf(error) as { serverErrorMessage?: string | null }[]
  return causes.find(({ serverErrorMessage }) => serverErrorMessage)?.serverErrorMessage ?? reasonOf(error)
}

/** The sentence for what was thrown, or `undefined` where it is no refusal. */
function refusalOf(error: unknown, cluster: ClusterConfig): string | undefined {
  const tokenError = causesOf(error).find(cause => cause instanceof TokenError)
  if (tokenError !== undefined) return sentence(tokenRefusal(tokenError), cluster)
  const causes = causesOf(error) as { code?: unknown; message: string }[]
  const codes = causes.map(({ code }) => code).filter(code => typeof code === 'string')
  const answered = brokerAnswer(error)?.apiCode
  const message = causes.map(cause => cause.message).join(': ')
  const refusal =
    tlsRefusal(codes, cluster) ??
    (answered === undefined ? undefined : saslRefusal(errorName(answered), cluster)) ??
    (/SASL authentication failed|Invalid server signature/.test(message) ? credentials(cluster) : undefined) ??
    listenerRefusal(message, cluster)
  return refusal && sentence(refusal, cluster)
}

/**
 * What librdkafka complains of, by the text of its event and the line it logged before, which says more. It tries again by
 * itself. Why it does not trust a certificate it keeps to itself.
 */
export function librdkafkaTrouble(
  event: string,
  logged: string,
  context: string,
  cluster: ClusterConfig
): ClusterError {
  const detail = logged.replace(/^\[thrd:[^\]]*\]: /, '').replace(/ \(after \d+ms in state .*\)$/, '')
  const refusal = librdkafkaRefusal(event, detail, cluster)
  const reason = detail === '' ? event : `${event}: ${detail}`
  if (refusal === undefined) return new ClusterError('LIBRDKAFKA_EVENT', `${cluster.alias} ${context}: ${reason}`, true)
  return new ClusterError('AUTHENTICATION', `${refusal} [${cluster.alias} ${context}: ${reason}]`, true)
}

/** librdkafka's word for credentials that were refused. */
export const AUTHENTICATION_FAILURE = 'authentication failure'

function librdkafkaRefusal(event: string, logged: string, cluster: ClusterConfig): string | undefined {
  if (event === AUTHENTICATION_FAILURE) {
    if (/mechanism handshake failed/.test(logged)) return sentence(handshakeRefusal(cluster), cluster)
    return sentence(credentials(cluster), cluster)
  }
  if (event === 'ssl error') return sentence(UNVERIFIED, cluster)
  if (cluster.tls === undefined) return undefined
  if (logged.includes('PLAINTEXT broker listener')) return sentence(NO_TLS, cluster)
  const alert =
    / alert ([a-z ]+)/.exec(logged)?.[1] ?? (logged.includes('No matching issuer') ? 'unknown ca' : undefined)
  return alert === undefined ? undefined : sentence(alertRefusal(alert, cluster), cluster)
}

/** The refusal's sentence within a longer text; the rest of it is told in many ways. */
export function refusalIn(text: string): string | undefined {
  return SENTENCE.exec(text)?.[0].trimEnd()
}

/** What a text with a refusal's sentence says to check. */
export function whatToCheck(text: string): string | undefined {
  return refusalIn(text)?.replace(/^.*: (?=check )/, '')
}

const SENTENCE = /^[A-Za-z0-9._-]+: [^():]+(?: \([A-Z0-9-]+\))?: check [^([]+/

function sentence({ what, by, check }: Refusal, cluster: ClusterConfig): string {
  const named =
    typeof check === 'string'
      ? check
      : check.map(key => ofCluster<unknown>(cluster.alias, PER_CLUSTER[key]).name).join(' and ')
  return `${cluster.alias}: ${what}${by === undefined ? '' : ` (${by})`}: check ${named}`
}

/** OpenSSL's reasons to trust nobody who signed a certificate, as Node names them. */
export const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA'
])

const UNVERIFIED: Refusal = {
  what: 'the certificate of the broker could not be verified, authentication failed',
  by: 'TLS',
  check: ['sslCaFile']
}

const CLIENT_CERTIFICATE: Refusal = {
  what: 'the broker refused the client certificate, authentication failed',
  by: 'TLS',
  check: ['sslCertFile', 'sslKeyFile']
}

const HANDSHAKE_ENDED: Refusal = {
  what: 'the broker ended the TLS handshake',
  by: 'TLS',
  check: 'the protocol versions and ciphers that it takes, and whether it wants a client certificate'
}

/**
 * What a broker means by an alert (RFC 8446, 6.2), in OpenSSL's words. Those who miss a certificate, or do not like one, may call it
 * a failed handshake and no more; without a certificate that may be about anything.
 */
function alertRefusal(alert: string, { tls }: ClusterConfig): Refusal {
  if (/certificate|unknown ca|access denied/.test(alert)) return CLIENT_CERTIFICATE
  return alert.startsWith('handshake failure') && tls?.cert !== undefined ? CLIENT_CERTIFICATE : HANDSHAKE_ENDED
}

function tlsRefusal(codes: readonly string[], cluster: ClusterConfig): Refusal | undefined {
  if (cluster.tls === undefined) return undefined
  const some = (test: (code: string) => boolean) => codes.some(test)
  const broker = (what: string, check: Refusal['check']): Refusal => ({
    what: `the certificate of the broker ${what}, authentication failed`,
    by: 'TLS',
    check
  })
  if (some(code => UNTRUSTED.has(code))) return broker('is signed by no authority that is trusted', ['sslCaFile'])
  if (some(code => code === 'CERT_HAS_EXPIRED')) return broker('has expired', 'the broker, which has to show a new one')
  if (some(code => code === 'CERT_NOT_YET_VALID')) return broker('is not valid yet', 'the clocks of both machines')
  if (some(code => code === 'ERR_TLS_CERT_ALTNAME_INVALID')) {
    return broker(
      'is for another host name',
      "the names in it, the broker's advertised.listeners and the bootstrap servers"
    )
  }
  const alert = codes.flatMap(code => /^ERR_SSL_.*_ALERT_(.+)/.exec(code)?.[1] ?? [])[0]
  if (alert !== undefined) return alertRefusal(alert.toLowerCase().replaceAll('_', ' '), cluster)
  if (some(code => code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH')) {
    return {
      what: 'the private key is not that of the client certificate',
      by: 'TLS',
      check: ['sslKeyFile', 'sslCertFile']
    }
  }
  if (some(code => /^ERR_OSSL_/.test(code) || code === 'ERR_MISSING_PASSPHRASE')) {
    return { what: 'the files for TLS cannot be used', by: 'TLS', check: ['sslKeyFile', 'sslKeyPassphrase'] }
  }
  if (some(code => code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')) return NO_TLS
  return undefined
}

const NO_TLS: Refusal = { what: 'the broker speaks no TLS on that port', by: undefined, check: ['securityProtocol'] }

function listenerRefusal(message: string, { tls }: ClusterConfig): Refusal | undefined {
  // The library's own words, of which it has no code.
  if (tls === undefined && message.includes('Broker requires TLS')) {
    return { what: 'the broker wants TLS on that port', by: undefined, check: ['securityProtocol'] }
  }
  return tls !== undefined && message.includes('TLS handshake failed') ? NO_TLS : undefined
}

function saslRefusal(name: string, cluster: ClusterConfig): Refusal | undefined {
  switch (name) {
    case 'SASL_AUTHENTICATION_FAILED':
      return credentials(cluster)
    case 'UNSUPPORTED_SASL_MECHANISM':
    case 'ILLEGAL_SASL_STATE':
      return handshakeRefusal(cluster)
    default:
      return undefined
  }
}

function handshakeRefusal({ sasl }: ClusterConfig): Refusal {
  return {
    what: 'the broker does not authenticate like that on that port, authentication failed',
    by: sasl?.mechanism,
    check: ['saslMechanism', 'securityProtocol']
  }
}

function credentials({ sasl }: ClusterConfig): Refusal {
  if (sasl?.mechanism === 'OAUTHBEARER') {
    const what = 'the broker refused the token, authentication failed'
    return { what, by: sasl.mechanism, check: ['oauthClientId', 'oauthScope'] }
  }
  return { what: 'authentication failed', by: sasl?.mechanism, check: ['saslUsername', 'saslPassword'] }
}

const NO_TOKEN: Refusal = {
  what: 'the endpoint gave no token, authentication failed',
  by: 'OAUTHBEARER',
  check: ['oauthClientId', 'oauthClientSecret']
}

function tokenRefusal({ isAnswered }: TokenError): Refusal {
  if (isAnswered) return NO_TOKEN
  const what = 'the token endpoint did not answer, authentication failed'
  return { what, by: 'OAUTHBEARER', check: ['oauthTokenEndpoint'] }
}
