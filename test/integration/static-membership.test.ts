import assert from 'node:assert/strict'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { startProducing } from '../support/produce.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const PARTITIONS = 6

describe('workers with a FARLOG_GROUP_INSTANCE_ID', function () {
  this.timeout(120_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let admin: KafkaAdmin
  let env: Record<string, string>
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    admin = new KafkaAdmin(east.bootstrap)
    env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      // One partition more would be shared out unevenly.
      FARLOG_HEARTBEAT_INTERVAL: '0s'
    }
  })

  after(async () => {
    await Promise.all(workers.map(worker => worker[Symbol.asyncDispose]()))
    await admin?.[Symbol.asyncDispose]()
    await Promise.all([east?.stop(), west?.stop()])
  })

  it('keep their partitions where one dies and is back, hand over where one is stopped, and lose nothing', async () => {
    await using producing = await startProducing({
      bootstrap: east.bootstrap,
      topics: [{ name: 'orders', partitions: PARTITIONS, compression: 'none' }],
      records: 0,
      rate: 2_000
    })
    await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
    workers.push(await start('farlog-0'), await start('farlog-1'))
    await until(async () => (await owned(workers[0]!)).length === 3 && (await owned(workers[1]!)).length === 3, {
      describe: 'both to have half of the partitions'
    })
    const [zeroBefore, oneBefore] = [await owned(workers[0]!), await owned(workers[1]!)]
    const rebalancesBefore = await rebalances(workers[0]!)

    workers[1]!.kill('SIGKILL')
    await workers[1]!.exit
    workers[1] = await start('farlog-1')
    await until(async () => (await owned(workers[1]!)).length > 0, { describe: 'partitions of the one that is back' })
    assert.deepEqual(await owned(workers[1]!), oneBefore)
    assert.deepEqual(await owned(workers[0]!), zeroBefore)
    assert.equal(await rebalances(workers[0]!), rebalancesBefore)

    workers[1]!.kill('SIGTERM')
    const stoppedAtMs = performance.now()
    assert.equal((await workers[1]!.exit).code, 0)
    await until(async () => (await owned(workers[0]!)).length === PARTITIONS, {
      // Less than the session time-out, after which they would have been given away anyhow.
      timeoutMs: 8_000 - (performance.now() - stoppedAtMs),
      describe: 'the one that stays to have all'
    })
    const { records } = await producing.stop()
    await until(async () => (await workers[0]!.metrics()).sum('farlog_lag_records') === 0, { describe: 'no lag' })
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { orders: 'east.orders' }), records)
  })

  it('end with an error where another one comes under the same', async () => {
    const older = workers[0]!
    workers.push(await start('farlog-0'))
    const { code } = await older.exit
    assert.equal(code, 1)
    assert.match(
      older.otherOutput.join('\n'),
      /another worker has joined group farlog-east-west as farlog-0; give each/
    )
    await until(async () => (await owned(workers.at(-1)!)).length === PARTITIONS, { describe: 'the newer to have all' })
  })

  const start = async (groupInstanceId: string) => {
    const worker = await startFarlog({ ...env, FARLOG_GROUP_INSTANCE_ID: groupInstanceId })
    await worker.waitReady()
    return worker
  }
})

async function owned(worker: FarlogProcess): Promise<number[]> {
  const { flows } = await worker.status()
  return flows.flatMap(flow => flow.partitions.map(({ partition }) => partition)).sort()
}

async function rebalances(worker: FarlogProcess): Promise<number> {
  return (await worker.metrics()).sum('farlog_rebalances_total') ?? 0
}
