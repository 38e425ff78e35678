import type { Cluster } from '../cluster/cluster.ts'
import { EARLIEST, LATEST, listOffset } from '../cluster/offsets.ts'
import { RecordProducer } from '../cluster/record-producer.ts'
import { readRecords } from '../cluster/record-reader.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { decodeEvent, encodeEvent, eventTopic, type SourceEvent } from './source-event.ts'

/** An event and its place in the log. */
export interface LoggedEvent {
  /** The log's topic id: a log that was made anew counts its offsets from 0 again. */
  readonly logId: string
  readonly offset: number
  readonly event: SourceEvent
}

/** One partition, so that everybody reads the events in the order in which they were written. */
const PARTITION = 0
const PURPOSE = 'events'

/** Reads the events of a source's flows at one destination, from the beginning on and then what is new. */
export class EventReader {
  readonly #destination: Cluster
  readonly #topic: string
  readonly #newest: number
  #logId: string | undefined
  #nextOffset = 0

  /** @param newest only so many of those that are there already */
  constructor(destination: Cluster, sourceAlias: string, newest = Number.POSITIVE_INFINITY) {
    this.#destination = destination
    this.#topic = eventTopic(sourceAlias)
    this.#newest = newest
  }

  /** What was written since the last call; nothing where nobody has written any event yet. @throws ClusterError */
  async read(signal?: AbortSignal): Promise<LoggedEvent[]> {
    await this.#destination.refresh([this.#topic])
    const logId = this.#destination.topic(this.#topic)?.topicId
    if (logId === undefined) return []
    const partition = { topic: this.#topic, partition: PARTITION }
    const [logStart, endOffset] = await Promise.all([
      listOffset(this.#destination, partition, EARLIEST, 'read_committed'),
      listOffset(this.#destination, partition, LATEST, 'read_committed')
    ])
    if (logId !== this.#logId) this.#nextOffset = Math.max(0, endOffset - this.#newest)
    this.#logId = logId
    const fromOffset = Math.max(this.#nextOffset, logStart)
    const events: LoggedEvent[] = []
    const range = { ...partition, topicId: logId, fromOffset, endOffset }
    for await (const { records } of readRecords(this.#destination, range, {
      purpose: PURPOSE,
      ...(signal && { signal })
    })) {
      for (const { offset, value } of records) {
        const event = value === null ? undefined : decodeEvent(value)
        if (event !== undefined) events.push({ logId, offset, event })
      }
    }
    this.#nextOffset = Math.max(fromOffset, endOffset)
    return events
  }
}

/** Writes events; the topic is made with the first one. */
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
    if (!this.#isThere) {
      await this.#admin.createTopic({
        name: this.#topic,
        partitions: 1,
        replicationFactor: this.#replicationFactor,
        configs: [
          { name: 'cleanup.policy', value: 'delete' },
          // A few records, and they are needed for as long as the copies are kept that they are about.
          { name: 'retention.ms', value: '-1' }
        ]
      })
      this.#isThere = true
    }
    return this.#producer.send(this.#topic, PARTITION, `${event.topic}/${event.partition}`, encodeEvent(event))
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }
}
