import assert from 'node:assert/strict'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

/** Each test has topics and a consumer group of its own, so the clusters can be shared. */
describe('which topics are mirrored, and where to', function () {
  this.timeout(180_000)

  let east: TestSite
  let west: TestSite
  let south: TestSite
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west, south] = (await Promise.all(['east', 'west', 'south'].map(TestSite.start))) as [
      TestSite,
      TestSite,
      TestSite
    ]
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(() => Promise.all([east, west, south].map(site => site?.stop())))

  async function startWorker(group: string, env: Record<string, string>): Promise<FarlogProcess> {
    const worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_GROUP_ID: group,
      ...env
    })
    workers.push(worker)
    return worker
  }

  it('are the selected ones but for the excluded ones, under the source’s name at the destination', async () => {
    const mirrored = ['sales.orders', 'sales.clicks']
    const left = [
      'sales.secret',
      'sales.orders-internal',
      'sales.orders.internal',
      'presales.orders',
      'sales',
      '.sales'
    ]
    for (const topic of [...mirrored, ...left]) await east.create(topic, 2, 10)
    const worker = await startWorker('selection', {
      FARLOG_TOPICS: String.raw`sales\..*,\.sales`,
      FARLOG_TOPICS_EXCLUDE: String.raw`.*[\-\.]internal,.*secret`
    })
    for (const topic of mirrored) await caughtUp(worker, east.admin, topic, { partitions: 2 })
    await assertSameRecords(east.bootstrap, west.bootstrap, {
      'sales.orders': 'east.sales.orders',
      'sales.clicks': 'east.sales.clicks'
    })
    assert.deepEqual(await west.topicsLike(/sales/), ['east.sales.clicks', 'east.sales.orders'])
  })

  it('keep their names under the identity policy', async () => {
    await east.create('kept.name', 2, 10)
    const worker = await startWorker('kept', { FARLOG_TOPICS: 'kept.*', FARLOG_REPLICATION_POLICY: 'identity' })
    await caughtUp(worker, east.admin, 'kept.name', { partitions: 2 })
    await assertSameRecords(east.bootstrap, west.bootstrap, { 'kept.name': 'kept.name' })
    assert.deepEqual(await west.topicsLike(/kept/), ['kept.name'])
  })

  it('are created with the partitions of their source, empty ones too', async () => {
    await east.create('wide', 7)
    const worker = await startWorker('wide', { FARLOG_TOPICS: 'wide' })
    await until(async () => (await partitionsOf(worker, 'wide')).every(({ state }) => state === 'mirroring'), {
      describe: 'the topic to be mirrored'
    })
    assert.equal((await west.admin.offsets('east.wide', 7)).length, 7)
    await assert.rejects(west.admin.offsets('east.wide', 8))
  })

  it('are found while it runs, and mirrored from their beginning', async () => {
    const worker = await startWorker('found', { FARLOG_TOPICS: 'found.*' })
    await worker.waitReady()
    assert.equal((await worker.status()).flows[0]!.partitions.length, 0)
    await east.create('found.first', 3, 100)
    await caughtUp(worker, east.admin, 'found.first', { partitions: 3 })
    await east.create('found.second', 1, 100)
    await caughtUp(worker, east.admin, 'found.second')
    await assertSameRecords(east.bootstrap, west.bootstrap, {
      'found.first': 'east.found.first',
      'found.second': 'east.found.second'
    })
  })

  it('get the partitions that are added at the source, and those are mirrored from their beginning', async () => {
    await east.create('growing', 1, 10)
    const worker = await startWorker('growing', { FARLOG_TOPICS: 'growing' })
    await caughtUp(worker, east.admin, 'growing')
    await east.admin.addPartitions('growing', 3)
    await east.write('growing', 1, 50)
    await east.write('growing', 2, 50)
    await caughtUp(worker, east.admin, 'growing', { partitions: 3 })
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { growing: 'east.growing' }), 110)
  })

  it('are refused when their name says that they came from the destination', async () => {
    for (const topic of ['west.orders', 'south.west.orders', 'western.orders']) await east.create(topic, 1, 5)
    const worker = await startWorker('named', { FARLOG_TOPICS: String.raw`.*west.*\.orders` })
    await caughtUp(worker, east.admin, 'western.orders')
    assert.deepEqual(await west.topicsLike(/west.*orders/), ['east.western.orders'])
    const refused = worker.logs.filter(({ msg }) => msg.includes('came from west')).map(({ topic }) => topic)
    assert.deepEqual(refused.sort(), ['south.west.orders', 'west.orders'])
  })

  it('may have the same name on both sides, mirrored both ways: a record never comes back', async () => {
    await east.create('shared', 2, 100)
    await west.create('shared', 2, 70)
    const both = { FARLOG_TOPICS: 'shared', FARLOG_REPLICATION_POLICY: 'identity' }
    const eastward = await startWorker('eastward', { ...both, FARLOG_SOURCE: 'west', FARLOG_DESTINATIONS: 'east' })
    const westward = await startWorker('westward', both)
    const looped = async (worker: FarlogProcess) => (await worker.metrics()).sum('farlog_looped_records_total') ?? 0
    // All that one side mirrored comes by the other worker, which must leave it alone.
    await until(async () => (await looped(eastward)) === 200 && (await looped(westward)) === 140, {
      describe: 'each side to have refused what it sent'
    })
    for (const partition of [0, 1]) {
      for (const site of [east, west]) {
        const records = await readRecords(site.bootstrap, 'shared', partition)
        const copied = records.filter(({ headers }) => headers.length > 0)
        assert.equal(records.length, 170)
        assert.ok(copied.every(({ headers }) => headers.length === 1))
        assert.equal(copied.length, site === east ? 70 : 100)
        assert.equal(new Set(sourceOffsets(copied)).size, copied.length)
      }
    }
    assert.equal((await eastward.metrics()).sum('farlog_records_total'), 140)
    assert.equal((await westward.metrics()).sum('farlog_records_total'), 200)
    for (const worker of [eastward, westward]) {
      await until(async () => (await worker.metrics()).sum('farlog_lag_records') === 0, { describe: 'no lag' })
    }
  })

  it('go on to one destination while another one is down, which catches up when it is back', async () => {
    await east.create('both', 2, 100)
    await south.kafka.brokers[0]!.kill()
    const worker = await startWorker('both', {
      FARLOG_TOPICS: 'both',
      FARLOG_DESTINATIONS: 'west,south',
      FARLOG_SOUTH_BOOTSTRAP_SERVERS: south.bootstrap
    })
    await caughtUp(worker, east.admin, 'both', { partitions: 2, destination: 'west' })
    assert.equal((await partitionsOf(worker, 'both', 'south')).length, 0)
    const notReady = await fetch(`${worker.url}/readyz`)
    assert.equal(notReady.status, 503)
    assert.match(((await notReady.json()) as { reason: string }).reason, /south/)
    assert.ok(worker.logs.some(line => line.destination === 'south' && JSON.stringify(line).includes('south')))

    await south.kafka.brokers[0]!.restart()
    await east.write('both', 0, 10)
    await worker.waitReady(60_000)
    for (const destination of ['west', 'south']) {
      await caughtUp(worker, east.admin, 'both', { partitions: 2, destination })
    }
    for (const site of [west, south]) {
      assert.equal(await assertSameRecords(east.bootstrap, site.bootstrap, { both: 'east.both' }), 210)
    }

    // The other way round: down while it is being mirrored.
    await south.kafka.brokers[0]!.kill()
    await east.write('both', 1, 10)
    await caughtUp(worker, east.admin, 'both', { partitions: 2, destination: 'west' })
    await until(
      async () => (await worker.metrics()).sum('farlog_lag_records', { destination: 'south', partition: 1 }) === 10,
      { describe: 'the other destination to lag' }
    )
    await south.kafka.brokers[0]!.restart()
    await caughtUp(worker, east.admin, 'both', { partitions: 2, destination: 'south' })
    assert.equal(await assertSameRecords(east.bootstrap, south.bootstrap, { both: 'east.both' }), 220)
  })
})

