/** What is checked of a cluster that answers: its clock, its brokers' settings, the limits it sets. */
import type { Cluster } from '../cluster/cluster.ts'
import { brokerConfigs, clientQuotas, readControllerClock } from '../cluster/cluster-questions.ts'
import { ClusterError } from '../cluster/errors.ts'
import { assertConsumerProtocol } from '../cluster/group-state.ts'
import type { FlowConfig } from '../config/types.ts'
import { duration } from '../status/status-text.ts'
import { certainDifferenceMs, clockOffset } from './clock.ts'
import { Notes, type Tell } from './finding.ts'
import { quotasInForce } from './quotas.ts'

const CLOCK_WARNING_MS = 1_000
/** From about here certificates and tokens are refused. */
const CLOCK_PROBLEM_MS = 5 * 60_000

/** Compares the clock here with that of the cluster's controller. */
export async function checkClock(cluster: Cluster, tell: Tell): Promise<void> {
  const notes = new Notes('clock', cluster.alias, tell)
  const unknown = 'its clock cannot be known without writing'
  const reading = await asked(() => readControllerClock(cluster))
  if (reading instanceof ClusterError) {
    // What a broker says of a request that only this needs would name the wrong release.
    const why = reading.code === 'UNSUPPORTED_VERSION' ? '' : ` (${reading.message})`
    notes.skipped(unknown + why, 'DESCRIBE on the cluster and Kafka 3.3 or newer would tell that of the controller')
    return
  }
  if (reading === undefined) {
    notes.skipped(unknown)
    return
  }
  const differenceMs = certainDifferenceMs(clockOffset(reading))
  const withinMs = Math.max(reading.answeredAtMs - reading.askedAtMs, 1)
  const size = Math.abs(differenceMs)
  if (size < CLOCK_WARNING_MS) {
    notes.ok(`its controller's clock agrees with the one here within ${Math.max(size, withinMs)} ms`)
    return
  }
  const message = `its controller's clock is ${duration(size / 1000)} ${differenceMs > 0 ? 'ahead of' : 'behind'} the one here`
  const remedy =
    'synchronise both (NTP): ages and lag in seconds by record timestamps, and FARLOG_DELAY, are wrong by as much'
  if (size < CLOCK_PROBLEM_MS) notes.warning(message, remedy)
  else notes.problem(message, remedy)
}

/** The protocol by which workers share out partitions, where it is not the one that every broker speaks. */
export async function checkGroupProtocol(cluster: Cluster, tell: Tell): Promise<void> {
  const notes = new Notes('versions', cluster.alias, tell)
  const lacking = await asked(() => assertConsumerProtocol(cluster))
  if (lacking instanceof ClusterError)
    notes.problem(lacking.message, 'unset FARLOG_GROUP_PROTOCOL, or upgrade the cluster')
}

/** Settings of brokers that matter here; all brokers are taken to have those of the first that tells. */
export type BrokerSettings = ReadonlyMap<string, string>

const SETTINGS = [
  'transactional.id.expiration.ms',
  'producer.id.expiration.ms',
  'offsets.retention.minutes',
  'message.max.bytes',
  'min.insync.replicas',
  'default.replication.factor',
  'log.message.timestamp.type',
  'log.message.timestamp.before.max.ms',
  'log.message.timestamp.after.max.ms',
  'log.message.timestamp.difference.max.ms',
  'socket.send.buffer.bytes',
  'socket.receive.buffer.bytes'
] as const

/** @returns `undefined` where the brokers do not tell */
export async function readBrokerSettings(cluster: Cluster, tell: Tell): Promise<BrokerSettings | undefined> {
  const [nodeId] = cluster.brokerIds
  const settings = nodeId === undefined ? undefined : await asked(() => brokerConfigs(cluster, nodeId, SETTINGS))
  if (!(settings instanceof ClusterError)) return settings
  const notes = new Notes('brokers', cluster.alias, tell)
  notes.skipped(
    `settings of its brokers are not told (${settings.message})`,
    'grant DESCRIBE_CONFIGS on the cluster to have them checked'
  )
  return undefined
}

const HOUR_MS = 3_600_000
const DAY_MINUTES = 24 * 60
/** The fence of a partition that stands still by an order is renewed every 12 hours (src/flow/partition-mirror.ts). */
const REMEMBERED_MS_MIN = 24 * HOUR_MS
/** Every fence is renewed once a day (src/flow/partition-mirror.ts), and a renewal may be late. */
const TRANSACTIONAL_ID_MS_MIN = 48 * HOUR_MS

