import type { Cluster } from '../cluster/cluster.ts'
import { RecordProducer } from '../cluster/record-producer.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { EVENT_PARTITION, eventTopic } from './event-log.ts'
import { FLOW_ORDER, type FlowOrder } from './flow-order.ts'
import { PARTITION_LOSS, type PartitionLoss } from './partition-loss.ts'
import { SOURCE_EVENT, type SourceEvent } from './source-event.ts'

/** Records that wait for their acknowledgement at a time. */
const SENT_TOGETHER = 500
/** An order holds until there is a newer one, and a request until it is obeyed, however long that takes. */
const KEEP_ALL = [
  { name: 'cleanup.policy', value: 'delete' },
  { name: 'retention.ms', value: '-1' },
  { name: 'retention.bytes', value: '-1' }
]

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
    return this.#producer.send(this.#topic, EVENT_PARTITION, key, value)
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
