/** Many partitions: what they cost while little happens in them, and how long a worker takes until it mirrors them. */
import { setTimeout as pause } from 'node:timers/promises'
import type { FarlogProcess } from '../../test/support/farlog-process.ts'
import { until } from '../../test/support/wait.ts'
import { mirrorMaker, startWorker } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { startLoad } from '../support/load.ts'
import { coresDuring, residentMb } from '../support/process-figures.ts'
import { markdownTable, percent } from '../support/text-table.ts'

const PARTITIONS_PER_TOPIC = 100
/** Kafka reserves 10 MB for each index file of each partition; these hold next to nothing. */
const SMALL_INDEXES = { 'segment.index.bytes': '65536' }
const SETTLE_MS = 8_000
/** So long does the producer write before anything is measured. */
const WARM_UP_S = 10
const MEASURED_MS = 15_000
const START_TIMEOUT_MS = 180_000
const ONE_THREAD = 1
const HEADER = ['', 'mirror', 'first start s', 'next start s', 'of a core', 'resident MB']

/** 1,000 partitions, a few records per second in each. */
export async function measureThousand(bed: Bed): Promise<string> {
  const { east, west, progress, newAlias } = bed
  const topic = 'thousand'
  const partitions = 1_000
  const recordsPerSecond = 5_000
  await east.admin.createTopic(topic, partitions, SMALL_INDEXES)
  await usedOnce(bed)
  const load = startLoad({
    ...{ bootstrap: east.bootstrap, topic, value: 1_000, compression: 'none', isBatched: false },
    ...{ records: 1e9, recordsPerSecond }
  })
  await until(async () => (await east.offsets.total(topic, partitions)) > recordsPerSecond * WARM_UP_S, {
    timeoutMs: START_TIMEOUT_MS,
    describe: 'the load to be steady'
  })
  const title = `1,000 partitions, ${recordsPerSecond.toLocaleString('en-US')} one-record batches per second`
  const rows: string[][] = []
  try {
    const alias = newAlias()
    const first = await startOwn(bed, alias, topic, partitions)
    await first.stop()
    const next = await startOwn(bed, alias, topic, partitions)
    rows.push([title, 'farlog', first.seconds, next.seconds, ...(await flatCosts(next.pid))])
    progress(`thousand: ${rows.at(-1)!.join(', ')}`)
    await next.stop()

    const other = newAlias()
    const copies = async () => (await west.offsets.total(`${other}.${topic}`, partitions)) > partitions
    const began = performance.now()
    await using theirs = await mirrorMaker.start({
      alias: other,
      sourceBootstrap: east.bootstrap,
      destinationBootstrap: west.bootstrap,
      topics: topic,
      compression: 'none'
    })
    await until(copies, { timeoutMs: START_TIMEOUT_MS, describe: 'MirrorMaker 2 to copy' })
    rows.push(['', 'MirrorMaker 2', seconds(began), '', ...(await flatCosts(theirs.pid))])
    progress(`thousand: ${rows.at(-1)!.join(', ')}`)
    await west.offsets.deleteTopics([`${alias}.${topic}`, `${other}.${topic}`])
  } finally {
    await load.stop()
    await east.offsets.deleteTopics([topic])
  }
  return markdownTable(HEADER, rows)
}

/** 10,000 partitions in which nothing happens, then with ten more in which something does. */
export async function measureIdle(bed: Bed): Promise<string> {
  const { east, west, progress, newAlias } = bed
  const idle = Array.from({ length: 100 }, (_, index) => `idle-${index}`)
  const busy = { topic: 'idle-busy', partitions: 10 }
  const alias = newAlias()
  progress('idle: creating 10,000 partitions')
  for (const topic of idle) await east.admin.createTopic(topic, PARTITIONS_PER_TOPIC, SMALL_INDEXES)
  await east.admin.createTopic(busy.topic, busy.partitions)
  const rows: string[][] = []
  const few = await startOwn(bed, `${alias}few`, busy.topic, busy.partitions)
  const [fewCores, fewMb] = await flatCosts(few.pid)
  rows.push(['10 partitions, idle', 'farlog', few.seconds, '', fewCores, fewMb])
  await few.stop()
  const first = await startOwn(bed, alias, 'idle-.*', 10_010)
  await first.stop()
  const next = await startOwn(bed, alias, 'idle-.*', 10_010)
  rows.push(['10,010 partitions, idle', 'farlog', first.seconds, next.seconds, ...(await flatCosts(next.pid))])
  progress(`idle: ${rows.at(-1)!.join(', ')}`)
  const load = startLoad({
    ...{ bootstrap: east.bootstrap, topic: busy.topic, value: 1_000, compression: 'none', isBatched: true },
    ...{ records: 1e9, recordsPerSecond: 10_000 }
  })
  rows.push(['10,000 idle, ten with 10,000 records/s', 'farlog', '', '', ...(await flatCosts(next.pid))])
  progress(`idle: ${rows.at(-1)!.join(', ')}`)
  await load.stop()
  await next.stop()
  await west.offsets.deleteTopics([
    `${alias}few.${busy.topic}`,
    ...[...idle, busy.topic].map(topic => `${alias}.${topic}`)
  ])
  await east.offsets.deleteTopics([...idle, busy.topic])
  return markdownTable(HEADER, rows)
}

/** Clusters have the topics that groups and transactions are kept in from their first use on, which is not measured here. */
async function usedOnce(bed: Bed): Promise<void> {
  const topic = 'used-once'
  await bed.east.admin.createTopic(topic, 1)
  const worker = await startOwn(bed, bed.newAlias(), topic, 1)
  await worker.stop()
}

/** Starts farlog and waits until it mirrors all partitions. */
async function startOwn(
  { east, west }: Bed,
  alias: string,
  topics: string,
  partitions: number
): Promise<{ readonly pid: number; readonly seconds: string; stop(): Promise<void> }> {
  const began = performance.now()
  const worker = await startWorker(
    { alias, sourceBootstrap: east.bootstrap, destinationBootstrap: west.bootstrap, topics },
    ONE_THREAD
  )
  await until(async () => (await mirroring(worker)) === partitions, {
    timeoutMs: START_TIMEOUT_MS,
    pauseMs: 200,
    describe: `farlog to mirror ${partitions} partitions`
  })
  return {
    pid: worker.pid,
    seconds: seconds(began),
    async stop() {
      worker.kill('SIGTERM')
      await worker.exit
    }
  }
}

async function mirroring(worker: FarlogProcess): Promise<number> {
  const { flows } = await worker.status()
  return flows.flatMap(flow => flow.partitions).filter(({ state }) => state === 'mirroring').length
}

/** What a process takes once it has settled: of a core, and megabytes. */
async function flatCosts(pid: number): Promise<[string, string]> {
  await pause(SETTLE_MS)
  const cores = await coresDuring(pid, () => pause(MEASURED_MS))
  return [percent(cores), residentMb(pid).now.toFixed(0)]
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1)
}
