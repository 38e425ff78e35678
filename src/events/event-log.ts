import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffset } from '../cluster/offsets.ts'
import { RecordProducer } from '../cluster/record-producer.ts'
import { readRecords } from '../cluster/record-reader.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { FLOW_ORDER, type FlowOrder } from './flow-order.ts'
import { PARTITION_LOSS, type PartitionLoss } from './partition-loss.ts'
import { SOURCE_EVENT, type SourceEvent } from './source-event.ts'

/** A place in the log. */
export interface LogPlace {
  /** The log's topic id: a log that was made anew counts its offsets from 0 again. */
  readonly logId: string
  readonly offset: number
}

/** An event and its place in the log. */
export interface LoggedEvent extends LogPlace {
  readonly event: SourceEvent
}

/** An order and its place in the log. */
export interface LoggedOrder extends LogPlace {
  readonly order: FlowOrder
}

/** A row of a loss report and its place in the log. */
export interface LoggedLoss extends LogPlace {
  readonly loss: PartitionLoss
}

/** What was written to the log, each kind in the log's order. */
export interface LogNews {
  /** `undefined` where there is no log: nobody has written anything yet. */
  readonly logId: string | undefined
  readonly events: readonly LoggedEvent[]
  readonly orders: readonly LoggedOrder[]
  readonly losses: readonly LoggedLoss[]
}

/** One partition, so that everybody reads in the order in which it was written. */
const PARTITION = 0
const PURPOSE = 'events'
/** Records that wait for their acknowledgement at a time. */
const SENT_TOGETHER = 500
/** An order holds until there is a newer one, and a request until it is obeyed, however long that takes. */
const KEEP_ALL = [
  { name: 'cleanup.policy', value: 'delete' },
  { name: 'retention.ms', value: '-1' },
  { name: 'retention.bytes', value: '-1' }
]

/** The topic at the destination that all of it is in, for all flows from this source. */
export function eventTopic(sourceAlias: string): string {
  return `farlog.events.${sourceAlias}.internal`
}

/** Reads the log of a source's flows at one destination, from the beginning on and then what is new. */
export class EventReader {
  readonly #destination: Cluster
  readonly #topic: string
  #logId: string | undefined
  #nextOffset = 0

  constructor(destination: Cluster, sourceAlias: string) {
    this.#destination = destination
    this.#topic = eventTopic(sourceAlias)
  }

  /**
   * What was written since the last call, or all of it where the log was made anew since. All that had been acknowledged when
   * it was called is in it.
   * @throws ClusterError `TOPIC_AUTHORIZATION_FAILED` where the log may not be read
   */
  async read(signal?: AbortSignal): Promise<LogNews> {
    await this.#destination.refresh([this.#topic])
    if (this.#destination.isForbidden(this.#topic)) {
      const message = `${this.#destination.alias} does not let farlog see ${this.#topic}: it needs DESCRIBE and READ on the topic`
      throw new ClusterError('TOPIC_AUTHORIZATION_FAILED', message, false)
    }
    const logId = this.#destination.topic(this.#topic)?.topicId
    if (logId === undefined) return { logId, events: [], orders: [], losses: [] }
    const partition = { topic: this.#topic, partition: PARTITION }
    const [logStart, endOffset] = await Promise.all([
      listOffset(this.#destination, partition, EARLIEST, 'read_committed'),
      listOffset(this.#destination, partition, LATEST, 'read_committed')
    ])
    const fromOffset = Math.max(logId === this.#logId ? this.#nextOffset : 0, logStart)
    const events: LoggedEvent[] = []
    const orders: LoggedOrder[] = []
    const losses: LoggedLoss[] = []
    const range = { ...partition, topicId: logId, fromOffset, endOffset }
    for await (const { records } of readRecords(this.#destination, range, {
      purpose: PURPOSE,
      ...(signal && { signal })
    })) {
      for (const { offset, value } of records) {
        if (value === null) continue
        const event = SOURCE_EVENT.decode(value)
        if (event !== undefined) events.push({ logId, offset, event })
        const order = FLOW_ORDER.decode(value)
        if (order !== undefined) orders.push({ logId, offset, order })
        const loss = PARTITION_LOSS.decode(value)
        if (loss !== undefined) losses.push({ logId, offset, loss })
      }
    }
    // Only now: what could not be read is read again.
    this.#logId = logId
    this.#nextOffset = Math.max(fromOffset, endOffset)
    return { logId, events, orders, losses }
  }
}

/** Writes to the log; the topic is made with the first record. */
export class EventWriter {
  readonly #admin: TopicAdmin
  readonly #producer: RecordProducer
  readonly #topic: string
  readonly #replicationFactor: number | undefined
  #isThere = false

  constructor(
    destination: Cluster,
    admin: TopicAdmin,
    sourceAlias: string,
    replicationFactor: number | undefined,
    clientId: string
  ) {
    this.#admin = admin
    this.#producer = new RecordProducer(destination.config, clientId)
    this.#topic = eventTopic(sourceAlias)
    this.#replicationFactor = replicationFactor
  }

  /** @returns the event's offset. @throws ClusterError where it could not be written */
  async write(event: SourceEvent): Promise<number> {
    return this.#append(`${event.topic}/${event.partition}`, SOURCE_EVENT.encode(event))
  }

  /** @returns the order's offset. @throws ClusterError where it could not be written */
  async order(order: FlowOrder): Promise<number> {
    return this.#append(`order/${order.destination}`, FLOW_ORDER.encode(order))
  }

  /** Writes rows of a loss report. @throws ClusterError where one could not be written */
  async losses(losses: readonly PartitionLoss[]): Promise<void> {
    for (let from = 0; from < losses.length; from += SENT_TOGETHER) {
      const together = losses.slice(from, from + SENT_TOGETHER)
      await Promise.all(together.map(loss => this.#append(lossKey(loss), PARTITION_LOSS.encode(loss))))
    }
  }

  /** Has the topic keep what is in it, where it was made with other settings. @throws ClusterError */
  async keepAll(): Promise<void> {
    await this.#admin.setConfigs(this.#topic, KEEP_ALL)
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }

  async #append(key: string, value: Buffer): Promise<number> {
    await this.#makeTopic()
    return this.#producer.send(this.#topic, PARTITION, key, value)
  }

  async #makeTopic(): Promise<void> {
    if (this.#isThere) return
    const replicationFactor = this.#replicationFactor
    await this.#admin.createTopic({ name: this.#topic, partitions: 1, replicationFactor, configs: KEEP_ALL })
    this.#isThere = true
  }
}

function lossKey({ destination, topic, partition }: PartitionLoss): string {
  return `loss/${destination}/${topic}/${partition}`
}
