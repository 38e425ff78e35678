import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { caughtUp } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import { itAtLength } from '../support/long.ts'
import { produce, startProducing } from '../support/produce.ts'
import type { Toxic } from '../support/toxiproxy.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, knownLags } from './support/bed.ts'
import { type ProxiedBed, startProxiedBed } from './support/proxied.ts'

const MIB = 1024 * 1024
/** ARCHITECTURE.md, "Memory and backpressure": what a flow may hold, and the two answers that may still be on their way. */
const BUFFERED_BYTES_MAX = 40 * MIB
const ANSWERS_BYTES_MAX = 2 * 8 * MIB
/** Metadata and the ends of partitions, which are asked for all the while, and our own looks at metrics. */
const QUESTIONS_BYTES_MAX = 2 * MIB
/** A worker's own ups and downs: far less than what the source writes meanwhile. */
const RSS_NOISE_BYTES = 24 * MIB

const VALUE_BYTES = 4_000
const PARTITIONS = 16
/** More than a worker may hold. */
const FILLING_RECORDS = 15_000
/** And far more than that. */
const FURTHER_RECORDS = 20_000

/** Bytes vanish on the way while the connection stays open, as behind a firewall that has forgotten it. */
const HALF_OPEN: readonly Toxic[] = [
  { type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } },
  { type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }
]

