/** A broker that has a listener for each way of being sure who talks to whom. */
import { copyFileSync } from 'node:fs'

import type { SecuredListener } from '../../support/kafka/broker-config.ts'
import { type KafkaCluster, startKafka } from '../../support/kafka-cluster.ts'
import { type CertificateAuthority, type KeyPair, keyStoreFile } from './certificates.ts'

export const USER = 'farlog'

export interface Secured {
  readonly name: string
  readonly authority: CertificateAuthority
  /** Signs what the listener `UNKNOWN` shows; nobody trusts it. */
  readonly stranger: CertificateAuthority
  readonly password: string
  /** Keys of tokens; Kafka 4.1.1, set up as here, looks at what a token says but does not verify who signed it. */
  readonly keySetFile: string
}

const HOSTS = ['DNS:localhost', 'IP:127.0.0.1']

/** Has a cluster show, from its next start on, a certificate of another authority, and trust clients of that one alone. */
export async function rotateAuthority(
  name: string,
  from: CertificateAuthority,
  to: CertificateAuthority
): Promise<void> {
  const server = { name: `${name}-server`, hosts: HOSTS }
  copyFileSync(keyStoreFile(await to.issue(server)), keyStoreFile(from.issued(server)))
  copyFileSync(to.certFile, trustStoreFile(name, from))
}

function trustStoreFile(name: string, authority: CertificateAuthority): string {
  return `${authority.certFile}.${name}-trusts`
}

/**
 * Listeners: `TLS`, `MTLS`, `SASL_TLS`, `SASL` (all four mechanisms each); and, with a server certificate that is no good,
 * `EXPIRED`, `ELSEWHERE` (another host's) and `UNKNOWN`. The user may do everything, and nobody else may do anything, but who
 * comes by the plain listener or by `TLS`.
 */
export async function startSecuredKafka(secured: Secured): Promise<KafkaCluster> {
  const { name, authority, stranger, password, keySetFile } = secured
  const server = await authority.issue({ name: `${name}-server`, hosts: HOSTS })
  const expired = await authority.issue({ name: `${name}-server`, hosts: HOSTS, isExpired: true })
  const elsewhere = await authority.issue({ name: `${name}-elsewhere`, hosts: ['DNS:elsewhere.example'] })
  const unknown = await stranger.issue({ name: `${name}-unknown`, hosts: HOSTS })
  const tls = (listener: string, keys: KeyPair): SecuredListener => ({
    ...{ name: listener, protocol: 'SSL', config: keyStore(keys) }
  })
  copyFileSync(authority.certFile, trustStoreFile(name, authority))
  const sasl = saslConfig(password, keySetFile)
  return startKafka({
    name,
    secured: [
      tls('TLS', server),
      {
        name: 'MTLS',
        protocol: 'SSL',
        config: {
          ...keyStore(server),
          'ssl.truststore.type': 'PEM',
          'ssl.truststore.location': trustStoreFile(name, authority),
          'ssl.client.auth': 'required',
          'ssl.principal.mapping.rules': 'RULE:^CN=mirror-(.*)$/$1/'
        }
      },
      { name: 'SASL_TLS', protocol: 'SASL_SSL', config: { ...keyStore(server), ...sasl } },
      { name: 'SASL', protocol: 'SASL_PLAINTEXT', config: sasl },
      tls('EXPIRED', expired),
      tls('ELSEWHERE', elsewhere),
      tls('UNKNOWN', unknown)
    ],
    config: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': `User:ANONYMOUS;User:${USER}`
    },
    formatArgs: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
      '--add-scram',
      `${mechanism}=[name=${USER},password=${password}]`
    ]),
    jvmFlags: [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://${keySetFile}`]
  })
}

function keyStore(keys: KeyPair): Record<string, string> {
  return { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': keyStoreFile(keys) }
}

function saslConfig(password: string, keySetFile: string): Record<string, string> {
  const login = 'org.apache.kafka.common.security'
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${USER}="${password}";`,
    'scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'oauthbearer.sasl.jaas.config': `${login}.oauthbearer.OAuthBearerLoginModule required;`,
    'oauthbearer.sasl.server.callback.handler.class': `${login}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
    'oauthbearer.sasl.oauthbearer.jwks.endpoint.url': `file://${keySetFile}`,
    // Everybody has to show who they are again after that, also who is connected (KIP-368).
    'connections.max.reauth.ms': '4000'
  }
}
