/**
 * The control side of one flow, in the main thread: which topics, which partitions of them are ours, who of the data
 * plane mirrors them, and how far the group knows we are.
 *
 *     catalog (every refresh interval) ──▶ subscribe ──▶ group ──assigned──▶ committed progress ──▶ data plane
 *                                                          │                                         │ reports
 *                                                          └──revoked──▶ drain ──▶ commit ◀──────────┘
 */
import { Cluster } from '../cluster/cluster.ts'
import { type CommittedOffset, GroupMember } from '../cluster/group-member.ts'
import { assertConsumerProtocol, isMember } from '../cluster/group-state.ts'
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause, within } from '../cluster/retry.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import { HEARTBEATS_TOPIC, isHeartbeatProbe } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { LoggedOrder } from '../events/event-log.ts'
import { orderStatus, stopStatus } from '../events/flow-order.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { FlowStatus } from '../observe/status.ts'
import type { VerifiedFlow } from './background-verifier.ts'
import type { DataPlane, Released } from './data-plane.ts'
import type { LogSink } from './flow-context.ts'
import { FlowEvents } from './flow-events.ts'
import { FlowLedger } from './flow-ledger.ts'
import { FlowOffsets } from './flow-offsets.ts'
import type { Assignment, FlowReport } from './messages.ts'
import { fromCommit, toCommit } from './progress-metadata.ts'
import { TopicCatalog } from './topic-catalog.ts'

const COMMIT_INTERVAL_MS = 3_000
/** What somebody waits for does not wait for that. */
const COMMIT_LOOK_INTERVAL_MS = 250
/** How soon a request to go on, or an order, is heard of. */
const REQUESTS_INTERVAL_MS = 2_000
/** What is in flight gets this long in a rebalance; the rest is copied by the next owner. */
const DRAIN_MS = 5_000
/** What a stop waits for questions under way, before it goes on without their answers. */
const WIND_UP_MS = 1_000
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 15_000

export interface FlowControlOptions {
  readonly index: number
  readonly flow: FlowConfig
  readonly config: Config
  readonly clientId: string
  readonly dataPlane: DataPlane
  readonly metrics: Metrics
  readonly log: LogSink
  /** This worker has lost its place in the group for good: only a new process gets one again. */
  readonly onMembershipEnded: (error: Error) => void
}

type Side = 'source' | 'destination'

export class FlowControl {
  readonly #options: FlowControlOptions
  readonly #log: LogSink
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #sourceAdmin: TopicAdmin
  readonly #destinationAdmin: TopicAdmin
  readonly #catalog: TopicCatalog
  readonly #ledger: FlowLedger
  readonly #events: FlowEvents
  readonly #offsets: FlowOffsets
  readonly #stopping = new AbortController()
  #member: GroupMember | undefined
  /**
   * Keeps a second copy of progress, in a group of the same name at the destination that nobody is a member of: Kafka
   * deletes a group's offsets together with the topic, and a topic made anew at the source would not be recognised.
   */
  #memory: GroupMember | undefined
  /** Whose certificates have changed. */
  readonly #replacing = new Set<Side>()
  #subscribedTopics: readonly string[] = []
  #hasSubscribed = false
  #running: Promise<void> | undefined
  #committing: Promise<void> = Promise.resolve()
  /** What is still missing before this flow can mirror; `null` when nothing is. */
  #notReadyReason: string | null = 'the clusters have not answered yet'
  #isJoined = false
  /** The group has taken everything away without asking, and has not said since what is ours. */
  #isCutOff = false
  #loading = 0
  #orderPassedOn: LoggedOrder | undefined

