import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { crc32c } from '@node-rs/crc32'
import type { FlowReport } from '../../src/verify/flow-report.ts'
import { Bed, logged } from '../fault/support/bed.ts'
import { BatchWriter, type TestRecord } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog } from '../support/farlog-process.ts'
import { PROJECT_DIR } from '../support/java.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { login } from '../support/login.ts'
import { spawnOwned } from '../support/owned-process.ts'
import { readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

const USER = 'verifier'
const PASSWORD = 'password'
const STATE = 'farlog.verified.east.internal'
/** The records' times are years ago. */
const FOR_EVER = { 'retention.ms': '-1' }

/** Copies are made by hand here, right and wrong, but where the worker is what verifies. */
describe('farlog verify, and what it remembers', function () {
  this.timeout(180_000)

  let bed: Bed
  let west: BatchWriter

  before(async () => {
    bed = await Bed.start({ west: { users: { [USER]: PASSWORD } } })
    west = new BatchWriter(bed.west.bootstrap)
  })

  afterEach(() => bed.killWorkers())

  after(async () => {
    await west?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  function env(): Record<string, string> {
    return {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.bootstrap
    }
  }

  async function verify(topic: string, ...args: string[]): Promise<FlowReport & { readonly code: number | null }> {
    const { code, stdout, stderr } = await runFarlog(['verify', '--json', '--topics', topic, ...args], env())
    assert.notEqual(stdout, '', stderr)
    return { code, ...(JSON.parse(stdout).flows[0] as FlowReport) }
  }

  async function createTopics(topic: string, partitions = 1): Promise<void> {
    await bed.eastAdmin.createTopic(topic, partitions, FOR_EVER)
    await bed.westAdmin.createTopic(`east.${topic}`, partitions, FOR_EVER)
  }

  /** One batch on either side; `changes` are what is wrong with the copies, by source offset. */
  async function write(topic: string, { partition = 0, count, first = 0, changes = {} }: WriteOptions): Promise<void> {
    const records = recordsOf(topic, count, first)
    await bed.writer.write(topic, partition, records)
    await west.write(`east.${topic}`, partition, copiesOf(topic, partition, records, first, changes))
  }

  const read = ({ recordsRead: { source, destination } }: FlowReport) => [source, destination]
  const verified = ({ memory }: FlowReport) => memory.partitions.map(({ verifiedSourceOffset: offset }) => offset)
  const from = ({ memory }: FlowReport) => memory.partitions.map(({ fromSourceOffset: offset }) => offset)
  const anew = ({ memory }: FlowReport) => memory.partitions.map(({ anewBecause }) => anewBecause)

  it('reads all the first time, and then only what is new', async () => {
    await createTopics('grown', 2)
    await write('grown', { count: 30 })
    await write('grown', { count: 20, partition: 1 })
    const first = await verify('grown')
    assert.equal(first.code, 0)
    assert.deepEqual(read(first), [50, 50])
    assert.deepEqual(verified(first), [30, 20])
    assert.deepEqual(anew(first), Array(2).fill('nothing was remembered'))
    assert.equal(first.memory.problem, null)

    const second = await verify('grown')
    assert.equal(second.code, 0)
    assert.deepEqual(read(second), [0, 0])
    assert.deepEqual(from(second), [30, 20])

    await write('grown', { count: 5, first: 30 })
    const third = await verify('grown')
    assert.equal(third.code, 0)
    assert.deepEqual(read(third), [5, 5])
    assert.equal(third.totals.equal, 5)
    assert.deepEqual(verified(third), [35, 20])

    assert.deepEqual(read(await verify('grown', '--full')), [55, 55])
    assert.deepEqual(read(await verify('grown', '--no-remember')), [55, 55])
    assert.deepEqual(read(await verify('grown')), [0, 0])
    const { stdout } = await runFarlog(['verify', '--topics', 'grown'], env())
    assert.match(stdout, /^2 of 2 partitions were read from where they were found equal before; --full reads all$/m)
  })

  it('leaves what it remembers in a compacted topic', async () => {
    const { 'cleanup.policy': policy } = await bed.westAdmin.topicConfig(STATE)
    assert.equal(policy, 'compact')
    const keys = (await readRecords(bed.west.bootstrap, STATE)).map(({ key }) => key)
    assert.deepEqual(keys.filter(key => key?.startsWith('grown/')).toSorted(), ['grown/0', 'grown/0', 'grown/1'])
  })

  it('finds a difference in what is new, each time, and never remembers it as equal', async () => {
    await createTopics('broken')
    await write('broken', { count: 10 })
    assert.equal((await verify('broken')).code, 0)
    await write('broken', { count: 10, first: 10, changes: { 14: { value: 'another' } } })
    for (const records of [10, 6]) {
      const found = await verify('broken')
      assert.equal(found.code, 1)
      assert.deepEqual(read(found), [records, records])
      assert.deepEqual(places(found), ['different 14'])
      assert.deepEqual(verified(found), [14])
    }
  })

  it('finds what has changed in what it has read before only when it reads all', async () => {
    await createTopics('rotten')
    await createTopics('alike')
    for (const topic of ['rotten', 'alike']) {
      await write(topic, { count: 10 })
      await write(topic, { count: 10, first: 10 })
      assert.equal((await verify(topic)).code, 0)
    }
    await rewriteLog(bed.west, 'east.rotten', 'rotten 03', 'ROTTEN 03')
    await rewriteLog(bed.west, 'east.alike', 'alike 13', 'ALIKE 13')
    await rewriteLog(bed.east, 'alike', 'alike 13', 'ALIKE 13')
    for (const topic of ['rotten', 'alike']) {
      const unaware = await verify(topic)
      assert.equal(unaware.code, 0)
      assert.deepEqual([read(unaware), from(unaware)], [[0, 0], [20]], 'also after a broker has been restarted')
    }

    const rotten = await verify('rotten', '--full')
    assert.equal(rotten.code, 1)
    assert.deepEqual(places(rotten), ['different 3'])
    assert.deepEqual(verified(rotten), [3])
    assert.deepEqual(places(await verify('rotten')), ['different 3'], 'it is not remembered as equal any more')

    // Both sides are equal, and neither is what it was.
    const alike = await verify('alike', '--full')
    assert.equal(alike.code, 1)
    assert.equal(alike.totals.equal, 20)
    assert.deepEqual(places(alike), ['changed 0-19'])
    assert.equal(alike.areMoreDifferences, false)
    assert.deepEqual(verified(alike), [0])
    const next = await verify('alike')
    assert.deepEqual([next.code, read(next)], [0, [20, 20]])
  })

  it('compares the copies with what they were where their records are gone', async () => {
    await createTopics('gone')
    await write('gone', { count: 10 })
    await write('gone', { count: 10, first: 10 })
    assert.equal((await verify('gone')).code, 0)
    await bed.eastAdmin.deleteRecordsBefore('gone', 0, 10)
    const kept = await verify('gone', '--full')
    assert.deepEqual([kept.code, kept.totals.sourceGone], [0, 10])
    await rewriteLog(bed.west, 'east.gone', 'gone 03', 'GONE 03')
    assert.deepEqual(places(await verify('gone', '--full')), ['changed 0-19'])
  })

  it('begins anew where a topic was made anew, on either side', async () => {
    await createTopics('renewed')
    await write('renewed', { count: 10 })
    assert.equal((await verify('renewed')).code, 0)
    await bed.westAdmin.deleteTopic('east.renewed')
    await bed.westAdmin.createTopic('east.renewed', 1, FOR_EVER)
    const lost = await verify('renewed', '--allow-lag')
    assert.deepEqual(anew(lost), ['the destination topic was made anew'])
    assert.deepEqual([lost.totals.pending, verified(lost)], [10, [0]])

    await bed.eastAdmin.deleteTopic('renewed')
    await bed.eastAdmin.createTopic('renewed', 1, FOR_EVER)
    await write('renewed', { count: 3 })
    const renewed = await verify('renewed')
    assert.deepEqual(anew(renewed), ['the source topic was made anew'])
    assert.deepEqual([renewed.code, read(renewed)], [0, [3, 3]], JSON.stringify(renewed.totals))
    assert.deepEqual(read(await verify('renewed')), [0, 0])
  })

  it('goes on where retention has deleted what it has read, on either side', async () => {
    await createTopics('kept')
    await write('kept', { count: 10 })
    await write('kept', { count: 10, first: 10 })
    assert.equal((await verify('kept')).code, 0)
    await bed.eastAdmin.deleteRecordsBefore('kept', 0, 15)
    await bed.westAdmin.deleteRecordsBefore('east.kept', 0, 12)
    await write('kept', { count: 4, first: 20 })
    const later = await verify('kept')
    assert.deepEqual([later.code, read(later), verified(later)], [0, [4, 4], [24]])
    assert.equal((await verify('kept', '--full')).code, 0)
  })

  it('reads all again where what it remembered was deleted', async () => {
    await bed.westAdmin.deleteTopic(STATE)
    const all = await verify('grown')
    assert.deepEqual([all.code, read(all), anew(all)[0]], [0, [55, 55], 'nothing was remembered'])
    assert.deepEqual(read(await verify('grown')), [0, 0])
  })

  it('verifies as ever, and says so, where it may not remember', async () => {
    await createTopics('forgotten')
    await write('forgotten', { count: 10 })
    await bed.westAdmin.allow({
      ...{ user: USER, resource: 'TOPIC', name: 'east.*' },
      operations: ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS']
    })
    const asUser = {
      ...env(),
      ...login('WEST', bed.west.authenticatedBootstrap, USER, PASSWORD)
    }
    for (let run = 0; run < 2; run++) {
      const { code, stdout } = await runFarlog(['verify', '--topics', 'forgotten'], asUser)
      assert.equal(code, 0, stdout)
      assert.match(
        stdout,
        /^what was verified cannot be remembered: .*farlog\.verified\.east\.internal.*AUTHORIZATION_FAILED/m
      )
      assert.match(stdout, /east → west: identical, 10 records compared/)
    }
    await bed.westAdmin.allow({ user: USER, resource: 'TOPIC', name: STATE, operations: ['DESCRIBE'] })
    const unread = await runFarlog(['verify', '--topics', 'forgotten'], asUser)
    assert.equal(unread.code, 0)
    assert.match(unread.stdout, /^what was verified before cannot be read: .*TOPIC_AUTHORIZATION_FAILED/m)
  })

  it('goes on and on with --continuous, and tells each difference once', async () => {
    await createTopics('endless')
    await write('endless', { count: 10 })
    const args = ['verify', '--continuous', '--json', '--topics', 'endless', '--max-bytes-per-second', '1MiB']
    const { child, exit } = spawnOwned([join(PROJECT_DIR, 'bin/farlog'), ...args], {
      env: { PATH: process.env.PATH ?? '', ...env() },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    const lines: string[] = []
    createInterface(child.stdout!).on('line', line => lines.push(line))
    await remembered('endless', 1)
    await write('endless', { count: 10, first: 10, changes: { 12: { value: 'another' }, 15: null } })
    await until(() => lines.length === 2, { describe: 'two differences' })
    await write('endless', { count: 10, first: 20, changes: { 21: { key: 'another' } } })
    await until(() => lines.length === 3, { describe: 'a third one' })
    child.kill('SIGTERM')
    assert.deepEqual(await exit, { code: 1, signal: null })
    const found = lines.map(line => JSON.parse(line))
    assert.deepEqual(
      found.map(({ kind, topic, sourceOffsets }) => `${kind} ${topic} ${sourceOffsets.first}`),
      ['different endless 12', 'missing endless 15', 'different endless 21']
    )
    assert.deepEqual(from(await verify('endless')), [10])
  })

  /** So often has something been remembered of the first partition. */
  async function remembered(topic: string, times: number): Promise<void> {
    await until(
      async () =>
        (await readRecords(bed.west.bootstrap, STATE)).filter(({ key }) => key === `${topic}/0`).length >= times,
      { describe: `${topic} to be remembered` }
    )
  }

  async function verifiedOffset(worker: FarlogProcess, topic: string): Promise<number | undefined> {
    return (await worker.metrics()).sum('farlog_verified_offset', { topic })
  }

  it('runs in a worker up to the end of what is mirrored, counts what is wrong, and does not hold up the mirror', async () => {
    await bed.eastAdmin.createTopic('watched', 2)
    for (const partition of [0, 1]) await bed.write('watched', partition, 50)
    const worker = await bed.startWorker('watched', { FARLOG_VERIFY_BYTES_PER_SECOND: '1MiB' })
    await caughtUp(worker, bed.eastAdmin, 'watched', { partitions: 2 })
    await until(async () => (await verifiedOffset(worker, 'watched')) === 100, { describe: 'both to be verified' })
    assert.equal((await worker.metrics()).sum('farlog_verify_differences_total', { topic: 'watched' }), 0)
    assert.equal((await worker.status()).flows[0]!.partitions[0]!.verifiedOffset, 50)
    await remembered('watched', 1)

    // Somebody writes another copy of what is there, and one that is none.
    const records = recordsOf('watched', 1, 3)
    await west.write('east.watched', 0, copiesOf('watched', 0, records, 3, {}))
    await west.write('east.watched', 0, [{ value: 'x', headers: [['farlog.origin', 'east/watched/1/2']] }])
    await until(
      async () =>
        (await worker.metrics()).sum('farlog_verify_differences_total', { topic: 'watched', partition: 0 }) === 2,
      { describe: 'two differences' }
    )
    const line = await logged(worker, /verification found differences/)
    assert.deepEqual([line.topic, line.partition, line.differences], ['watched', 0, 2])
    assert.match(
      String((line.first as string[]).join()),
      /watched-0 source offset 3, destination offset \d+: duplicated/
    )

    // The mirror goes on, so does verification behind what is wrong; what is verified stays before it.
    await bed.write('watched', 0, 50, 50)
    await bed.write('watched', 1, 50, 50)
    await caughtUp(worker, bed.eastAdmin, 'watched', { partitions: 2 })
    await until(
      async () => (await worker.metrics()).sum('farlog_verified_offset', { topic: 'watched', partition: 1 }) === 100,
      {
        describe: 'the other partition to be verified'
      }
    )
    const metrics = await worker.metrics()
    assert.equal(metrics.sum('farlog_verified_offset', { topic: 'watched', partition: 0 }), 50)
    assert.equal(metrics.sum('farlog_verify_differences_total', { topic: 'watched' }), 2)
    const startedAtMs = performance.now()
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
    assert.ok(performance.now() - startedAtMs < 15_000)
    assert.deepEqual(worker.otherOutput, [])
  })

  it('has no metric of it in a worker that does not verify', async () => {
    await bed.eastAdmin.createTopic('unwatched')
    await bed.write('unwatched', 0, 10)
    const worker = await bed.startWorker('unwatched')
    await caughtUp(worker, bed.eastAdmin, 'unwatched')
    const metrics = await worker.metrics()
    assert.equal(metrics.sum('farlog_verified_offset'), undefined)
    assert.equal(metrics.sum('farlog_verify_differences_total'), undefined)
  })

  it('keeps to its rate', async () => {
    const bytesPerSecond = 256 * 1024
    const recordBytes = 1_000
    const recordsPerBatch = 10
    const batches = 200
    await bed.eastAdmin.createTopic('slow')
    for (let batch = 0; batch < batches; batch++) {
      const value = Buffer.alloc(recordBytes, batch)
      await bed.writer.write('slow', 0, Array(recordsPerBatch).fill({ value }))
    }
    const end = batches * recordsPerBatch
    const worker = await bed.startWorker('slow', { FARLOG_VERIFY_BYTES_PER_SECOND: '256KiB' })
    await caughtUp(worker, bed.eastAdmin, 'slow')
    await until(async () => ((await verifiedOffset(worker, 'slow')) ?? 0) > 0, { describe: 'the first of it' })
    const startedAtMs = performance.now()
    const atStart = (await verifiedOffset(worker, 'slow'))!
    await until(async () => (await verifiedOffset(worker, 'slow')) === end, {
      timeoutMs: 90_000,
      describe: 'all of it'
    })
    const seconds = (performance.now() - startedAtMs) / 1_000
    const bytes = 2 * recordBytes * (end - atStart)
    // What was in hand, and what had been read and was not told yet.
    const inHand = 3 * bytesPerSecond
    assert.ok(bytes < bytesPerSecond * seconds + inHand, `${bytes} bytes within ${seconds} s`)
    assert.ok(bytes > inHand, 'there was enough to read for the rate to matter')
  })
})

interface WriteOptions {
  readonly partition?: number
  readonly count: number
  readonly first?: number
  readonly changes?: Readonly<Record<number, TestRecord | null>>
}

function recordsOf(topic: string, count: number, first: number): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `key ${first + i}`,
    value: `${topic} ${String(first + i).padStart(2, '0')}`,
    timestamp: 1_700_000_000_000 + first + i
  }))
}

/** The records' copies, but for what is changed; `null`: no copy. */
function copiesOf(
  topic: string,
  partition: number,
  records: readonly TestRecord[],
  first: number,
  changes: Readonly<Record<number, TestRecord | null>>
): TestRecord[] {
  return records.flatMap((record, i): TestRecord[] => {
    const change = changes[first + i]
    if (change === null) return []
    return [{ ...record, ...change, headers: [['farlog.origin', `east/${topic}/${partition}/${first + i}`]] }]
  })
}

function places({ differences }: FlowReport): string[] {
  return differences.map(({ kind, sourceOffsets: { first, last } }) =>
    first === last ? `${kind} ${first}` : `${kind} ${first}-${last}`
  )
}

const BATCH_LENGTH_AT = 8
const LENGTH_ENDS_AT = 12
const CRC_AT = 17
const CRC_FROM = 21

/** Changes bytes in a partition's log as a failing disk would, but so that the batch's CRC is right. */
async function rewriteLog(cluster: KafkaCluster, topic: string, before: string, after: string): Promise<void> {
  const [broker] = cluster.brokers
  await broker!.stop()
  const segment = join(cluster.dir, `broker-1/data/${topic}-0/00000000000000000000.log`)
  const bytes = readFileSync(segment)
  const place = bytes.indexOf(before)
  assert.ok(place > 0 && before.length === after.length)
  bytes.write(after, place)
  for (let at = 0; at < bytes.length; ) {
    const end = at + LENGTH_ENDS_AT + bytes.readInt32BE(at + BATCH_LENGTH_AT)
    bytes.writeUInt32BE(crc32c(bytes.subarray(at + CRC_FROM, end)), at + CRC_AT)
    at = end
  }
  writeFileSync(segment, bytes)
  await broker!.restart()
}
