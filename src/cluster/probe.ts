/** One broker tried from the outside, layer by layer, so that it can be told which of them fails. */
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BootstrapServer, ClusterConfig } from '../config/types.ts'
import { closeQuietly, openConnection, shortestRoundTripMs } from './connection.ts'
import { ClusterError } from './errors.ts'
import { NEEDED_APIS } from './needed-apis.ts'
import { UNTRUSTED } from './refusal.ts'

/** The layer that a probe got stuck in. */
export type ProbeLayer = 'dns' | 'tcp' | 'tls' | 'authentication' | 'kafka'

/** A broker that answers, all layers through. */
export interface Probe {
  readonly addresses: readonly string[]
  readonly roundTripMs: number
  /** Its cluster's `metadata.version`, which tells what Kafka it runs as; `undefined` before Kafka 3.3 and without KRaft. */
  readonly metadataVersion: number | undefined
  /** A sentence for each request that it does not speak as is needed. */
  readonly complaints: readonly string[]
  /** When its certificate ends; `undefined` without TLS. */
  readonly certificateEndsAtMs: number | undefined
}

/** Why a broker can't be talked to. */
export class ProbeError extends Error {
  readonly layer: ProbeLayer

  constructor(layer: ProbeLayer, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProbeError'
    this.layer = layer
  }
}

const CONNECT_TIMEOUT_MS = 5_000

/** @throws ProbeError */
export async function probeBroker(
  cluster: ClusterConfig,
  { host, port }: BootstrapServer,
  clientId: string
): Promise<Probe> {
  const addresses = await resolve(host)
  await tryTcp(host, port)
  try {
    const opened = await openConnection(cluster, host, port, clientId)
    try {
      return {
        addresses,
        roundTripMs: await shortestRoundTripMs(opened),
        metadataVersion: opened.versions.featureLevel('metadata.version'),
        complaints: NEEDED_APIS.flatMap(api => opened.versions.complaintOf(api) ?? []),
        certificateEndsAtMs: certificateEnd(opened.connection.socket)
      }
    } finally {
      await closeQuietly(opened.connection)
    }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    throw new ProbeError(layerOf(cluster, error), error.message, { cause: error })
  }
}

async function resolve(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw new ProbeError('dns', (error as Error).message, { cause: error })
  }
}

/** Whether somebody listens there at all. */
function tryTcp(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      socket.destroy()
      reject(new ProbeError('tcp', reason))
    }
    const socket = connect({ host, port })
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`))
    // With several addresses the message may be empty, and the code is what tells.
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.message || (error.code ?? 'no connection')))
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

function certificateEnd(socket: Socket): number | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const endsAtMs = Date.parse(socket.getPeerCertificate().valid_to)
  return Number.isNaN(endsAtMs) ? undefined : endsAtMs
}

/** TLS failures have codes of OpenSSL's, or of Node's own; what breaks without one most often speaks another protocol. */
function layerOf({ tls }: ClusterConfig, error: ClusterError): ProbeLayer {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
    if (tls !== undefined && (/^(ERR_TLS_|ERR_SSL_|EPROTO$)/.test(code) || CERTIFICATE_CODES.has(code))) return 'tls'
  }
  // What is refused for its certificate counts as not authenticated too.
  if (error.code === 'AUTHENTICATION') return 'authentication'
  return 'kafka'
}

/** OpenSSL's reasons not to take a certificate, as Node names them. */
const CERTIFICATE_CODES = new Set([
  ...UNTRUSTED,
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH'
])
