import type { Cluster } from '../cluster/cluster.ts'
import { TopicTail } from '../cluster/topic-tail.ts'
import { decodeVerified, type VerifiedPartition, verifiedKey, verifiedTopic } from './verified-partition.ts'

const PURPOSE = 'verified'

/** What anybody remembers of the verification of a source's flows at one destination. */
export class VerifiedReader {
  readonly #tail: TopicTail
  readonly #newest = new Map<string, VerifiedPartition>()
  #reading: Promise<void> = Promise.resolve()

  constructor(destination: Cluster, sourceAlias: string) {
    this.#tail = new TopicTail(destination, verifiedTopic(sourceAlias), PURPOSE)
  }

  /** Reads what was written since the last call. @throws ClusterError */
  refresh(signal?: AbortSignal): Promise<void> {
    const reading = this.#reading.catch(() => {}).then(() => this.#read(signal))
    this.#reading = reading
    return reading
  }

  newest(partition: { readonly topic: string; readonly partition: number }): VerifiedPartition | undefined {
    return this.#newest.get(verifiedKey(partition))
  }

  async #read(signal: AbortSignal | undefined): Promise<void> {
    for await (const { value } of this.#tail.read(() => this.#newest.clear(), signal)) {
      const verified = value === null ? undefined : decodeVerified(value)
      if (verified !== undefined) this.#newest.set(verifiedKey(verified), verified)
    }
  }
}