  constructor(options: FlowControlOptions) {
    this.#options = options
    const { flow, config, clientId } = options
    const flowFields = { source: flow.source.alias, destination: flow.destination.alias }
    this.#log = (level, message, fields) => options.log(level, message, { ...flowFields, ...fields })
    this.#source = new Cluster(flow.source, clientId)
    this.#destination = new Cluster(flow.destination, clientId)
    this.#sourceAdmin = new TopicAdmin(flow.source, clientId)
    this.#destinationAdmin = new TopicAdmin(flow.destination, clientId)
    this.#catalog = new TopicCatalog(
      config,
      {
        source: this.#source,
        destination: this.#destination,
        sourceAdmin: this.#sourceAdmin,
        destinationAdmin: this.#destinationAdmin
      },
      this.#log,
      () => this.#events.orders.standing !== undefined
    )
    this.#ledger = new FlowLedger(flow, options.metrics, topic => isHeartbeatProbe(config, topic))
    this.#events = new FlowEvents({
      flow,
      destination: this.#destination,
      admin: this.#destinationAdmin,
      replicationFactor: config.replicationFactor,
      clientId,
      metrics: options.metrics,
      log: this.#log
    })
    this.#offsets = new FlowOffsets({
      ...{ flow, config, clientId, log: this.#log },
      ...{ source: this.#source, destination: this.#destination },
      ...{ sourceAdmin: this.#sourceAdmin, destinationAdmin: this.#destinationAdmin },
      isInCharge: () => this.#isInCharge,
      destinationTopicOf: topic => this.#catalog.topics.get(topic)?.destinationTopic,
      firstDestinationOffset: (partition, offset) => this.#events.restarts.firstDestinationOffset(partition, offset),
      heartbeatsCopy: this.#catalog.destinationTopic(HEARTBEATS_TOPIC)
    })
  }

  /** Owning the first partition is being in charge of what one worker does for all. */
  get #isInCharge(): boolean {
    const first = this.#subscribedTopics[0]
    if (this.#member === undefined || this.#isCutOff) return false
    return first === undefined || this.#ledger.owns({ topic: first, partition: 0 })
  }

  get notReadyReason(): string | null {
    if (this.#notReadyReason !== null) return this.#notReadyReason
    if (!this.#isJoined) return `group ${this.#options.flow.groupId} has not been joined yet`
    return this.#loading > 0 ? 'progress is being loaded' : null
  }

  get status(): FlowStatus {
    const status = this.#ledger.status(performance.now(), topic => this.#catalog.topics.get(topic)?.retentionMs)
    // Before the partitions are known, their sum would be a zero that looks like good news.
    const { notReadyReason } = this
    const isKnown = notReadyReason === null && !this.#isCutOff
    const exposure = isKnown ? status.exposure : { records: null, seconds: null }
    return {
      ...status,
      notReadyReason,
      exposure,
      etaSeconds: isKnown ? status.etaSeconds : null,
      events: this.#events.recent,
      halts: this.#events.halts,
      stopped: stopStatus(this.#events.orders.newest?.order),
      order: orderStatus(this.#events.orders.newest?.order),
      groups: this.#offsets.groups(performance.now()),
      heartbeatAgeSeconds: this.#offsets.heartbeatAgeSeconds
    }
  }

  start(): void {
    this.#running = Promise.all([
      this.#watchTopics(),
      this.#commitRegularly(),
      this.#followRequests(),
      this.#offsets.run(this.#stopping.signal)
    ]).then(() => {})
  }

  /** News from a data-plane thread. */
  receive(report: FlowReport): void {
    this.#ledger.receive(report, performance.now())
    for (const trouble of report.troubles) this.#events.tell(trouble)
  }

  /** What verification in the background needs of this flow. */
  get verification(): VerifiedFlow {
    return {
      mirrored: () => this.#ledger.mirrored(),
      verified: (partition, sourceOffset) => this.#ledger.verified(partition, sourceOffset),
      foundDifferences: (partition, differences) => this.#ledger.foundDifferences(partition, differences),
      ended: () => this.#ledger.forgetVerified()
    }
  }

  /** Drains, commits and leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    // What asks a cluster that does not answer has nothing left to do: closing the connections ends it.
    if (this.#running !== undefined) await within(this.#running, WIND_UP_MS)
    // The hand-over in the first one commits through the second.
    await this.#member?.close(() => {
      const { flow, config, clientId } = this.#options
      return isMember(this.#source, flow.groupId, config.groupProtocol, clientId)
    })
    await this.#memory?.close()
    await Promise.all([this.#events.close(), this.#offsets.close()])
    await Promise.all([
      this.#source.close(),
      this.#destination.close(),
      this.#sourceAdmin.close(),
      this.#destinationAdmin.close()
    ])
  }

  /** Keeps the catalog true and the subscription with it, for as long as the flow runs. */
  async #watchTopics(): Promise<void> {
    const signal = this.#stopping.signal
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    while (!signal.aborted) {
      let pauseMs = this.#options.config.refreshIntervalMs
      try {
        await this.#refresh()
        this.#notReadyReason = null
        // Many topics at once take their brokers longer than we wait for them.
        if (this.#catalog.isComplete) backoff.reset()
        else pauseMs = Math.min(backoff.nextMs(), pauseMs)
      } catch (error) {
        const reason = messageOf(error)
        // A worker that has been ready stays so: what it mirrors does not depend on this.
        if (this.#member === undefined) this.#notReadyReason = reason
        this.#log('warn', 'looking for topics failed, trying again', { error: reason })
        pauseMs = Math.min(backoff.nextMs(), pauseMs)
      }
      await pause(pauseMs, signal)
    }
  }

  async #refresh(): Promise<void> {
    await this.#catalog.refresh()
    const member = this.#member ?? (await this.#connectMembers())
    const topics = [...this.#catalog.topics.keys()].sort()
    for (const { destinationTopic, batchBytesMax } of this.#catalog.topics.values()) {
      this.#options.dataPlane.setBatchLimit(this.#options.index, destinationTopic, batchBytesMax)
    }
    if (this.#hasSubscribed && topics.join() === this.#subscribedTopics.join()) return
    this.#hasSubscribed = true
    this.#subscribedTopics = topics
    this.#log('info', 'topics selected', { topics: topics.length })
    member.subscribe(topics)
    if (topics.length === 0) this.#isJoined = true
  }

  async #connectMembers(): Promise<GroupMember> {
    if (this.#options.config.groupProtocol === 'consumer') await assertConsumerProtocol(this.#source)
    const member = this.#newMember('source')
    const memory = this.#newMember('destination')
    try {
      await Promise.all([member.connect(), memory.connect()])
    } catch (error) {
      await Promise.all([member.close(), memory.close()])
      throw error
    }
    this.#memory = memory
    this.#member = member
    return member
  }

  /** Another member with the certificates of now, for one that has old ones; as often as it takes. */
  async #replaceMember(side: Side): Promise<void> {
    if (this.#replacing.has(side) || this.#stopping.signal.aborted) return
    this.#replacing.add(side)
    this.#log('info', 'certificates have changed: connecting to the group anew', {
      cluster: this.#options.flow[side].alias
    })
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    while (!this.#stopping.signal.aborted) {
      let successor: GroupMember | undefined
      try {
        successor = this.#newMember(side)
        await successor.connect()
        await this.#succeed(side, successor)
        break
      } catch (error) {
        this.#log('warn', 'connecting to the group failed, trying again', { error: messageOf(error) })
        await successor?.close()
        await pause(backoff.nextMs(), this.#stopping.signal)
      }
    }
    this.#replacing.delete(side)
  }

  async #succeed(side: Side, successor: GroupMember): Promise<void> {
    const predecessor = side === 'source' ? this.#member : this.#memory
    if (side === 'destination') this.#memory = successor
    // What it owns it gives back, and commits, before somebody else is given it.
    await predecessor?.close()
    if (side === 'destination') return
    this.#member = successor
    successor.subscribe(this.#subscribedTopics)
  }

  #newMember(side: Side): GroupMember {
    const { flow, config, clientId } = this.#options
    // A client that commits without joining is no member, and the coordinator takes nothing from one it does not know.
    const joins = side === 'source'
    const groupInstanceId = joins ? config.groupInstanceId : undefined
    return new GroupMember({
      cluster: flow[side],
      groupId: flow.groupId,
      groupProtocol: joins ? config.groupProtocol : 'classic',
      groupInstanceId,
      metadataRefreshMs: config.refreshIntervalMs,
      clientId,
      listener: {
        assigned: partitions => void this.#assigned(partitions),
        revoked: (partitions, isLost) => this.#revoked(partitions, isLost),
        ended: error => this.#options.onMembershipEnded(new MembershipEndedError(flow.groupId, groupInstanceId, error)),
        troubled: error => this.#log('warn', 'the group coordinator is in trouble', { error: error.message }),
        outdated: () => void this.#replaceMember(side)
      }
    })
  }

  async #assigned(partitions: readonly TopicPartition[]): Promise<void> {
    this.#isJoined = true
    this.#isCutOff = false
    this.#options.metrics.countRebalance(this.#ledger.labels)
    this.#log('info', 'partitions assigned', { partitions: partitions.length })
    this.#ledger.own(partitions)
    this.#loading++
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    try {
      let waiting = partitions
      while (waiting.length > 0 && !this.#stopping.signal.aborted) {
        try {
          waiting = await this.#handOver(waiting)
          if (waiting.length === 0) return
          // The group's leader knew of a topic or partition before us, or the destination could not be prepared.
          await pause(backoff.nextMs(), this.#stopping.signal)
          await this.#catalog.refresh()
        } catch (error) {
          this.#log('warn', 'loading progress failed, trying again', { error: messageOf(error) })
          await pause(backoff.nextMs(), this.#stopping.signal)
        }
        waiting = waiting.filter(partition => this.#ledger.owns(partition))
      }
    } finally {
      this.#loading--
    }
  }

  /** Gives partitions to the data plane with their committed progress; returns those the catalog does not know yet. */
  async #handOver(partitions: readonly TopicPartition[]): Promise<TopicPartition[]> {
    const known = partitions.filter(({ topic, partition }) => {
      const found = this.#catalog.topics.get(topic)
      return found !== undefined && partition < found.partitions
    })
    const [committed, remembered] = await Promise.all([
      this.#member!.committed(known),
      this.#memory!.committed(known.map(partition => this.#atDestination(partition))),
      this.#events.refresh()
    ])
    const atSource = new Map(committed.map(commit => [partitionKey(commit), fromCommit(commit)]))
    const atDestination = new Map(remembered.map(commit => [partitionKey(commit), fromCommit(commit)]))
    const assignments: Assignment[] = []
    for (const key of known) {
      if (!this.#ledger.owns(key)) continue
      const { destinationTopic, batchBytesMax } = this.#catalog.topics.get(key.topic)!
      const last =
        atSource.get(partitionKey(key)) ??
        atDestination.get(partitionKey(this.#atDestination(key))) ??
        this.#ledger.remembered(key)
      const progress = this.#events.requests.overruling(key, last) ?? last
      assignments.push({ ...key, destinationTopic, batchBytesMax, progress })
    }
    this.#options.dataPlane.assign(this.#options.index, assignments.map(plain))
    return partitions.filter(partition => !known.includes(partition))
  }

  async #revoked(partitions: readonly TopicPartition[], isLost: boolean): Promise<void> {
    this.#options.metrics.countRebalance(this.#ledger.labels)
    this.#log(isLost ? 'warn' : 'info', isLost ? 'partitions lost' : 'partitions revoked', {
      partitions: partitions.length
    })
    this.#ledger.disown(partitions)
    if (isLost) this.#isCutOff = true
    const released = await this.#options.dataPlane.release(this.#options.index, partitions, isLost ? 0 : DRAIN_MS)
    if (isLost) this.#ledger.remember(released)
    else await this.#commitReleased(released)
    this.#ledger.forget(partitions)
  }

  async #commitReleased(released: Released): Promise<void> {
    const commits = released.flatMap(({ progress, ...key }) =>
      progress === undefined ? [] : [toCommit(key, progress)]
    )
    try {
      await this.#committing
      await this.#commit(commits)
    } catch (error) {
      // Nothing is lost by it: the next owner reads the destination log.
      this.#log('warn', 'committing progress at the hand-over failed', { error: messageOf(error) })
    }
  }

  /** Has partitions go on where somebody has said so since they were handed over; again until they have obeyed. */
  async #followRequests(): Promise<void> {
    const signal = this.#stopping.signal
    while (!signal.aborted) {
      await pause(REQUESTS_INTERVAL_MS, signal)
      if (signal.aborted) return
      // Also outside the group: orders stand at the destination, and who has lost the source is to know of them.
      try {
        await this.#events.refresh()
      } catch (error) {
        this.#log('debug', 'reading the event log failed, trying again', { error: messageOf(error) })
      }
      this.#passOnOrder()
      for (const { topic, partition, progress } of this.#ledger.resumable()) {
        const overruling = this.#events.requests.overruling({ topic, partition }, progress)
        if (overruling === undefined) continue
        this.#options.dataPlane.resume(this.#options.index, { topic, partition }, overruling)
      }
    }
  }

  /** Threads read the log where they have to be sure; this is for what they have under way. */
  #passOnOrder(): void {
    const { newest, standing } = this.#events.orders
    if (newest === this.#orderPassedOn) return
    this.#orderPassedOn = newest
    if (standing !== undefined) this.#log('warn', 'the flow is stopped by an order', { ...stopStatus(standing) })
    else this.#log('info', 'no order stops the flow any more', { orderedBy: newest?.order.orderedBy })
    this.#options.dataPlane.order(this.#options.index, newest)
  }

  async #commitRegularly(): Promise<void> {
    const signal = this.#stopping.signal
    let committedAtMs = performance.now()
    while (!signal.aborted) {
      await pause(COMMIT_LOOK_INTERVAL_MS, signal)
      const isDue = performance.now() - committedAtMs >= COMMIT_INTERVAL_MS
      if (!isDue && !this.#ledger.hasUrgent && !signal.aborted) continue
      committedAtMs = performance.now()
      this.#committing = this.#commitChanged()
      await this.#committing
    }
  }

  async #commitChanged(): Promise<void> {
    const changed = this.#ledger.takeUncommitted()
    if (changed.length === 0 || this.#member === undefined) return
    try {
      await this.#commit(changed.map(({ progress, ...key }) => toCommit(key, progress)))
    } catch (error) {
      this.#ledger.putBack(changed)
      this.#options.metrics.countRetry(this.#ledger.labels, 'commit')
      this.#log('debug', 'committing progress failed, trying again', { error: messageOf(error) })
    }
  }

  /** To both places, whatever becomes of the other one. @throws the first failure */
  async #commit(commits: readonly CommittedOffset[]): Promise<void> {
    const outcomes = await Promise.allSettled([
      this.#member!.commit(commits),
      this.#memory!.commit(commits.map(commit => this.#atDestination(commit)))
    ])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  #atDestination<Key extends TopicPartition>(partition: Key): Key {
    return { ...partition, topic: this.#catalog.destinationTopic(partition.topic) }
  }
}

/** Without what librdkafka adds to a topic partition. */
function plain(assignment: Assignment): Assignment {
  const { topic, partition, destinationTopic, batchBytesMax, progress } = assignment
  return { topic, partition, destinationTopic, batchBytesMax, progress }
}

/** Of two workers with one FARLOG_GROUP_INSTANCE_ID the group knows the one that came last. */
class MembershipEndedError extends Error {
  readonly code = 'MEMBERSHIP_ENDED'
  readonly remedy: string | undefined

  constructor(groupId: string, groupInstanceId: string | undefined, cause: Error) {
    const isReplaced = groupInstanceId !== undefined
    super(isReplaced ? `another worker has joined group ${groupId} as ${groupInstanceId}` : cause.message, { cause })
    this.name = 'MembershipEndedError'
    this.remedy = isReplaced ? 'give each worker a FARLOG_GROUP_INSTANCE_ID of its own' : undefined
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
