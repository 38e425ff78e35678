import type { Cluster } from '../cluster/cluster.ts'
import { type FetchBatchesOptions, fetchBatches } from '../cluster/fetch-batches.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import { batchesIn } from '../records/batch.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { RecordCursor } from '../records/record-cursor.ts'

/** What to read of a destination partition, and whose copies. */
export interface CopiesToRead extends FetchBatchesOptions {
  readonly destination: Cluster
  readonly partition: TopicPartition
  readonly origin: OriginReader
  /** Destination offsets from here to before `end`. */
  readonly start: number
  readonly end: number
  readonly signal: AbortSignal
}

/** A record that stands at the destination and came from the source partition asked for. */
export interface Copy {
  readonly sourceOffset: number
  readonly destinationOffset: number
  readonly producerId: number
}

/**
 * Visits the copies of one source partition in the order in which they stand at the destination.
 * @throws ClusterError, or RecordsError where bytes are damaged
 */
export async function readCopies(options: CopiesToRead, visit: (copy: Copy) => void): Promise<void> {
  const { destination, partition, origin, start, end, signal } = options
  let position = start
  while (position < end) {
    signal.throwIfAborted()
    const fetched = await fetchBatches(destination, partition, position, options)
    try {
      const nextOffset = visitCopies(fetched.records, origin, position, end, visit)
      // Compaction may have left nothing up to the end: an answer without a whole batch says so.
      if (nextOffset <= position) return
      position = nextOffset
    } finally {
      fetched.release()
    }
  }
}

/** @returns behind the last whole batch */
function visitCopies(
  bytes: Buffer,
  origin: OriginReader,
  start: number,
  end: number,
  visit: (copy: Copy) => void
): number {
  let nextOffset = start
  for (const batch of batchesIn(bytes)) {
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
      if (sourceOffset >= 0) visit({ sourceOffset, destinationOffset: record.offset, producerId: batch.producerId })
    }
  }
  return nextOffset
}
