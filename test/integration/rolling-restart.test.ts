import assert from 'node:assert/strict'
import { Bed } from '../fault/support/bed.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import { itAtLength } from '../support/long.ts'
import { startProducing } from '../support/produce.ts'
import { until } from '../support/wait.ts'

const TOPIC = 'rolled'
const PARTITIONS = 12
const WORKERS = ['farlog-0', 'farlog-1', 'farlog-2']
const RECORDS_PER_SECOND = 600
/**
 * What a hand-over may take on a machine that is busy with other things; how long it took is printed. `FARLOG_TEST_STANDSTILL=5`
 * holds it to what docs/kubernetes.md says, where the machine does nothing else.
 */
const STANDSTILL_MS_MAX = Number(process.env.FARLOG_TEST_STANDSTILL ?? 20) * 1_000
const LOOK_MS = 100

/** As a StatefulSet does it: one pod after the other is stopped in order, and its successor, under the same name, has to be ready before the next. */
describe('a rolling restart of three workers under load', function () {
  this.timeout(240_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start()
  })

  after(() => bed?.[Symbol.asyncDispose]())

  for (const [protocol, each] of [
    ['classic', it],
    ['consumer', itAtLength]
  ] as const) {
    each(`has no partition stand still for long, and loses and duplicates nothing (${protocol} protocol)`, async () => {
      const topic = `${TOPIC}-${protocol}`
      const topics = [{ name: topic, partitions: PARTITIONS, compression: 'lz4' as const }]
      await using producing = await startProducing({
        ...{ bootstrap: bed.east.bootstrap, topics, records: 0, rate: RECORDS_PER_SECOND }
      })
      await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
      const start = async (name: string) => {
        const membership =
          protocol === 'classic' ? { FARLOG_GROUP_INSTANCE_ID: name } : { FARLOG_GROUP_PROTOCOL: protocol }
        // One partition more would be shared out unevenly.
        const worker = await bed.startWorker(topic, { FARLOG_HEARTBEAT_INTERVAL: '0s', ...membership })
        await worker.waitReady(60_000)
        return worker
      }
      const workers = await Promise.all(WORKERS.map(start))
      await until(async () => (await Promise.all(workers.map(owned))).every(count => count === PARTITIONS / 3), {
        timeoutMs: 60_000,
        describe: 'the partitions to be shared out'
      })
      const watch = new ProgressWatch(() => endOffsets(topic))
      await watch.begin()
      for (const [i, name] of WORKERS.entries()) {
        workers[i]!.kill('SIGTERM')
        assert.deepEqual(await workers[i]!.exit, { code: 0, signal: null })
        workers[i] = await start(name)
        await until(async () => (await owned(workers[i]!)) > 0, {
          timeoutMs: 60_000,
          describe: `${name} to have partitions again`
        })
      }
      const longestMs = await watch.end()
      console.log(`the longest standstill of a partition: ${(longestMs / 1000).toFixed(1)} s`)
      assert.ok(longestMs < STANDSTILL_MS_MAX, `longer than ${STANDSTILL_MS_MAX / 1000} s`)
      const { records } = await producing.stop()
      await until(async () => sum(await endOffsets(topic)) >= records, {
        timeoutMs: 60_000,
        describe: 'as many offsets at the destination as records'
      })
      await until(async () => (await lagOf(workers)) === 0, {
        timeoutMs: 60_000,
        describe: 'everything to be mirrored'
      })
      assert.equal(await bed.assertSame(topic), records)
      await bed.killWorkers()
    })
  }

  async function endOffsets(topic: string): Promise<number[]> {
    return (await bed.westAdmin.offsets(`east.${topic}`, PARTITIONS)).map(({ highWatermark }) => highWatermark)
  }
})

/** Looks at the destination itself, which knows nothing of workers. */
class ProgressWatch {
  readonly #look: () => Promise<number[]>
  readonly #stopping = new AbortController()
  #watching: Promise<number> | undefined

  constructor(look: () => Promise<number[]>) {
    this.#look = look
  }

  async begin(): Promise<void> {
    const first = await this.#look()
    this.#watching = this.#watch(first)
    this.#watching.catch(() => {})
  }

  /** Resolves to the longest time for which a partition had nothing new, in milliseconds. */
  async end(): Promise<number> {
    this.#stopping.abort()
    return this.#watching!
  }

  async #watch(first: readonly number[]): Promise<number> {
    const last = first.map(offset => ({ offset, movedAtMs: performance.now() }))
    let longestMs = 0
    while (!this.#stopping.signal.aborted) {
      const offsets = await this.#look()
      const nowMs = performance.now()
      for (const [partition, offset] of offsets.entries()) {
        const seen = last[partition]!
        longestMs = Math.max(longestMs, nowMs - seen.movedAtMs)
        if (offset > seen.offset) last[partition] = { offset, movedAtMs: nowMs }
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
    return longestMs
  }
}

async function owned(worker: FarlogProcess): Promise<number> {
  const { partitions } = (await worker.status()).flows[0]!
  return partitions.filter(({ state }) => state === 'mirroring').length
}

async function lagOf(workers: readonly FarlogProcess[]): Promise<number> {
  const statuses = await Promise.all(workers.map(worker => worker.status()))
  return sum(statuses.flatMap(({ flows }) => flows[0]!.partitions.map(({ lagRecords }) => lagRecords ?? 1)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
