import { partitionKey } from '../cluster/offsets.ts'
import { pause } from '../cluster/retry.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowPartition, FlowSides } from './flow-sides.ts'
import { firstOwnOffset, READS_AT_A_TIME } from './own-records.ts'
import { readLosses } from './read-losses.ts'
import { named, StepRefused } from './step-refused.ts'

const LOOK_INTERVAL_MS = 500

export interface DrainedOptions {
  readonly sides: FlowSides
  /** The partitions of the flow, as they are each time. */
  partitions(): Promise<readonly FlowPartition[]>
  /** Last stable offset of the quiet source, by partition. */
  readonly ends: ReadonlyMap<string, number>
  /** By `performance.now()`. */
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

/** Waits until every partition's copy holds all that the source had. @throws StepRefused at the deadline; ClusterError */
export async function untilDrained(options: DrainedOptions): Promise<void> {
  const { sides, ends, deadlineMs, signal } = options
  for (;;) {
    const short = (await options.partitions()).filter(
      partition => (partition.committed?.nextSourceOffset ?? 0) < (ends.get(partitionKey(partition)) ?? 0)
    )
    // Committed progress is late by some seconds, and none where a worker died: the copies themselves tell.
    const missing = (await exactLosses(sides, await readLosses(sides, short, '', signal), signal)).filter(
      ({ lostRecordsMax }) => lostRecordsMax !== 0
    )
    if (missing.length === 0) return
    if (performance.now() > deadlineMs) {
      const names = missing.map(
        ({ topic, partition, nextSourceOffset }) =>
          `${topic}-${partition} (at ${nextSourceOffset ?? 'the beginning'} of ${ends.get(partitionKey({ topic, partition }))})`
      )
      throw new StepRefused(`not everything has reached ${sides.destination.alias}: ${named(names)}; see farlog status`)
    }
    await pause(LOOK_INTERVAL_MS, signal)
    signal.throwIfAborted()
  }
}

/**
 * The same rows, where nothing but markers, aborted records and copies from the destination is missing with a loss of 0: the
 * source is there to be asked.
 * @throws ClusterError where it can't be read
 */
export function exactLosses(
  { source, destination }: FlowSides,
  losses: readonly PartitionLoss[],
  signal: AbortSignal
): Promise<PartitionLoss[]> {
  return concurrently(losses, READS_AT_A_TIME, async loss => {
    const { topic, partition, nextSourceOffset, sourceEndOffset } = loss
    if (loss.lostRecordsMax === 0 || sourceEndOffset === null) return loss
    const range = { topic, partition, fromOffset: nextSourceOffset ?? 0, endOffset: sourceEndOffset }
    const first = await firstOwnOffset(source, range, destination.alias, signal)
    return first === undefined ? { ...loss, lostRecordsMax: 0, lostSeconds: 0 } : loss
  })
}
