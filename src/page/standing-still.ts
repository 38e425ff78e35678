import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'

/** A partition that has something left to do. */
export interface Waiting extends TopicPartition {
  readonly nextSourceOffset: number | null
}

interface Seen {
  readonly nextSourceOffset: number | null
  readonly sinceMs: number
}

/** For how long partitions with a backlog have not moved. Only those are remembered. */
export class StandingStill {
  #seen = new Map<string, Seen>()

  /** Takes a look at all that have something left to do; the others are forgotten. @param nowMs by the monotonic clock */
  look(waiting: Iterable<Waiting>, nowMs: number): void {
    const seen = new Map<string, Seen>()
    for (const partition of waiting) {
      const key = partitionKey(partition)
      const { nextSourceOffset } = partition
      const before = this.#seen.get(key)
      seen.set(key, before?.nextSourceOffset === nextSourceOffset ? before : { nextSourceOffset, sinceMs: nowMs })
    }
    this.#seen = seen
  }

  /** 0 for one that moves, or has nothing left to do. */
  secondsOf(partition: TopicPartition, nowMs: number): number {
    const seen = this.#seen.get(partitionKey(partition))
    return seen === undefined ? 0 : (nowMs - seen.sinceMs) / 1_000
  }
}
