/** How a cluster's security settings become the options of the two Kafka clients: nowhere else are they read. */
import { isIP } from 'node:net'
import type { ConnectionOptions, SASLOptions } from '@platformatic/kafka'
import type { ClusterConfig, SaslConfig, TlsConfig } from '../config/types.ts'
import { ClusterError } from './errors.ts'
import { bearerTokenProvider, type OauthConfig, TokenError } from './oauth-token.ts'

/** The options of kafka-javascript's clients (librdkafka's names) that reach and satisfy a cluster. */
export type LibrdkafkaOptions = Record<string, string | number | boolean | TokenCallback>

/** Asked by librdkafka whenever it needs a token; it keeps nothing of ours to ask with. */
type TokenCallback = () => Promise<{ tokenValue: string; lifetime: number; principal: string }>

/** The part of @platformatic/kafka's connection options that security decides. */
export type PlatformaticOptions = Pick<ConnectionOptions, 'tls' | 'tlsServerName' | 'sasl'>

/**
 * librdkafka takes secrets as values, so they are read here once per client, and `KeptSecrets` sees to the client when they
 * change. Tokens it asks us for: it could fetch them by itself, but always with the first client secret, and with
 * authorities of its own.
 */
export function librdkafkaOptions(cluster: ClusterConfig): LibrdkafkaOptions {
  return {
    'bootstrap.servers': cluster.bootstrapServers.map(serverAddress).join(','),
    'security.protocol': cluster.securityProtocol.toLowerCase(),
    ...(cluster.tls && librdkafkaTls(cluster.tls)),
    ...(cluster.sasl && librdkafkaSasl(cluster.sasl))
  }
}

/**
 * Secrets are given as functions, so that each connection reads them anew.
 * @param host of the only broker that will be connected to, where there is only one
 */
export function platformaticOptions(cluster: ClusterConfig, host?: string): PlatformaticOptions {
  const isReachedByName = host === undefined ? hasHostNames(cluster) : isIP(host) === 0
  return {
    ...(cluster.tls && { tls: platformaticTls(cluster.tls), tlsServerName: isReachedByName }),
    ...(cluster.sasl && { sasl: platformaticSasl(cluster.sasl) })
  }
}

function serverAddress({ host, port }: { host: string; port: number }): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

function librdkafkaTls(tls: TlsConfig): LibrdkafkaOptions {
  return defined({
    'ssl.ca.pem': tls.ca?.(),
    'ssl.certificate.pem': tls.cert?.(),
    'ssl.key.pem': tls.key?.(),
    'ssl.key.password': tls.keyPassphrase?.(),
    'ssl.endpoint.identification.algorithm': 'https'
  })
}

function librdkafkaSasl({ mechanism, username, password, oauth }: SaslConfig): LibrdkafkaOptions {
  if (mechanism !== 'OAUTHBEARER') {
    return defined({
      'sasl.mechanism': mechanism,
      'sasl.username': username?.(),
      'sasl.password': password?.()
    })
  }
  const tokens = bearerTokenProvider(tokenSource(oauth))
  return {
    'sasl.mechanism': mechanism,
    // The broker takes the name from the token; librdkafka only wants to have one.
    oauthbearer_token_refresh_cb: async () => {
      const { token, expiresAtMs } = await tokens.token().catch(copyThrown)
      return { tokenValue: token, lifetime: expiresAtMs, principal: '' }
    }
  }
}

/** kafka-javascript changes the message of what it catches, and others wait for the same token. */
function copyThrown(error: unknown): never {
  throw error instanceof TokenError ? new TokenError(error.message, error.isAnswered, error.cause) : error
}

function tokenSource(oauth: SaslConfig['oauth']): OauthConfig {
  if (oauth === undefined) throw new TypeError('OAUTHBEARER without a token endpoint passed the configuration checks')
  return oauth
}

/** The library spreads this object at each connect, which calls the getters: a rotated certificate is picked up. */
function platformaticTls(tls: TlsConfig): NonNullable<ConnectionOptions['tls']> {
  return {
    rejectUnauthorized: true,
    get ca() {
      return tls.ca?.()
    },
    get cert() {
      return tls.cert?.()
    },
    get key() {
      return tls.key?.()
    },
    get passphrase() {
      return tls.keyPassphrase?.()
    }
  }
}

/**
 * The server name (SNI) is what proxies in front of many brokers route by, but it must not be an IP address. The name
 * in the certificate is verified either way, against the address that was connected to.
 */
function hasHostNames(cluster: ClusterConfig): boolean {
  return cluster.bootstrapServers.some(({ host }) => isIP(host) === 0)
}

function platformaticSasl({ mechanism, username, password, oauth }: SaslConfig): SASLOptions {
  if (mechanism !== 'OAUTHBEARER') {
    return { mechanism, ...(username && { username }), ...(password && { password }) }
  }
  const tokens = bearerTokenProvider(tokenSource(oauth))
  let shown: string | undefined
  return {
    mechanism,
    token: async () => {
      shown = (await tokens.token()).token
      return shown
    },
    authBytesValidator: refuseBearerChallenge(() => tokens.refused(shown))
  }
}

/**
 * A broker that does not take a token says so in a challenge, inside an answer without an error (RFC 7628), which the
 * library would take for a success.
 */
function refuseBearerChallenge(refused: () => void): NonNullable<SASLOptions['authBytesValidator']> {
  return (challenge, callback) => {
    if (challenge.length === 0) {
      callback(null, challenge)
      return
    }
    refused()
    const message = `SASL authentication failed: the broker refused the token (${challenge.toString('utf8').slice(0, 200)})`
    callback(new ClusterError('AUTHENTICATION', message, true), challenge)
  }
}

function defined(options: Record<string, string | undefined>): LibrdkafkaOptions {
  return Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => entry[1] !== undefined)
  )
}
