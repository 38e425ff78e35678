/**
 * Finding the end: which source offset the newest mirrored record of a destination partition came from.
 *
 * Committed progress is written every few seconds, so it is behind what was acknowledged when a worker died; going on
 * from it would copy records twice. The destination log itself knows: its newest record with our provenance. Kafka
 * only reads forwards, so the log is read in windows from the end backwards, small ones first, because the newest
 * record nearly always lies right before the marker that the fence has just written.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { fetchBatches } from '../cluster/fetch-batches.ts'
import { EARLIEST, LATEST, listOffset } from '../cluster/offsets.ts'
import { batchesIn } from '../records/batch.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { RecordCursor } from '../records/record-cursor.ts'

export interface DestinationPartition {
  readonly topic: string
  readonly partition: number
}

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
  partition: DestinationPartition,
  origin: OriginReader,
  coveredOffset: number,
  signal: AbortSignal
): Promise<DestinationEnd | undefined> {
  const logStart = await listOffset(destination, partition, EARLIEST, 'read_uncommitted')
  const logEnd = await listOffset(destination, partition, LATEST, 'read_uncommitted')
  // A log shorter than progress remembers was made anew: progress says nothing about it.
  const lowest = Math.max(logStart, coveredOffset < logEnd ? coveredOffset + 1 : 0)
  let windowEnd = logEnd
  let windowOffsets = FIRST_WINDOW_OFFSETS
  while (windowEnd > lowest) {
    const windowStart = Math.max(windowEnd - windowOffsets, lowest)
    const newest = await newestBetween(destination, partition, origin, windowStart, windowEnd, signal)
    if (newest !== undefined) return newest
    windowEnd = windowStart
    windowOffsets = Math.min(windowOffsets * WINDOW_GROWTH, WINDOW_OFFSETS_MAX)
  }
  return undefined
}

/** The newest record of ours with a destination offset in [start, end). */
async function newestBetween(
  destination: Cluster,
  partition: DestinationPartition,
  origin: OriginReader,
  start: number,
  end: number,
  signal: AbortSignal
): Promise<DestinationEnd | undefined> {
  let newest: DestinationEnd | undefined
  let position = start
  while (position < end) {
    signal.throwIfAborted()
    const fetched = await fetchBatches(destination, partition, position, FETCH)
    try {
      const read = newestIn(fetched.records, origin, Math.max(position, start), end)
      newest = read.newest ?? newest
      // Compaction may have left nothing up to the end of the window: an answer without a whole batch says so.
      if (read.nextOffset <= position) return newest
      position = read.nextOffset
    } finally {
      fetched.release()
    }
  }
  return newest
}

function newestIn(
  records: Buffer,
  origin: OriginReader,
  start: number,
  end: number
): { newest: DestinationEnd | undefined; nextOffset: number } {
  let newest: DestinationEnd | undefined
  let nextOffset = start
  for (const batch of batchesIn(records)) {
    // First of all: what is damaged may be what says that the batch can be passed over.
    batch.assertIntact()
    if (batch.lastOffset < start) continue
    nextOffset = batch.lastOffset + 1
    if (batch.baseOffset >= end) break
    if (batch.isControl) continue
    const record = new RecordCursor(batch)
    while (record.next()) {
      if (record.offset < start || record.offset >= end || record.headerCount === 0) continue
      const { bytes, headersStart, headersEnd, headerCount } = record
      const sourceOffset = origin.sourceOffset(bytes, headersStart, headersEnd, headerCount)
      if (sourceOffset >= 0) newest = { sourceOffset, destinationOffset: record.offset }
    }
  }
  return { newest, nextOffset }
}
