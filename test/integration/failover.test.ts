import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import avro from 'avsc'
import { Cluster } from '../../src/cluster/cluster.ts'
import { fetchBatches } from '../../src/cluster/fetch-batches.ts'
import { EventReader } from '../../src/events/event-log.ts'
import type { PartitionLoss } from '../../src/events/partition-loss.ts'
import type { FailoverReport } from '../../src/failover/failover.ts'
import type { FlowStatus } from '../../src/observe/status.ts'
import { encodeCheckpoint } from '../../src/offsets/mm2-format.ts'
import { ProvenanceHeader } from '../../src/rewrite/provenance.ts'
import { stampOf } from '../simulation/requests.ts'
import { BatchWriter, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { type OwnedProcess, spawnOwned } from '../support/owned-process.ts'
import { plainCluster } from '../support/plain-cluster.ts'
import { startProducing } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'
import { writeAs } from '../support/write-as.ts'

const LOAD_PARTITIONS = 3
const EVENTS = 'farlog.events.east.internal'
const CHECKPOINTS = 'east.checkpoints.internal'

/** Two clusters for one test, for failing over is about a whole flow and kills a whole cluster. */
class Sites implements AsyncDisposable {
  readonly east: KafkaCluster
  readonly west: KafkaCluster
  readonly eastAdmin: KafkaAdmin
  readonly westAdmin: KafkaAdmin
  readonly env: Record<string, string>
  readonly folder = mkdtempSync(join(tmpdir(), 'farlog-failover-'))
  readonly #workers: FarlogProcess[] = []

  static async start(): Promise<Sites> {
    const [east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    return new Sites(east, west)
  }

  private constructor(east: KafkaCluster, west: KafkaCluster) {
    this.east = east
    this.west = west
    this.eastAdmin = new KafkaAdmin(east.bootstrap)
    this.westAdmin = new KafkaAdmin(west.bootstrap)
    this.env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      // Tests say themselves what is known of groups.
      FARLOG_CHECKPOINT_INTERVAL: '0s',
      FARLOG_HEARTBEAT_INTERVAL: '0s',
      // Nor may a topic's limit be put back that a test has set to have a partition halt.
      FARLOG_SYNC_TOPIC_CONFIGS: 'false'
    }
  }

  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<FarlogProcess> {
    const worker = await startFarlog({ ...this.env, ...env })
    this.#workers.push(worker)
    return worker
  }

  /** Copies in the destination's log, which markers do not count as. */
  async copies(topic: string, partition = 0): Promise<number[]> {
    return sourceOffsets(await readRecords(this.west.bootstrap, `east.${topic}`, partition))
  }

  farlog(...args: string[]) {
    return runFarlog(args, this.env)
  }

  async failOver(...args: string[]): Promise<FailoverReport> {
    const { code, stdout, stderr } = await this.farlog('failover', '--json', ...args)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as FailoverReport
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker[Symbol.asyncDispose]()))
    await Promise.all([this.eastAdmin, this.westAdmin].map(admin => admin[Symbol.asyncDispose]()))
    await Promise.all([this.east.stop(), this.west.stop()])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

describe('farlog failover', function () {
  this.timeout(300_000)

  it('tells what is lost with a source that was killed, and nobody writes after it', async () => {
    await using sites = await Sites.start()
    const { east, west, eastAdmin, westAdmin } = sites
    await using eastWriter = new BatchWriter(east.bootstrap)
    await using westWriter = new BatchWriter(west.bootstrap)
    for (const topic of ['plain', 'marked']) await eastAdmin.createTopic(topic)
    await eastAdmin.createTopic('load', LOAD_PARTITIONS)
    const first = await sites.startWorker()
    await first.waitReady()
    for (const topic of ['plain', 'marked']) await eastWriter.write(topic, 0, numbered(10))
    for (const topic of ['plain', 'marked']) await caughtUp(first, eastAdmin, topic)
    // What comes next stays at the source, and the worker sees it come.
    for (const topic of ['plain', 'marked'])
      await westAdmin.setTopicConfig(`east.${topic}`, 'max.message.bytes', '1000')
    for (const topic of ['plain', 'marked']) await eastWriter.write(topic, 0, [{ value: 'x'.repeat(5_000) }])
    await eastWriter.write('plain', 0, numbered(20))
    await (await writeInTransaction(east.bootstrap, 'marked', 0, numbered(5))).commit()
    await (await writeInTransaction(east.bootstrap, 'marked', 0, numbered(5))).abort()
    await (await writeInTransaction(east.bootstrap, 'marked', 0, numbered(3))).commit()
    await until(
      async () => {
        const [plain] = await westAdmin.committedMetadata('farlog-east-west', 'east.plain')
        const [marked] = await westAdmin.committedMetadata('farlog-east-west', 'east.marked')
        return JSON.parse(plain!).sourceEnd === 31 && JSON.parse(marked!).sourceEnd === 27
      },
      { describe: 'the ends of the source to be committed at the destination' }
    )
    // Of one group the last thing known is where it was among the copies, of one that it was beyond them.
    const checkpoint = (group: string, upstreamOffset: number) =>
      encodeCheckpoint({
        ...{ group, topic: 'east.plain', partition: 0, upstreamOffset, downstreamOffset: 1, metadata: `of ${group}` }
      })
    await westAdmin.createTopic(CHECKPOINTS, 1, { 'cleanup.policy': 'compact' })
    await westWriter.write(CHECKPOINTS, 0, [
      checkpoint('billing', 2),
      checkpoint('beyond', 25),
      checkpoint('busy', 4),
      checkpoint('billing', 4),
      checkpoint('other', 4)
    ])
    await using _consumer = await consuming(west.bootstrap, 'busy', 'east.plain', westAdmin)
    await using load = await startProducing({
      ...{ bootstrap: east.bootstrap, topics: [{ name: 'load', partitions: LOAD_PARTITIONS }], shape: 'plain' },
      ...{ records: 0, rate: 1_000 }
    })
    load.finished.catch(() => {})
    await until(async () => (await sites.copies('load')).length > 500, { describe: 'copies under load' })

    // One worker sleeps through it all, with batches in its memory and, perhaps, on their way.
    first.kill('SIGSTOP')
    await east.brokers[0]!.kill('SIGKILL')
    const killedAtMs = Date.now()
    const file = join(sites.folder, 'loss.avro')
    const groups = '--groups=billing,beyond,busy'
    const report = await sites.failOver('--report', file, groups)
    assert.match(report.warnings.join(), /east .* cannot be reached/)
    assert.equal(report.order?.action, 'STOP')

    const after = await copiesOf(sites)
    for (let partition = 0; partition < LOAD_PARTITIONS; partition++) {
      assert.equal(await writeAsLastOwner(west.bootstrap, 'east.load', partition), 'INVALID_PRODUCER_EPOCH')
    }
    first.kill('SIGCONT')
    await until(
      async () => {
        const { partitions, stopped } = await flowOf(first)
        return (
          stopped?.id === report.order?.id &&
          partitions.every(({ state, reason }) => state === 'halted' && reason === 'stopped')
        )
      },
      { timeoutMs: 60_000, describe: 'the worker that woke up to stand still' }
    )
    assert.deepEqual(await copiesOf(sites), after)

    // The dead side comes back, and a new worker with it.
    await east.brokers[0]!.restart()
    const second = await sites.startWorker()
    await second.waitReady()
    await until(
      async () => {
        const { partitions } = await flowOf(second)
        return partitions.length > 0 && partitions.every(({ reason }) => reason === 'stopped')
      },
      { timeoutMs: 60_000, describe: 'the new worker to stand still' }
    )
    assert.deepEqual(await copiesOf(sites), after)
    await load.stop().catch(() => {})

    const rows = new Map(report.loss.losses.map(loss => [`${loss.topic}-${loss.partition}`, loss]))
    assert.deepEqual([...rows.keys()], ['load-0', 'load-1', 'load-2', 'marked-0', 'plain-0'])
    for (const loss of rows.values()) {
      const records = await readRecords(east.bootstrap, loss.topic, loss.partition)
      const copied = after[`${loss.topic}-${loss.partition}`]!
      // All below is there, nothing from there on is.
      assert.deepEqual(
        copied,
        records.map(({ offset }) => offset).filter(offset => offset < loss.nextSourceOffset!)
      )
      const last = records.find(({ offset }) => offset === copied.at(-1))!
      assert.deepEqual([loss.lastSourceOffset, loss.lastTimestamp], [last.offset, last.timestamp])
      const ends = await eastAdmin.offsets(loss.topic, loss.topic === 'load' ? LOAD_PARTITIONS : 1)
      const { lastStableOffset } = ends[loss.partition]!
      const lost = records.filter(({ offset }) => offset >= loss.nextSourceOffset!)
      assert.equal(loss.lostRecordsMax, Math.max(0, loss.sourceEndOffset! - loss.nextSourceOffset!))
      if (loss.topic === 'load') {
        // The newest of it nobody had heard of.
        assert.ok(loss.sourceEndOffset! <= lastStableOffset)
        assert.ok(loss.lostRecordsMax! <= lost.length)
        const seenMsBefore = killedAtMs - loss.sourceSeenAt!
        assert.ok(seenMsBefore >= 0 && seenMsBefore < 30_000, `seen ${seenMsBefore} ms before it was killed`)
      } else if (loss.topic === 'plain') {
        assert.equal(loss.lostRecordsMax, lost.length)
        assert.equal(lost.length, 21)
        assert.ok(loss.lostSeconds! > 0)
      } else {
        assert.equal(loss.sourceEndOffset, lastStableOffset)
        assert.equal(lost.length, 9)
        assert.ok(loss.lostRecordsMax! >= lost.length)
      }
    }
    assert.deepEqual(await readFile(file), report.loss.losses)
    assert.deepEqual(await lossesInLog(west.bootstrap), report.loss.losses)

    const outcomes = Object.fromEntries(report.groups.map(({ group, outcome }) => [group, outcome]))
    assert.deepEqual(outcomes, { billing: 'moved', beyond: 'moved', busy: 'in use' })
    const copies = await readRecords(west.bootstrap, 'east.plain')
    const committed = async (group: string) => (await westAdmin.committedOffsets(group, 'east.plain')).get(0)
    assert.equal(await committed('billing'), copies[4]!.offset)
    assert.equal(await committed('beyond'), copies.at(-1)!.offset + 1)
    assert.equal(await committed('other'), undefined)
    assert.deepEqual(await westAdmin.committedMetadata('billing', 'east.plain'), ['of billing'])
  })

  it('has workers that outlive the source hand in what they hold, before it tells the loss', async () => {
    await using sites = await Sites.start()
    const { east, west, eastAdmin, westAdmin } = sites
    await eastAdmin.createTopic('load', LOAD_PARTITIONS)
    const worker = await sites.startWorker({ FARLOG_CHECKPOINT_INTERVAL: '1s' })
    await worker.waitReady()
    await using load = await startProducing({
      ...{ bootstrap: east.bootstrap, topics: [{ name: 'load', partitions: LOAD_PARTITIONS }], shape: 'plain' },
      ...{ records: 0, rate: 1_000 }
    })
    load.finished.catch(() => {})
    await using reader = await GroupConsumer.join(east.bootstrap, 'billing', ['load'])
    await reader.read(900)
    reader.commit()
    const read = await eastAdmin.committedOffsets('billing', 'load')
    await until(async () => (await readRecords(west.bootstrap, CHECKPOINTS)).length >= read.size, {
      describe: 'a checkpoint of each partition'
    })
    // In the midst of it: some seconds later the workers have lost their group, and say nothing any more.
    let killedAtMs = Number.POSITIVE_INFINITY
    const { stdout, stderr } = await failOverAndMeanwhile(sites, 1, async () => {
      await east.brokers[0]!.kill('SIGKILL')
      killedAtMs = Date.now()
    })
    assert.match(stderr, /drain +3 of 3 partitions say that they stand still\n/)
    const report = JSON.parse(stdout) as FailoverReport
    const after = await copiesOf(sites)
    // Also one that is started only now, and can't join its group: what watches it must know that nothing is late.
    const late = await sites.startWorker()
    await until(async () => (await late.metrics()).sum('farlog_flow_stopped') === 1, {
      timeoutMs: 30_000,
      describe: 'a worker without a source to hear of the order'
    })
    assert.deepEqual((await flowOf(late)).partitions, [])
    assert.deepEqual(
      report.groups.map(({ group }) => group),
      ['billing']
    )
    assert.match(report.groups[0]!.outcome, /^(moved|there)$/)
    for (const [partition, sourceOffset] of read) {
      const copies = await readRecords(west.bootstrap, 'east.load', partition)
      const next = copies[sourceOffsets(copies).findIndex(offset => offset >= sourceOffset)]
      const place = (await westAdmin.committedOffsets('billing', 'east.load')).get(partition)
      assert.equal(place, next?.offset ?? copies.at(-1)!.offset + 1)
    }
    await east.brokers[0]!.restart()
    for (const loss of report.loss.losses) {
      const records = await readRecords(east.bootstrap, 'load', loss.partition)
      const below = records.map(({ offset }) => offset).filter(offset => offset < loss.nextSourceOffset!)
      assert.deepEqual(after[`load-${loss.partition}`], below)
      assert.ok(loss.sourceEndOffset! <= records.at(-1)!.offset + 1)
      // It has told what it heard last, not what it had committed before.
      assert.equal(loss.lostRecordsMax, loss.sourceEndOffset! - loss.nextSourceOffset!)
      assert.ok(loss.sourceEndOffset! >= loss.nextSourceOffset!)
      assert.ok(Math.abs(loss.sourceSeenAt! - killedAtMs) < 10_000, `${loss.sourceSeenAt! - killedAtMs}`)
    }
    await load.stop().catch(() => {})
  })

  it('loses nothing where the source is there, and goes on where it was with farlog start', async () => {
    await using sites = await Sites.start()
    const { east, west, eastAdmin, westAdmin } = sites
    await eastAdmin.createTopic('load', LOAD_PARTITIONS)
    const workers = [await sites.startWorker(), await sites.startWorker()]
    await Promise.all(workers.map(worker => worker.waitReady()))
    await using load = await startProducing({
      ...{ bootstrap: east.bootstrap, topics: [{ name: 'load', partitions: LOAD_PARTITIONS }], shape: 'varied' },
      ...{ records: 0, rate: 1_000, transactionRecords: 20, abortPercent: 20 }
    })
    await until(async () => (await sites.copies('load')).length > 500, { describe: 'copies under load' })
    const worker = workers[0]!

    await using reader = await GroupConsumer.join(east.bootstrap, 'billing', ['load'])
    await reader.read(200)
    reader.commit()
    const report = await sites.failOver()
    const { order } = report
    assert.equal(report.groups.find(({ group }) => group === 'billing')?.outcome, 'moved')
    assert.deepEqual(report.warnings, [])
    const before = await copiesOf(sites)
    const status = JSON.parse((await sites.farlog('status', '--json')).stdout)
    assert.equal(status.flows[0].stopped.id, order!.id)
    assert.match(
      (await sites.farlog('status')).stdout,
      /stopped by .*: failover to west; nobody mirrors until `farlog start`/
    )
    const ready = await fetch(`${worker.url}/readyz`)
    assert.equal(ready.status, 200)
    assert.equal(((await ready.json()) as { stopped: { id: string }[] }).stopped[0]?.id, order!.id)
    for (const each of workers) {
      const { partitions, stopped } = await flowOf(each)
      assert.equal(stopped?.id, order!.id)
      assert.ok(partitions.every(({ state, reason }) => state === 'halted' && reason === 'stopped'))
    }
    // Long enough for anything that would go on by itself; the source goes on and on.
    await until(async () => (await partitionsOf(worker, 'load')).every(({ lagRecords }) => lagRecords! > 2_000), {
      describe: 'lag to grow'
    })
    assert.deepEqual(await copiesOf(sites), before)
    assert.equal((await worker.metrics()).sum('farlog_watchdog_steps_total') ?? 0, 0)

    const { code, stdout } = await sites.farlog('start', '--reason', 'a drill')
    assert.equal(code, 0)
    assert.match(stdout, /east → west goes on; it was stopped by .*: failover to west/)
    await load.stop()
    const { partitions } = await flowOf(worker)
    assert.ok(partitions.length > 0)
    await until(
      async () => {
        const all = (await Promise.all(workers.map(each => partitionsOf(each, 'load')))).flat()
        const ends = await eastAdmin.offsets('load', LOAD_PARTITIONS)
        return ends.every(({ partition, lastStableOffset }) =>
          all.some(shown => shown.partition === partition && (shown.nextSourceOffset ?? -1) >= lastStableOffset)
        )
      },
      { timeoutMs: 60_000, describe: 'everything to be mirrored' }
    )
    await assertSameRecords(east.bootstrap, west.bootstrap, { load: 'east.load' })
    assert.match((await sites.farlog('start')).stdout, /east → west is not stopped: nothing to do/)
    assert.equal((await flowOf(worker)).stopped, null)
    assert.equal((await westAdmin.topicConfig(EVENTS))['retention.ms'], '-1')
  })

  it('is finished by the same command, wherever it was interrupted', async () => {
    await using sites = await Sites.start()
    const { east, west, eastAdmin, westAdmin } = sites
    await using eastWriter = new BatchWriter(east.bootstrap)
    await eastAdmin.createTopic('orders', 2)
    const worker = await sites.startWorker()
    await worker.waitReady()
    for (const partition of [0, 1]) await eastWriter.write('orders', partition, numbered(10))
    await caughtUp(worker, eastAdmin, 'orders', { partitions: 2 })
    await using reader = await GroupConsumer.join(east.bootstrap, 'billing', ['orders'])
    const read = await reader.read(12)
    reader.commit()

    // A log that was made before orders were written to it, as it was made then.
    await westAdmin.createTopic(EVENTS, 1, { 'retention.ms': '604800000' })
    for (const step of [1, 2, 3, 4]) await interruptAt(sites, step)
    const report = await sites.failOver()
    const orders = new Set((await lossesInLog(west.bootstrap)).map(({ orderId }) => orderId))
    assert.deepEqual([...orders], [report.order!.id])
    // Twice the same rows would be no harm, but would be twice to read.
    assert.equal((await lossesInLog(west.bootstrap)).length, 2)
    assert.equal((await westAdmin.topicConfig(EVENTS))['retention.ms'], '-1')
    assert.deepEqual(
      report.loss.losses.map(({ nextSourceOffset, lostRecordsMax }) => [nextSourceOffset, lostRecordsMax]),
      [
        [10, 0],
        [10, 0]
      ]
    )
    const again = await sites.failOver()
    assert.equal(again.order!.id, report.order!.id)
    assert.deepEqual(
      again.groups.map(({ group, outcome }) => [group, outcome]),
      [['billing', 'there']]
    )
    for (const partition of [0, 1]) {
      const next = read.filter(record => record.partition === partition).length
      const copies = await readRecords(west.bootstrap, 'east.orders', partition)
      const place = copies[next]?.offset ?? copies.at(-1)!.offset + 1
      assert.equal((await westAdmin.committedOffsets('billing', 'east.orders')).get(partition), place)
    }
  })

  it('tells all of it without changing anything, with --dry-run', async () => {
    await using sites = await Sites.start()
    const { east, eastAdmin, westAdmin } = sites
    await using eastWriter = new BatchWriter(east.bootstrap)
    await eastAdmin.createTopic('orders')
    const worker = await sites.startWorker()
    await worker.waitReady()
    await eastWriter.write('orders', 0, numbered(10))
    await caughtUp(worker, eastAdmin, 'orders')
    worker.kill('SIGTERM')
    await worker.exit
    await eastWriter.write('orders', 0, numbered(7))
    await using reader = await GroupConsumer.join(east.bootstrap, 'billing', ['orders'])
    await reader.read(10)
    reader.commit()

    const look = async () => {
      const topics = (await westAdmin.topics()).toSorted()
      const ends = await Promise.all(
        topics.filter(topic => topic !== '__consumer_offsets').map(topic => westAdmin.offsets(topic))
      )
      const groups = await Promise.all(
        ['billing', 'farlog-east-west'].map(group => westAdmin.committedOffsets(group, 'east.orders'))
      )
      return { topics, ends, groups }
    }
    const before = await look()
    const report = await sites.failOver('--dry-run', '--report', join(sites.folder, 'dry.avro'))
    assert.deepEqual(await look(), before)
    assert.equal(report.order, null)
    assert.equal(report.isDryRun, true)
    assert.deepEqual(
      report.loss.losses.map(({ topic, nextSourceOffset, lostRecordsMax }) => [
        topic,
        nextSourceOffset,
        lostRecordsMax
      ]),
      [['orders', 10, 7]]
    )
    assert.deepEqual(
      report.groups.map(({ group, outcome, offsets }) => [group, outcome, offsets[0]?.kind]),
      [['billing', 'moved', 'end']]
    )
    const { stdout } = await sites.farlog('failover', '--dry-run')
    assert.match(stdout, /At most 7 records.* would be missing at west, in 1 of 1 partition/)
    assert.match(stdout, /This was a dry run: nothing has been changed/)
  })

  it('says in a sentence what keeps it from being done', async () => {
    const { code, stderr, stdout } = await runFarlog(['failover'], {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: '127.0.0.1:1',
      FARLOG_WEST_BOOTSTRAP_SERVERS: '127.0.0.1:2'
    })
    assert.equal(code, 1)
    assert.match(stderr, /^farlog: west \(127\.0\.0\.1:2\) cannot be reached: .*\n$/)
    assert.equal(stdout, '')
    const refused = await runFarlog(['failover', '--groups', '('], {})
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /--groups/)
  })
})

