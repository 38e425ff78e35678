/**
 * Where two clusters mirror the same topics to each other, a record that was born at the destination is not sent back there, so a
 * reader of the source who still has it before him finds no copy of it at the destination: it stands there itself.
 *
 *     source        … n  n  B1 n  B2 │ n  n        n: born here, B: came from the destination
 *     reader at            ▲                        has B1 and B2 before him
 *     destination   … B1 B2 B3 n  n  n …            B1 is at home here, B3 is still on its way to the source
 *
 * So he may not go on behind the first of them that he has not read. Where he has read all that came, what is still on its way is
 * before him too, and the reverse flow's progress says where that begins.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { PartitionLog } from './partition-log.ts'
import { ReadStretches } from './read-stretches.ts'

/** How far the reverse flow is with a partition. */
export interface ReverseProgress extends TopicPartition {
  /** Offset at **this** flow's destination of the next record that is to come from there; infinite where none is left. */
  readonly nextOffset: number
  /** Offset at this flow's source of the newest record that came; `undefined` where none is known. */
  readonly newestCopyOffset: number | undefined
}

/** Read at most in one look: who is further behind is looked at again once he has moved. */
const READ_OFFSETS_MAX = 4_096

export class HomePositions {
  readonly #source: Cluster
  readonly #originOf: (topic: string, partition: number) => OriginReader
  readonly #progress: ReadonlyMap<string, ReverseProgress>
  /** Topics that the reverse flow mirrors. */
  readonly #topics: ReadonlySet<string>
  readonly #readOffsetsMax: number

  /**
   * @param originOf tells records at the source that came from the destination's partition, with their offset there
   * @param progress of the reverse flow
   * @param readOffsetsMax in one look: beyond it there is no answer
   */
  constructor(
    source: Cluster,
    originOf: (topic: string, partition: number) => OriginReader,
    progress: readonly ReverseProgress[],
    readOffsetsMax = READ_OFFSETS_MAX
  ) {
    this.#source = source
    this.#originOf = originOf
    this.#progress = new Map(progress.map(each => [partitionKey(each), each]))
    this.#topics = new Set(progress.map(({ topic }) => topic))
    this.#readOffsetsMax = readOffsetsMax
  }

  /** Whether the reverse flow's progress with the partition is known. */
  knows(partition: TopicPartition): boolean {
    return this.#progress.has(partitionKey(partition))
  }

  /**
   * The lowest offset at the destination where something stands that was born there and that a reader at this source offset
   * has not read; infinite where no record comes from there.
   * @returns `undefined` where it can't be told: it takes too much reading, or the reverse flow has only just come to the partition
   * @throws ClusterError, RecordsError
   */
  async lowest(partition: TopicPartition, sourceOffset: number, signal: AbortSignal): Promise<number | undefined> {
    const progress = this.#progress.get(partitionKey(partition))
    if (progress === undefined) return this.#topics.has(partition.topic) ? undefined : Number.POSITIVE_INFINITY
    const end = (progress.newestCopyOffset ?? -1) + 1
    if (sourceOffset >= end) return progress.nextOffset
    const origin = this.#originOf(partition.topic, partition.partition)
    const read = new ReadStretches({ topicId: '', leaderEpoch: -1 })
    const log = new PartitionLog(this.#source, partition, origin, read, signal)
    const readEnd = Math.min(end, sourceOffset + this.#readOffsetsMax)
    const found = (await log.untilCopy(sourceOffset, readEnd)).within(sourceOffset, readEnd).runs[0]
    if (found !== undefined) return found.sourceOffset
    return readEnd === end ? progress.nextOffset : undefined
  }
}
