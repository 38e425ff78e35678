import type { Cluster } from './cluster.ts'
import { EARLIEST, LATEST, listOffset } from './offsets.ts'
import { type ReadRecord, readRecords } from './record-reader.ts'

/** One partition, so that everybody reads in the order in which it was written. */
const PARTITION = 0

/** Reads a topic of ours from the beginning on, and then what is new. */
export class TopicTail {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #purpose: string
  #topicId: string | undefined
  #nextOffset = 0

  /** @param purpose names the connection */
  constructor(cluster: Cluster, topic: string, purpose: string) {
    this.#cluster = cluster
    this.#topic = topic
    this.#purpose = purpose
  }

  /**
   * What was written since the last call; all there is where the topic was made anew since. Nothing where there is no such topic, or where it
   * may not be seen.
   * @param onAnew what was read before does not count any more
   * @throws ClusterError where it cannot be read
   */
  async *read(onAnew: () => void, signal?: AbortSignal): AsyncGenerator<ReadRecord, void, undefined> {
    await this.#cluster.refresh([this.#topic])
    const topicId = this.#cluster.topic(this.#topic)?.topicId
    if (topicId !== this.#topicId) {
      onAnew()
      this.#nextOffset = 0
    }
    this.#topicId = topicId
    if (topicId === undefined) return
    const partition = { topic: this.#topic, partition: PARTITION }
    const [logStart, endOffset] = await Promise.all([
      listOffset(this.#cluster, partition, EARLIEST, 'read_committed'),
      listOffset(this.#cluster, partition, LATEST, 'read_committed')
    ])
    const range = { ...partition, topicId, fromOffset: Math.max(this.#nextOffset, logStart), endOffset }
    const options = { purpose: this.#purpose, ...(signal && { signal }) }
    for await (const { records, nextOffset } of readRecords(this.#cluster, range, options)) {
      yield* records
      this.#nextOffset = nextOffset
    }
    this.#nextOffset = Math.max(this.#nextOffset, endOffset)
  }
}
