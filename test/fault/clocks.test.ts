import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Overview } from '../../src/status/overview.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { falseClock } from '../support/false-clock.ts'
import { type FarlogProcess, runFarlog } from '../support/farlog-process.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { itAtLength } from '../support/long.ts'
import { placeOf } from '../support/mirrored-groups.ts'
import { startProducing } from '../support/produce.ts'
import { readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, Bed, halted } from './support/bed.ts'

const HOUR_MS = 3_600_000
/** A clock that was compared with another one is wrong by hours; nothing else here takes that long. */
const SECONDS_MAX = 300
const PARTITIONS = 3
const RECORDS_PER_SECOND = 1_000
const STALL_MS = 3_000

describe('a source whose clock is two hours ahead, and a destination whose clock is two hours behind', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start({
      east: { clock: await falseClock(2) },
      // A broker refuses records that lie more than an hour in its future, unless it is told otherwise.
      west: { clock: await falseClock(-2), config: { 'log.message.timestamp.after.max.ms': String(24 * HOUR_MS) } }
    })
    assert.equal(await hoursAhead(bed.east.bootstrap, bed.eastAdmin), 2)
    assert.equal(await hoursAhead(bed.west.bootstrap, bed.westAdmin), -2)
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('are mirrored exactly, with the lag that there is, while workers die and the destination stands still', async () => {
    const topics = ['orders', 'stamped']
    await bed.eastAdmin.createTopic('orders', PARTITIONS)
    // By the source's own clock.
    await bed.eastAdmin.createTopic('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
    const env = { FARLOG_CHECKPOINT_INTERVAL: '500ms' }
    const first = await bed.startWorker(topics.join(), env)
    await using watch = new Watch(first)
    await using producing = await startProducing({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: 'orders', compression: 'zstd' }],
      ...{ records: 0, rate: RECORDS_PER_SECOND, transactionRecords: 50, abortPercent: 20 }
    })
    for (let i = 0; i < 20; i++) await bed.write('stamped', 0, 10, i * 10)
    await until(async () => (await mirrored(first, 'orders')) > 1_000 && (await mirrored(first, 'stamped')) > 0, {
      describe: 'records to be mirrored'
    })
    await watch.end()
    first.kill('SIGKILL')
    await first.exit

    const second = await bed.startWorker(topics.join(), env)
    await second.waitReady()
    await using secondWatch = new Watch(second)
    await bed.eastAdmin.commitOffsets('readers', 'orders', [[0, 200]])
    await until(async () => (await bed.westAdmin.committedOffsets('readers', 'east.orders')).get(0), {
      describe: 'the group to be brought over'
    })
    await bed.west.brokers[0]!.kill('SIGSTOP')
    await pause(STALL_MS)
    const [lagSeconds] = (await second.metrics()).values('farlog_lag_seconds', { topic: 'orders', partition: 0 })
    await bed.west.brokers[0]!.kill('SIGCONT')
    assert.ok(lagSeconds! >= STALL_MS / 1000 - 1 && lagSeconds! < 20, `${lagSeconds} s of lag`)
    await producing.stop()
    await caughtUp(second, bed.eastAdmin, 'orders', { partitions: PARTITIONS })
    await caughtUp(second, bed.eastAdmin, 'stamped')
    await until(async () => (await second.metrics()).sum('farlog_lag_records') === 0, {
      describe: 'no lag to be shown'
    })
    await secondWatch.end()
    await assertHealthy(second)
    const place = await placeOf({ bootstrap: bed.west.bootstrap, admin: bed.westAdmin }, 'east.orders', 0, 200)
    assert.equal((await bed.westAdmin.committedOffsets('readers', 'east.orders')).get(0), place)
    second.kill('SIGTERM')
    assert.deepEqual(await second.exit, { code: 0, signal: null })
    await bed.assertSame(...topics)

    await bed.write('stamped', 0, 30)
    const { code, stdout, stderr } = await runFarlog(['status', '--json'], bed.flowEnv(topics.join()))
    assert.equal(code, 0, stderr)
    const [flow] = (JSON.parse(stdout) as Overview).flows
    const lags = flow!.partitions.map(({ topic, lagRecords, lagSeconds: age }) => ({ topic, lagRecords, age }))
    assert.deepEqual(
      // What a record of two hours ahead says of its age is nothing.
      lags.filter(({ lagRecords }) => lagRecords !== 0),
      [{ topic: 'stamped', lagRecords: 30, age: null }]
    )
    assert.deepEqual(flow!.exposure, { records: 30, seconds: null })
  })

  it('halt a partition where records lie further in the destination’s future than it takes, and say so', async () => {
    await bed.eastAdmin.createTopic('refused', 1, { 'message.timestamp.after.max.ms': String(HOUR_MS) })
    await bed.write('refused', 0, 5)
    const worker = await bed.startWorker('refused')
    const { reason, detail } = await halted(worker, 'refused')
    assert.equal(reason, 'destination-refused')
    assert.match(detail!, /INVALID_TIMESTAMP/)
  })

  itAtLength('are mirrored exactly by a worker whose clock jumps ahead by three hours, and back by six', async () => {
    await bed.eastAdmin.createTopic('jumped', PARTITIONS)
    const clock = await falseClock()
    const worker = await bed.startWorker('jumped', clock.env)
    await worker.waitReady()
    await using watch = new Watch(worker)
    await using producing = await startProducing({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: 'jumped' }],
      ...{ records: 0, rate: RECORDS_PER_SECOND, transactionRecords: 50, abortPercent: 20 }
    })
    for (const hours of [3, -3]) {
      clock.set(hours)
      await isOff(worker, hours)
      const before = await mirrored(worker, 'jumped')
      await until(async () => (await mirrored(worker, 'jumped')) > before + RECORDS_PER_SECOND / 2, {
        describe: 'mirroring to go on'
      })
    }
    await producing.stop()
    await caughtUp(worker, bed.eastAdmin, 'jumped', { partitions: PARTITIONS })
    await watch.end()
    await assertHealthy(worker)
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
    await bed.assertSame('jumped')
  })
})