/** A cluster of one broker and what the tests do with it. */
class TestSite {
  readonly kafka: KafkaCluster
  readonly admin: KafkaAdmin
  readonly #writer: BatchWriter

  static async start(this: void, name: string): Promise<TestSite> {
    return new TestSite(await startKafka({ name }))
  }

  private constructor(kafka: KafkaCluster) {
    this.kafka = kafka
    this.admin = new KafkaAdmin(kafka.bootstrap)
    this.#writer = new BatchWriter(kafka.bootstrap)
  }

  get bootstrap(): string {
    return this.kafka.bootstrap
  }

  /** Creates a topic and writes records to each of its partitions. */
  async create(topic: string, partitions: number, recordsEach = 0): Promise<void> {
    await this.admin.createTopic(topic, partitions)
    if (recordsEach === 0) return
    for (let partition = 0; partition < partitions; partition++) await this.write(topic, partition, recordsEach)
  }

  write(topic: string, partition: number, count: number): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `${topic}-${partition} ${i}` }))
    return this.#writer.write(topic, partition, records, 'lz4')
  }

  async topicsLike(pattern: RegExp): Promise<string[]> {
    return (await this.admin.topics()).filter(topic => pattern.test(topic)).sort()
  }

  async stop(): Promise<void> {
    await Promise.all([this.admin, this.#writer].map(client => client[Symbol.asyncDispose]()))
    await this.kafka.stop()
  }
}
