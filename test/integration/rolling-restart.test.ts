import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { startKafka } from '../support/kafka-cluster.ts'
import { startProducing } from '../support/produce.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const WORKERS = 3
const PARTITIONS = 12
const STANDSTILL_MAX_MS = 5_000
const LOOK_INTERVAL_MS = 100

/** As Kubernetes does it with the chart's settings. Takes a minute, and says something on a machine that does nothing else. */
describe('a rolling restart of three workers', function () {
  this.timeout(180_000)

  before(function () {
    if (process.env.FARLOG_TEST_ROLLING !== '1') this.skip()
  })

  it('leaves no partition without progress for more than 5 s, and loses and duplicates nothing', async () => {
    const [eastStart, westStart] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    await using east = eastStart
    await using west = westStart
    await using admin = new KafkaAdmin(west.bootstrap)
    await using workers = new AsyncDisposableStack()
    const start = async (index: number) =>
      workers.use(
        await startFarlog({
          FARLOG_SOURCE: 'east',
          FARLOG_DESTINATIONS: 'west',
          FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
          FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
          FARLOG_GROUP_INSTANCE_ID: `farlog-${index}`,
          // One partition more would be shared out unevenly.
          FARLOG_HEARTBEAT_INTERVAL: '0s'
        })
      )
    await using producing = await startProducing({
      bootstrap: east.bootstrap,
      topics: [{ name: 'orders', partitions: PARTITIONS, compression: 'none' }],
      records: 0,
      rate: 2_000
    })
    await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
    const running = await Promise.all(Array.from({ length: WORKERS }, (_, index) => start(index)))
    const allAtWork = async () => {
      await Promise.all(running.map(worker => worker.waitReady()))
      const shares = async () => Promise.all(running.map(owned))
      await until(async () => (await shares()).every(share => share === PARTITIONS / WORKERS), {
        timeoutMs: 60_000,
        describe: 'partitions to be shared out evenly'
      })
    }
    await allAtWork()

    const watching = new AbortController()
    const standstills = watchStandstills(admin, watching.signal)
    for (const index of [2, 1, 0]) {
      running[index]!.kill('SIGTERM')
      assert.equal((await running[index]!.exit).code, 0)
      running[index] = await start(index)
      await allAtWork()
    }
    watching.abort()
    const longestMs = Math.max(...(await standstills))
    assert.ok(longestMs <= STANDSTILL_MAX_MS, `a partition stood still for ${Math.round(longestMs)} ms`)

    const { records } = await producing.stop()
    const lags = async () =>
      Promise.all(running.map(async worker => (await worker.metrics()).sum('farlog_lag_records')))
    await until(async () => (await lags()).every(lag => lag === 0), { describe: 'no lag' })
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { orders: 'east.orders' }), records)
  })
})

/** The longest time in which the end of each partition's copy did not move, until told to stop looking. */
async function watchStandstills(admin: KafkaAdmin, signal: AbortSignal): Promise<number[]> {
  const ends = new Array<number>(PARTITIONS).fill(-1)
  const movedAtMs = new Array<number>(PARTITIONS).fill(performance.now())
  const longestMs = new Array<number>(PARTITIONS).fill(0)
  while (!signal.aborted) {
    for (const { partition, highWatermark } of await admin.offsets('east.orders', PARTITIONS)) {
      const nowMs = performance.now()
      longestMs[partition] = Math.max(longestMs[partition]!, nowMs - movedAtMs[partition]!)
      if (highWatermark > ends[partition]!) {
        ends[partition] = highWatermark
        movedAtMs[partition] = nowMs
      }
    }
    await pause(LOOK_INTERVAL_MS)
  }
  return longestMs
}

async function owned(worker: FarlogProcess): Promise<number> {
  return (await worker.status()).flows.flatMap(({ partitions }) => partitions).length
}
