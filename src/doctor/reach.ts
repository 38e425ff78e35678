/** Whether each broker can be talked to, by the names that we are given and by those that the cluster gives. */
import type { Cluster } from '../cluster/cluster.ts'
import { tryControlPlaneLogin } from '../cluster/control-plane-login.ts'
import { ClusterError } from '../cluster/errors.ts'
import { type Probe, ProbeError, probeBroker } from '../cluster/probe.ts'
import { whatToCheck } from '../cluster/refusal.ts'
import type { BootstrapServer, ClusterConfig } from '../config/types.ts'
import { clusterPrefix } from '../config/variables.ts'
import { concurrently } from '../status/concurrently.ts'
import { checkCertificateEnd, endOfCertificate } from './certificate-end.ts'
import { checkClearText } from './clear-text.ts'
import { Notes, type Tell } from './finding.ts'
import { releaseOf } from './kafka-release.ts'
import { LOOPBACK } from './loopback.ts'

/** What was learned of a cluster on the way. */
export interface Reached {
  /** To the nearest and to the farthest broker that answered; `undefined` where none did. */
  readonly roundTripMs: { readonly min: number; readonly max: number } | undefined
}

const BROKERS_AT_A_TIME = 16

/** Tries the bootstrap servers, and then every broker where it says it is. Each broker is told of once. */
export async function checkReach(cluster: Cluster, clientId: string, tell: Tell): Promise<Reached> {
  const { config } = cluster
  const notes = new Notes('connection', cluster.alias, tell)
  checkClientCertificate(config, notes)
  const bootstraps = await probeAll(config, config.bootstrapServers, clientId, 'bootstrap server', notes)
  checkClearText(config, tell)
  if (bootstraps.every(probe => probe === undefined)) return { roundTripMs: undefined }
  // Nothing more can be asked of such a cluster.
  if (bootstraps.every(probe => probe === undefined || probe.complaints.length > 0)) {
    checkVersions(cluster.alias, answering(bootstraps), tell)
    return { roundTripMs: undefined }
  }
  await cluster.refresh([])
  const listeners = cluster.listeners.filter(({ host, port }) => !isAmong(config.bootstrapServers, host, port))
  checkAdvertised(config, cluster.listeners, notes)
  const brokers = await probeAll(config, listeners, clientId, 'advertised listener', notes)
  const probes = answering([...bootstraps, ...brokers])
  checkVersions(cluster.alias, probes, tell)
  checkCertificates(config, probes, notes)
  await checkControlPlane(config, clientId, notes)
  const roundTrips = probes.map(({ roundTripMs }) => roundTripMs)
  return { roundTripMs: { min: Math.min(...roundTrips), max: Math.max(...roundTrips) } }
}

function answering(probes: readonly (Probe | undefined)[]): Probe[] {
  return probes.filter(probe => probe !== undefined)
}

function probeAll(
  config: ClusterConfig,
  servers: readonly BootstrapServer[],
  clientId: string,
  kind: string,
  notes: Notes
): Promise<(Probe | undefined)[]> {
  return concurrently(servers, BROKERS_AT_A_TIME, async server => {
    const address = `${server.host}:${server.port}`
    try {
      const probe = await probeBroker(config, server, clientId)
      const who =
        [config.tls && 'TLS', config.sasl?.mechanism].filter(Boolean).join(', ') || 'no TLS, no authentication'
      notes.ok(`${kind} ${address} answers in ${probe.roundTripMs.toFixed(1)} ms (${who})`)
      return probe
    } catch (error) {
      if (!(error instanceof ProbeError)) throw error
      notes.problem(`${kind} ${address}: ${error.message}`, remedyOf(config, error, kind))
      return undefined
    }
  })
}

function remedyOf({ alias, securityProtocol }: ClusterConfig, { layer, message }: ProbeError, kind: string): string {
  const prefix = clusterPrefix(alias)
  const isAdvertised = kind !== 'bootstrap server'
  switch (layer) {
    case 'dns':
      return isAdvertised
        ? 'make the name known here, or have the broker advertise another one (advertised.listeners)'
        : `put ${prefix}BOOTSTRAP_SERVERS right, or make the name known here`
    case 'tcp':
      return isAdvertised
        ? 'open the way to it (firewall, network policy), or have the broker advertise an address that can be reached'
        : `check that the broker runs, ${prefix}BOOTSTRAP_SERVERS, and the way to it (firewall, network policy)`
    case 'tls':
      return (
        whatToCheck(message) ??
        `give the authority that signed its certificate by ${prefix}SSL_CA_FILE, and reach it by a name that is in the certificate`
      )
    case 'authentication':
      return whatToCheck(message) ?? `put ${prefix}SASL_MECHANISM, its user and its password (or OAuth client) right`
    case 'kafka':
      return `check that this port speaks ${securityProtocol}, as ${prefix}SECURITY_PROTOCOL says`
  }
}

function isAmong(servers: readonly BootstrapServer[], host: string, port: number): boolean {
  return servers.some(server => server.host === host && server.port === port)
}

/** The classic: a broker that was set up on one machine sends everybody back to themselves. */
function checkAdvertised({ bootstrapServers }: ClusterConfig, listeners: Cluster['listeners'], notes: Notes): void {
  if (bootstrapServers.some(({ host }) => LOOPBACK.test(host))) return
  for (const { nodeId, host, port } of listeners) {
    if (!LOOPBACK.test(host)) continue
    notes.problem(
      `broker ${nodeId} advertises ${host}:${port}, which is this machine`,
      'set its advertised.listeners to an address that clients can reach'
    )
  }
}

/** Two libraries connect, and each makes sure of the other side by itself. */
async function checkControlPlane(config: ClusterConfig, clientId: string, notes: Notes): Promise<void> {
  try {
    await tryControlPlaneLogin(config, clientId)
    notes.ok('group membership, which goes through another library (librdkafka), gets in too')
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    notes.problem(
      `group membership, which goes through another library (librdkafka), does not get in: ${error.message}`,
      whatToCheck(error.message) ?? 'see that it may reach the same brokers with the same settings'
    )
  }
}

function checkVersions(alias: string, probes: readonly Probe[], tell: Tell): void {
  const notes = new Notes('versions', alias, tell)
  const complaints = new Set(probes.flatMap(probe => probe.complaints))
  for (const complaint of complaints) notes.problem(complaint, 'upgrade the broker')
  if (complaints.size > 0) return
  const [level] = probes.flatMap(({ metadataVersion }) => metadataVersion ?? [])
  const release = level === undefined ? 'Kafka older than 3.3, or without KRaft' : releaseOf(level)
  notes.ok(`${release}: every broker asked speaks what is needed`)
}

function checkCertificates({ tls }: ClusterConfig, probes: readonly Probe[], notes: Notes): void {
  if (tls === undefined) return
  const ends = probes.flatMap(({ certificateEndsAtMs }) => certificateEndsAtMs ?? [])
  if (ends.length > 0) checkCertificateEnd('the broker certificate that ends first', Math.min(...ends), notes)
}

function checkClientCertificate({ tls }: ClusterConfig, notes: Notes): void {
  if (tls?.cert === undefined) return
  try {
    const pem = tls.cert()
    checkCertificateEnd('the client certificate', endOfCertificate(pem), notes)
  } catch (error) {
    notes.problem(`the client certificate can't be read (${(error as Error).message})`, 'give a PEM certificate')
  }
}
