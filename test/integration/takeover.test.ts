import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { digest, type PartitionDigest } from '../support/digest.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { startProducing } from '../support/produce.ts'
import { until } from '../support/wait.ts'

/** How often a worker is killed; `FARLOG_TEST_KILLS=20` is a minute of it. */
const KILLS = Number(process.env.FARLOG_TEST_KILLS ?? 4)
const KILL_INTERVAL_MS = 3_000

describe('workers that come and go under load', function () {
  this.timeout(300_000)

  const topics = [
    { name: 'orders', partitions: 6, compression: 'lz4' as const },
    { name: 'clicks', partitions: 6, compression: 'none' as const }
  ]
  let east: KafkaCluster
  let west: KafkaCluster
  let env: Record<string, string>
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '2s',
      // One partition more would be shared out unevenly.
      FARLOG_HEARTBEAT_INTERVAL: '0s'
    }
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await Promise.all([east?.stop(), west?.stop()])
  })

  it(`loses and duplicates nothing when one of two is killed every few seconds, ${KILLS} times`, async () => {
    await using producing = await startProducing({ bootstrap: east.bootstrap, topics, records: 0, rate: 1_500 })
    await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
    workers.push(await startFarlog(env), await startFarlog(env))
    await Promise.all(workers.map(worker => worker.waitReady()))
    for (let kill = 0; kill < KILLS; kill++) {
      // The pause is the fault's own rhythm: no condition is waited for.
      await sleep(KILL_INTERVAL_MS)
      const victim = workers[kill % 2]!
      victim.kill('SIGKILL')
      await victim.exit
      workers[kill % 2] = await startFarlog(env)
    }
    const { records } = await producing.stop()
    await assertEqualWhenCaughtUp(records)
  })

  it('refuses a worker that was paused while another took over, and takes it back', async () => {
    await using producing = await startProducing({ bootstrap: east.bootstrap, topics, records: 0, rate: 1_500 })
    const before = (await digest({ bootstrap: east.bootstrap, topics: topics.map(({ name }) => name) })).length
    assert.ok(before > 0)
    const paused = await startFarlog(env)
    workers.push(paused)
    await paused.waitReady()
    await until(async () => (await owned(paused)) === 12, { describe: 'the first worker to own every partition' })
    const other = await startFarlog(env)
    workers.push(other)
    await until(async () => (await owned(paused)) === 6 && (await owned(other)) === 6, {
      describe: 'two workers to share'
    })
    await until(async () => (await paused.metrics()).sum('farlog_records_total')! > 0, { describe: 'records' })

    paused.kill('SIGSTOP')
    const pausedAtMs = performance.now()
    await until(async () => (await mirroring(other)) === 12, { timeoutMs: 40_000, describe: 'the other to take over' })
    await sleep(Math.max(0, 20_000 - (performance.now() - pausedAtMs)))
    paused.kill('SIGCONT')

    await until(async () => (await paused.metrics()).sum('farlog_fenced_total')! > 0, {
      describe: 'the broker to refuse the worker that was paused'
    })
    await until(async () => (await mirroring(paused)) > 0, { timeoutMs: 60_000, describe: 'it to mirror again' })
    await producing.stop()
    await assertEqualWhenCaughtUp()
  })

  it('has left the group when it ends in order, so that the next one need not wait for its session', async () => {
    await using admin = new KafkaAdmin(east.bootstrap)
    // With few partitions librdkafka nearly always has said goodbye in time by itself.
    await admin.createTopic('wide', 300)
    for (let restart = 0; restart < 3; restart++) {
      const worker = await startFarlog({ ...env, FARLOG_TOPICS: 'wide' })
      workers.push(worker)
      await until(async () => (await mirroring(worker)) === 300, { describe: 'the worker to mirror all partitions' })
      const { groupId } = (await worker.status()).flows[0]!
      worker.kill('SIGTERM')
      await worker.exit
      assert.equal(await admin.groupMembers(groupId), 0, `after restart ${restart}`)
    }
    await admin.deleteTopic('wide')
  })

  /** Progress speaks of what is acknowledged, whoever owns the partition at the moment. */
  async function hasCommittedAll(): Promise<boolean> {
    await using admin = new KafkaAdmin(east.bootstrap)
    const areDone = topics.map(async ({ name, partitions }) => {
      const committed = await admin.committedOffsets('farlog-east-west', name)
      const ends = await admin.offsets(name, partitions)
      return ends.every(({ partition, lastStableOffset }) => (committed.get(partition) ?? -1) >= lastStableOffset)
    })
    return (await Promise.all(areDone)).every(Boolean)
  }

  async function assertEqualWhenCaughtUp(atLeast = 0): Promise<void> {
    const names = topics.map(({ name }) => name)
    const source = await digest({ bootstrap: east.bootstrap, topics: names })
    const expected = total(source)
    assert.ok(expected >= atLeast && expected > 0)
    await until(hasCommittedAll, { timeoutMs: 90_000, describe: 'everything to be committed as copied' })
    const copy = await digest({ bootstrap: west.bootstrap, topics: names.map(name => `east.${name}`) })
    assert.deepEqual(
      copy.map(essence),
      source.map(digest => ({ ...essence(digest), topic: `east.${digest.topic}` }))
    )
    for (const { originNotIncreasing, duplicates, sequenceBreaks } of copy) {
      assert.deepEqual({ originNotIncreasing, duplicates }, { originNotIncreasing: 0, duplicates: 0 })
      assert.equal(sequenceBreaks, 0)
    }
  }
})

function essence({ topic, partition, records, digest }: PartitionDigest) {
  return { topic, partition, records, digest }
}

function total(digests: readonly PartitionDigest[]): number {
  return digests.reduce((sum, { records }) => sum + records, 0)
}

async function owned(worker: FarlogProcess): Promise<number> {
  return (await worker.status()).flows[0]!.partitions.length
}

async function mirroring(worker: FarlogProcess): Promise<number> {
  return (await worker.status()).flows[0]!.partitions.filter(({ state }) => state === 'mirroring').length
}
