import assert from 'node:assert/strict'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { isAtLength } from '../support/long.ts'
import { type Producing, startProducing } from '../support/produce.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const TOPICS = [
  { name: 'orders', partitions: 6, compression: 'lz4' as const },
  { name: 'clicks', partitions: 6, compression: 'none' as const }
]

/** Three brokers and three replicas on either side, and a load that never stops. */
describe('brokers that come and go under load', function () {
  this.timeout(300_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let worker: FarlogProcess
  let producing: Producing

  before(async function () {
    // test/fault has a cluster of three under other faults in every run.
    if (!isAtLength()) this.skip()
    ;[east, west] = await Promise.all([
      startKafka({ name: 'east', brokers: 3 }),
      startKafka({ name: 'west', brokers: 3 })
    ])
    producing = await startProducing({ bootstrap: east.bootstrap, topics: TOPICS, records: 0, rate: 500 })
    await until(() => producing.acknowledged() > 0, { describe: 'the first record', timeoutMs: 60_000 })
    worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '2s'
    })
    await until(async () => (await mirrored()) > 1_000, { timeoutMs: 60_000, describe: 'records to be mirrored' })
  })

  after(async () => {
    await producing?.[Symbol.asyncDispose]()
    await worker?.[Symbol.asyncDispose]()
    await Promise.all([east?.stop(), west?.stop()])
  })

  it('goes on while one broker of each side is restarted in order, and another one killed', async () => {
    for (const cluster of [west, east]) {
      await cluster.brokers[0]!.restart()
      await goesOn()
      await cluster.brokers[1]!.kill()
      await goesOn()
      await cluster.brokers[1]!.restart()
      await goesOn()
    }
  })

  it('shows how its lag rises while the destination has too few replicas, and falls when they are back', async () => {
    await until(async () => (await lag())! < 1_000, { timeoutMs: 60_000, describe: 'a small lag' })
    const [, second, third] = west.brokers
    await Promise.all([second!.kill(), third!.kill()])
    await until(async () => (await lag())! > 2_500, { timeoutMs: 60_000, describe: 'the lag to rise' })
    assert.ok((await worker.metrics()).sum('farlog_loss_exposure_seconds')! > 1)
    await Promise.all([second!.restart(), third!.restart()])
    await until(async () => (await lag())! < 1_000, { timeoutMs: 90_000, describe: 'the lag to fall' })
  })

  it('shows no lag at all, never 0, while the source cannot be asked', async () => {
    const unknown = ['farlog_lag_records', 'farlog_lag_seconds', 'farlog_loss_exposure_records']
    const isKnown = async (name: string) => (await worker.metrics()).values(name).length > 0
    await Promise.all(east.brokers.map(broker => broker.kill('SIGSTOP')))
    try {
      for (const name of unknown) {
        await until(async () => !(await isKnown(name)), { describe: `${name} to be absent` })
      }
      assert.equal((await fetch(`${worker.url}/livez`)).status, 200)
      assert.equal((await fetch(`${worker.url}/readyz`)).status, 200)
    } finally {
      await Promise.all(east.brokers.map(broker => broker.kill('SIGCONT')))
    }
    for (const name of unknown) await until(() => isKnown(name), { timeoutMs: 60_000, describe: `${name} to be back` })
    assert.equal((await worker.metrics()).values('farlog_lag_records').length, 12)
    await goesOn()
  })

  it('has lost and duplicated nothing in the end', async () => {
    const { records } = await producing.stop()
    await using admin = new KafkaAdmin(east.bootstrap)
    for (const { name, partitions } of TOPICS) await caughtUp(worker, admin, name, { partitions, timeoutMs: 90_000 })
    const compared = await assertSameRecords(east.bootstrap, west.bootstrap, {
      orders: 'east.orders',
      clicks: 'east.clicks'
    })
    assert.ok(compared >= records && records > 5_000, `${compared} of ${records}`)
    assert.equal((await worker.metrics()).sum('farlog_halted_partitions') ?? 0, 0)
    assert.deepEqual(worker.otherOutput, [])
  })

  /** Every partition gets further, not only those that the trouble spared. */
  async function goesOn(): Promise<void> {
    const before = await positions()
    await until(
      async () => {
        const now = await positions()
        const stuck = [...before].filter(([partition, offset]) => !(now.get(partition)! > offset))
        if (stuck.length === 0) return now.size === 12
        throw new Error(`stuck: ${JSON.stringify(stuck)}, ${JSON.stringify(worker.logs.slice(-5))}`)
      },
      { timeoutMs: 60_000, describe: 'all partitions to go on' }
    )
  }

  async function positions(): Promise<Map<string, number>> {
    const { partitions } = (await worker.status()).flows[0]!
    return new Map(
      partitions.map(({ topic, partition, nextSourceOffset }) => [`${topic}-${partition}`, nextSourceOffset ?? -1])
    )
  }

  async function mirrored(): Promise<number> {
    return (await worker.metrics()).sum('farlog_records_total') ?? 0
  }

  /** `undefined` as long as one partition's is unknown. */
  async function lag(): Promise<number | undefined> {
    return (await worker.metrics()).sum('farlog_loss_exposure_records')
  }
})
