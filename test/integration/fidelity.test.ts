import assert from 'node:assert/strict'
import type { CompressionAlgorithmValue } from '@platformatic/kafka'
import { BatchWriter, type TestRecord, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { produce } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const CODECS: readonly CompressionAlgorithmValue[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS

describe('what a copy keeps of odd logs', function () {
  this.timeout(240_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  let westAdmin: KafkaAdmin
  let writer: BatchWriter
  let worker: FarlogProcess

  before(async () => {
    const config = { 'log.cleaner.backoff.ms': '200', 'log.cleaner.threads': '1' }
    ;[east, west] = await Promise.all([startKafka({ name: 'east', config }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
    westAdmin = new KafkaAdmin(west.bootstrap)
    writer = new BatchWriter(east.bootstrap)
    // Compaction has to be over before the worker looks, or it would copy what was there before.
    await writeAndCompact()
    worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s'
    })
    await worker.waitReady()
  })

  after(async () => {
    await worker?.[Symbol.asyncDispose]()
    await Promise.all([writer, eastAdmin, westAdmin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  async function copyIsTheSame(topic: string, partitions = 1): Promise<number> {
    await caughtUp(worker, eastAdmin, topic, { partitions })
    return assertSameRecords(east.bootstrap, west.bootstrap, { [topic]: `east.${topic}` })
  }

  /** Leaves two topics with holes in and between batches: by hand, and as an idempotent producer would. */
  async function writeAndCompact(): Promise<void> {
    const configs = {
      'cleanup.policy': 'compact',
      'segment.ms': '500',
      'min.cleanable.dirty.ratio': '0.001',
      'max.message.bytes': '2000000'
    }
    await Promise.all(['compacted', 'compacted-by-producer'].map(topic => eastAdmin.createTopic(topic, 1, configs)))
    for (const [index, codec] of CODECS.entries()) {
      await writer.write(
        'compacted',
        0,
        Array.from({ length: 20 }, (_, i) => ({
          // Every third record stays; of the others, only those of the last batch do.
          key: i % 3 === 0 ? `kept ${index}/${i}` : `key ${i % 4}`,
          value: i === 6 ? null : `value ${index}/${i}`
        })),
        codec
      )
    }
    await produce({
      bootstrap: east.bootstrap,
      topics: [{ name: 'compacted-by-producer', compression: 'lz4' }],
      records: 8_000,
      // Not varied: a batch from the future would keep its segment from being rolled.
      shape: 'plain'
    })
    for (const topic of ['compacted', 'compacted-by-producer']) {
      let rolls = 0
      await until(
        async () => {
          // A segment is only rolled by an append, and only a rolled one is compacted.
          if (rolls < 3) await writer.write(topic, 0, [{ key: `roll ${rolls++}`, value: 'x' }])
          const records = await readRecords(east.bootstrap, topic)
          return new Set(records.map(({ key }) => key)).size === records.length && records.length > 0
        },
        { timeoutMs: 60_000, pauseMs: 600, describe: `${topic} to be compacted` }
      )
    }
  }

  it('renumbers the batches that compaction left holes in', async () => {
    for (const topic of ['compacted', 'compacted-by-producer']) {
      const before = await readRecords(east.bootstrap, topic)
      await copyIsTheSame(topic)
      const copy = await readRecords(west.bootstrap, `east.${topic}`)
      const offsets = before.map(({ offset }) => offset)
      assert.deepEqual(sourceOffsets(copy), offsets)
      assert.ok(offsets.at(-1)! - offsets[0]! + 1 > offsets.length, 'the source has no holes')
      assert.equal(copy.at(-1)!.offset - copy[0]!.offset + 1, copy.length, 'the copy has holes')
    }
    assert.equal((await westAdmin.topicConfig('east.compacted'))['cleanup.policy'], 'compact')
  })

  it('copies batches of one record', async () => {
    const topics = [{ name: 'singles', partitions: 2, compression: 'gzip' as const }]
    await produce({ bootstrap: east.bootstrap, topics, records: 3_000, lingerMs: 0, batchBytes: 0 })
    assert.equal(await copyIsTheSame('singles', 2), 3_000)
  })

  it('turns the time of the append into the time of creation', async () => {
    await eastAdmin.createTopic('stamped', CODECS.length, { 'message.timestamp.type': 'LogAppendTime' })
    for (const [partition, codec] of CODECS.entries()) {
      const records = [1, 2_000, 3].map(timestamp => ({ key: 'k', value: `${timestamp}`, timestamp }))
      await writer.write('stamped', partition, records, codec)
      await writer.write('stamped', partition, records, codec)
    }
    assert.equal(await copyIsTheSame('stamped', CODECS.length), 6 * CODECS.length)
    const [original] = await readRecords(east.bootstrap, 'stamped', 1)
    const [copy] = await readRecords(west.bootstrap, 'east.stamped', 1)
    assert.equal(original!.timestampType, 'logappend')
    assert.ok(original!.timestamp > Date.now() - HOUR_MS)
    assert.equal(copy!.timestampType, 'create')
    assert.equal(copy!.timestamp, original!.timestamp)
  })

  it('copies records of over a megabyte to a topic made with the limit of its source', async () => {
    await eastAdmin.createTopic('large', 2, { 'max.message.bytes': '6000000' })
    const noise = noiseBytes(1024 * 1024)
    const small = { key: 'small', value: 'v' }
    await writer.write('large', 0, [small, { key: 'large', value: noise }, small])
    await writer.write('large', 0, [small, { value: noiseBytes(5_000_000) }], 'zstd')
    // It is small on the way and large when it is opened.
    await writer.write('large', 1, [{ value: Buffer.alloc(20_000_000, 'a') }, small, small], 'gzip')
    await writer.write('large', 1, [small, { value: Buffer.alloc(3_000_000, 'b') }, small], 'lz4')
    assert.equal(await copyIsTheSame('large', 2), 11)
    assert.equal((await westAdmin.topicConfig('east.large'))['max.message.bytes'], '6000000')
  })

  it('keeps a thousand headers, repeated names and null values', async () => {
    await eastAdmin.createTopic('headers', CODECS.length)
    const records: TestRecord[] = [
      { value: 'thousand', headers: Array.from({ length: 1_000 }, (_, i) => [`h${i % 7}`, `${i}`] as const) },
      {
        value: 'repeated',
        headers: [
          ['a', '1'],
          ['a', null],
          ['a', ''],
          ['', 'no name'],
          ['b', '2'],
          ['a', '1']
        ]
      },
      { value: 'bytes', headers: [['bytes', Buffer.from([0, 0xff, 0xfe])]] },
      { value: 'long', headers: [['long', 'x'.repeat(100_000)]] },
      { value: 'none' }
    ]
    for (const [partition, codec] of CODECS.entries()) await writer.write('headers', partition, records, codec)
    assert.equal(await copyIsTheSame('headers', CODECS.length), records.length * CODECS.length)
    const [thousand, repeated] = await readRecords(west.bootstrap, 'east.headers', 3)
    assert.equal(thousand!.headers.length, 1_001)
    assert.deepEqual(repeated!.headers.slice(0, 3), [
      ['a', '1'],
      ['a', null],
      ['a', '']
    ])
    assert.deepEqual(repeated!.headers.at(-1), ['farlog.origin', 'east/headers/3/1'])
  })

  it('keeps null keys, tombstones and empty values apart', async () => {
    await eastAdmin.createTopic('nothings', CODECS.length)
    const contents = [null, '', 'x', Buffer.from([0])]
    const records = contents.flatMap(key => contents.map(value => ({ key, value })))
    for (const [partition, codec] of CODECS.entries()) await writer.write('nothings', partition, records, codec)
    assert.equal(await copyIsTheSame('nothings', CODECS.length), records.length * CODECS.length)
    const copy = await readRecords(west.bootstrap, 'east.nothings', 0)
    assert.deepEqual(
      copy.slice(0, 5).map(({ key, value }) => [key, value]),
      [
        [null, null],
        [null, ''],
        [null, 'x'],
        [null, '\0'],
        ['', null]
      ]
    )
  })

  it('keeps timestamps that are 0, missing, out of order, past and future', async () => {
    const configs = { 'message.timestamp.after.max.ms': String(100 * YEAR_MS), 'retention.ms': '-1' }
    await eastAdmin.createTopic('times', CODECS.length, configs)
    const now = Date.now()
    const timestamps = [now, 0, now + 50 * YEAR_MS, 1, now - 30 * YEAR_MS, -1, now + 1, now, now, 0]
    for (const [partition, codec] of CODECS.entries()) {
      const records = timestamps.map(timestamp => ({ value: `${timestamp}`, timestamp }))
      await writer.write('times', partition, records, codec)
      await writer.write('times', partition, records.toReversed(), codec)
    }
    await copyIsTheSame('times', CODECS.length)
    const copy = await readRecords(west.bootstrap, 'east.times', 4)
    assert.deepEqual(
      copy.map(({ timestamp }) => timestamp),
      [...timestamps, ...timestamps.toReversed()]
    )
  })

  it('waits at the last stable offset for an open transaction, and copies it when it is committed', async () => {
    await eastAdmin.createTopic('open')
    await writer.write('open', 0, [{ value: 'before' }])
    const transaction = await writeInTransaction(east.bootstrap, 'open', 0, [{ value: 'in' }, { value: 'it' }])
    await writer.write('open', 0, [{ value: 'behind' }])
    await caughtUp(worker, eastAdmin, 'open')
    const [held] = await until(
      async () => {
        const shown = await partitionsOf(worker, 'open')
        return shown[0]?.lagRecords === 0 && shown
      },
      { describe: 'no lag' }
    )
    assert.equal(held!.sourceEndOffset, 1)
    assert.equal(held!.nextSourceOffset, 1)
    assert.deepEqual(await valuesOf('east.open'), ['before'])

    await transaction.commit()
    await until(async () => (await eastAdmin.offsets('open'))[0]!.lastStableOffset === 5, { describe: 'the marker' })
    assert.equal(await copyIsTheSame('open'), 4)
    assert.deepEqual(await valuesOf('east.open'), ['before', 'in', 'it', 'behind'])
  })

  it('never copies what was aborted, and moves its progress past it', async () => {
    await eastAdmin.createTopic('aborted')
    const [first, second, third] = await Promise.all(
      ['first', 'second', 'third'].map(name =>
        writeInTransaction(east.bootstrap, 'aborted', 0, [{ value: `${name} 1` }, { value: `${name} 2` }])
      )
    )
    await writer.write('aborted', 0, [{ value: 'plain' }])
    await second!.commit()
    await first!.abort()
    await third!.abort()
    const last = await writeInTransaction(east.bootstrap, 'aborted', 0, [{ value: 'last' }])
    await last.abort()
    await until(async () => (await eastAdmin.offsets('aborted'))[0]!.lastStableOffset === 12, {
      describe: 'the markers'
    })
    assert.equal(await copyIsTheSame('aborted'), 3)
    assert.deepEqual(await valuesOf('east.aborted'), ['second 1', 'second 2', 'plain'])
    const [shown] = await partitionsOf(worker, 'aborted')
    assert.equal(shown!.nextSourceOffset, 12)
  })

  async function valuesOf(destinationTopic: string): Promise<(string | null)[]> {
    return (await readRecords(west.bootstrap, destinationTopic)).map(({ value }) => value)
  }
})

/** Bytes that do not compress, the same in every run. */
function noiseBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    bytes[i] = state >>> 16
  }
  return bytes
}