/** By how many hours a broker's clock is ahead of the one here, as it stamps records. */
async function hoursAhead(bootstrap: string, admin: KafkaAdmin): Promise<number> {
  await admin.createTopic('clock.internal', 1, { 'message.timestamp.type': 'LogAppendTime' })
  await using writer = new BatchWriter(bootstrap)
  await writer.write('clock.internal', 0, [{ value: 'what time is it?' }])
  const [record] = await readRecords(bootstrap, 'clock.internal')
  return Math.round((record!.timestamp - Date.now()) / HOUR_MS)
}

/** Waits until the date of a worker's HTTP answers tells what it is to go by. */
async function isOff(worker: FarlogProcess, hours: number): Promise<void> {
  await until(
    async () => {
      const { headers } = await fetch(`${worker.url}/livez`)
      return Math.round((Date.parse(headers.get('date')!) - Date.now()) / HOUR_MS) === hours
    },
    { describe: `the worker’s clock to be off by ${hours} hours` }
  )
}

async function mirrored(worker: FarlogProcess, topic: string): Promise<number> {
  const shown = await partitionsOf(worker, topic)
  return shown.reduce((sum, { nextSourceOffset }) => sum + (nextSourceOffset ?? 0), 0)
}

/** Looks at all that a worker shows, again and again, for what no clock may make of it. */
class Watch implements AsyncDisposable {
  readonly #worker: FarlogProcess
  readonly #ending = new AbortController()
  readonly #watching: Promise<void>
  #looks = 0
  readonly #wrong = new Set<string>()

  constructor(worker: FarlogProcess) {
    this.#worker = worker
    this.#watching = this.#watch()
  }

  async #watch(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#look().catch(() => {})
      await pause(200)
    }
  }

  async #look(): Promise<void> {
    const { text } = await this.#worker.metrics()
    this.#looks++
    for (const line of text.split('\n').filter(each => each.startsWith('farlog_'))) {
      const value = Number(line.slice(line.lastIndexOf(' ') + 1))
      const isSeconds = /^farlog_(lag|loss_exposure|checkpoint_age|backlog_eta)_seconds\{/.test(line)
      const isAlarm = /^farlog_(gap_records_total|source_events_total|watchdog_steps_total|halted_partitions)\{/.test(
        line
      )
      const isRight = value >= 0 && (!isSeconds || value < SECONDS_MAX) && (!isAlarm || value === 0)
      if (!isRight) this.#wrong.add(line)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    await this.#watching
  }

  /** Nothing wrong was seen. */
  async end(): Promise<void> {
    await this[Symbol.asyncDispose]()
    assert.ok(this.#looks > 5, `${this.#looks} looks`)
    assert.deepEqual([...this.#wrong], [])
  }
}
