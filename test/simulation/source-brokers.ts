import type { SeededRandom } from '../support/seeded-random.ts'
import type { KafkaError } from './kafka-errors.ts'
import { PartitionBrokers, type PartitionRead } from './partition-brokers.ts'
import { API, type Reply, type Request } from './requests.ts'
import type { Scheduler } from './scheduler.ts'
import type { SourceLog } from './source-log.ts'

/** The source cluster: its topic is read, by offsets and by fetches. */
export class SourceBrokers extends PartitionBrokers {
  readonly #log: SourceLog

  constructor(log: SourceLog, scheduler: Scheduler, random: SeededRandom) {
    super('west', 'orders', '00112233445566778899aabbccddeeff', scheduler, random)
    this.#log = log
  }

  get leaderEpoch(): number {
    return this.#log.leaderEpoch
  }

  /** Another broker leads, after a moment in which none does. */
  changeLeader(afterMs: number): void {
    if (!this.hasLeader) return
    this.hasLeader = false
    this.wakeFetches()
    this.scheduler.schedule(undefined, afterMs, () => {
      this.leaderId = this.otherId
      this.#log.elect()
      this.hasLeader = true
    })
  }

  protected latestOffset(readCommitted: boolean): number | KafkaError {
    return readCommitted ? this.#log.lastStableOffset : this.#log.endOffset
  }

  protected readPartition(fetchOffset: number, batchesMax: number): PartitionRead {
    return this.#log.read(fetchOffset, batchesMax)
  }

  protected get shownEndOffset(): number {
    return this.#log.lastStableOffset
  }

  protected get endOffset(): number {
    return this.#log.endOffset
  }

  protected serveOther(nodeId: number, { apiKey, args }: Request, answer: (reply: Reply) => void): void {
    if (apiKey !== API.offsetForLeaderEpoch) throw new Error(`nobody asks the source for API ${apiKey}`)
    const [{ partitions }] = args[1] as [{ partitions: [{ currentLeaderEpoch: number; leaderEpoch: number }] }]
    const { currentLeaderEpoch, leaderEpoch } = partitions[0]
    const error = this.leadershipError(nodeId, currentLeaderEpoch)
    const endOffset = BigInt(this.#log.endOfEpoch(leaderEpoch))
    const found = { topics: [{ partitions: [{ errorCode: 0, leaderEpoch, endOffset }] }] }
    answer(error === 'NONE' ? { value: found } : { error })
  }
}
