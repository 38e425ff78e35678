import { existsSync } from 'node:fs'
import { GiveUp, until } from '../../test/support/wait.ts'
import type { Contender } from '../contenders/contender.ts'
import type { EndOffsets } from './end-offsets.ts'
import { cpuSeconds, residentMb } from './process-figures.ts'

/** What one contender showed in one run. */
export interface CopyFigures {
  readonly recordsPerSecond: number
  /** User and system, per million records. */
  readonly cpuSecondsPerMillion: number
  readonly peakMb: number
}

export interface Backlog {
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly compression: Parameters<Contender['start']>[0]['compression']
}

export interface Sites {
  readonly sourceBootstrap: string
  readonly destinationBootstrap: string
  readonly destination: EndOffsets
}

/** Left out at the beginning: connecting, taking over, warming up. */
const WARM_UP_SHARE = 0.1
/** Where that would take longer, this much time from the first copy on. */
const WARM_UP_MS_MAX = 20_000
/** Slow contenders are stopped after this long; their rate has shown by then. */
const WINDOW_MS_MAX = 8_000
const LOOK_INTERVAL_MS = 20
const START_TIMEOUT_MS = 90_000

/** Has a contender copy a backlog, and measures it from a tenth of it on, to the end or as long as the window is. */
export async function copyBacklog(
  contender: Contender,
  { topic, partitions, records, compression }: Backlog,
  { sourceBootstrap, destinationBootstrap, destination }: Sites,
  alias: string
): Promise<CopyFigures> {
  const copy = `${alias}.${topic}`
  const look = async (pid: number) => {
    if (!existsSync(`/proc/${pid}`)) throw new GiveUp(`${contender.name} has ended`)
    return {
      copied: await destination.total(copy, partitions),
      cpuSeconds: cpuSeconds(pid),
      atMs: performance.now()
    }
  }
  try {
    await using running = await contender.start({
      alias,
      sourceBootstrap,
      destinationBootstrap,
      topics: topic,
      compression
    })
    const hasReached = (enough: (seen: Awaited<ReturnType<typeof look>>) => boolean, timeoutMs: number) =>
      until(
        async () => {
          const seen = await look(running.pid)
          return enough(seen) && seen
        },
        { timeoutMs, pauseMs: LOOK_INTERVAL_MS, describe: `${contender.name} to copy ${topic}` }
      )
    // A fence leaves a marker or two in each partition.
    const begun = await hasReached(({ copied }) => copied > partitions * 4, START_TIMEOUT_MS)
    const first = await hasReached(
      ({ copied, atMs }) => copied >= records * WARM_UP_SHARE || atMs >= begun.atMs + WARM_UP_MS_MAX,
      WARM_UP_MS_MAX * 2
    )
    const deadlineMs = first.atMs + WINDOW_MS_MAX
    const last = await hasReached(({ copied, atMs }) => copied >= records || atMs >= deadlineMs, WINDOW_MS_MAX * 2)
    const copied = last.copied - first.copied
    return {
      recordsPerSecond: (copied / (last.atMs - first.atMs)) * 1000,
      cpuSecondsPerMillion: ((last.cpuSeconds - first.cpuSeconds) / copied) * 1e6,
      peakMb: residentMb(running.pid).peak
    }
  } finally {
    await destination.deleteTopics([copy])
  }
}

/** The median of each figure. */
export function medianOf(runs: readonly CopyFigures[]): CopyFigures {
  const of = (pick: (figures: CopyFigures) => number) => {
    const sorted = runs.map(pick).toSorted((a, b) => a - b)
    const middle = Math.floor(sorted.length / 2)
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  }
  return {
    recordsPerSecond: of(figures => figures.recordsPerSecond),
    cpuSecondsPerMillion: of(figures => figures.cpuSecondsPerMillion),
    peakMb: of(figures => figures.peakMb)
  }
}
