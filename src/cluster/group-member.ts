/**
 * Membership in a consumer group on the source cluster: which source partitions this worker owns, and the progress it
 * commits for them. Nothing is consumed through it. librdkafka joins, heartbeats from a thread of its own (so a busy
 * data plane is not thrown out) and fences commits by generation; every partition it assigns is paused at once.
 */
import kafka from '@confluentinc/kafka-javascript'
import type { ClusterConfig } from '../config/types.ts'
import { type ClusterError, librdkafkaError } from './errors.ts'
import { type KeptSecrets, readSecurity } from './kept-secrets.ts'
import { hearTroubles } from './librdkafka-troubles.ts'
import { partitionKey, type TopicPartition } from './offsets.ts'
import { Backoff, pause, within } from './retry.ts'

/** Progress of one partition as the group keeps it. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly metadata: string
}

export interface GroupMemberListener {
  /** These are owned from now on. */
  assigned(partitions: readonly TopicPartition[]): void
  /**
   * These are to be let go; the group waits until it resolves.
   * @param isLost they may be owned by somebody else already: drain nothing, commit nothing
   */
  revoked(partitions: readonly TopicPartition[], isLost: boolean): Promise<void>
  /** The membership is over for good, as where another member has come under the same instance id. */
  ended?(error: Error): void
  /** Something went wrong that librdkafka tries again by itself. */
  troubled(error: Error): void
  /** The files for TLS have changed, and this member can't be told: another one is to take its place. */
  outdated(): void
}

export interface GroupMemberOptions {
  readonly cluster: ClusterConfig
  readonly groupId: string
  readonly groupProtocol: 'classic' | 'consumer'
  /** Static membership (KIP-345). Not for a client that commits without joining: the coordinator would not know it. */
  readonly groupInstanceId?: string | undefined
  /** How often librdkafka looks for new partitions of the topics it was told. */
  readonly metadataRefreshMs: number
  readonly clientId: string
  readonly listener: GroupMemberListener
}

/** Version of the native library underneath. */
export const LIBRDKAFKA_VERSION: string = kafka.librdkafkaVersion

/**
 * After this long without a heartbeat the group gives a member's partitions to others: short, because lag grows until
 * then; long enough for a stop of the whole process that is not a death.
 */
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_INTERVAL_MS = 2_500
/**
 * How long a member waits for the answer to its joining, and the group for a member to hand over: a coordinator that
 * vanishes without a word is given up after it. Well above the ten seconds that a hand-over takes.
 */
const REBALANCE_TIMEOUT_MS = 60_000
/** Callbacks are only called while something polls. */
const POLL_INTERVAL_MS = 100
const REQUEST_TIMEOUT_MS = 10_000
/** A hand-over must not wait for a coordinator that stands still: a commit only saves the next owner some reading. */
const COMMIT_TIMEOUT_MS = 3_000
/** The coordinator writes what comes in one request as one batch, which `max.message.bytes` of its own topic limits. */
const COMMITTED_AT_ONCE_MAX = 1_000
/** Draining and committing have limits of their own, below this. */
const HAND_OVER_TIMEOUT_MS = 10_000
const LEAVE_TIMEOUT_MS = 3_000
const LEAVE_LOOK_FIRST_MS = 5
const LEAVE_LOOK_MAX_MS = 100
const CLOSE_TIMEOUT_MS = 5_000

const ASSIGN_PARTITIONS = kafka.CODES.ERRORS.ERR__ASSIGN_PARTITIONS
const REVOKE_PARTITIONS = kafka.CODES.ERRORS.ERR__REVOKE_PARTITIONS

/** What the library has and its type declarations leave out. */
type CooperativeConsumer = kafka.KafkaConsumer & {
  incrementalAssign(partitions: readonly TopicPartition[]): void
  incrementalUnassign(partitions: readonly TopicPartition[]): void
  assignmentLost(): boolean
}

