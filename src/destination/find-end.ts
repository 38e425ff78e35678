/**
 * Finding the end: which source offset the newest mirrored record of a destination partition came from.
 *
 * Committed progress is written every few seconds, so it is behind what was acknowledged when a worker died; going on
 * from it would copy records twice. The destination log itself knows: its newest record with our provenance. Kafka
 * only reads forwards, so the log is read in windows from the end backwards, small ones first, because the newest
 * record nearly always lies right before the marker that the fence has just written.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { EARLIEST, LATEST, listOffset, type TopicPartition } from '../cluster/offsets.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { readCopies } from './read-copies.ts'

/** The newest mirrored record. */
export interface DestinationEnd {
  readonly sourceOffset: number
  readonly destinationOffset: number
}

const FIRST_WINDOW_OFFSETS = 4
const WINDOW_GROWTH = 8
/** Windows stop growing here: a fetch of about this many records is still one answer of moderate size. */
const WINDOW_OFFSETS_MAX = 16_384
const FETCH = { purpose: 'find-end', maxBytes: 4 * 1024 * 1024, doing: 'reading the end of' }

/**
 * Reads a partition backwards until a mirrored record of this source partition is met.
 * @param coveredOffset destination offset up to which committed progress already speaks (-1: none); it is not read
 * @returns `undefined` where nothing above it is ours: committed progress, if any, stands
 */
export async function findEnd(
  destination: Cluster,
  partition: TopicPartition,
  origin: OriginReader,
  coveredOffset: number,
  signal: AbortSignal
): Promise<DestinationEnd | undefined> {
  const logStart = await listOffset(destination, partition, EARLIEST, 'read_uncommitted')
  const logEnd = await listOffset(destination, partition, LATEST, 'read_uncommitted')
  // A log shorter than progress remembers was made anew: progress says nothing about it.
  const lowest = Math.max(logStart, coveredOffset < logEnd ? coveredOffset + 1 : 0)
  let end = logEnd
  let windowOffsets = FIRST_WINDOW_OFFSETS
  while (end > lowest) {
    const start = Math.max(end - windowOffsets, lowest)
    let newest: DestinationEnd | undefined
    const window = { destination, partition, origin, start, end, signal, ...FETCH }
    await readCopies(window, ({ sourceOffset, destinationOffset }) => {
      newest = { sourceOffset, destinationOffset }
    })
    if (newest !== undefined) return newest
    end = start
    windowOffsets = Math.min(windowOffsets * WINDOW_GROWTH, WINDOW_OFFSETS_MAX)
  }
  return undefined
}
