/**
 * `farlog doctor`: everything that a worker will need, tried with the given configuration before it is needed.
 *
 *     the HTTP port ─▶ each cluster: reached? clock, settings, quotas, buffers ─▶ this machine
 *                   ─▶ each flow: two clusters? plan, topics, lag ─▶ its links, with real data
 *
 * What can't be reached is told once; what needs it is left out. Nothing is changed, but for --write-test.
 */
import { Cluster } from '../cluster/cluster.ts'
import { replicaCounts } from '../cluster/cluster-questions.ts'
import { ClusterError } from '../cluster/errors.ts'
import { listGroups } from '../cluster/group-list.ts'
import { HEARTBEATS_TOPIC } from '../config/name-filter.ts'
import type { ClusterConfig, Config, FlowConfig } from '../config/types.ts'
import { type FlowFacts, readFacts } from '../plan/facts.ts'
import { planFlow } from '../plan/plan-flow.ts'
import { FlowObserver } from '../status/flow-observer.ts'
import { checkBacklogAge } from './backlog-age.ts'
import { checkBuffers } from './buffers.ts'
import {
  type BrokerSettings,
  checkBrokerSettings,
  checkClock,
  checkClusterIds,
  checkGroupProtocol,
  checkQuotas,
  readBrokerSettings
} from './cluster-checks.ts'
import { type Examination, examination, type Finding, Notes, type Tell } from './finding.ts'
import { checkHttpPort } from './http-port.ts'
import { checkLag, longestRetentionSeconds } from './lag-check.ts'
import { checkDestinationLink, checkSourceLink } from './link.ts'
import { checkMachine, kernelBufferBytes, machineFacts } from './machine.ts'
import { checkReach, type Reached } from './reach.ts'
import { makeInTurn, type Step } from './steps.ts'
import { checkTopics } from './topic-checks.ts'

export interface DoctorOptions {
  /** Topic at the destination that may be written to, to measure that link; `undefined`: nothing is written. */
  readonly writeTestTopic: string | undefined
  readonly signal: AbortSignal
}

type Role = 'source' | 'destination'

/** A cluster that answers. */
interface Patient {
  readonly cluster: Cluster
  readonly roundTripMs: NonNullable<Reached['roundTripMs']>
  readonly settings: BrokerSettings | undefined
}

const CLIENT_ID = 'farlog-doctor'
const BROKERS_WHEN_UNKNOWN = 3

/** Makes all checks, one after the other so that they do not disturb each other's measurements. */
export async function examine(config: Config, options: DoctorOptions, onFinding: Tell): Promise<Examination> {
  const findings: Finding[] = []
  const tell: Tell = finding => {
    findings.push(finding)
    onFinding(finding)
  }
  new Notes('configuration', null, tell).ok(
    `valid: ${config.flows.length === 1 ? '1 flow' : `${config.flows.length} flows`}`
  )
  checkHttpPort(config.http, tell)
  await using open = new AsyncDisposableStack()
  const patients = new Map<string, Patient | undefined>()
  for (const [cluster, role] of clustersOf(config)) {
    options.signal.throwIfAborted()
    patients.set(cluster.alias, await examineCluster(open.use(new Cluster(cluster, CLIENT_ID)), role, config, tell))
  }
  const brokers = [...patients.values()].map(patient => patient?.cluster.brokerIds.length ?? BROKERS_WHEN_UNKNOWN)
  checkMachine(
    config,
    brokers.reduce((sum, count) => sum + count, 0),
    machineFacts(),
    tell
  )
  for (const flow of config.flows) {
    options.signal.throwIfAborted()
    const source = patients.get(flow.source.alias)
    const destination = patients.get(flow.destination.alias)
    if (source !== undefined && destination !== undefined) {
      await examineFlow(config, flow, { source, destination }, options, tell)
    }
  }
  return examination(findings)
}

function clustersOf({ flows }: Config): [ClusterConfig, Role][] {
  const [first] = flows
  return [
    [first!.source, 'source'],
    ...flows.map(({ destination }): [ClusterConfig, Role] => [destination, 'destination'])
  ]
}

async function examineCluster(
  cluster: Cluster,
  role: Role,
  { groupProtocol }: Config,
  tell: Tell
): Promise<Patient | undefined> {
  const notes = new Notes('connection', cluster.alias, tell)
  try {
    const { roundTripMs } = await checkReach(cluster, CLIENT_ID, tell)
    if (roundTripMs === undefined) {
      notes.skipped('nothing else can be found out about it')
      return undefined
    }
    if (role === 'source' && groupProtocol === 'consumer') await checkGroupProtocol(cluster, tell)
    await checkClock(cluster, tell)
    const settings = await readBrokerSettings(cluster, tell)
    if (settings !== undefined) checkBrokerSettings(cluster.alias, role, settings, tell)
    await checkQuotas(cluster, role, tell)
    const kernelBytesMax = kernelBufferBytes(role === 'source' ? 'tcp_rmem' : 'tcp_wmem')
    checkBuffers({ alias: cluster.alias, role, roundTripMs: roundTripMs.max, settings, kernelBytesMax }, tell)
    return { cluster, roundTripMs, settings }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    notes.problem(error.message, null)
    return undefined
  }
}

