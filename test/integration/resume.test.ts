import assert from 'node:assert/strict'
import { Cluster } from '../../src/cluster/cluster.ts'
import { loadConfig } from '../../src/config/load.ts'
import { EventReader } from '../../src/events/event-log.ts'
import type { SourceEvent } from '../../src/events/source-event.ts'
import type { Overview } from '../../src/status/overview.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

/** What happened at the source is written down at the destination, and so is what somebody decides about it. */
describe('events of the source, and farlog resume', function () {
  this.timeout(180_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let admin: KafkaAdmin
  let writer: BatchWriter
  let env: Record<string, string>
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    admin = new KafkaAdmin(east.bootstrap)
    writer = new BatchWriter(east.bootstrap)
    env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s'
    }
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await Promise.all([writer, admin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  async function startWorker(topics: string, more: Record<string, string> = {}): Promise<FarlogProcess> {
    const worker = await startFarlog({ ...env, FARLOG_TOPICS: topics, FARLOG_GROUP_ID: `test-${topics}`, ...more })
    workers.push(worker)
    return worker
  }

  async function stopWorker(worker: FarlogProcess): Promise<void> {
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
  }

  function farlog(topics: string, ...args: string[]) {
    return runFarlog(args, { ...env, FARLOG_TOPICS: topics, FARLOG_GROUP_ID: `test-${topics}` })
  }

  function write(topic: string, count: number, first = 0): Promise<void> {
    return writer.write(
      topic,
      0,
      Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `${topic} ${first + i}` }))
    )
  }

  async function halted(worker: FarlogProcess, topic: string, reason: string): Promise<void> {
    await until(async () => (await partitionsOf(worker, topic))[0]?.reason === reason, {
      timeoutMs: 45_000,
      describe: `${topic}-0 to be halted: ${reason}`
    })
  }

  async function events(topic: string, enough: number): Promise<SourceEvent[]> {
    return until(
      async () => {
        await using cluster = new Cluster(loadConfig(env).flows[0]!.destination, 'test')
        const all = (await new EventReader(cluster, 'east').read()).events.map(({ event }) => event)
        const own = all.filter(event => event.topic === topic)
        return own.length >= enough && own
      },
      { describe: `${enough} events of ${topic}` }
    )
  }

  /** Mirrors ten records, and then five more are deleted before anybody mirrors them. */
  async function makeGap(topic: string): Promise<void> {
    await admin.createTopic(topic)
    await write(topic, 10)
    const worker = await startWorker(topic)
    await caughtUp(worker, admin, topic)
    await stopWorker(worker)
    await write(topic, 10, 10)
    await admin.deleteRecordsBefore(topic, 0, 15)
  }

  it('writes down a gap once, whoever meets it, and goes on where it is told to, once', async () => {
    await makeGap('gapped')
    const worker = await startWorker('gapped')
    await halted(worker, 'gapped', 'gap')
    const [gap] = await events('gapped', 1)
    assert.deepEqual(
      [gap!.kind, gap!.action, gap!.partition, gap!.firstOffset, gap!.nextOffset, gap!.destinationOffset],
      ['GAP', 'HALTED', 0, 10, 15, null]
    )
    assert.match(gap!.detail, /source offsets 10 to 14 of gapped-0 were deleted/)
    await until(async () => (await worker.status()).flows[0]!.events[0]?.kind === 'GAP', { describe: 'the event' })
    assert.equal((await worker.metrics()).sum('farlog_source_events_total', { kind: 'GAP' }), 1)
    await stopWorker(worker)

    // The next owner meets it again, and has nothing new to tell.
    const next = await startWorker('gapped')
    await halted(next, 'gapped', 'gap')
    const shown = JSON.parse((await farlog('gapped', 'status', '--json')).stdout) as Overview
    assert.deepEqual(
      shown.flows[0]!.events!.map(({ kind, topic }) => `${kind} ${topic}`),
      ['GAP gapped']
    )
    assert.match((await farlog('gapped', 'status')).stdout, /gapped-0 {2}gap halted, offsets 10 to 15/)

    const { code, stdout } = await farlog(
      'gapped',
      'resume',
      '--topic',
      'gapped',
      '--partition',
      '0',
      '--from',
      'earliest'
    )
    assert.equal(code, 0)
    assert.match(stdout, /gapped-0 is to go on from source offset 15.*\nA worker has obeyed\./)
    await caughtUp(next, admin, 'gapped')
    assert.deepEqual(sourceOffsets(await readRecords(west.bootstrap, 'east.gapped')), range(0, 10, 15, 20))
    await stopWorker(next)

    await write('gapped', 5, 20)
    await caughtUp(await startWorker('gapped'), admin, 'gapped')
    assert.deepEqual(sourceOffsets(await readRecords(west.bootstrap, 'east.gapped')), range(0, 10, 15, 25))
    assert.deepEqual(
      (await events('gapped', 2)).map(({ kind, action }) => `${kind} ${action}`),
      ['GAP HALTED', 'RESUME REQUESTED']
    )
  })

  it('obeys with the next worker where none is running, and copies nothing twice when that one is killed', async () => {
    await makeGap('waiting')
    const { code, stdout, stderr } = await farlog(
      'waiting',
      'resume',
      '--topic',
      'waiting',
      '--partition',
      '0',
      '--from',
      '17'
    )
    assert.equal(code, 0, stderr)
    assert.match(stdout, /No worker has obeyed yet/)
    const worker = await startWorker('waiting')
    await until(async () => (await copies('waiting')).length === 13, { describe: 'the copies' })
    // Nothing has been committed since the request, perhaps: the destination's log tells how far it got.
    worker.kill('SIGKILL')
    await worker.exit
    await write('waiting', 5, 20)
    await caughtUp(await startWorker('waiting'), admin, 'waiting')
    assert.deepEqual(await copies('waiting'), range(0, 10, 17, 25))
  })

  it('starts the new generation of a topic where it is told to', async () => {
    await admin.createTopic('again')
    await write('again', 10)
    const worker = await startWorker('again')
    await caughtUp(worker, admin, 'again')
    await stopWorker(worker)
    await admin.deleteTopic('again')
    await admin.createTopic('again')
    await write('again', 30, 100)
    const next = await startWorker('again')
    await halted(next, 'again', 'recreated')
    const [recreated] = await events('again', 1)
    assert.deepEqual([recreated!.kind, recreated!.firstOffset, recreated!.nextOffset], ['RECREATED', 10, 0])
    assert.equal((await farlog('again', 'resume', '--topic', 'again', '--partition', '0', '--from', '5')).code, 0)
    await until(async () => (await copies('again')).length === 35, { describe: 'the new generation' })
    assert.deepEqual(await copies('again'), range(0, 10, 5, 30))
  })

  it('writes down what it passes where it may go on', async () => {
    await makeGap('passed')
    await caughtUp(await startWorker('passed', { FARLOG_ON_GAP: 'continue' }), admin, 'passed')
    const [gap] = await events('passed', 1)
    assert.deepEqual([gap!.kind, gap!.action, gap!.firstOffset, gap!.nextOffset], ['GAP', 'CONTINUED', 10, 15])
    const newestBefore = (await readRecords(west.bootstrap, 'east.passed'))[9]!
    assert.equal(gap!.destinationOffset, newestBefore.offset + 1)
    const log = 'farlog.events.east.internal'
    await using westAdmin = new KafkaAdmin(west.bootstrap)
    assert.equal((await westAdmin.topicConfig(log))['retention.ms'], '-1')
  })

  it('refuses what makes no sense, and says what would', async () => {
    await admin.createTopic('sound')
    await write('sound', 3)
    const worker = await startWorker('sound')
    await caughtUp(worker, admin, 'sound')
    const resume = (...args: string[]) => farlog('sound', 'resume', ...args)
    const refused: [string[], number, RegExp][] = [
      [['--topic', 'sound', '--partition', '0', '--from', '1'], 1, /sound-0 is mirrored: nothing has to be decided/],
      [['--topic', 'sound', '--partition', '7', '--from', '1'], 1, /sound-7 is not mirrored to west/],
      [['--topic', 'sound', '--partition', '0'], 2, /--from is needed: an offset, earliest or latest/],
      [['--topic', 'sound', '--partition', 'x', '--from', '1'], 2, /--partition x is not a number/],
      [['--partition', '0', '--from', '1'], 2, /--topic is needed/]
    ]
    for (const [args, expectedCode, message] of refused) {
      const { code, stderr } = await resume(...args)
      assert.equal(code, expectedCode, args.join(' '))
      assert.match(stderr, message)
    }
    await makeGap('outside')
    const { code, stderr } = await farlog('outside', 'resume', '--topic', 'outside', '--partition', '0', '--from', '3')
    assert.equal(code, 1)
    assert.match(stderr, /--from 3: the source has outside-0 from offset 15 to 20/)
  })

  const copies = async (topic: string) => sourceOffsets(await readRecords(west.bootstrap, `east.${topic}`))
})

/** From each even place up to the number behind it. */
function range(...bounds: number[]): number[] {
  return bounds.flatMap((from, index) =>
    index % 2 === 1 ? [] : Array.from({ length: bounds[index + 1]! - from }, (_, i) => from + i)
  )
}
