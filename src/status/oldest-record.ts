import type { Cluster } from '../cluster/cluster.ts'
import { type ReadRange, readRecords } from '../cluster/record-reader.ts'

/** Of the first committed record of a range, or that there is none: all is markers, aborts, or compacted away. */
export type OldestRecord = 'none' | { readonly ageSeconds: number | null }

/** Enough to pass many markers at once; a larger batch is fetched whole nevertheless. */
const FETCH_BYTES = 64 * 1024
const PATIENCE_MS = 3_000
const PURPOSE = 'oldest-record'
/** Clocks of hosts differ by less than that; a record further in the future has a timestamp that tells nothing. */
const FUTURE_MAX_MS = 10_000

/** Finds the first record. @throws ClusterError */
export async function readOldestRecord(
  source: Cluster,
  range: ReadRange,
  nowMs: () => number,
  signal: AbortSignal
): Promise<OldestRecord> {
  const options = { purpose: PURPOSE, fetchBytes: FETCH_BYTES, patienceMs: PATIENCE_MS, signal }
  for await (const { records } of readRecords(source, range, options)) {
    if (records.length > 0)
      return {
        ageSeconds: ageSeconds(
          records.map(record => Number(record.timestamp)),
          nowMs()
        )
      }
    signal.throwIfAborted()
  }
  return 'none'
}

/**
 * Producers write what they like for a timestamp, 0 or −1 and times to come among it: the first of the batch that is a
 * time in the past counts. `null` where none is.
 */
export function ageSeconds(timestampsMs: readonly number[], nowMs: number): number | null {
  const telling = timestampsMs.find(timestampMs => timestampMs > 0 && timestampMs <= nowMs + FUTURE_MAX_MS)
  return telling === undefined ? null : Math.max(nowMs - telling, 0) / 1000
}