describe('a side that cannot be reached for a while', function () {
  this.timeout(180_000)

  let proxied: ProxiedBed

  before(async () => {
    proxied = await startProxiedBed()
  })

  afterEach(() => proxied.bed.killWorkers())

  after(() => proxied?.[Symbol.asyncDispose]())

  const outages: {
    title: string
    topic: string
    each?: typeof itAtLength
    begin(): Promise<void>
    end(): Promise<void>
  }[] = [
    {
      title: 'refuses all connections',
      topic: 'refused',
      begin: () => proxied.westProxy.cut(),
      end: () => proxied.westProxy.heal()
    },
    {
      title: 'is cut off without a word',
      topic: 'vanished',
      begin: () => proxied.westProxy.poison(...HALF_OPEN),
      end: () => proxied.westProxy.heal()
    },
    {
      title: 'stands still',
      topic: 'stopped',
      each: itAtLength,
      begin: () => proxied.bed.west.brokers[0]!.kill('SIGSTOP'),
      end: () => proxied.bed.west.brokers[0]!.kill('SIGCONT')
    }
  ]

  for (const { title, topic, each = it, begin, end } of outages) {
    each(`holds no more than it may while the destination ${title}, and catches up by itself`, async () => {
      const { bed, env } = proxied
      await bed.eastAdmin.createTopic(topic, PARTITIONS)
      const worker = await bed.startWorker(topic, env)
      // Once with everything in order, so that buffers and code are warm when the outage begins.
      await write(topic, FILLING_RECORDS)
      await caughtUp(worker, bed.eastAdmin, topic, { partitions: PARTITIONS })
      const rssBefore = await residentBytes(worker)
      const readBefore = bytesRead(worker)
      let rssWhenFull: number
      let rssInTheEnd: number
      let fetched: number
      await begin()
      try {
        await write(topic, FILLING_RECORDS)
        await lagRisesTo(worker, FILLING_RECORDS)
        await readingStops(worker)
        rssWhenFull = await residentBytes(worker)
        await write(topic, FURTHER_RECORDS)
        await lagRisesTo(worker, FILLING_RECORDS + FURTHER_RECORDS)
        rssInTheEnd = await residentBytes(worker)
        fetched = bytesRead(worker) - readBefore
      } finally {
        await end()
      }
      const heldMax = BUFFERED_BYTES_MAX + ANSWERS_BYTES_MAX
      assert.ok(fetched <= heldMax + QUESTIONS_BYTES_MAX, `fetched ${mib(fetched)} while nothing was taken`)
      assert.ok(fetched > BUFFERED_BYTES_MAX / 2, `fetched only ${mib(fetched)}: the buffers were never full`)
      assert.ok(
        rssInTheEnd - rssWhenFull < RSS_NOISE_BYTES,
        `grew by ${mib(rssInTheEnd - rssWhenFull)} while the source wrote ${mib(FURTHER_RECORDS * VALUE_BYTES)}`
      )
      assert.ok(
        Math.max(rssWhenFull, rssInTheEnd) - rssBefore < heldMax + RSS_NOISE_BYTES,
        `${mib(rssBefore)} before, ${mib(rssWhenFull)} with full buffers, ${mib(rssInTheEnd)} in the end`
      )

      await caughtUp(worker, bed.eastAdmin, topic, { partitions: PARTITIONS, timeoutMs: 90_000 })
      await bed.killWorkers()
      assert.equal(await bed.assertSame(topic), 2 * FILLING_RECORDS + FURTHER_RECORDS)
    })
  }

  const unknown = ['farlog_lag_records', 'farlog_lag_seconds', 'farlog_loss_exposure_records']

  it('shows no lag at all, never 0, for as long as the source is cut off without a word', async () => {
    const { bed, eastProxy, env } = proxied
    const topic = 'unheard'
    await bed.eastAdmin.createTopic(topic, 4)
    const worker = await bed.startWorker(topic, env)
    await using producing = await startProducing({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: topic }],
      records: 0,
      rate: 500
    })
    await until(async () => (await knownLags(worker)).length === 4 && producing.acknowledged() > 1_000, {
      describe: 'records to be mirrored'
    })
    await eastProxy.poison(...HALF_OPEN)
    try {
      for (const name of unknown) {
        await until(async () => !(await isShown(worker, name)), { describe: `${name} to be absent` })
      }
      // Long enough for the group, whose coordinator is cut off too, to count the worker out (10 s).
      const untilMs = performance.now() + 20_000
      const shown: string[] = []
      await until(
        async () => {
          for (const name of unknown) if (await isShown(worker, name)) shown.push(name)
          return performance.now() > untilMs
        },
        { pauseMs: 250, describe: 'the group to give its partitions away' }
      )
      assert.deepEqual(new Set(shown), new Set())
      assert.equal((await fetch(`${worker.url}/livez`)).status, 200)
    } finally {
      await eastProxy.heal()
    }
    for (const name of unknown) {
      await until(() => isShown(worker, name), { timeoutMs: 60_000, describe: `${name} to be back` })
    }
    await producing.stop()
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 4, timeoutMs: 90_000 })
    await assertHealthy(worker)
    await bed.assertSame(topic)
  })

  async function isShown(worker: FarlogProcess, metric: string): Promise<boolean> {
    return (await worker.metrics()).values(metric).length > 0
  }

  async function write(topic: string, records: number): Promise<void> {
    const topics = [{ name: topic }]
    await produce({ bootstrap: proxied.bed.east.bootstrap, topics, records, valueBytes: VALUE_BYTES, shape: 'plain' })
  }

  function lagRisesTo(worker: FarlogProcess, records: number): Promise<boolean> {
    return until(async () => (await knownLags(worker)).reduce((sum, lag) => sum + lag, 0) >= records, {
      timeoutMs: 60_000,
      describe: `a lag of ${records} records`
    })
  }

  /** Two looks a second apart between which next to nothing came in. */
  async function readingStops(worker: FarlogProcess): Promise<void> {
    let before = Number.NEGATIVE_INFINITY
    await until(
      () => {
        const now = bytesRead(worker)
        const isQuiet = now - before < MIB / 4
        before = now
        return isQuiet
      },
      { pauseMs: 1_000, describe: 'fetching to stop' }
    )
  }
})

/** From sockets and files, as the kernel has counted. */
function bytesRead({ pid }: FarlogProcess): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1])
}

async function residentBytes(worker: FarlogProcess): Promise<number> {
  return (await worker.metrics()).sum('process_resident_memory_bytes')!
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}
