/**
 * `make demo`: two real Kafka clusters, a million records from one to the other, the worker killed in the middle, and
 * every record compared at the end. Exits 0 only if each is there once, in order and equal. `KEEP=1` leaves everything
 * running, to be looked at, until Ctrl-C.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { ownFolder } from '../support/owned-process.ts'
import { type ProduceResult, startProducing } from '../support/produce.ts'
import { createTopics } from '../support/topics.ts'
import { type Followed, follow } from './follow.ts'
import { showWhatToOpen } from './keep-running.ts'
import { MirrorWatch } from './mirror-watch.ts'
import { faults, resultTable } from './result.ts'
import { inThousands, Screen } from './screen.ts'
import { DEMO_TOPICS } from './topics.ts'
import { runVerify, type Verification } from './verify.ts'

const RECORDS = 1_000_000
/** What two cores write and mirror at the same time, so that the lag shows what the kill does to it. */
const WRITTEN_PER_SECOND = 25_000
/** The worker is killed when this share has arrived: there is enough behind it to lose, and enough to come. */
const KILL_AT = 0.4

const screen = new Screen(process.stdout)
/** With which exit code Ctrl-C ends it. */
let interruptedExitCode = 130

// Comes before the harness's own handler, and exiting is enough: whatever was started ends with this process.
process.once('SIGINT', () => {
  screen.line()
  screen.line('Ctrl-C: stopping the brokers and the worker, removing their folders.')
  process.exit(interruptedExitCode)
})
main().then(
  exitCode => process.exit(exitCode),
  (error: Error) => {
    screen.outcome(false, `The demo could not be brought to its end: ${error.message}`)
    process.exit(1)
  }
)

async function main(): Promise<number> {
  const startedAtMs = performance.now()
  keepTemporaryFilesTogether()
  const clusters = await startClusters()
  const env = await workerEnvironment(clusters)
  const { watch, produced, trouble } = await mirrorWithAKill(clusters, env)
  const measured = { topics: DEMO_TOPICS, produced, watch, verification: await verify(env) }

  screen.head(`Result, ${secondsSince(startedAtMs)} after the start`)
  for (const line of resultTable(measured)) screen.line(line)
  screen.line()
  screen.line('RATE/S: from first write to last copy, takeover included. MAX LAG: in records.')
  screen.line(`The fastest five seconds: ${inThousands(watch.peakRecordsPerSecond)} records/s.`)
  const found = [...(trouble === undefined ? [] : [trouble]), ...faults(measured)]
  for (const fault of found) screen.outcome(false, fault)
  const isGood = found.length === 0
  const all = `${inThousands(produced.records)} records is at west once, in order and equal`
  screen.outcome(isGood, isGood ? `OK: every one of ${all}.` : `FAILED: not every one of ${all}.`)

  const exitCode = isGood ? 0 : 1
  if (process.env.KEEP === '1') {
    interruptedExitCode = exitCode
    showWhatToOpen(screen, { ...clusters, env })
    await new Promise<never>(() => {})
  }
  screen.line('KEEP=1 make demo leaves everything running, to be looked at.')
  return exitCode
}

/**
 * A killed JVM leaves its unpacked native libraries in the folder for temporary files. So all that this process and its
 * children put there goes into one folder, which is removed at the end.
 */
function keepTemporaryFilesTogether(): void {
  const dir = mkdtempSync(join(tmpdir(), 'farlog-demo-'))
  ownFolder(dir)
  process.env.TMPDIR = dir
  process.env.JDK_JAVA_OPTIONS = `${process.env.JDK_JAVA_OPTIONS ?? ''} -Djava.io.tmpdir=${dir} -XX:-UsePerfData`
}

interface Clusters {
  readonly east: KafkaCluster
  readonly west: KafkaCluster
}

