import { metadataV12 } from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import { BufferPool } from '../records/buffer-pool.ts'
import { BatchConnection } from './batch-connection.ts'
import { BrokerConnection } from './connection.ts'
import { ClusterError, despiteErrors, errorName, toClusterError } from './errors.ts'
import { Backoff, firstToSucceed, pause } from './retry.ts'

/** Where a partition is led. */
export interface PartitionLeader {
  /** Broker id; -1 while there is none. */
  readonly nodeId: number
  readonly leaderEpoch: number
}

/** What a cluster's metadata says of one topic. */
export interface TopicMetadata {
  readonly name: string
  /** UUID, as 32 hexadecimal digits, that tells a topic from one made later under the same name (KIP-516). */
  readonly topicId: string
  /** By partition number. */
  readonly partitions: readonly PartitionLeader[]
}

interface Broker {
  readonly host: string
  readonly port: number
}

/** What both kinds of connections have. */
interface Closable {
  readonly isOpen: boolean
  close(): Promise<void>
}

interface OpenConnection<C extends Closable> {
  readonly opening: Promise<C>
  opened: C | undefined
}

/**
 * One Kafka cluster as the data plane sees it: who leads which partition, and connections to the brokers, one for each
 * broker and purpose so that a long poll never stands in front of a short question.
 */
export class Cluster {
  readonly config: ClusterConfig
  readonly #clientId: string
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #forbidden = new Set<string>()
  readonly #brokers = new Map<number, Broker>()
  readonly #connections = new Map<string, OpenConnection<BrokerConnection>>()
  readonly #batchConnections = new Map<string, OpenConnection<BatchConnection>>()
  readonly #pool: BufferPool
  readonly #reconnects = new Map<string, Backoff>()
  readonly #closed = new AbortController()
  #clusterId: string | undefined
  #throttledMs = 0
  readonly #wanted = new Set<string>()
  #refreshing: Promise<void> | undefined

  /** @param pool where the memory of batches that are read comes from */
  constructor(config: ClusterConfig, clientId: string, pool = new BufferPool(0)) {
    this.config = config
    this.#clientId = clientId
    this.#pool = pool
  }

  get alias(): string {
    return this.config.alias
  }

