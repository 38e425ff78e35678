/** Every way in which farlog and a broker can make sure of each other, each with a credential that is wrong first. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaCluster } from '../../support/kafka-cluster.ts'
import { isAtLength } from '../../support/long.ts'
import { USER } from './secured-cluster.ts'
import type { SecurityBed } from './security-bed.ts'

export type Alias = 'east' | 'west'

/** The files and variables by which one side of a worker is configured. */
export interface Side {
  readonly env: Readonly<Record<string, string>>
  /** Puts the right credentials where the wrong ones were. */
  putRight(): void
  /** What the log says of the wrong ones, each variable by its name. */
  readonly refusal: string
}

type MakeSide = (bed: SecurityBed, alias: Alias) => Side

/** How each side is spoken to. */
export interface Mode {
  readonly title: string
  readonly east: MakeSide
  readonly west: MakeSide
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const

/** Each mechanism at both sides, encrypted at the one and not at the other; at length also the other way round. */
export const MODES: readonly Mode[] = [
  { title: 'TLS', east: tls, west: tls },
  { title: 'mutual TLS', east: mutualTls, west: mutualTls },
  ...MECHANISMS.flatMap((mechanism, index) => {
    const [plain, encrypted] = [sasl(mechanism, 'SASL'), sasl(mechanism, 'SASL_TLS')]
    const modes = [
      { title: `${mechanism}, over TLS to the source`, east: encrypted, west: plain },
      { title: `${mechanism}, over TLS to the destination`, east: plain, west: encrypted }
    ]
    return isAtLength() ? modes : [modes[index % 2]!]
  })
]

function tls(bed: SecurityBed, alias: Alias): Side {
  const caFile = newFile(bed, alias)
  copyFileSync(bed.stranger.certFile, caFile)
  const variable = variablesOf(alias)
  return {
    env: { ...connection(bed, alias, 'TLS', 'SSL'), [variable('SSL_CA_FILE')]: caFile },
    putRight: () => copyFileSync(bed.authority.certFile, caFile),
    refusal:
      `${alias}: the certificate of the broker is signed by no authority that is trusted, authentication failed (TLS): ` +
      `check ${variable('SSL_CA_FILE')}`
  }
}

export function mutualTls(bed: SecurityBed, alias: Alias): Side & Record<'caFile' | 'certFile' | 'keyFile', string> {
  const [caFile, certFile, keyFile] = [newFile(bed, alias), newFile(bed, alias), newFile(bed, alias)]
  copyFileSync(bed.authority.certFile, caFile)
  copyFileSync(bed.strangersClient.certFile, certFile)
  copyFileSync(bed.strangersClient.keyFile, keyFile)
  const variable = variablesOf(alias)
  return {
    env: {
      ...connection(bed, alias, 'MTLS', 'SSL'),
      [variable('SSL_CA_FILE')]: caFile,
      [variable('SSL_CERT_FILE')]: certFile,
      [variable('SSL_KEY_FILE')]: keyFile,
      [variable('SSL_KEY_PASSPHRASE')]: bed.secrets.passphrase
    },
    ...{ caFile, certFile, keyFile },
    putRight() {
      copyFileSync(bed.client.certFile, certFile)
      copyFileSync(bed.client.keyFile, keyFile)
    },
    refusal:
      `${alias}: the broker refused the client certificate, authentication failed (TLS): ` +
      `check ${variable('SSL_CERT_FILE')} and ${variable('SSL_KEY_FILE')}`
  }
}

export function sasl(
  mechanism: (typeof MECHANISMS)[number],
  listener: 'SASL' | 'SASL_TLS'
): (bed: SecurityBed, alias: Alias) => Side & { secretFile: string } {
  return (bed, alias) => {
    const secretFile = newFile(bed, alias)
    writeFileSync(secretFile, `${bed.secrets.wrong}\n`)
    const variable = variablesOf(alias)
    const isOauth = mechanism === 'OAUTHBEARER'
    const checked = isOauth ? ['OAUTH_CLIENT_ID', 'OAUTH_CLIENT_SECRET'] : ['SASL_USERNAME', 'SASL_PASSWORD']
    const credentials = isOauth
      ? { OAUTH_TOKEN_ENDPOINT: bed.tokens.url, OAUTH_CLIENT_ID: USER, OAUTH_CLIENT_SECRET_FILE: secretFile }
      : { SASL_USERNAME: USER, SASL_PASSWORD_FILE: secretFile }
    const env = {
      SASL_MECHANISM: mechanism,
      ...credentials,
      ...(listener === 'SASL_TLS' ? { SSL_CA_FILE: bed.authority.certFile } : {})
    }
    return {
      env: {
        ...connection(bed, alias, listener, listener === 'SASL' ? 'SASL_PLAINTEXT' : 'SASL_SSL'),
        ...Object.fromEntries(Object.entries(env).map(([name, value]) => [variable(name), value]))
      },
      secretFile,
      // As editors and `echo` write it.
      putRight: () => writeFileSync(secretFile, `${isOauth ? bed.secrets.clientSecret : bed.secrets.password}\n`),
      refusal:
        `${alias}: ${isOauth ? 'the endpoint gave no token, ' : ''}authentication failed (${mechanism}): ` +
        `check ${checked.map(variable).join(' and ')}`
    }
  }
}

/** Where a side is, and how it is spoken to. */
function connection(bed: SecurityBed, alias: Alias, listener: string, protocol: string): Record<string, string> {
  const cluster: KafkaCluster = bed[alias]
  const variable = variablesOf(alias)
  return {
    [variable('BOOTSTRAP_SERVERS')]: cluster.securedBootstrap(listener),
    [variable('SECURITY_PROTOCOL')]: protocol
  }
}

function variablesOf(alias: string): (name: string) => string {
  return name => `FARLOG_${alias.toUpperCase()}_${name}`
}

let files = 0

function newFile(bed: SecurityBed, alias: Alias): string {
  return join(bed.dir, `${alias}-${++files}`)
}
