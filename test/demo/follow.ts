import { setTimeout as pause } from 'node:timers/promises'
import type { FlowStatus } from '../../src/observe/status.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import type { ProduceResult, Producing } from '../support/produce.ts'
import type { MirrorWatch } from './mirror-watch.ts'
import { inThousands, type Screen, type Status } from './screen.ts'

const DRAW_INTERVAL_MS = 250
const BAR_CELLS = 20
/** Without a single record mirrored; longer than a takeover takes by far. */
const STANDSTILL_MS = 60_000
const SHOWN_LOG_LINES = 5

/** What is followed, from the first record to the last. */
export interface Followed {
  readonly screen: Screen
  readonly watch: MirrorWatch
  readonly producing: Producing
  /** How many records are to be written. */
  readonly records: number
}

/**
 * Shows how far the mirroring is until a condition holds. Returns what came between, where it can no longer hold.
 * @param phase what to say instead of the rate while there is none
 * @throws when the records could not be written
 */
export async function follow(
  followed: Followed,
  worker: FarlogProcess,
  isReached: (written: ProduceResult | undefined) => boolean,
  phase?: () => string | undefined
): Promise<string | undefined> {
  const { screen, watch, producing } = followed
  const writing = new Settled(producing.finished)
  const working = new Settled(worker.exit)
  for (;;) {
    watch.see(await flowOf(worker), performance.now())
    screen.status(statusOf(followed, phase?.()))
    if (writing.error !== undefined) throw writing.error
    if (isReached(writing.value)) return undefined
    if (working.value !== undefined)
      return `The worker ended by itself (${reasonOf(working.value)}).${lastLogs(worker)}`
    if (performance.now() - watch.movedAtMs > STANDSTILL_MS) {
      const halts = watch.halts.map(halt => `\n  ${halt}`).join('')
      return `Nothing was mirrored for ${STANDSTILL_MS / 1000} s.${halts}${lastLogs(worker)}`
    }
    await pause(DRAW_INTERVAL_MS)
  }
}

/** What a promise has come to so far, for a loop that cannot wait for it. */
class Settled<T> {
  value: T | undefined
  error: Error | undefined

  constructor(promise: Promise<T>) {
    promise.then(
      value => {
        this.value = value
      },
      (error: Error) => {
        this.error = error
      }
    )
  }
}

/** A worker does not answer before it listens; that one has ended is seen by its exit. */
async function flowOf(worker: FarlogProcess): Promise<FlowStatus | undefined> {
  try {
    return (await worker.status()).flows[0]
  } catch {
    return undefined
  }
}

function statusOf({ watch, producing, records }: Followed, phase: string | undefined): Status {
  const { mirrored, lagRecords, lagSeconds } = watch
  // The producer tells once a second what it has written, so the mirror may be ahead of what it said.
  const written = Math.max(producing.acknowledged(), mirrored)
  const lag = `lag ${inThousands(lagRecords ?? written - mirrored)}`
  const age = lagSeconds === undefined ? '' : `, ${lagSeconds.toFixed(1)} s`
  const pace = phase ?? `${inThousands(watch.recordsPerSecond ?? 0)}/s`
  return {
    drawn: `${bar(mirrored / records, written / records)} ${inThousands(mirrored)}/${inThousands(records)}  ${lag}${age}  ${pace}`,
    plain: `${inThousands(mirrored)} of ${inThousands(records)} records mirrored, ${inThousands(written)} written, ${lag} records${age}, ${pace}`
  }
}

function bar(mirroredShare: number, writtenShare: number): string {
  const mirrored = Math.floor(Math.min(mirroredShare, 1) * BAR_CELLS)
  const written = Math.ceil(Math.min(writtenShare, 1) * BAR_CELLS)
  return '█'.repeat(mirrored) + '▒'.repeat(written - mirrored) + '░'.repeat(BAR_CELLS - written)
}

function reasonOf({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  return signal ?? `exit code ${code}`
}

function lastLogs({ logs, otherOutput }: FarlogProcess): string {
  const lines = [
    ...logs.slice(-SHOWN_LOG_LINES).map(line => JSON.stringify(line)),
    ...otherOutput.slice(-SHOWN_LOG_LINES)
  ]
  return lines.map(line => `\n  ${line}`).join('')
}
