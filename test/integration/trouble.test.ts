import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PartitionStatus } from '../../src/observe/status.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { javaCommand } from '../support/java.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { type Compression, produce } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { runToEnd } from '../support/run-to-end.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

/** Each test has topics and a consumer group of its own, so the clusters can be shared. */
describe('trouble with single partitions, and settings that change how they are copied', function () {
  this.timeout(180_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  let westAdmin: KafkaAdmin
  let writer: BatchWriter
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
    westAdmin = new KafkaAdmin(west.bootstrap)
    writer = new BatchWriter(east.bootstrap)
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await Promise.all([writer, eastAdmin, westAdmin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  async function startWorker(topics: string, env: Record<string, string> = {}): Promise<FarlogProcess> {
    const worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: `test-${topics}`,
      ...env
    })
    workers.push(worker)
    return worker
  }

  async function stopWorker(worker: FarlogProcess): Promise<void> {
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
  }

  /** Numbered on from `first`. */
  function write(topic: string, partition: number, count: number, first = 0): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `${topic} ${first + i}` }))
    return writer.write(topic, partition, records)
  }

  function halted(worker: FarlogProcess, topic: string, partition = 0): Promise<PartitionStatus> {
    return until(
      async () => {
        const shown = await partitionsOf(worker, topic)
        const found = shown[partition]
        if (found?.state === 'halted') return found
        throw new Error(JSON.stringify(shown))
      },
      { timeoutMs: 45_000, describe: `${topic}-${partition} to be halted` }
    )
  }

  const copied = async (topic: string, partition = 0) =>
    sourceOffsets(await readRecords(west.bootstrap, `east.${topic}`, partition))

  const assertSame = (topic: string) => assertSameRecords(east.bootstrap, west.bootstrap, { [topic]: `east.${topic}` })

  it('halts a partition at a record that the destination does not take, and no other; a higher limit heals it', async () => {
    await eastAdmin.createTopic('large', 2, { 'max.message.bytes': '4000000' })
    await westAdmin.createTopic('east.large', 2, { 'max.message.bytes': '1100000' })
    await write('large', 0, 3)
    await writer.write('large', 0, [{ value: 'before' }, { value: Buffer.alloc(2_000_000, 'x') }, { value: 'behind' }])
    await write('large', 1, 5)
    const worker = await startWorker('large', { FARLOG_SYNC_TOPIC_CONFIGS: 'false' })
    const { reason, detail, nextSourceOffset } = await halted(worker, 'large')
    assert.equal(reason, 'record-too-large')
    assert.equal(nextSourceOffset, 4)
    assert.match(detail!, /source offset 4\b.* 2000\d\d\d bytes.*east\.large takes 1100000/)
    assert.equal((await worker.metrics()).sum('farlog_halted_partitions', { reason: 'record-too-large' }), 1)
    await until(async () => (await copied('large', 1)).length === 5, { describe: 'the other partition' })
    await write('large', 1, 5)
    await until(async () => (await copied('large', 1)).length === 10, { describe: 'the other partition to go on' })
    assert.deepEqual(await copied('large', 0), [0, 1, 2, 3])
    assert.equal(worker.logs.filter(({ level }) => level === 'error').length, 1)

    await westAdmin.setTopicConfig('east.large', 'max.message.bytes', '4000000')
    await caughtUp(worker, eastAdmin, 'large', { partitions: 2 })
    assert.equal(await assertSame('large'), 16)
    assert.equal((await worker.metrics()).sum('farlog_halted_partitions') ?? 0, 0)
  })

  it('adds the partitions that a destination topic lacks before it writes', async () => {
    await eastAdmin.createTopic('narrow', 4)
    await westAdmin.createTopic('east.narrow', 1)
    for (const partition of [0, 1, 2, 3]) await write('narrow', partition, 10)
    const worker = await startWorker('narrow')
    await caughtUp(worker, eastAdmin, 'narrow', { partitions: 4 })
    assert.equal(await assertSame('narrow'), 40)
  })

  it('copies at-least-once without a transaction at the destination', async () => {
    await produce({ bootstrap: east.bootstrap, topics: [{ name: 'plain', partitions: 2 }], records: 1_000 })
    const env = { FARLOG_DELIVERY: 'at-least-once' }
    const worker = await startWorker('plain', env)
    await caughtUp(worker, eastAdmin, 'plain', { partitions: 2 })
    await stopWorker(worker)
    await write('plain', 0, 10)
    await caughtUp(await startWorker('plain', env), eastAdmin, 'plain', { partitions: 2 })
    assert.equal(await assertSame('plain'), 1_010)
    // A fence leaves a marker at the beginning of the partition.
    for (const partition of [0, 1]) {
      const offsets = (await readRecords(west.bootstrap, 'east.plain', partition)).map(({ offset }) => offset)
      assert.deepEqual(offsets, [...offsets.keys()])
    }
  })

  it('counts what somebody else has copied meanwhile, where there is no fence', async () => {
    await eastAdmin.createTopic('shared', 1)
    await write('shared', 0, 5)
    const worker = await startWorker('shared', { FARLOG_DELIVERY: 'at-least-once' })
    await caughtUp(worker, eastAdmin, 'shared')
    await using zombie = new BatchWriter(west.bootstrap)
    const copy = (offset: number) => ({
      value: `shared ${offset}`,
      headers: [['farlog.origin', `east/shared/0/${offset}`]] as const
    })
    await zombie.write('east.shared', 0, [copy(3), copy(4), { value: 'no copy at all' }])
    await write('shared', 0, 5, 5)
    await until(async () => (await worker.metrics()).sum('farlog_duplicate_records_total', { topic: 'shared' }) === 2, {
      describe: 'both to be counted'
    })
    const values = (await readRecords(west.bootstrap, 'east.shared', 0)).map(({ value }) => value)
    assert.equal(values.filter(value => value === 'shared 3').length, 2)
  })

  it('shares partitions out by the consumer protocol too', async () => {
    const topics = [{ name: 'shared-out', partitions: 4 }]
    await produce({ bootstrap: east.bootstrap, topics, records: 1_000 })
    // One partition more would be shared out unevenly.
    const env = { FARLOG_GROUP_PROTOCOL: 'consumer', FARLOG_HEARTBEAT_INTERVAL: '0s' }
    const first = await startWorker('shared-out', env)
    await caughtUp(first, eastAdmin, 'shared-out', { partitions: 4 })
    const second = await startWorker('shared-out', env)
    const owned = async (worker: FarlogProcess) => (await partitionsOf(worker, 'shared-out')).length
    await until(async () => (await owned(first)) === 2 && (await owned(second)) === 2, {
      timeoutMs: 60_000,
      describe: 'two workers to share'
    })
    assert.ok((await eastAdmin.consumerProtocolGroups()).includes('test-shared-out'))
    await produce({ bootstrap: east.bootstrap, topics, records: 1_000, seed: 2 })
    await stopWorker(first)
    await caughtUp(second, eastAdmin, 'shared-out', { partitions: 4 })
    assert.equal(await assertSame('shared-out'), 2_000)
  })

  it('compresses anew where it is told to', async () => {
    const codecs: Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
    const topics = codecs.map(compression => ({ name: `codec-${compression}`, compression }))
    await produce({ bootstrap: east.bootstrap, topics, records: 1_000 })
    const worker = await startWorker('codec-.*', { FARLOG_COMPRESSION: 'zstd' })
    for (const { name } of topics) await caughtUp(worker, eastAdmin, name)
    const names = Object.fromEntries(topics.map(({ name }) => [name, `east.${name}`]))
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, names), 1_000)
    for (const { name } of topics) {
      assert.deepEqual(await codecsOf(east, name), new Set([name.replace('codec-', '')]))
      assert.deepEqual(await codecsOf(west, `east.${name}`), new Set(['zstd']))
    }
  })

  it('starts at the end where it is told to, and from there on misses nothing', async () => {
    await eastAdmin.createTopic('latest', 2)
    await write('latest', 0, 10)
    const env = { FARLOG_START: 'latest' }
    const worker = await startWorker('latest', env)
    await caughtUp(worker, eastAdmin, 'latest', { partitions: 2 })
    await stopWorker(worker)
    for (const partition of [0, 1]) await write('latest', partition, 5)
    const next = await startWorker('latest', env)
    await caughtUp(next, eastAdmin, 'latest', { partitions: 2 })
    await write('latest', 0, 5)
    await caughtUp(next, eastAdmin, 'latest', { partitions: 2 })
    assert.deepEqual(await copied('latest', 0), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    assert.deepEqual(await copied('latest', 1), [0, 1, 2, 3, 4])
  })

  it('halts where retention was faster, naming the offsets; or goes on behind the gap, and counts it', async () => {
    await eastAdmin.createTopic('gap', 2)
    for (const partition of [0, 1]) await write('gap', partition, 10)
    const before = await startWorker('gap')
    await caughtUp(before, eastAdmin, 'gap', { partitions: 2 })
    await stopWorker(before)
    for (const partition of [0, 1]) await write('gap', partition, 10)
    await eastAdmin.deleteRecordsBefore('gap', 0, 15)

    const halting = await startWorker('gap')
    const { reason, detail, nextSourceOffset } = await halted(halting, 'gap')
    assert.equal(reason, 'gap')
    assert.match(detail!, /source offsets 10 to 14 of gap-0\b/)
    assert.equal(nextSourceOffset, 10)
    await until(async () => (await partitionsOf(halting, 'gap'))[0]!.lagRecords === 10, {
      describe: 'its lag, although it is halted'
    })
    assert.equal((await halting.metrics()).sum('farlog_halted_partitions', { reason: 'gap' }), 1)
    await until(async () => (await copied('gap', 1)).length === 20, { describe: 'the other partition' })
    assert.equal((await copied('gap', 0)).length, 10)
    await stopWorker(halting)

    const going = await startWorker('gap', { FARLOG_ON_GAP: 'continue' })
    await caughtUp(going, eastAdmin, 'gap', { partitions: 2 })
    assert.deepEqual(await copied('gap', 0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19])
    assert.equal((await going.metrics()).sum('farlog_gap_records_total', { topic: 'gap', partition: 0 }), 5)
    assert.equal((await going.metrics()).sum('farlog_gap_records_total'), 5)
    const line = going.logs.find(({ firstSourceOffset }) => firstSourceOffset === 10)
    assert.equal(line?.nextSourceOffset, 15)
  })

  it('copies what it has read before retention overtakes it, and counts exactly what it has not', async () => {
    const topics = [{ name: 'overtaken' }]
    await produce({ bootstrap: east.bootstrap, topics, records: 10, shape: 'plain' })
    const worker = await startWorker('overtaken', { FARLOG_ON_GAP: 'continue' })
    await caughtUp(worker, eastAdmin, 'overtaken')
    await west.brokers[0]!.kill('SIGSTOP')
    try {
      // Far more than it buffers.
      await produce({ bootstrap: east.bootstrap, topics, records: 4_000, valueBytes: 10_000, shape: 'plain' })
      await until(async () => (await partitionsOf(worker, 'overtaken'))[0]?.lagRecords === 4_000, { describe: 'lag' })
      await eastAdmin.deleteRecordsBefore('overtaken', 0, 3_900)
    } finally {
      await west.brokers[0]!.kill('SIGCONT')
    }
    await caughtUp(worker, eastAdmin, 'overtaken')
    const offsets = await copied('overtaken')
    const gapAt = offsets.findIndex((offset, index) => offset !== index)
    assert.ok(gapAt > 10 && gapAt < 3_900, `the gap begins at ${gapAt}`)
    assert.equal(offsets[gapAt], 3_900)
    assert.equal(offsets.length, gapAt + 110)
    assert.equal((await worker.metrics()).sum('farlog_gap_records_total'), 3_900 - gapAt)
  })

  for (const { title, name, records } of [
    { title: 'fewer records', name: 'remade-smaller', records: 5 },
    { title: 'more records than before', name: 'remade-larger', records: 40 }
  ]) {
    it(`halts at a topic that was deleted and made again while it was away, with ${title}`, async () => {
      await eastAdmin.createTopic(name)
      await write(name, 0, 20)
      const before = await startWorker(name)
      await caughtUp(before, eastAdmin, name)
      await stopWorker(before)
      await eastAdmin.deleteTopic(name)
      await eastAdmin.createTopic(name)
      await write(name, 0, records, 100)
      await haltsAsRecreated(await startWorker(name), name)
    })
  }

  it('halts at a topic that is deleted and made again while it is mirrored', async () => {
    await eastAdmin.createTopic('remade')
    await write('remade', 0, 20)
    const worker = await startWorker('remade')
    await caughtUp(worker, eastAdmin, 'remade')
    await eastAdmin.deleteTopic('remade')
    await eastAdmin.createTopic('remade')
    await write('remade', 0, 40, 100)
    await haltsAsRecreated(worker, 'remade')
  })

  it('starts the new generation of a topic that was made again where it is told to', async () => {
    await eastAdmin.createTopic('generations')
    await write('generations', 0, 20)
    const before = await startWorker('generations')
    await caughtUp(before, eastAdmin, 'generations')
    await stopWorker(before)
    await eastAdmin.deleteTopic('generations')
    await eastAdmin.createTopic('generations')
    await write('generations', 0, 40, 100)
    const worker = await startWorker('generations', { FARLOG_ON_GAP: 'continue' })
    await caughtUp(worker, eastAdmin, 'generations')
    const values = (await readRecords(west.bootstrap, 'east.generations')).map(({ value }) => value)
    const expected = [...numbers(20, 0), ...numbers(40, 100)].map(number => `generations ${number}`)
    assert.deepEqual(values, expected)
  })

  async function haltsAsRecreated(worker: FarlogProcess, topic: string): Promise<void> {
    const { reason, detail } = await halted(worker, topic)
    assert.equal(reason, 'recreated')
    assert.match(detail!, new RegExp(`source topic ${topic} was deleted and made again`))
    assert.deepEqual(await copied(topic), numbers(20, 0))
    assert.equal((await worker.metrics()).sum('farlog_halted_partitions', { reason: 'recreated' }), 1)
  }
})

function numbers(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i)
}

/** What Kafka's own tool says of the data batches in a partition's files. */
async function codecsOf({ dir }: KafkaCluster, topic: string): Promise<Set<string>> {
  const folder = join(dir, 'broker-1/data', `${topic}-0`)
  const files = readdirSync(folder).filter(name => name.endsWith('.log'))
  const args = ['--files', files.map(name => join(folder, name)).join(',')]
  const { stdout } = await runToEnd(javaCommand('kafka.tools.DumpLogSegments', args, { heapMb: 128 }))
  const batches = stdout.split('\n').filter(line => line.includes('isControl: false'))
  return new Set(batches.map(line => /compresscodec: (\w+)/.exec(line)![1]!))
}