  /** Set once metadata has been read. */
  get clusterId(): string | undefined {
    return this.#clusterId
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  /** Whether the cluster, when it was last asked for this topic by name, did not say whether it exists. */
  isForbidden(name: string): boolean {
    return this.#forbidden.has(name)
  }

  /**
   * Whether every broker that answers knows a topic by now: they learn of one that was just made at their own pace, and until
   * then say that there is none.
   */
  async isKnownEverywhere(name: string): Promise<boolean> {
    const answers = await Promise.allSettled(
      this.brokerIds.map(async nodeId => {
        const connection = await this.broker(nodeId, 'metadata')
        const { topics } = await despiteErrors(connection.call(metadataV12.api, [name], false, false))
        return topics[0]?.errorCode === 0
      })
    )
    return answers.every(answer => answer.status === 'rejected' || answer.value)
  }

  /** The leader as last known, or `undefined` where a refresh is due. */
  leaderOf(topic: string, partition: number): PartitionLeader | undefined {
    const leader = this.#topics.get(topic)?.partitions[partition]
    return leader !== undefined && leader.nodeId >= 0 && this.#brokers.has(leader.nodeId) ? leader : undefined
  }

  /** Of the brokers known from metadata. */
  get brokerIds(): number[] {
    return [...this.#brokers.keys()]
  }

  /** Where the brokers that metadata tells of want to be found. */
  get listeners(): { nodeId: number; host: string; port: number }[] {
    return [...this.#brokers].map(([nodeId, broker]) => ({ nodeId, ...broker }))
  }

  knowsBroker(nodeId: number): boolean {
    return this.#brokers.has(nodeId)
  }

  /**
   * Asks for the metadata of these topics (all of the cluster's when not given) and remembers it. Topics that do not
   * exist (any more) are forgotten.
   */
  async refresh(topics?: readonly string[]): Promise<void> {
    const response = await this.#askMetadata(topics)
    this.#clusterId = response.clusterId ?? undefined
    this.#brokers.clear()
    for (const broker of response.brokers) this.#brokers.set(broker.nodeId, { host: broker.host, port: broker.port })
    if (topics === undefined) this.#topics.clear()
    for (const topic of response.topics) {
      if (topic.name == null) continue
      if (errorName(topic.errorCode) === 'TOPIC_AUTHORIZATION_FAILED') this.#forbidden.add(topic.name)
      else this.#forbidden.delete(topic.name)
      if (topic.errorCode !== 0 && errorName(topic.errorCode) !== 'LEADER_NOT_AVAILABLE') {
        this.#topics.delete(topic.name)
        continue
      }
      const partitions: PartitionLeader[] = []
      for (const partition of topic.partitions) {
        partitions[partition.partitionIndex] = {
          nodeId: partition.errorCode === 0 || partition.leaderId >= 0 ? partition.leaderId : -1,
          leaderEpoch: partition.leaderEpoch
        }
      }
      const topicId = topic.topicId.replaceAll('-', '')
      this.#topics.set(topic.name, { name: topic.name, topicId, partitions })
    }
  }

  /**
   * Refreshes one topic, together with all others asked for within a moment: when a broker goes, a thousand partitions
   * want to know at once. A failed refresh is not an error here: who asked will find no leader and ask again.
   */
  refreshTogether(topic: string): Promise<void> {
    this.#wanted.add(topic)
    this.#refreshing ??= this.#refreshWanted()
    return this.#refreshing
  }

  async #refreshWanted(): Promise<void> {
    await pause(REFRESH_GATHER_MS, this.#closed.signal)
    const topics = [...this.#wanted]
    this.#wanted.clear()
    this.#refreshing = undefined
    if (this.#closed.signal.aborted) return
    await this.refresh(topics).catch(() => {})
  }

  /** All topics known from the last refreshes. */
  topics(): IterableIterator<TopicMetadata> {
    return this.#topics.values()
  }

  /**
   * The connection to a broker for a purpose, opened when there is none. After a failure the next opening waits, with
   * growing pauses, so that a dead broker is not hammered by everyone who needs it.
   */
  async broker(nodeId: number, purpose: string): Promise<BrokerConnection> {
    return this.#connect(this.#connections, `${nodeId}/${purpose}`, this.#address(nodeId), this.#openPlain)
  }

  /** As `broker`, for fetching and producing batches. */
  async batchBroker(nodeId: number, purpose: string): Promise<BatchConnection> {
    return this.#connect(this.#batchConnections, `${nodeId}/${purpose}`, this.#address(nodeId), this.#openForBatches)
  }

  /** A connection to whichever broker answers: those known from metadata first, then the bootstrap servers. */
  async anyBroker(purpose: string): Promise<BrokerConnection> {
    const candidates: [string, Broker][] = [...this.#brokers].map(([id, broker]) => [`${id}/${purpose}`, broker])
    for (const server of this.config.bootstrapServers) {
      candidates.push([`bootstrap ${server.host}:${server.port}/${purpose}`, server])
    }
    const open = candidates.find(([key]) => this.#connections.get(key)?.opened?.isOpen)
    if (open !== undefined) return this.#connect(this.#connections, ...open, this.#openPlain)
    // A broker that stands still costs seconds each time it is tried: whoever failed last comes last.
    const hasFailed = ([key]: [string, Broker]) =>
      this.#reconnects.has(key) || this.#connections.get(key)?.opened?.isOpen === false
    candidates.sort((a, b) => Number(hasFailed(a)) - Number(hasFailed(b)))
    try {
      return await firstToSucceed(candidates, HEAD_START_MS, ([key, broker]) =>
        this.#connect(this.#connections, key, broker, this.#openPlain)
      )
    } catch (error) {
      throw toClusterError(error, this.alias)
    }
  }

  /** Closes all connections to a broker; whoever needs one makes it anew. What is in flight on them fails. */
  dropConnections(nodeId: number | undefined): void {
    for (const connections of [this.#connections, this.#batchConnections]) {
      for (const [key, { opening }] of connections) {
        if (!key.startsWith(`${nodeId}/`)) continue
        connections.delete(key)
        void opening.then(connection => connection.close()).catch(() => {})
      }
    }
  }

  /** For how long brokers have throttled batches by a quota since the last call, in milliseconds. */
  takeThrottledMs(): number {
    const ms = this.#throttledMs
    this.#throttledMs = 0
    return ms
  }

  async close(): Promise<void> {
    this.#closed.abort()
    const connections = [...this.#connections.values(), ...this.#batchConnections.values()]
    this.#connections.clear()
    this.#batchConnections.clear()
    // Those that are still being opened give up, or close when they are: nobody waits for them.
    for (const { opened, opening } of connections) {
      if (opened === undefined) void opening.then(connection => connection.close()).catch(() => {})
    }
    await Promise.all(connections.map(({ opened }) => opened?.close().catch(() => {})))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #askMetadata(topics: readonly string[] | undefined): Promise<metadataV12.MetadataResponse> {
    const connection = await this.anyBroker('metadata')
    // Any topic may have an error of its own.
    return despiteErrors(connection.call(metadataV12.api, topics === undefined ? null : [...topics], false, false))
  }

  #address(nodeId: number): Broker {
    const broker = this.#brokers.get(nodeId)
    if (broker !== undefined) return broker
    throw new ClusterError('BROKER_NOT_AVAILABLE', `${this.alias} has no broker ${nodeId} at present`, true)
  }

  readonly #openPlain = ({ host, port }: Broker): Promise<BrokerConnection> =>
    BrokerConnection.open(this.config, host, port, this.#clientId, this.#closed.signal)

  readonly #openForBatches = ({ host, port }: Broker): Promise<BatchConnection> =>
    BatchConnection.open(this.config, host, port, this.#clientId, this.#pool, this.#throttled, this.#closed.signal)

  readonly #throttled = (ms: number): void => {
    this.#throttledMs += ms
  }

  async #connect<C extends Closable>(
    connections: Map<string, OpenConnection<C>>,
    key: string,
    broker: Broker,
    open: (broker: Broker) => Promise<C>
  ): Promise<C> {
    const existing = connections.get(key)
    if (existing !== undefined) {
      if (existing.opened === undefined || existing.opened.isOpen) return existing.opening
      connections.delete(key)
    }
    const entry: OpenConnection<C> = { opening: this.#open(key, () => open(broker)), opened: undefined }
    connections.set(key, entry)
    try {
      entry.opened = await entry.opening
      return entry.opened
    } catch (error) {
      if (connections.get(key) === entry) connections.delete(key)
      throw error
    }
  }

  async #open<C extends Closable>(key: string, open: () => Promise<C>): Promise<C> {
    const waiting = this.#reconnects.get(key)
    if (waiting !== undefined) await pause(waiting.nextMs(), this.#closed.signal)
    if (this.#closed.signal.aborted) throw new ClusterError('UNREACHABLE', `${this.alias} is being closed`, false)
    try {
      const connection = await open()
      this.#reconnects.delete(key)
      return connection
    } catch (error) {
      if (waiting === undefined) this.#reconnects.set(key, new Backoff(RECONNECT_FIRST_MS, RECONNECT_MAX_MS))
      throw error
    }
  }
}

/** A broker that stands still is given up after ten times as long. */
const HEAD_START_MS = 1_000
const REFRESH_GATHER_MS = 20
const RECONNECT_FIRST_MS = 50
const RECONNECT_MAX_MS = 5_000
