/** What MirrorMaker 2 has left behind of itself at both clusters. */
import type { Cluster } from '../cluster/cluster.ts'
import { EARLIEST, LATEST, listOffset, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { type ReadRecord, readRecords } from '../cluster/record-reader.ts'
import { decodeOffsetSync, type OffsetSync, offsetSyncsTopic } from '../offsets/mm2-format.ts'
import { decodePosition } from '../offsets/mm2-positions.ts'

/** Of one source partition. */
export interface LeftBehind {
  /** Source offset of the last record that MirrorMaker 2 says it has written; `undefined` where it never said so. */
  readonly lastWrittenOffset: number | undefined
  /** The newest ones, oldest first. */
  readonly syncs: readonly OffsetSync[]
}

export interface MirrorMakerState {
  /** Whether there is a topic with positions. */
  readonly hasPositions: boolean
  of(partition: TopicPartition): LeftBehind
}

/** More than reach back far enough, as MirrorMaker 2 writes one at least every hundred records (`offset.lag.max`). */
const SYNCS_KEPT = 1_000
const PURPOSE = 'mirror-maker'

/**
 * Reads MirrorMaker 2's positions, and its offset syncs wherever it keeps them (`offset-syncs.topic.location`: at the source, or at the destination).
 * @param separator of its replication policy
 * @throws ClusterError where a topic that is there can't be read
 */
export async function readMirrorMakerState(
  source: Cluster,
  destination: Cluster,
  offsetsTopic: string,
  separator: string,
  signal: AbortSignal
): Promise<MirrorMakerState> {
  const positions = new Map<string, number>()
  for await (const { key, value } of recordsOf(destination, offsetsTopic, signal)) {
    const position = decodePosition(source.alias, key, value)
    if (position === undefined) continue
    if (position.lastWrittenOffset === null) positions.delete(partitionKey(position))
    else positions.set(partitionKey(position), position.lastWrittenOffset)
  }
  const syncs = new Map<string, OffsetSync[]>()
  const places: [Cluster, string][] = [
    [source, offsetSyncsTopic(destination.alias, separator)],
    [destination, offsetSyncsTopic(source.alias, separator)]
  ]
  for (const [cluster, topic] of places) {
    for await (const { key, value } of recordsOf(cluster, topic, signal)) {
      const sync = decodeOffsetSync(key, value)
      if (sync !== undefined) keepNewest(syncs, sync)
    }
  }
  return {
    hasPositions: destination.topic(offsetsTopic) !== undefined,
    of: partition => ({
      lastWrittenOffset: positions.get(partitionKey(partition)),
      syncs: syncs.get(partitionKey(partition)) ?? []
    })
  }
}

function keepNewest(syncs: Map<string, OffsetSync[]>, sync: OffsetSync): void {
  const kept = syncs.get(partitionKey(sync)) ?? []
  kept.push(sync)
  // Half at a time: to shift each would cost as much as all of it.
  if (kept.length >= 2 * SYNCS_KEPT) kept.splice(0, SYNCS_KEPT)
  syncs.set(partitionKey(sync), kept)
}

/** All that a topic holds now, partition by partition; nothing where there is no such topic. */
async function* recordsOf(cluster: Cluster, topic: string, signal: AbortSignal): AsyncGenerator<ReadRecord> {
  const metadata = cluster.topic(topic)
  if (metadata === undefined) return
  for (const partition of metadata.partitions.keys()) {
    const from = { topic, partition }
    const [fromOffset, endOffset] = await Promise.all([
      listOffset(cluster, from, EARLIEST, 'read_committed'),
      listOffset(cluster, from, LATEST, 'read_committed')
    ])
    const range = { ...from, topicId: metadata.topicId, fromOffset, endOffset }
    for await (const { records } of readRecords(cluster, range, { purpose: PURPOSE, signal })) yield* records
  }
}
