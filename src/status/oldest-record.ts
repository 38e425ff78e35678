import type { Cluster } from '../cluster/cluster.ts'
import { type ReadRange, readRecords } from '../cluster/record-reader.ts'

/** The first committed record of a range, or that there is none: all of it is markers, aborts or compacted away. */
export type OldestRecord = 'none' | { readonly timestampMs: number }

/** Enough to pass many markers at once; a larger batch is fetched whole nevertheless. */
const FETCH_BYTES = 64 * 1024
const PATIENCE_MS = 3_000
const PURPOSE = 'oldest-record'

/** Finds the first record. @throws ClusterError */
export async function readOldestRecord(source: Cluster, range: ReadRange, signal: AbortSignal): Promise<OldestRecord> {
  const options = { purpose: PURPOSE, fetchBytes: FETCH_BYTES, patienceMs: PATIENCE_MS, signal }
  for await (const { records } of readRecords(source, range, options)) {
    const oldest = records[0]
    if (oldest !== undefined) return { timestampMs: Number(oldest.timestamp) }
    signal.throwIfAborted()
  }
  return 'none'
}