async function startClusters(): Promise<Clusters> {
  const startedAtMs = performance.now()
  screen.head('Starting two Kafka clusters')
  const [east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
  screen.line(`east ${east.bootstrap} and west ${west.bootstrap} answer after ${secondsSince(startedAtMs)}.`)
  await createTopics(east.bootstrap, DEMO_TOPICS)
  return { east, west }
}

/** All that the worker is told. */
async function workerEnvironment({ east, west }: Clusters): Promise<Record<string, string>> {
  const [httpPort] = await freePorts(1)
  return {
    FARLOG_SOURCE: 'east',
    FARLOG_DESTINATIONS: 'west',
    FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
    FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
    FARLOG_HTTP_HOST: '127.0.0.1',
    FARLOG_HTTP_PORT: String(httpPort)
  }
}

interface Mirrored {
  readonly watch: MirrorWatch
  readonly produced: ProduceResult
  /** Why it was ended before everything had arrived. */
  readonly trouble: string | undefined
}

async function mirrorWithAKill({ east }: Clusters, env: Readonly<Record<string, string>>): Promise<Mirrored> {
  screen.head('Starting a worker, configured by its environment alone')
  for (const [name, value] of Object.entries(env)) screen.line(`  ${name}=${value}`)
  screen.line('  bin/farlog run')
  const worker = await startFarlog(env)
  await worker.waitReady()

  screen.head(`Writing ${inThousands(RECORDS)} records to east while the worker mirrors them to west`)
  const topics = DEMO_TOPICS.map(({ name, compression }) => `${name} ${compression}`)
  screen.line(`Topics: ${topics.join(', ')}`)
  screen.line('JSON with keys and headers; tombstones, null keys, empty values, odd timestamps.')
  screen.line('█ mirrored  ▒ written')
  const producing = await startProducing({
    bootstrap: east.bootstrap,
    topics: DEMO_TOPICS,
    records: RECORDS,
    rate: WRITTEN_PER_SECOND
  })
  const watch = new MirrorWatch(DEMO_TOPICS, performance.now())
  const followed = { screen, watch, producing, records: RECORDS }

  const starting = () => (watch.hasBegun ? undefined : 'the producer is starting')
  const trouble =
    (await follow(followed, worker, () => watch.mirrored >= RECORDS * KILL_AT, starting)) ??
    (await killAndRestart(followed, worker, env))
  const produced = await (trouble === undefined ? producing.finished : producing.stop())
  if (trouble === undefined) {
    const lag = `${inThousands(watch.lagRecords ?? 0)} records, ${watch.lagSeconds} s`
    screen.line(`${inThousands(watch.mirrored)} records are mirrored; the lag is ${lag}.`)
  }
  return { watch, produced, trouble }
}

async function killAndRestart(
  followed: Followed,
  worker: FarlogProcess,
  env: Readonly<Record<string, string>>
): Promise<string | undefined> {
  const { watch, producing } = followed
  worker.kill('SIGKILL')
  await worker.exit
  const killedAtMs = performance.now()
  const written = Math.max(producing.acknowledged(), watch.mirrored)
  screen.head(
    `SIGKILL to worker ${worker.pid}: ${inThousands(watch.mirrored)} records mirrored, ${inThousands(written)} written`
  )
  const next = await startFarlog(env)
  screen.line(`Worker ${next.pid} is started with the same environment. The group gives it the`)
  screen.line("partitions when the dead worker's session has timed out, up to 10 s from now;")
  screen.line("then it fences each of them and finds in west's log where to go on.")
  const waiting = () => `taking over, ${secondsSince(killedAtMs)}`
  const trouble = await follow(followed, next, () => watch.isMirroringAll, waiting)
  if (trouble !== undefined) return trouble

  screen.line(`All partitions are taken over ${secondsSince(killedAtMs)} after the kill.`)
  const isAllThere = (written: ProduceResult | undefined) =>
    written !== undefined && watch.mirrored >= written.records && watch.lagRecords === 0
  return follow(followed, next, isAllThere)
}

async function verify(env: Readonly<Record<string, string>>): Promise<Verification> {
  const args = ['--topics', DEMO_TOPICS.map(({ name }) => name).join(',')]
  screen.head('Comparing every record with its copy')
  screen.line(`  bin/farlog verify --json ${args.join(' ')}`)
  const startedAtMs = performance.now()
  const verification = await runVerify(args, env)
  screen.line(
    `It says "${verification.verdict}" (exit code ${verification.exitCode}) after ${secondsSince(startedAtMs)}.`
  )
  return verification
}

function secondsSince(startedAtMs: number): string {
  return `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`
}