export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #consumer: CooperativeConsumer
  readonly #secrets: KeptSecrets
  #trouble: ClusterError | undefined
  #polling: NodeJS.Timeout | undefined
  #isPolling = false
  /** Commits whose outcome is not known yet, oldest first: the coordinator answers in order. */
  readonly #commits: ((error: unknown) => void)[] = []
  #isCoordinatorSilent = false
  #owned = new Map<string, TopicPartition>()
  #whenEmpty: (() => void) | undefined
  #isClosing = false

  /** @throws ClusterError where a secret's file cannot be read */
  constructor(options: GroupMemberOptions) {
    this.#options = options
    const security = readSecurity(options.cluster)
    this.#secrets = security.secrets
    const classic = {
      'partition.assignment.strategy': 'cooperative-sticky',
      'session.timeout.ms': SESSION_TIMEOUT_MS,
      'heartbeat.interval.ms': HEARTBEAT_INTERVAL_MS
    }
    const consumer = new kafka.KafkaConsumer(
      {
        ...security.options,
        'client.id': options.clientId,
        'group.id': options.groupId,
        'group.protocol': options.groupProtocol,
        ...(options.groupProtocol === 'classic' ? classic : {}),
        ...(options.groupInstanceId === undefined ? {} : { 'group.instance.id': options.groupInstanceId }),
        'enable.auto.commit': false,
        'enable.auto.offset.store': false,
        'topic.metadata.refresh.interval.ms': options.metadataRefreshMs,
        'queued.max.messages.kbytes': 1024,
        'max.poll.interval.ms': REBALANCE_TIMEOUT_MS,
        offset_commit_cb: (error: unknown) => this.#commits.shift()?.(error),
        rebalance_cb: (event: { code: number }, partitions: TopicPartition[]) => void this.#rebalance(event, partitions)
      } as kafka.ConsumerGlobalConfig,
      {}
    )
    this.#consumer = consumer as CooperativeConsumer
    const { cluster, groupId, listener } = options
    const heard = { client: consumer, secrets: this.#secrets, cluster, context: `group ${groupId}` }
    hearTroubles(heard, {
      troubled: trouble => {
        this.#trouble = trouble
        listener.troubled(trouble)
      },
      failed: () => this.#renewSecrets()
    })
  }

  /** It may be their change that is the trouble. */
  #renewSecrets(): void {
    try {
      if (this.#secrets.renew(this.#consumer)) this.#options.listener.outdated()
    } catch (error) {
      this.#options.listener.troubled(this.#error('reading credentials', error))
    }
  }

  /** Connects; librdkafka goes on trying by itself when no broker answers within the time-out. */
  async connect(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#consumer.connect({ timeout: REQUEST_TIMEOUT_MS }, error =>
        error ? reject(this.#trouble ?? this.#error('connecting', error)) : resolve()
      )
    })
    this.#consumer.setDefaultConsumeTimeout(0)
    this.#polling = setInterval(() => this.#poll(), POLL_INTERVAL_MS)
  }

  /** Which topics' partitions are to be shared out; joins the group with the first call that names any. */
  subscribe(topics: readonly string[]): void {
    if (topics.length === 0) this.#consumer.unsubscribe()
    else this.#consumer.subscribe([...topics])
  }

  /** What the group has committed for these; a partition that never was is left out. */
  async committed(partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
    if (partitions.length === 0) return []
    const listed = await new Promise<kafka.TopicPartitionOffsetAndMetadata[]>((resolve, reject) => {
      this.#consumer.committed(partitions as kafka.TopicPartition[], REQUEST_TIMEOUT_MS, (error, found) =>
        error ? reject(this.#error('reading committed progress', error)) : resolve(found)
      )
    })
    return listed
      .filter(({ offset }) => offset !== undefined && offset >= 0)
      .map(({ topic, partition, offset, metadata }) => ({
        topic,
        partition,
        offset: offset!,
        metadata: metadata ?? ''
      }))
  }

  /** Commits progress. @throws ClusterError where the group refused, for instance because this member was replaced */
  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    for (let from = 0; from < offsets.length; from += COMMITTED_AT_ONCE_MAX) {
      await this.#commitTogether(offsets.slice(from, from + COMMITTED_AT_ONCE_MAX))
    }
  }

  async #commitTogether(offsets: CommittedOffset[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#commits.push(error => {
      if (error) return reject(this.#error('committing progress', error))
      this.#isCoordinatorSilent = false
      resolve()
    })
    this.#consumer.commit(offsets as kafka.TopicPartitionOffset[])
    const giveUp = () => {
      this.#isCoordinatorSilent = true
      reject(this.#error('committing progress', new Error('the coordinator does not answer')))
    }
    const timer = setTimeout(giveUp, COMMIT_TIMEOUT_MS)
    try {
      await promise
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Gives everything back (the listener's `revoked` is called as in any rebalance) and leaves the group.
   * @param isMember asks the coordinator whether it still counts us in
   */
  async close(isMember?: () => Promise<boolean>): Promise<void> {
    this.#isClosing = true
    if (this.#owned.size > 0) {
      const empty = Promise.withResolvers<void>()
      this.#whenEmpty = empty.resolve
      this.#consumer.unsubscribe()
      await within(empty.promise, HAND_OVER_TIMEOUT_MS)
      if (isMember !== undefined && !this.#isCoordinatorSilent) await within(untilLeft(isMember), LEAVE_TIMEOUT_MS)
    }
    clearInterval(this.#polling)
    // The farewell blocks a thread until the coordinator answers, and the process can't end before it; without one the
    // group finds out by itself when the session times out.
    if (this.#isCoordinatorSilent) return
    await within(new Promise<void>(resolve => this.#consumer.disconnect(() => resolve())), CLOSE_TIMEOUT_MS)
  }

  #poll(): void {
    if (this.#isPolling) return
    this.#isPolling = true
    this.#consumer.consume(1, error => {
      this.#isPolling = false
      // Told once, here alone, and without taking the partitions away.
      if (error?.code === kafka.CODES.ERRORS.ERR__FATAL) {
        this.#options.listener.ended?.(this.#error('staying a member', error))
      }
    })
  }

  async #rebalance({ code }: { code: number }, partitions: TopicPartition[]): Promise<void> {
    try {
      if (code === ASSIGN_PARTITIONS) this.#assign(partitions)
      else if (code === REVOKE_PARTITIONS) await this.#revoke(partitions)
    } catch (error) {
      this.#options.listener.troubled(this.#error('rebalancing', error))
    }
  }

  #assign(partitions: TopicPartition[]): void {
    try {
      this.#consumer.incrementalAssign(partitions)
    } catch (error) {
      if (!this.#isClosing) throw error
      // Nothing is taken any more, and librdkafka ends only once it has an answer: this one it takes.
      this.#consumer.incrementalUnassign(partitions)
      return
    }
    if (partitions.length > 0) this.#consumer.pause(partitions as kafka.TopicPartition[])
    for (const partition of partitions) this.#owned.set(partitionKey(partition), partition)
    this.#options.listener.assigned(partitions)
  }

  async #revoke(partitions: TopicPartition[]): Promise<void> {
    const isLost = this.#consumer.assignmentLost()
    try {
      await this.#options.listener.revoked(partitions, isLost)
    } finally {
      for (const partition of partitions) this.#owned.delete(partitionKey(partition))
      this.#consumer.incrementalUnassign(partitions)
      if (this.#owned.size === 0) this.#whenEmpty?.()
    }
  }

  #error(doing: string, error: unknown): ClusterError {
    const { cluster, groupId } = this.#options
    return librdkafkaError(error, `${cluster.alias}: ${doing} in group ${groupId}`)
  }
}

/**
 * librdkafka says goodbye some moments after the last partition was let go, and closing it before that loses the
 * message: the others would wait for the session to time out.
 */
async function untilLeft(isMember: () => Promise<boolean>): Promise<void> {
  const backoff = new Backoff(LEAVE_LOOK_FIRST_MS, LEAVE_LOOK_MAX_MS)
  const deadlineMs = performance.now() + LEAVE_TIMEOUT_MS
  while (performance.now() < deadlineMs) {
    // A coordinator that does not tell cannot be waited for.
    if (!(await isMember().catch(() => false))) return
    await pause(backoff.nextMs())
  }
}
