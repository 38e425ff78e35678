import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffset } from '../cluster/offsets.ts'
import { readRecords } from '../cluster/record-reader.ts'
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
export const EVENT_PARTITION = 0
const PURPOSE = 'events'
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
    const partition = { topic: this.#topic, partition: EVENT_PARTITION }
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
