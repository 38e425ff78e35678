/**
 * What only the old source holds, exactly. The newest copy at the destination names the last source offset that crossed; of what
 * stands behind it at the source, all that never was at the destination exists only there.
 *
 *     old source    … n  n  n │ L  L  m  L │ D  D …    n: crossed, L: only here, m: marker
 *                            ▲                         D: came from the destination since
 *                            └ divergence
 *     destination   … C  C  C │ D  D …                 C: copy of n
 */
import { EARLIEST, LATEST, listOffsets, partitionKey } from '../cluster/offsets.ts'
import { pause } from '../cluster/retry.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import { concurrently } from '../status/concurrently.ts'
import { type Divergence, divergenceOf } from './divergence.ts'
import type { FlowPartition, FlowSides } from './flow-sides.ts'
import { READS_AT_A_TIME, readOwnRecords } from './own-records.ts'
import { readLosses } from './read-losses.ts'
import { named, StepRefused } from './step-refused.ts'

/** The records of a partition that exist only at the old source. */
export interface LostRange {
  readonly topic: string
  readonly partition: number
  readonly divergenceOffset: number
  readonly endOffset: number
  /** What the loss report knew of; `null` is unknown. */
  readonly reportedMax: number | null
  readonly records: number
  readonly bytes: number
  /** `null` where there is none. */
  readonly firstOffset: number | null
  readonly lastOffset: number | null
  readonly firstTimestamp: number | null
  readonly lastTimestamp: number | null
}

/** One of them. */
export interface LostRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: Buffer, value: Buffer | null])[]
}

const LOOK_INTERVAL_MS = 500

/**
 * @param reports rows of the loss report of the order that stopped the flow
 * @throws StepRefused while a transaction is open at the old source: nobody knows yet what of it is to count; ClusterError
 */
export async function findDivergences(
  sides: FlowSides,
  partitions: readonly FlowPartition[],
  reports: ReadonlyMap<string, PartitionLoss>,
  orderId: string,
  deadlineMs: number,
  signal: AbortSignal
): Promise<Divergence[]> {
  const { source } = sides
  const ends = await untilDecided(sides, partitions, deadlineMs, signal)
  const starts = new Map(
    (await listOffsets(source, partitions, EARLIEST, 'read_uncommitted')).map(each => [partitionKey(each), each.offset])
  )
  return (await readLosses(sides, partitions, orderId, signal)).map(now => {
    const key = partitionKey(now)
    const topicId = source.topic(now.topic)?.topicId ?? ''
    return divergenceOf(now, reports.get(key) ?? now, {
      ...{ topicId, logStartOffset: Math.max(starts.get(key) ?? 0, 0), endOffset: ends.get(key)! }
    })
  })
}

/** Producers that died with the source have left transactions open, which it aborts once they take too long. */
async function untilDecided(
  { source }: FlowSides,
  partitions: readonly FlowPartition[],
  deadlineMs: number,
  signal: AbortSignal
): Promise<Map<string, number>> {
  for (;;) {
    // One after the other: what lies between the two is then open, and not written in between.
    const all = await listOffsets(source, partitions, LATEST, 'read_uncommitted')
    const stable = await listOffsets(source, partitions, LATEST, 'read_committed')
    const highWatermarks = new Map(all.map(each => [partitionKey(each), each]))
    const undecided = stable.flatMap(({ topic, partition, offset, error }) => {
      const highWatermark = highWatermarks.get(partitionKey({ topic, partition }))
      const reason = error === 'NONE' ? highWatermark?.error : error
      if (reason !== 'NONE') return [`${topic}-${partition} can’t be asked (${reason})`]
      return highWatermark!.offset > offset ? [`a transaction is open in ${topic}-${partition}`] : []
    })
    if (undecided.length === 0) return new Map(stable.map(each => [partitionKey(each), each.offset]))
    if (performance.now() > deadlineMs) {
      throw new StepRefused(`what ${source.alias} holds is not decided: ${named(undecided)}; try again in a while`)
    }
    await pause(LOOK_INTERVAL_MS, signal)
    signal.throwIfAborted()
    await source.refresh()
  }
}

/**
 * Reads what exists only at the old source.
 * @param take hears of each record, those of a partition in order and several partitions at a time; it is waited for
 * @throws ClusterError where it can't be read
 */
export function readLost(
  { source, destination }: FlowSides,
  divergences: readonly Divergence[],
  take: (record: LostRecord) => Promise<void> | void,
  signal: AbortSignal
): Promise<LostRange[]> {
  return concurrently(divergences, READS_AT_A_TIME, async divergence => {
    const { topic, partition, divergenceOffset, endOffset, reported } = divergence
    const range = { topic, partition, fromOffset: divergenceOffset, endOffset }
    let records = 0
    let bytes = 0
    let first: LostRecord | undefined
    let last: LostRecord | undefined
    for await (const own of readOwnRecords(source, range, destination.alias, signal)) {
      const record = { ...own, topic, partition, timestamp: Number(own.timestamp) }
      records++
      bytes += (own.key?.length ?? 0) + (own.value?.length ?? 0)
      first ??= record
      last = record
      await take(record)
    }
    return {
      ...{ topic, partition, divergenceOffset, endOffset, reportedMax: reported.lostRecordsMax, records, bytes },
      ...{ firstOffset: first?.offset ?? null, lastOffset: last?.offset ?? null },
      ...{ firstTimestamp: first?.timestamp ?? null, lastTimestamp: last?.timestamp ?? null }
    }
  })
}
