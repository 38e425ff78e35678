import { GroupConsumer } from '../support/group-consumer.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { nameOf, PARTITIONS } from './topics.ts'

const POLL_RECORDS_MAX = 40
const COMMIT_PROBABILITY = 0.4

/** What the group has read of a partition in all its lives. */
export interface PartitionReading {
  readonly offsets: ReadonlySet<number>
  /** Behind the last one. */
  readonly position: number
}

/** An application that reads, commits every few records, and dies without a word. */
export class MovingReader {
  readonly #bootstrap: string
  readonly #groupId: string
  readonly #topics: readonly string[]
  readonly #random: SeededRandom
  readonly #read = new Map(PARTITIONS.map(partition => [nameOf(partition), new Set<number>()]))

  constructor(bootstrap: string, groupId: string, topics: readonly string[], random: SeededRandom) {
    this.#bootstrap = bootstrap
    this.#groupId = groupId
    this.#topics = topics
    this.#random = random
  }

  /** By partition. */
  soFar(): ReadonlyMap<string, PartitionReading> {
    return new Map(
      [...this.#read].map(([partition, offsets]) => {
        const position = offsets.keys().reduce((highest, offset) => Math.max(highest, offset + 1), 0)
        return [partition, { offsets: new Set(offsets), position }]
      })
    )
  }

  /** Reads and commits until it is told to crash, and for at least as long as it takes to have committed something. */
  async live(isToCrash: () => boolean): Promise<void> {
    await using consumer = await GroupConsumer.join(this.#bootstrap, this.#groupId, this.#topics)
    let commits = 0
    while (commits === 0 || !isToCrash()) {
      const records = await consumer.poll(this.#random.integer(1, POLL_RECORDS_MAX))
      for (const record of records) this.#read.get(nameOf(record))!.add(record.offset)
      if (records.length === 0 || !this.#random.chance(COMMIT_PROBABILITY)) continue
      consumer.commit()
      commits++
    }
    // What was read last is not committed, as in any crash.
  }
}
