import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { type Isolation, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { RecordsError } from '../records/errors.ts'

/** The answer to a question about one partition, or why there is none. */
export type Asked<T> = { readonly value: T } | { readonly trouble: string }

const BROKER_GONE = new Set(['UNREACHABLE', 'TIMED_OUT', 'AUTHENTICATION', 'BROKER_NOT_AVAILABLE'])

/**
 * The leaders of one cluster during one observation. One that did not answer is not asked again: with thousands of
 * partitions each would wait for the same time-out anew.
 */
export class Leaders {
  readonly #cluster: Cluster
  readonly #goneCodes = new Map<number, string>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Offsets of all these partitions, in their order. */
  async list(
    partitions: readonly TopicPartition[],
    timestamp: bigint,
    isolation: Isolation
  ): Promise<readonly Asked<number>[]> {
    const asked = partitions.filter(partition => this.#goneCode(partition) === undefined)
    const listed = await listOffsets(this.#cluster, asked, timestamp, isolation)
    const found = new Map(listed.map(offset => [partitionKey(offset), offset]))
    return partitions.map(partition => {
      const answer = found.get(partitionKey(partition))
      if (answer === undefined) {
        return { trouble: this.#say(partition, this.#goneCode(partition) ?? 'the answer leaves it out') }
      }
      if (answer.error === 'NONE') return { value: answer.offset }
      this.#note(partition, answer.error)
      return { trouble: this.#say(partition, answer.error) }
    })
  }

  /** Asks something else of a partition's leader. Anything but trouble with the cluster or its records is thrown on. */
  async ask<T>(partition: TopicPartition, question: () => Promise<T>): Promise<Asked<T>> {
    const goneCode = this.#goneCode(partition)
    if (goneCode !== undefined) return { trouble: this.#say(partition, goneCode) }
    try {
      return { value: await question() }
    } catch (error) {
      if (!(error instanceof ClusterError || error instanceof RecordsError)) throw error
      this.#note(partition, error.code)
      return { trouble: error.message }
    }
  }

  #note({ topic, partition }: TopicPartition, code: string): void {
    const leader = this.#cluster.leaderOf(topic, partition)
    if (leader !== undefined && BROKER_GONE.has(code)) this.#goneCodes.set(leader.nodeId, code)
  }

  #goneCode({ topic, partition }: TopicPartition): string | undefined {
    const leader = this.#cluster.leaderOf(topic, partition)
    return leader && this.#goneCodes.get(leader.nodeId)
  }

  #say({ topic, partition }: TopicPartition, code: string): string {
    const leader = this.#cluster.leaderOf(topic, partition)
    const where = leader === undefined ? '' : ` (broker ${leader.nodeId})`
    return `${this.#cluster.alias}${where} does not tell about ${topic}-${partition}: ${code}`
  }
}