function numbered(count: number) {
  return Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `record ${i}` }))
}

async function flowOf(worker: FarlogProcess): Promise<FlowStatus> {
  return (await worker.status()).flows[0]!
}

/** Of every partition of the flow there may be, the source offsets that the destination holds copies of. */
async function copiesOf(sites: Sites): Promise<Record<string, number[]>> {
  const copies: Record<string, number[]> = {}
  const topics = (await sites.westAdmin.topics()).filter(name => name.startsWith('east.') && name !== CHECKPOINTS)
  for (const topic of topics.map(name => name.slice('east.'.length))) {
    for (let partition = 0; partition < (topic === 'load' ? LOAD_PARTITIONS : 1); partition++) {
      copies[`${topic}-${partition}`] = await sites.copies(topic, partition)
    }
  }
  return copies
}

/** Somebody consumes in the group at the destination, until disposed of. */
async function consuming(bootstrap: string, group: string, topic: string, admin: KafkaAdmin): Promise<GroupConsumer> {
  const consumer = await GroupConsumer.join(bootstrap, group, [topic])
  await until(async () => (await admin.groupMembers(group)) === 1, { describe: `${group} to have a member` })
  return consumer
}

/** Kills the command as soon as it says that it has done this step. */
async function interruptAt(sites: Sites, step: number): Promise<void> {
  const command = startFailover(sites)
  createInterface(command.child.stderr!).on('line', line => {
    if (line.startsWith(`${step}/`)) command.signal('SIGKILL')
  })
  assert.deepEqual(await command.exit, { code: null, signal: 'SIGKILL' }, `killed at step ${step}`)
}