async function examineFlow(
  config: Config,
  flow: FlowConfig,
  { source, destination }: { source: Patient; destination: Patient },
  { writeTestTopic, signal }: DoctorOptions,
  tell: Tell
): Promise<void> {
  const name = `${flow.source.alias} → ${flow.destination.alias}`
  const ids = [source.cluster.clusterId, destination.cluster.clusterId]
  checkClusterIds(flow, ids, tell)
  if (ids[0] !== undefined && ids[0] === ids[1]) return
  const facts = await checkPlan(config, flow, name, tell)
  if (facts !== undefined) await checkCopies(config, flow, facts, { source, destination }, signal, tell)
  if (writeTestTopic !== undefined) await checkDestinationLink(destination.cluster, writeTestTopic, tell)
  else
    new Notes('link', flow.destination.alias, tell).skipped(
      'not measured without writing',
      'name a topic by --write-test to do that'
    )
}

/** What is to be copied: whether it will be taken, how far it is, and how fast it comes. */
async function checkCopies(
  config: Config,
  flow: FlowConfig,
  { pairs }: FlowFacts,
  { source, destination }: { source: Patient; destination: Patient },
  signal: AbortSignal,
  tell: Tell
): Promise<void> {
  const name = `${flow.source.alias} → ${flow.destination.alias}`
  const { settings } = destination
  const topics = async () => {
    const there = pairs.filter(({ destinationPartitions }) => destinationPartitions > 0)
    const copies = there.map(({ destinationTopic }) => destinationTopic)
    const replicas = await replicaCounts(destination.cluster, copies)
    const { syncTopicConfigs, replicationFactor } = config
    checkTopics(name, pairs, { syncTopicConfigs, replicationFactor, settings, replicas }, tell)
  }
  const lag = async () => {
    const overview = await overviewOf(config, flow, source.cluster, signal)
    const configs = new Map(pairs.map(({ topic, sourceConfig }) => [topic, sourceConfig]))
    checkLag(name, overview, configs, config.delayMs / 1000, tell)
    if (config.delivery !== 'exactly-once') return
    // Of farlog's own heartbeats the last is kept, and it is young.
    const copied = [...configs].flatMap(([topic, topicConfig]) => (topic === HEARTBEATS_TOPIC ? [] : [topicConfig]))
    const firstAgeSeconds = config.start === 'latest' ? 0 : longestRetentionSeconds(copied)
    checkBacklogAge(name, overview?.totals.lagSeconds ?? firstAgeSeconds, settings, tell)
  }
  const link = async () => {
    await source.cluster.refresh(pairs.map(({ topic }) => topic))
    const partitions = pairs.flatMap(({ topic, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    )
    await checkSourceLink(source.cluster, partitions, tell)
  }
  const steps: Step[] = [
    ['topics', topics],
    ['lag', lag],
    ['link', link]
  ]
  await makeInTurn(name, steps, tell)
}

/**
 * How far each partition is mirrored; `undefined` where no worker has ever run. To look for a group's coordinator where there has
 * never been a group would have Kafka make its topic of offsets, so that the groups are listed first.
 */
async function overviewOf(config: Config, flow: FlowConfig, source: Cluster, signal: AbortSignal) {
  const groups = await listGroups(source)
  if (!groups.some(({ groupId }) => groupId === flow.groupId)) return undefined
  await using observer = new FlowObserver(config, flow, { topics: undefined, nowMs: () => Date.now() })
  return await observer.observe(signal)
}

/** What `farlog plan` would say: ACLs, names, partitions, and whatever the destination would refuse. */
async function checkPlan(config: Config, flow: FlowConfig, name: string, tell: Tell): Promise<FlowFacts | undefined> {
  const notes = new Notes('plan', name, tell)
  try {
    const facts = await readFacts(config, flow)
    const { blockers, notes: toKnow, topics } = planFlow(config, flow, facts)
    for (const { code, message } of blockers) notes.problem(message, code === 'MISSING_ACL' ? 'grant it' : null)
    for (const note of toKnow) notes.warning(note, 'see farlog plan')
    if (topics.length === 0) notes.warning('no topic is selected', 'see FARLOG_TOPICS and FARLOG_TOPICS_EXCLUDE')
    else if (blockers.length === 0)
      notes.ok(`nothing stands in the way of ${topics.length === 1 ? '1 topic' : `${topics.length} topics`}`)
    return facts
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    notes.problem(error.message, null)
    return undefined
  }
}
