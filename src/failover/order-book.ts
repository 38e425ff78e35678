import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ClusterError } from '../cluster/errors.ts'
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import { EventReader, eventTopic } from '../events/event-log.ts'
import { EventWriter } from '../events/event-writer.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { FlowOrders } from '../events/flow-orders.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import type { SourceEvent } from '../events/source-event.ts'
import type { FlowSides } from './flow-sides.ts'

/** A metadata request takes milliseconds; brokers learn of a topic within a second or two. */
const KNOWN_TIMEOUT_MS = 10_000
const LOOK_FIRST_MS = 50
const LOOK_MAX_MS = 500

/** The event log, for somebody who gives orders and leaves reports. */
export class OrderBook implements AsyncDisposable {
  readonly #sides: FlowSides
  readonly #reader: EventReader
  readonly #writer: EventWriter
  readonly #admin: TopicAdmin
  readonly #orders: FlowOrders
  /** Rows of loss reports of this flow, the newest of each partition. */
  readonly #losses = new Map<string, PartitionLoss>()
  /** Requests to go on somewhere, the newest of each partition. */
  readonly #requests = new Map<string, SourceEvent>()

  constructor(sides: FlowSides, clientId: string) {
    const { config, flow, destination } = sides
    this.#sides = sides
    this.#admin = new TopicAdmin(flow.destination, clientId)
    this.#reader = new EventReader(destination, flow.source.alias)
    this.#writer = new EventWriter(destination, this.#admin, flow.source.alias, config.replicationFactor, clientId)
    this.#orders = new FlowOrders(flow.destination.alias)
  }

  /** The order that holds; `undefined` where there has been none. @throws ClusterError where the log can't be read */
  async newest(): Promise<FlowOrder | undefined> {
    const news = await this.#reader.read()
    this.#orders.note(news)
    for (const { loss } of news.losses) {
      if (loss.destination === this.#sides.flow.destination.alias) this.#losses.set(rowKey(loss), loss)
    }
    for (const { event } of news.events) {
      if (event.kind === 'RESUME' && event.destination === this.#sides.flow.destination.alias)
        this.#requests.set(partitionKey(event), event)
    }
    return this.#orders.newest?.order
  }

  /** The rows that were left under an order, as of the last call of `newest`. */
  lossesOf(orderId: string): PartitionLoss[] {
    return [...this.#losses.values()].filter(loss => loss.orderId === orderId)
  }

  /** Where somebody has asked a partition to go on, as of the last call of `newest`. */
  requestFor(partition: TopicPartition): SourceEvent | undefined {
    return this.#requests.get(partitionKey(partition))
  }

  /** Asks whoever owns the partition, now or later, to go on there. @throws ClusterError where it could not be written */
  async request(
    request: Omit<SourceEvent, 'kind' | 'action' | 'source' | 'destination' | 'nextOffset'>
  ): Promise<void> {
    const { source, destination } = this.#sides.flow
    const aliases = { source: source.alias, destination: destination.alias }
    const event: SourceEvent = {
      ...{ kind: 'RESUME', action: 'REQUESTED', ...aliases, nextOffset: request.firstOffset },
      ...request
    }
    await this.#writer.write(event)
    this.#requests.set(partitionKey(event), event)
  }

  /** Writes an order. @throws ClusterError where it could not be written */
  async give(
    order: Pick<FlowOrder, 'action' | 'reason' | 'orderedBy'> & Partial<Pick<FlowOrder, 'stopAt'>>
  ): Promise<FlowOrder> {
    const { source, destination } = this.#sides.flow
    const aliases = { source: source.alias, destination: destination.alias }
    const given: FlowOrder = { stopAt: null, ...order, ...aliases, id: randomUUID(), orderedAt: Date.now() }
    await this.#writer.order(given)
    return given
  }

  /**
   * Sees to it that whoever reads the log from now on finds the order, for as long as it holds.
   * @param warn hears what does not keep it from holding now, but may later
   * @throws ClusterError where a broker does not know the log
   */
  async secure(warn: (message: string) => void): Promise<void> {
    await this.#untilKnown()
    await this.#keep(warn)
  }

  /** Leaves rows of a loss report in the log, but for those that stand there already. @throws ClusterError */
  async leave(losses: readonly PartitionLoss[]): Promise<void> {
    const news = losses.filter(loss => !isSameRow(this.#losses.get(rowKey(loss)), loss))
    await this.#writer.losses(news)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#writer.close(), this.#admin.close()])
  }

  /** A broker that does not know the log yet would tell a worker that there are no orders. */
  async #untilKnown(): Promise<void> {
    const { destination } = this.#sides
    const topic = eventTopic(this.#sides.flow.source.alias)
    const deadlineMs = performance.now() + KNOWN_TIMEOUT_MS
    const backoff = new Backoff(LOOK_FIRST_MS, LOOK_MAX_MS)
    while (!(await destination.isKnownEverywhere(topic))) {
      if (performance.now() > deadlineMs) {
        throw new ClusterError(
          'UNKNOWN_TOPIC_OR_PARTITION',
          `a broker of ${destination.alias} does not know ${topic}`,
          true
        )
      }
      await pause(backoff.nextMs())
    }
  }

  /** The topic may be older than the settings that it is made with. */
  async #keep(warn: (message: string) => void): Promise<void> {
    try {
      await this.#writer.keepAll()
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      const topic = eventTopic(this.#sides.flow.source.alias)
      warn(`${topic} may forget the order after its retention; set its retention.ms to -1 (${error.message})`)
    }
  }
}

function rowKey({ topic, partition, orderId }: PartitionLoss): string {
  return `${partition}/${orderId}/${topic}`
}

/** What is known of the source may have grown; when it was looked at makes no difference. */
function isSameRow(a: PartitionLoss | undefined, b: PartitionLoss): boolean {
  if (a === undefined) return false
  const { reportedAt, sourceSeenAt, lostSeconds } = b
  return isDeepStrictEqual({ ...a, reportedAt, sourceSeenAt, lostSeconds }, { ...b })
}