/** Lets something else happen as soon as the command says that it has done this step. */
async function failOverAndMeanwhile(sites: Sites, step: number, meanwhile: () => Promise<void>) {
  const command = startFailover(sites)
  const happened = Promise.withResolvers<void>()
  let stderr = ''
  createInterface(command.child.stderr!).on('line', line => {
    stderr += `${line}\n`
    if (line.startsWith(`${step}/`)) happened.resolve(meanwhile())
  })
  const [stdout, exit] = await Promise.all([text(command.child.stdout!), command.exit, happened.promise])
  assert.deepEqual(exit, { code: 0, signal: null }, stderr)
  return { stdout, stderr }
}

function startFailover({ env }: Sites): OwnedProcess {
  return spawnOwned([join(PROJECT_DIR, 'bin/farlog'), 'failover', '--json'], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

/** Goes on as who wrote the newest copy of a partition. Resolves to the leader's answer. */
async function writeAsLastOwner(bootstrap: string, topic: string, partition: number): Promise<string> {
  const newest = (await readRecords(bootstrap, topic, partition)).at(-1)!
  await using cluster = new Cluster(plainCluster('west', bootstrap), 'test')
  await cluster.refresh([topic])
  const { records } = await fetchBatches(cluster, { topic, partition }, newest.offset, {
    ...{ purpose: 'test', maxBytes: 1_000_000, doing: 'reading' }
  })
  const { producerId, producerEpoch, lastSequence } = stampOf(records)
  const header = Uint8Array.from(new ProvenanceHeader('east', 'load', partition).encode(newest.offset))
  return await writeAs(cluster, { topic, partition }, { producerId, producerEpoch }, lastSequence + 1, [header])
}

async function readFile(path: string): Promise<PartitionLoss[]> {
  const rows: PartitionLoss[] = []
  for await (const row of avro.createFileDecoder(path)) rows.push({ ...(row as PartitionLoss) })
  return rows
}

async function lossesInLog(bootstrap: string): Promise<PartitionLoss[]> {
  await using cluster = new Cluster(plainCluster('west', bootstrap), 'test')
  const { losses } = await new EventReader(cluster, 'east').read()
  return losses.map(({ loss }) => loss)
}