/** Settings under which state that farlog keeps in the cluster is forgotten too soon. */
export function checkBrokerSettings(
  alias: string,
  role: 'source' | 'destination',
  settings: BrokerSettings,
  tell: Tell
): void {
  const notes = new Notes('brokers', alias, tell)
  const untold: string[] = []
  let isFine = true
  const tooLow = (name: (typeof SETTINGS)[number], minimum: number, consequence: string) => {
    const value = settings.get(name)
    if (value === undefined) untold.push(name)
    if (value === undefined || Number(value) >= minimum) return
    isFine = false
    notes.warning(`${name} is ${value}: ${consequence}`, `set it to ${minimum} or more`)
  }
  const groupsForgotten =
    role === 'source'
      ? 'when farlog is down for longer, its committed progress is gone, and only the copies tell where to go on'
      : 'offsets brought over for a group are gone when it is idle here for longer'
  tooLow('offsets.retention.minutes', DAY_MINUTES, groupsForgotten)
  if (role === 'destination') {
    tooLow(
      'producer.id.expiration.ms',
      REMEMBERED_MS_MIN,
      'leaders forget a writer, and the fence with it, while it is only idle or stopped'
    )
    tooLow(
      'transactional.id.expiration.ms',
      TRANSACTIONAL_ID_MS_MIN,
      'the fence of a partition is forgotten before it is renewed, and then does not shut out an earlier owner'
    )
  }
  if (untold.length > 0) notes.skipped(`its brokers do not tell ${untold.join(', ')}`)
  else if (isFine) notes.ok('they keep offsets and producer ids for long enough')
}

/** Limits that Kafka sets to us: in bytes a second at each broker, and in the time it may spend on us. */
export async function checkQuotas(cluster: Cluster, role: 'source' | 'destination', tell: Tell): Promise<void> {
  const notes = new Notes('quotas', cluster.alias, tell)
  const entries = await asked(() => clientQuotas(cluster))
  if (entries instanceof ClusterError) {
    const remedy = 'grant DESCRIBE_CONFIGS on the cluster to have them checked'
    notes.skipped(`quotas are not told (${entries.message})`, remedy)
    return
  }
  const { sasl } = cluster.config
  const user = sasl?.username?.()
  const inForce = quotasInForce(entries, user)
  const key = role === 'source' ? 'consumer_byte_rate' : 'producer_byte_rate'
  const bytesPerSecond = inForce.get(key)
  const whom = user === undefined ? 'whoever has no quota of their own' : `user ${user}`
  if (bytesPerSecond !== undefined) {
    const what = role === 'source' ? 'reading from' : 'writing to'
    notes.warning(
      `${what} each broker is limited to ${megabytes(bytesPerSecond)} a second for ${whom} (${key})`,
      'raise it if that is less than what comes in, or set FARLOG_MAX_BYTES_PER_SECOND below it'
    )
  }
  const percentage = inForce.get('request_percentage')
  if (percentage !== undefined) {
    notes.warning(
      `brokers spend ${percentage} % of a thread's time on ${whom} at most (request_percentage)`,
      'raise it if requests are throttled'
    )
  }
  if (bytesPerSecond === undefined && percentage === undefined) {
    const isUserKnown = user !== undefined || sasl === undefined
    notes.ok(
      isUserKnown ? 'none applies' : 'none applies, unless the user has one: what Kafka calls us is not known here'
    )
  }
}

/** Both ends in one cluster would copy its topics for ever. */
export function checkClusterIds(
  { source, destination }: FlowConfig,
  ids: readonly (string | undefined)[],
  tell: Tell
): void {
  const notes = new Notes('cluster ids', `${source.alias} → ${destination.alias}`, tell)
  const [sourceId, destinationId] = ids
  if (sourceId === undefined || destinationId === undefined) {
    notes.skipped('a cluster does not tell its id')
    return
  }
  if (sourceId !== destinationId) {
    notes.ok(`${sourceId} and ${destinationId} are two clusters`)
    return
  }
  notes.problem(`both are the same cluster (${sourceId})`, 'put one of the BOOTSTRAP_SERVERS right')
}

/** What was asked for, or why the cluster does not tell. */
async function asked<Answer>(ask: () => Promise<Answer>): Promise<Answer | ClusterError> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ClusterError) return error
    throw error
  }
}

/** `12.5 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
