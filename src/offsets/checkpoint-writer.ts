import type { RecordProducer } from '../cluster/record-producer.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import {
  type Checkpoint,
  checkpointsTopic,
  type EncodedRecord,
  encodeCheckpoint,
  encodeOffsetSync,
  type OffsetSync,
  offsetSyncsTopic
} from './mm2-format.ts'

/** MirrorMaker 2 reads one partition of each. */
const PARTITION = 0
/** Records that wait for their acknowledgement at a time. */
const SENT_TOGETHER = 500

/** Writes checkpoints and offset syncs to their topics at the destination, which are made with the first ones. */
export class CheckpointWriter {
  readonly #admin: TopicAdmin
  readonly #producer: RecordProducer
  readonly #replicationFactor: number | undefined
  readonly #topics: { readonly checkpoints: string; readonly offsetSyncs: string }
  #areThere = false

  constructor(
    admin: TopicAdmin,
    producer: RecordProducer,
    flow: { readonly sourceAlias: string; readonly separator: string; readonly replicationFactor: number | undefined }
  ) {
    this.#admin = admin
    this.#producer = producer
    this.#replicationFactor = flow.replicationFactor
    this.#topics = {
      checkpoints: checkpointsTopic(flow.sourceAlias, flow.separator),
      offsetSyncs: offsetSyncsTopic(flow.sourceAlias, flow.separator)
    }
  }

  /** Resolves once all in-sync replicas have all of them. @throws ClusterError where some could not be written */
  async write(checkpoints: readonly Checkpoint[], offsetSyncs: readonly OffsetSync[]): Promise<void> {
    if (checkpoints.length + offsetSyncs.length === 0) return
    await this.#makeTopics()
    try {
      await Promise.all([
        this.#send(this.#topics.offsetSyncs, offsetSyncs.map(encodeOffsetSync)),
        this.#send(this.#topics.checkpoints, checkpoints.map(encodeCheckpoint))
      ])
    } catch (error) {
      // They may have been deleted meanwhile.
      this.#areThere = false
      throw error
    }
  }

  async #makeTopics(): Promise<void> {
    if (this.#areThere) return
    for (const name of Object.values(this.#topics)) {
      const configs = [{ name: 'cleanup.policy', value: 'compact' }]
      await this.#admin.createTopic({ name, partitions: 1, replicationFactor: this.#replicationFactor, configs })
    }
    this.#areThere = true
  }

  async #send(topic: string, records: readonly EncodedRecord[]): Promise<void> {
    for (let from = 0; from < records.length; from += SENT_TOGETHER) {
      const together = records.slice(from, from + SENT_TOGETHER)
      await Promise.all(together.map(({ key, value }) => this.#producer.send(topic, PARTITION, key, value)))
    }
  }
}
