import { RecordProducer } from '../cluster/record-producer.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import type { ClusterConfig } from '../config/types.ts'
import { encodeVerified, type VerifiedPartition, verifiedKey, verifiedTopic } from './verified-partition.ts'

/** So small that it is soon compacted: whoever begins reads all of it. */
const SEGMENT_BYTES = 8 * 1024 * 1024

/** Remembers what was verified of a source's flows at one destination; the topic is made with the first of it. */
export class VerifiedWriter {
  readonly #admin: TopicAdmin
  readonly #producer: RecordProducer
  readonly #topic: string
  readonly #replicationFactor: number | undefined
  #isThere = false

  constructor(
    destination: ClusterConfig,
    sourceAlias: string,
    replicationFactor: number | undefined,
    clientId: string
  ) {
    this.#admin = new TopicAdmin(destination, clientId)
    this.#producer = new RecordProducer(destination, clientId)
    this.#topic = verifiedTopic(sourceAlias)
    this.#replicationFactor = replicationFactor
  }

  /** @throws ClusterError where it could not be written */
  async write(verified: VerifiedPartition): Promise<void> {
    if (!this.#isThere) {
      await this.#admin.createTopic({
        name: this.#topic,
        partitions: 1,
        replicationFactor: this.#replicationFactor,
        configs: [
          { name: 'cleanup.policy', value: 'compact' },
          { name: 'segment.bytes', value: String(SEGMENT_BYTES) }
        ]
      })
      this.#isThere = true
    }
    await this.#producer.send(this.#topic, 0, verifiedKey(verified), encodeVerified(verified))
  }

  async close(): Promise<void> {
    await Promise.all([this.#producer.close(), this.#admin.close()])
  }
}
