/**
 * Two data-plane threads beside one. The destination only acknowledges, and the records are JSON in gzip, so that the
 * work lies in farlog and not in the brokers, which share the machine's cores with it.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../../test/support/wait.ts'
import { farlog } from '../contenders/contenders.ts'
import { startAckSink } from '../support/ack-sink.ts'
import type { Bed } from '../support/bed.ts'
import { writeLoad } from '../support/load.ts'
import { coresDuring, residentMb } from '../support/process-figures.ts'
import { markdownTable, threeDigits } from '../support/text-table.ts'

const LOAD = { value: 'json', compression: 'gzip', isBatched: true } as const
const BACKLOG = { topic: 'threads', partitions: 8, records: 3_000_000 }
const WARM_UP_RECORDS = 200_000
const MEASURED_MS = 5_000
const ROUNDS = 2

export async function measureThreads(bed: Bed): Promise<string> {
  const { east, progress } = bed
  progress(`threads: writing ${BACKLOG.records.toLocaleString('en-US')} records`)
  await east.admin.createTopic(BACKLOG.topic, BACKLOG.partitions)
  await writeLoad({ ...LOAD, ...BACKLOG, bootstrap: east.bootstrap })
  const runs: {
    readonly threads: number
    readonly recordsPerSecond: number
    readonly cores: number
    readonly mb: number
  }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (const threads of [1, 2]) {
      runs.push({ threads, ...(await rateOf(bed, threads)) })
      progress(`threads: ${threads}, ${threeDigits(runs.at(-1)!.recordsPerSecond)} records/s`)
    }
  }
  await east.offsets.deleteTopics([BACKLOG.topic])
  const rows = [1, 2].map(threads => {
    const own = runs.filter(run => run.threads === threads)
    const mean = (pick: (run: (typeof runs)[number]) => number) =>
      own.reduce((sum, run) => sum + pick(run), 0) / own.length
    return { threads, rate: mean(run => run.recordsPerSecond), cores: mean(run => run.cores), mb: mean(run => run.mb) }
  })
  return markdownTable(
    ['620 B JSON gzip, to a sink that only acknowledges', 'records/s', '× one thread', 'cores', 'peak MB'],
    rows.map(({ threads, rate, cores, mb }) => [
      `${threads} thread${threads === 1 ? '' : 's'}`,
      threeDigits(rate),
      (rate / rows[0]!.rate).toFixed(2),
      cores.toFixed(2),
      mb.toFixed(0)
    ])
  )
}

async function rateOf({ east, west, newAlias }: Bed, threads: number) {
  await using sink = await startAckSink(west.proxied.proxyPort, west.proxied.listenPort)
  const alias = newAlias()
  await using worker = await farlog(threads).start({
    alias,
    sourceBootstrap: east.bootstrap,
    destinationBootstrap: `127.0.0.1:${west.proxied.proxyPort}`,
    topics: BACKLOG.topic,
    compression: LOAD.compression
  })
  await until(() => sink.records >= WARM_UP_RECORDS, { describe: 'the first records', pauseMs: 5 })
  const before = { records: sink.records, atMs: performance.now() }
  const cores = await coresDuring(worker.pid, () => pause(MEASURED_MS))
  const recordsPerSecond = ((sink.records - before.records) * 1_000) / (performance.now() - before.atMs)
  if (sink.records >= BACKLOG.records) throw new Error('The backlog was too short for the time it is measured')
  return { recordsPerSecond, cores, mb: residentMb(worker.pid).peak }
}
