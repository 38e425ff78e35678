/**
 * A heartbeat is a record that says when it was sent: emitted on the source, mirrored as any other, and looked for at the destination.
 * So an idle flow can be told from a dead one, and the age of the newest that arrived is how late the copy is from end to end.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { LATEST, listOffset } from '../cluster/offsets.ts'
import type { RecordProducer } from '../cluster/record-producer.ts'
import { readRecords } from '../cluster/record-reader.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { HEARTBEATS_TOPIC } from '../config/name-filter.ts'
import { decodeHeartbeat, encodeHeartbeat } from './mm2-format.ts'

const PARTITION = 0
const PURPOSE = 'heartbeats'
/** Other flows' may lie between those of ours. */
const READ_BACK_OFFSETS = 200

/** Whom a heartbeat is from and for, as MirrorMaker 2 would write it on this source: its flow from the destination emits here. */
export interface HeartbeatRoute {
  readonly source: string
  readonly target: string
}

/** Emits on the source; the topic is made with the first one. */
export class HeartbeatEmitter {
  readonly #admin: TopicAdmin
  readonly #producer: RecordProducer
  readonly #route: HeartbeatRoute
  #isThere = false

  constructor(sourceAdmin: TopicAdmin, sourceProducer: RecordProducer, route: HeartbeatRoute) {
    this.#admin = sourceAdmin
    this.#producer = sourceProducer
    this.#route = route
  }

  /** @param timestampMs now, by the wall clock. @throws ClusterError where it could not be written */
  async emit(timestampMs: number): Promise<void> {
    if (!this.#isThere) {
      const configs = [{ name: 'cleanup.policy', value: 'compact' }]
      await this.#admin.createTopic({ name: HEARTBEATS_TOPIC, partitions: 1, replicationFactor: undefined, configs })
      this.#isThere = true
    }
    const { key, value } = encodeHeartbeat({ ...this.#route, timestampMs })
    try {
      await this.#producer.send(HEARTBEATS_TOPIC, PARTITION, key, value)
    } catch (error) {
      // It may have been deleted meanwhile.
      this.#isThere = false
      throw error
    }
  }
}

/** Looks for the newest heartbeat of a flow at its destination. */
export class HeartbeatFollower {
  readonly #destination: Cluster
  readonly #topic: string
  readonly #route: HeartbeatRoute
  #topicId: string | undefined
  #nextOffset = 0
  #newestTimestampMs: number | undefined

  /** @param topic what the copy of the heartbeats is called */
  constructor(destination: Cluster, topic: string, route: HeartbeatRoute) {
    this.#destination = destination
    this.#topic = topic
    this.#route = route
  }

  /** When the newest that was seen had been sent, by the clock of who sent it; `undefined` before the first one. */
  get newestTimestampMs(): number | undefined {
    return this.#newestTimestampMs
  }

  /** Reads what has come since the last call. @throws ClusterError */
  async look(signal: AbortSignal): Promise<void> {
    const found = this.#destination.topic(this.#topic)
    if (found === undefined) return
    const partition = { topic: this.#topic, partition: PARTITION }
    const endOffset = await listOffset(this.#destination, partition, LATEST, 'read_committed')
    if (found.topicId !== this.#topicId) this.#nextOffset = 0
    this.#topicId = found.topicId
    const fromOffset = Math.max(this.#nextOffset, endOffset - READ_BACK_OFFSETS, 0)
    const range = { ...partition, topicId: found.topicId, fromOffset, endOffset }
    for await (const { records } of readRecords(this.#destination, range, { purpose: PURPOSE, signal })) {
      for (const { key, value } of records) {
        const heartbeat = decodeHeartbeat(key, value)
        if (heartbeat?.source !== this.#route.source || heartbeat.target !== this.#route.target) continue
        this.#newestTimestampMs = Math.max(this.#newestTimestampMs ?? 0, heartbeat.timestampMs)
      }
    }
    this.#nextOffset = endOffset
  }
}
