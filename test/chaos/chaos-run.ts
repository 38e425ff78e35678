/**
 * One run: faults of all kinds befall workers, brokers and the network between while records are written; then
 * everything heals, the copy catches up, and every record of it is judged, by `farlog verify` and by a checker of our own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { runFarlog } from '../support/farlog-process.ts'
import { giveUpAfter } from '../support/wait.ts'
import { type Bed, makeBed } from './bed.ts'
import { allCaughtUp } from './caught-up.ts'
import { checkFlow } from './checker/check-flow.ts'
import type { PartitionVerdict } from './checker/compare-partition.ts'
import { acknowledgedIn, type WrittenBook } from './checker/written.ts'
import { keepEvidence } from './evidence.ts'
import { FaultMaker } from './fault-maker.ts'
import { LagWatch } from './lag-watch.ts'
import { faultLine } from './report.ts'
import { type FaultKind, makeSchedule, targetsOf } from './schedule.ts'
import { TOPICS } from './topics.ts'
import { Turns } from './turns.ts'
import { Workers } from './workers.ts'
import { startWriters, type Writers } from './writers.ts'

export interface ChaosOptions {
  readonly seed: number
  /** Of the time in which faults begin. */
  readonly lengthMs: number
  readonly recordsPerSecond: number
  readonly print: (line: string) => void
}

/** What the judges said. */
interface Judgement {
  /** As the writers counted them. */
  readonly acknowledged: number
  readonly verdicts: readonly PartitionVerdict[]
  /** What `farlog verify` printed. */
  readonly verification: string
  /** What went wrong apart from single records; empty in a good run. */
  readonly troubles: readonly string[]
}

export interface ChaosResult extends Judgement {
  readonly faultsByKind: ReadonlyMap<FaultKind, number>
  readonly longestLagSeconds: number
  readonly isGood: boolean
  /** Where logs and the partitions with faults were left; `undefined` after a good run. */
  readonly evidenceDir: string | undefined
}

const NOTHING_JUDGED: Judgement = { acknowledged: 0, verdicts: [], verification: '', troubles: [] }

const COMPLAINTS_SHOWN = 5

const WORKERS = 2
const WORKERS_MAX = 3
/** What follows after the time in which faults begin may take so long, on a machine that does other things too. */
const TIMEOUTS_MS = {
  /** Everything that is down comes back. */
  heal: 180_000,
  /** What the writers have in flight is acknowledged. */
  finish: 120_000,
  /** What has piled up is mirrored. */
  catchUp: 300_000,
  /** Both sides are read, once by each judge; and as long again as was written. */
  judge: 180_000
}

/** Runs the schedule of the seed and judges what came of it; takes some minutes more than `lengthMs`. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, recordsPerSecond } = options
  const journal: string[] = []
  const startedAtMs = performance.now()
  const say = (line: string) => {
    journal.push(`${clock(performance.now() - startedAtMs)}  ${line}`)
    options.print(journal.at(-1)!)
  }
  await using bed = await makeBed()
  say('both clusters are up')
  await using writers = startWriters({ bootstrap: bed.sites.source.bootstrap, seed, topics: TOPICS, recordsPerSecond })
  await using workers = new Workers(bed.workerEnv)
  await using lagWatch = new LagWatch(bed, workers)
  const running: Running = { bed, writers, workers, say, books: [], faultsByKind: new Map() }

  // Also what could not be brought to its end leaves its logs behind.
  const judgement = await runAndJudge(options, running).catch((error: Error): Judgement => {
    const complaints = writers.complaints.slice(-COMPLAINTS_SHOWN).map(line => `a writer said: ${line}`)
    return { ...NOTHING_JUDGED, troubles: [`not to the end: ${error.stack}`, ...complaints] }
  })
  const { verdicts, verification } = judgement
  const troubles = [...judgement.troubles, ...workers.troubles]
  const isGood = troubles.length === 0 && verdicts.every(isGoodVerdict)
  return {
    ...judgement,
    troubles,
    faultsByKind: running.faultsByKind,
    longestLagSeconds: lagWatch.longestLagMs / 1000,
    isGood,
    evidenceDir: isGood ? undefined : keepEvidence({ ...running, seed, journal, verdicts, verification, troubles })
  }
}

/** What a run consists of while it runs. */
interface Running {
  readonly bed: Bed
  readonly writers: Writers
  readonly workers: Workers
  readonly say: (line: string) => void
  readonly faultsByKind: Map<FaultKind, number>
  /** Known when the writers have ended. */
  books: readonly WrittenBook[]
}

