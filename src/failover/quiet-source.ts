/**
 * Whether producers have stopped: nothing that was born at the source is written there any more. Its ends alone do not tell, for
 * the reverse flow may write to the same partitions, and an open transaction may still be committed.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { LATEST, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { pause } from '../cluster/retry.ts'
import { concurrently } from '../status/concurrently.ts'
import { firstOwnOffset, READS_AT_A_TIME } from './own-records.ts'
import { named, StepRefused } from './step-refused.ts'

const LOOK_INTERVAL_MS = 500

export interface QuietSourceOptions {
  readonly source: Cluster
  /** Alias: records from there are the reverse flow's. */
  readonly destination: string
  readonly partitions: readonly TopicPartition[]
  /** For how long nothing must have come. */
  readonly quietMs: number
  /** By `performance.now()`. */
  readonly deadlineMs: number
  /** Hears of the topics that still grow, each time these are others. */
  growing(what: string): void
  readonly signal: AbortSignal
}

/**
 * Waits until the source is quiet. Resolves to the last stable offset of each partition, below which stands all that was
 * born there.
 * @throws StepRefused at the deadline, with the topics that still grow; ClusterError where the source can't be read
 */
export async function untilQuiet(options: QuietSourceOptions): Promise<ReadonlyMap<string, number>> {
  const { quietMs, deadlineMs, signal, source } = options
  const ends = new Map<string, number>()
  let quietSinceMs = performance.now()
  let told = ''
  for (;;) {
    const reasons = await lookOnce(options, ends)
    const nowMs = performance.now()
    if (reasons.length === 0 && nowMs - quietSinceMs >= quietMs) return ends
    if (reasons.length > 0) quietSinceMs = nowMs
    const what = named(reasons)
    if (nowMs > deadlineMs) {
      throw new StepRefused(
        reasons.length > 0
          ? `still written to at ${source.alias}: ${what}; stop the producers`
          : `${source.alias} was not quiet for ${quietMs / 1000} s in the time given: the last to grow was ${told || 'unknown'}`
      )
    }
    if (reasons.length > 0 && what !== told) options.growing(what)
    if (reasons.length > 0) told = what
    await pause(LOOK_INTERVAL_MS, signal)
    signal.throwIfAborted()
  }
}

/** What has grown since the look before; `ends` is brought up to date. */
async function lookOnce(options: QuietSourceOptions, ends: Map<string, number>): Promise<string[]> {
  const { source, destination, partitions, signal } = options
  // One after the other: what lies between the two is then open, and not written in between.
  const all = await listOffsets(source, partitions, LATEST, 'read_uncommitted')
  const stable = await listOffsets(source, partitions, LATEST, 'read_committed')
  const highWatermarks = new Map(all.map(each => [partitionKey(each), each]))
  const reasons = await concurrently(stable, READS_AT_A_TIME, async ({ topic, partition, offset, error }) => {
    const key = partitionKey({ topic, partition })
    const highWatermark = highWatermarks.get(key)
    if (error !== 'NONE' || highWatermark === undefined || highWatermark.error !== 'NONE') {
      await source.refreshTogether(topic)
      return `${topic} (partition ${partition} can’t be asked: ${error === 'NONE' ? highWatermark?.error : error})`
    }
    const fromOffset = ends.get(key) ?? offset
    ends.set(key, offset)
    if (highWatermark.offset > offset) return `${topic} (a transaction is open in partition ${partition})`
    const range = { topic, partition, fromOffset, endOffset: offset }
    return (await firstOwnOffset(source, range, destination, signal)) === undefined ? undefined : topic
  })
  return [...new Set(reasons.filter(reason => reason !== undefined))].toSorted()
}
