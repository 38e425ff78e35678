import { Cluster } from '../cluster/cluster.ts'
import { readGroup } from '../cluster/group-state.ts'
import { EARLIEST, LATEST, listOffset, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { EventReader, eventTopic } from '../events/event-log.ts'
import { EventWriter } from '../events/event-writer.ts'
import { fromCommit } from '../flow/progress-metadata.ts'
import { requestId } from '../flow/resume-requests.ts'
import { FlowObserver } from './flow-observer.ts'
import type { PartitionRow } from './overview.ts'

/** The request makes no sense; the message says why, and what would. */
export class ResumeRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ResumeRefused'
  }
}

export interface ResumeOrder {
  readonly config: Config
  readonly flow: FlowConfig
  readonly topic: string
  readonly partition: number
  readonly from: number | 'earliest' | 'latest'
  /** Who asks for it. */
  readonly observer: string
  /** Hears what is done. */
  say(line: string): void
}

/** What has become of a request. */
export interface WrittenResume {
  /** The partition is to go on from there. */
  readonly nextSourceOffset: number
  readonly eventTopic: string
  readonly eventOffset: number
  /** Whether a worker has obeyed while it was waited for; the next one that owns the partition will, otherwise. */
  readonly isObeyed: boolean
}

const CLIENT_ID = 'farlog-resume'
/** The states in which a partition waits for somebody. */
const IN_TROUBLE: ReadonlySet<string> = new Set<PartitionRow['state']>(['gap', 'recreated', 'diverged'])
const OBEYED_TIMEOUT_MS = 30_000
const LOOK_FIRST_MS = 200
const LOOK_MAX_MS = 2_000

/**
 * Writes a request to go on, if the partition is in trouble, and waits a while for a worker to obey it.
 * @throws ResumeRefused; ClusterError where a cluster does not answer
 */
export async function requestResume(order: ResumeOrder): Promise<WrittenResume> {
  const { flow, topic, partition, observer, say } = order
  const signal = new AbortController().signal
  const row = await findRow(order, signal)
  await using source = new Cluster(flow.source, CLIENT_ID)
  await using destination = new Cluster(flow.destination, CLIENT_ID)
  await Promise.all([source.refresh([topic]), destination.refresh([row.destinationTopic])])
  if (!IN_TROUBLE.has(row.state) && !(await isHalted(order, destination, signal))) {
    throw new ResumeRefused(`${topic}-${partition} is ${row.state}: nothing has to be decided about it`)
  }
  const firstOffset = await resolveOffset(order, source)
  const copy = { topic: row.destinationTopic, partition }
  const destinationOffset = await listOffset(destination, copy, LATEST, 'read_uncommitted')
  const admin = new TopicAdmin(flow.destination, CLIENT_ID)
  const writer = new EventWriter(destination, admin, flow.source.alias, order.config.replicationFactor, CLIENT_ID)
  try {
    const offset = await writer.write({
      ...{ kind: 'RESUME', action: 'REQUESTED', topic, partition, observer, observedAt: Date.now() },
      ...{ source: flow.source.alias, destination: flow.destination.alias },
      topicId: source.topic(topic)?.topicId ?? '',
      ...{ firstOffset, nextOffset: firstOffset, destinationOffset },
      detail: `${observer} wants ${topic}-${partition} to go on from offset ${firstOffset}`
    })
    const log = eventTopic(flow.source.alias)
    say(`${topic}-${partition} is to go on from source offset ${firstOffset}: written to ${log} at offset ${offset}`)
    await destination.refresh([log])
    const id = requestId(destination.topic(log)?.topicId ?? '', offset)
    const isObeyed = await waitUntilObeyed(order, source, id, signal)
    say(isObeyed ? 'A worker has obeyed.' : 'No worker has obeyed yet: the next one that owns the partition will.')
    return { nextSourceOffset: firstOffset, eventTopic: log, eventOffset: offset, isObeyed }
  } finally {
    await Promise.all([writer.close(), admin.close()])
  }
}

async function findRow({ config, flow, topic, partition }: ResumeOrder, signal: AbortSignal): Promise<PartitionRow> {
  const topics = [topic.replaceAll('.', '\\.')]
  await using observed = new FlowObserver(config, flow, { topics, nowMs: () => Date.now() })
  const { partitions, problems } = await observed.observe(signal)
  if (problems[0] !== undefined) throw new ResumeRefused(problems[0].message)
  const row = partitions.find(row => row.topic === topic && row.partition === partition)
  if (row === undefined) throw new ResumeRefused(`${topic}-${partition} is not mirrored to ${flow.destination.alias}`)
  return row
}

/** What a worker saw may not be seen from outside: a log that was cut back and has grown again. */
async function isHalted(order: ResumeOrder, destination: Cluster, signal: AbortSignal): Promise<boolean> {
  const { events } = await new EventReader(destination, order.flow.source.alias).read(signal)
  const newest = events.findLast(
    ({ event }) => event.destination === order.flow.destination.alias && partitionKey(event) === partitionKey(order)
  )
  return newest?.event.action === 'HALTED'
}

async function resolveOffset({ topic, partition, from }: ResumeOrder, source: Cluster): Promise<number> {
  const asked: TopicPartition = { topic, partition }
  const [logStart, logEnd] = await Promise.all([
    listOffset(source, asked, EARLIEST, 'read_uncommitted'),
    listOffset(source, asked, LATEST, 'read_committed')
  ])
  if (from === 'earliest') return logStart
  if (from === 'latest') return logEnd
  if (from >= logStart && from <= logEnd) return from
  throw new ResumeRefused(`--from ${from}: the source has ${topic}-${partition} from offset ${logStart} to ${logEnd}`)
}

/** The group tells, once progress has been committed that knows of the request. */
async function waitUntilObeyed(order: ResumeOrder, source: Cluster, id: string, signal: AbortSignal): Promise<boolean> {
  const { config, flow } = order
  const backoff = new Backoff(LOOK_FIRST_MS, LOOK_MAX_MS)
  const deadlineMs = performance.now() + OBEYED_TIMEOUT_MS
  for (;;) {
    const { committed, members } = await readGroup(source, flow.groupId, config.groupProtocol, signal)
    const own = committed.find(commit => partitionKey(commit) === partitionKey(order))
    if (own !== undefined && fromCommit(own).resumed === id) return true
    if (members === 0 || performance.now() > deadlineMs) return false
    await pause(backoff.nextMs(), signal)
  }
}