async function runAndJudge(options: ChaosOptions, running: Running): Promise<Judgement> {
  const { bed, writers, workers, say } = running
  for (let worker = 0; worker < WORKERS; worker++) await workers.start(worker)
  await giveUpAfter(options.lengthMs + TIMEOUTS_MS.heal, makeFaults(options, running), 'all faults to be over')
  // Every fault has undone itself.
  say('all faults are over; the writers finish')
  running.books = await giveUpAfter(TIMEOUTS_MS.finish, writers.stop(), 'the writers to finish')
  say('waiting for the copy to catch up')
  const stuck = await allCaughtUp(bed, workers, TIMEOUTS_MS.catchUp).then(
    () => [],
    (error: Error) => [error.message]
  )
  say(stuck.length === 0 ? 'the copy has caught up: comparing both sides' : 'the copy is stuck: comparing both sides')
  const judgeMs = TIMEOUTS_MS.judge + options.lengthMs
  const verdicts = await giveUpAfter(judgeMs, check(running), 'both sides to be compared')
  say('farlog verify --json')
  const acknowledged = running.books.reduce((sum, book) => sum + acknowledgedIn(book), 0)
  const verified = runFarlog(['verify', '--json'], bed.directEnv)
  const { code, stdout, stderr } = await giveUpAfter(judgeMs, verified, 'farlog verify')
  const difference = code === 0 ? [] : [`farlog verify ended with ${code}`]
  return { acknowledged, verdicts, verification: stdout + stderr, troubles: [...stuck, ...difference] }
}

function isGoodVerdict({ found }: PartitionVerdict): boolean {
  return Object.values(found).every(count => count === 0)
}

async function makeFaults({ seed, lengthMs }: ChaosOptions, running: Running): Promise<void> {
  const { bed, workers, say, faultsByKind } = running
  const topics = TOPICS.map(({ name }) => name)
  const schedule = makeSchedule({ seed, lengthMs, topics, workers: WORKERS, workersMax: WORKERS_MAX })
  const faultMaker = new FaultMaker(bed, workers)
  const turns = new Turns()
  const beganAtMs = performance.now()
  const made: Promise<void>[] = []
  for (const fault of schedule) {
    await sleep(Math.max(0, beganAtMs + fault.atMs - performance.now()))
    const turn = turns.take(targetsOf(fault, WORKERS_MAX), async () => {
      say(faultLine(fault))
      faultsByKind.set(fault.kind, (faultsByKind.get(fault.kind) ?? 0) + 1)
      await faultMaker.make(fault)
    })
    // Whether it failed is asked for at the end.
    turn.catch(() => {})
    made.push(turn)
  }
  await sleep(Math.max(0, beganAtMs + lengthMs - performance.now()))
  await Promise.all(made)
}

function check({ bed, books }: Running): Promise<PartitionVerdict[]> {
  const { source, destination } = bed.sites
  return checkFlow({
    sourceAlias: source.alias,
    sourceBootstrap: source.bootstrap,
    destinationBootstrap: destination.bootstrap,
    topics: TOPICS.map(({ name, compactedKeys }) => ({
      name,
      partitions: bed.partitionsByTopic.get(name)!,
      compactedKeys
    })),
    books
  })
}

function clock(ms: number): string {
  const tenths = Math.floor(ms / 100)
  const seconds = (tenths / 10) % 60
  return `${String(Math.floor(tenths / 600)).padStart(3)}:${seconds.toFixed(1).padStart(4, '0')}`
}
