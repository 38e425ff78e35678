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
import type { FlowPartition, FlowSides } from './flow-sides.ts'
import { READS_AT_A_TIME, readOwnRecords } from './own-records.ts'
import { readLosses } from './read-losses.ts'
import { named, StepRefused } from './step-refused.ts'

/** Where a partition's two sides part. */
export interface Divergence {
  readonly topic: string
  readonly partition: number
  /** Of the source topic as it is now. */
  readonly topicId: string
  readonly destinationTopic: string
  /** All below it has crossed, or is nothing that goes there. */
  readonly divergenceOffset: number
  /** Last stable offset of the old source. */
  readonly endOffset: number
  /** As the loss report has it, made anew where it has no row of the partition. */
  readonly reported: PartitionLoss
  /** What is not as the report says, or as it should be, in a sentence; `null` where all is well. */
  readonly problem: string | null
}

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
    const reported = reports.get(key) ?? now
    const topicId = source.topic(now.topic)?.topicId ?? ''
    const isRecreated = reported.topicId !== null && reported.topicId !== topicId
    // What was committed since may have been moved by hand; the report and the copies were not.
    const crossedOffset = Math.max(reported.nextSourceOffset ?? 0, (now.lastSourceOffset ?? -1) + 1)
    const logStartOffset = Math.max(starts.get(key) ?? 0, 0)
    const endOffset = ends.get(key)!
    return {
      ...{ topic: now.topic, partition: now.partition, topicId, destinationTopic: now.destinationTopic },
      divergenceOffset: isRecreated ? logStartOffset : Math.max(crossedOffset, logStartOffset),
      ...{ endOffset, reported },
      problem: isRecreated
        ? 'the topic was made again at the source: all of it counts as new'
        : problemOf(now, reported, { crossedOffset, logStartOffset, endOffset })
    }
  })
}

interface Offsets {
  readonly crossedOffset: number
  readonly logStartOffset: number
  readonly endOffset: number
}

function problemOf(
  now: PartitionLoss,
  reported: PartitionLoss,
  { crossedOffset, logStartOffset, endOffset }: Offsets
): string | null {
  const { source, destination } = now
  if (endOffset < crossedOffset) {
    return (
      `${source} came back with less than had crossed: offsets ${endOffset} to ${crossedOffset - 1} exist only at ${destination}, ` +
      'and do not come back by themselves'
    )
  }
  if (logStartOffset > crossedOffset) {
    return `${source} has deleted offsets ${crossedOffset} to ${logStartOffset - 1}: what of them had not crossed is gone`
  }
  if (now.lastSourceOffset !== null && (reported.lastSourceOffset ?? -1) < now.lastSourceOffset) {
    return `copies up to source offset ${now.lastSourceOffset} are there, and the loss report ends at ${reported.lastSourceOffset ?? 'nothing'}`
  }
  return null
}

/** Producers that died with the source have left transactions open, which it aborts once they take too long. */
async function untilDecided(
  { source }: FlowSides,
  partitions: readonly FlowPartition[],
  deadlineMs: number,
  signal: AbortSignal
): Promise<Map<string, number>> {
  for (;;) {
    const [stable, all] = await Promise.all([
      listOffsets(source, partitions, LATEST, 'read_committed'),
      listOffsets(source, partitions, LATEST, 'read_uncommitted')
    ])
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
