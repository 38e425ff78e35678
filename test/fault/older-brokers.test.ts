import assert from 'node:assert/strict'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { isAtLength, itAtLength } from '../support/long.ts'
import { placeOf } from '../support/mirrored-groups.ts'
import { startProducing } from '../support/produce.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'
import { assertHealthy } from './support/bed.ts'

interface Site {
  readonly alias: string
  readonly kafka: KafkaCluster
  readonly admin: KafkaAdmin
}

const PARTITIONS = 3
const RECORDS_PER_SECOND = 1_500

/** Clusters in the real world are upgraded one after the other, so a flow often joins two releases of Kafka. */
describe('a cluster of an older Kafka', function () {
  this.timeout(180_000)

  /** Kafka 4.1. */
  let newest: Site
  /** The last release before 4.0; `undefined` unless at length. */
  let last: Site | undefined
  /** The oldest that farlog takes, where KRaft was a preview. */
  let oldest: Site
  let tooOld: Site
  let workers: FarlogProcess[] = []

  before(async () => {
    ;[newest, last, oldest, tooOld] = await Promise.all([
      site('newest', startKafka({ name: 'newest' })),
      isAtLength() ? site('last', startKafka({ name: 'last', release: '3.9.2' })) : undefined,
      site('oldest', startKafka({ name: 'oldest', release: '3.1.2' })),
      site('too-old', startKafka({ name: 'too-old', release: '3.0.2' }))
    ])
  })

  afterEach(async () => {
    await Promise.all(workers.map(worker => worker[Symbol.asyncDispose]()))
    workers = []
  })

  after(async () => {
    const sites = [newest, last, oldest, tooOld].filter(started => started !== undefined)
    await Promise.all(sites.map(({ admin }) => admin[Symbol.asyncDispose]()))
    await Promise.all(sites.map(({ kafka }) => kafka.stop()))
  })

  function flowEnv(source: Site, destination: Site, topic: string): Record<string, string> {
    return {
      FARLOG_SOURCE: source.alias,
      FARLOG_DESTINATIONS: destination.alias,
      [`FARLOG_${variable(source)}_BOOTSTRAP_SERVERS`]: source.kafka.bootstrap,
      [`FARLOG_${variable(destination)}_BOOTSTRAP_SERVERS`]: destination.kafka.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_CHECKPOINT_INTERVAL: '500ms',
      FARLOG_TOPICS: topic,
      FARLOG_GROUP_ID: `farlog-${topic}`
    }
  }

  async function startWorker(env: Readonly<Record<string, string>>): Promise<FarlogProcess> {
    const worker = await startFarlog(env)
    workers.push(worker)
    return worker
  }

  /** All of it once: transactions under load, a worker that dies, a topic that changes, a group that moves. */
  async function mirror(source: Site, destination: Site, more: Record<string, string> = {}): Promise<void> {
    const topic = `from-${source.alias}-to-${destination.alias}`
    const copy = `${source.alias}.${topic}`
    const env = { ...flowEnv(source, destination, topic), ...more }
    await source.admin.createTopic(topic, PARTITIONS, { 'retention.ms': '86400000', 'max.message.bytes': '2000000' })
    await using producing = await startProducing({
      bootstrap: source.kafka.bootstrap,
      topics: [{ name: topic, partitions: PARTITIONS, compression: 'lz4' }],
      ...{ records: 0, rate: RECORDS_PER_SECOND, transactionRecords: 50, abortPercent: 20 }
    })
    const first = await startWorker(env)
    await until(
      async () =>
        (await partitionsOf(first, topic)).every(
          ({ state, nextSourceOffset }) => state === 'mirroring' && (nextSourceOffset ?? 0) > 300
        ),
      { describe: `${topic} to be mirrored` }
    )
    first.kill('SIGKILL')
    await first.exit

    const second = await startWorker(env)
    await source.admin.setTopicConfig(topic, 'retention.ms', '172800000')
    await source.admin.addPartitions(topic, PARTITIONS + 1)
    const readers = `readers-of-${topic}`
    await source.admin.commitOffsets(readers, topic, [[0, 200]])
    await until(async () => (await destination.admin.committedOffsets(readers, copy)).get(0), {
      describe: `${readers} to be brought over`
    })
    await until(async () => (await destination.admin.topicConfig(copy))['retention.ms'] === '172800000', {
      describe: `${copy} to be configured as ${topic} is`
    })
    const { records, aborted } = await producing.stop()
    assert.ok(aborted > 0)
    await caughtUp(second, source.admin, topic, { partitions: PARTITIONS + 1 })

    assert.equal(
      await assertSameRecords(source.kafka.bootstrap, destination.kafka.bootstrap, { [topic]: copy }),
      records
    )
    assert.equal((await destination.admin.topicConfig(copy))['max.message.bytes'], '2000000')
    const at = { bootstrap: destination.kafka.bootstrap, admin: destination.admin }
    const place = await placeOf(at, copy, 0, 200)
    assert.equal((await destination.admin.committedOffsets(readers, copy)).get(0), place)
    await assertHealthy(second)
    await committedTo(destination, env.FARLOG_GROUP_ID!, copy)
    second.kill('SIGTERM')
    assert.deepEqual(await second.exit, { code: 0, signal: null })
    const ends = (await source.admin.offsets(topic, PARTITIONS)).map(({ lastStableOffset }) => lastStableOffset)
    const committed = await source.admin.committedOffsets(env.FARLOG_GROUP_ID!, topic)
    assert.deepEqual(
      [...ends.keys()].map(partition => committed.get(partition)),
      ends
    )
  }

  /** Progress is kept at the destination too. */
  async function committedTo(destination: Site, groupId: string, copy: string): Promise<void> {
    await until(async () => (await destination.admin.committedOffsets(groupId, copy)).size > PARTITIONS, {
      describe: `progress to be kept at ${destination.alias}`
    })
  }

  itAtLength(
    'is mirrored to Kafka 4.1 and from it, exactly once, where it is the last release before 4.0',
    async () => {
      await Promise.all([mirror(last!, newest), mirror(newest, last!)])
    }
  )

  it('is mirrored to Kafka 4.1 and from it, exactly once, where it is Kafka 3.1, the oldest that will do', async () => {
    // The protocol is the source's; the destination, which knows none such, only keeps a second copy of progress.
    await Promise.all([mirror(oldest, newest), mirror(newest, oldest, { FARLOG_GROUP_PROTOCOL: 'consumer' })])
  })

  it('is compared, planned for and examined like any other', async () => {
    const env = flowEnv(oldest, newest, 'from-oldest-to-newest')
    const [verify, plan, doctor, status] = await Promise.all([
      runFarlog(['verify', '--json'], env),
      runFarlog(['plan', '--json'], env),
      runFarlog(['doctor'], env),
      runFarlog(['status', '--json'], env)
    ])
    assert.equal(verify.code, 0, verify.stderr)
    assert.equal(plan.code, 0, plan.stderr)
    assert.equal(status.code, 0, status.stderr)
    assert.equal(doctor.code, 0, doctor.stdout)
    assert.match(doctor.stdout, /ok +versions +oldest: Kafka older than 3\.3, or without KRaft/)
    assert.match(doctor.stdout, /skipped +clock +oldest: [^(]*; DESCRIBE on the cluster and Kafka 3\.3 or newer/)
  })

  it('is refused where it is too old, by what it lacks and the release that has it', async () => {
    for (const [source, destination] of [
      [tooOld, newest],
      [newest, tooOld]
    ] as const) {
      const env = flowEnv(source, destination, 'refused')
      const worker = await startWorker(env)
      const refused = `broker ${tooOld.kafka.bootstrap} speaks Metadata 0 to 11, but farlog needs version 12: Kafka 3.1 or newer`
      await until(async () => (await notReady(worker)) === refused, { describe: 'the broker to be refused' })
      const doctor = await runFarlog(['doctor'], env)
      assert.equal(doctor.code, 1)
      assert.match(
        doctor.stdout,
        /problem +versions +too-old: broker .* speaks Metadata 0 to 11, .*; upgrade the broker/
      )
      assert.match(doctor.stdout, /problem +versions +too-old: broker .* speaks Fetch 0 to 12, .*; upgrade the broker/)
    }
  })

  it('is told apart from one that shares partitions out by the newer protocol, where that is asked for', async () => {
    for (const source of [last, oldest].filter(started => started !== undefined)) {
      const env = { ...flowEnv(source, newest, 'refused'), FARLOG_GROUP_PROTOCOL: 'consumer' }
      const worker = await startWorker(env)
      const refused = /does not offer the consumer group protocol \(KIP-848: Kafka 4\.0 or newer/
      await until(async () => refused.test((await notReady(worker)) ?? ''), { describe: 'the protocol to be refused' })
      const doctor = await runFarlog(['doctor'], env)
      assert.equal(doctor.code, 1)
      assert.match(doctor.stdout, refused)
    }
  })
})

async function site(alias: string, starting: Promise<KafkaCluster>): Promise<Site> {
  const kafka = await starting
  return { alias, kafka, admin: new KafkaAdmin(kafka.bootstrap) }
}

function variable({ alias }: Site): string {
  return alias.toUpperCase().replaceAll('-', '_')
}

async function notReady(worker: FarlogProcess): Promise<string | null> {
  return (await worker.status()).flows[0]!.notReadyReason
}
