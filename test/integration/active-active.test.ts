import assert from 'node:assert/strict'
import type { FailoverReport } from '../../src/failover/failover.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { startProducing } from '../support/produce.ts'
import { type ReadRecord, readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

const TOPIC = 'shared'
const PARTITIONS = 3
/** For how long both sides are written to; minutes show what seconds do not. */
const SECONDS = Number(process.env.FARLOG_TEST_SECONDS ?? 10)
const RATE = 400

describe('two clusters that mirror the same topic to each other', function () {
  this.timeout(SECONDS * 1_000 + 240_000)
  let east: KafkaCluster
  let west: KafkaCluster
  let workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    for (const { bootstrap } of [east, west]) {
      await using admin = new KafkaAdmin(bootstrap)
      await admin.createTopic(TOPIC, PARTITIONS)
    }
    workers = [await startWorker('east', 'west'), await startWorker('west', 'east')]
    for (const worker of workers) await worker.waitReady()
  })
  after(async () => {
    await Promise.all(workers.map(worker => worker[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  it('hold the same set of records in the end, each of them once', async () => {
    const producers = await Promise.all(
      [east, west].map(({ bootstrap }, index) =>
        startProducing({
          bootstrap,
          topics: [{ name: TOPIC, partitions: PARTITIONS, compression: 'lz4' }],
          ...{ records: 0, rate: RATE, seed: 11 + index, shape: 'plain', valueBytes: 60 },
          ...{ transactionRecords: 20, abortPercent: 20 }
        })
      )
    )
    await until(() => producers.every(producer => producer.acknowledged() >= SECONDS * RATE), {
      timeoutMs: SECONDS * 1_000 + 120_000,
      describe: 'records to be written on both sides'
    })
    const written = await Promise.all(producers.map(producer => producer.stop()))
    const total = written.reduce((sum, { records }) => sum + records, 0)
    assert.ok(total >= 2 * SECONDS * RATE)
    await until(async () => (await count(east)) >= total && (await count(west)) >= total, {
      timeoutMs: 60_000,
      describe: 'both sides to have everything'
    })
    // A loop goes on by itself: one more heartbeat of each flow crosses while nothing else is written.
    await Promise.all(workers.map(heartbeatsArrive))
    let held = 0
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const sides = await Promise.all([east, west].map(({ bootstrap }) => readRecords(bootstrap, TOPIC, partition)))
      const [atEast, atWest] = sides.map(records => records.map(contentOf).toSorted())
      assert.deepEqual(atEast, atWest, `partition ${partition}`)
      assert.equal(new Set(atEast).size, atEast!.length, `partition ${partition}: each once`)
      held += atEast!.length
    }
    assert.equal(held, total)
  })

  it('let a group change sides, in the midst of records of both, without missing any', async () => {
    const group = 'commuter'
    const read = new Set<string>()
    {
      await using consumer = await GroupConsumer.join(west.bootstrap, group, [TOPIC])
      for (const record of await consumer.read(1_000)) read.add(identityOf(record))
      consumer.commit()
    }
    await using atEast = new KafkaAdmin(east.bootstrap)
    await using atWest = new KafkaAdmin(west.bootstrap)
    const committed = await atWest.committedOffsets(group, TOPIC)
    await until(async () => (await atEast.committedOffsets(group, TOPIC)).size === committed.size, {
      describe: 'the group to be brought to the other side'
    })
    await using successor = await GroupConsumer.join(east.bootstrap, group, [TOPIC])
    for (const record of await successor.readToEnd()) read.add(identityOf(record))
    const all = new Set<string>()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const { value } of await readRecords(east.bootstrap, TOPIC, partition)) all.add(`${partition} ${value}`)
    }
    assert.deepEqual(
      [...all].filter(record => !read.has(record)),
      []
    )
  })

  it('let a group fail over without missing what was born at the other side and had not come yet', async () => {
    const group = 'traveller'
    await using atEast = new KafkaAdmin(east.bootstrap)
    await using atWest = new KafkaAdmin(west.bootstrap)
    await using eastWriter = new BatchWriter(east.bootstrap)
    await using westWriter = new BatchWriter(west.bootstrap)
    const [toWest, toEast] = workers
    toEast!.kill('SIGTERM')
    await toEast!.exit
    const born = Array.from({ length: 20 }, (_, i) => ({ key: `${i}`, value: `born at west ${i}` }))
    await westWriter.write(TOPIC, 0, born)
    await eastWriter.write(TOPIC, 0, [{ key: 'behind them', value: 'born at east' }])
    await caughtUp(toWest!, atEast, TOPIC, { partitions: PARTITIONS })
    // The group has read all there is at the source.
    const ends = (await atEast.offsets(TOPIC, PARTITIONS)).map(({ lastStableOffset }) => lastStableOffset)
    await atEast.commitOffsets(group, TOPIC, [...ends.entries()])
    await until(async () => (await atWest.committedOffsets(group, TOPIC)).size === PARTITIONS, {
      describe: 'a checkpoint of the group'
    })
    await east.brokers[0]!.kill('SIGKILL')
    const { code, stdout, stderr } = await runFarlog(['failover', '--json', '--groups', group], envOf('east', 'west'))
    assert.equal(code, 0, stderr)
    const { groups } = JSON.parse(stdout) as FailoverReport
    assert.deepEqual(
      groups.map(({ group: name }) => name),
      [group]
    )
    await using successor = await GroupConsumer.join(west.bootstrap, group, [TOPIC])
    const read = new Set((await successor.readToEnd()).map(({ value }) => value))
    assert.deepEqual(
      born.filter(({ value }) => !read.has(value)),
      []
    )
  })

  function startWorker(source: string, destination: string): Promise<FarlogProcess> {
    return startFarlog(envOf(source, destination))
  }

  function envOf(source: string, destination: string): Record<string, string> {
    return {
      FARLOG_SOURCE: source,
      FARLOG_DESTINATIONS: destination,
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REPLICATION_POLICY: 'identity',
      FARLOG_TOPICS: TOPIC,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_CHECKPOINT_INTERVAL: '500ms'
    }
  }

  async function count({ bootstrap }: KafkaCluster): Promise<number> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => readRecords(bootstrap, TOPIC, partition))
    return (await Promise.all(partitions)).reduce((sum, records) => sum + records.length, 0)
  }
})

/** A heartbeat that was sent after now has crossed the flow. */
async function heartbeatsArrive(worker: FarlogProcess): Promise<void> {
  const sinceMs = Date.now()
  await until(
    async () => {
      const age = (await worker.metrics()).sum('farlog_heartbeat_age_seconds')
      return age !== undefined && Date.now() - age * 1_000 > sinceMs
    },
    { describe: 'a heartbeat to arrive' }
  )
}

/** What tells a record from all others, wherever it is. */
function identityOf({ partition, value }: { readonly partition: number; readonly value: string | null }): string {
  return `${partition} ${value}`
}

function contentOf({ key, value, timestamp }: ReadRecord): string {
  return JSON.stringify([key, value, timestamp])
}
