import assert from 'node:assert/strict'
import type { CompressionAlgorithmValue } from '@platformatic/kafka'
import { BatchWriter, type OpenTransaction, type TestRecord, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { digest, type PartitionDigest } from '../support/digest.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { produce } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameDigests } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

/** The logs are written before the worker starts: it then finds all of them at once, and as fast readers find them. */
describe('what a copy keeps of odd logs', function () {
  this.timeout(240_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  let westAdmin: KafkaAdmin
  let writer: BatchWriter
  let worker: FarlogProcess
  const writing: (() => Promise<unknown>)[] = []

  before(async () => {
    const config = { 'log.cleaner.backoff.ms': '200' }
    ;[east, west] = await Promise.all([startKafka({ name: 'east', config }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
    westAdmin = new KafkaAdmin(west.bootstrap)
    writer = new BatchWriter(east.bootstrap)
    await Promise.all(writing.map(write => write()))
    worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap
    })
    await worker.waitReady()
  })

  after(async () => {
    await worker?.[Symbol.asyncDispose]()
    await Promise.all([writer, eastAdmin, westAdmin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  /** A test whose log is written before the worker starts. */
  function copies(title: string, write: () => Promise<unknown>, check: () => Promise<void>): void {
    writing.push(write)
    it(title, check)
  }

  /** The Java clients read everything once, for all tests together. */
  async function digestAll(): Promise<{ originals: PartitionDigest[]; copies: PartitionDigest[] }> {
    await Promise.all(
      Object.entries(TOPICS).map(([topic, partitions]) => caughtUp(worker, eastAdmin, topic, { partitions }))
    )
    const topics = Object.keys(TOPICS)
    const [originals, copies] = await Promise.all([
      digest({ bootstrap: east.bootstrap, topics }),
      digest({ bootstrap: west.bootstrap, topics: topics.map(topic => `east.${topic}`) })
    ])
    return { originals, copies }
  }

  let digested: ReturnType<typeof digestAll> | undefined

  async function assertSame(topic: keyof typeof TOPICS): Promise<number> {
    digested ??= digestAll()
    const { originals, copies } = await digested
    return assertSameDigests(originals, copies, { [topic]: `east.${topic}` })
  }

  async function valuesOf(destinationTopic: string): Promise<(string | null)[]> {
    return (await readRecords(west.bootstrap, destinationTopic)).map(({ value }) => value)
  }

  async function writeInEachCodec(topic: string, batches: readonly (readonly TestRecord[])[]): Promise<void> {
    for (const [partition, codec] of CODECS.entries()) {
      for (const batch of batches) await writer.write(topic, partition, batch, codec)
    }
  }

  let open: OpenTransaction

  copies(
    'waits at the last stable offset for an open transaction, and copies it when it is committed',
    async () => {
      await eastAdmin.createTopic('open')
      await writer.write('open', 0, [{ value: 'before' }])
      open = await writeInTransaction(east.bootstrap, 'open', 0, [{ value: 'in' }, { value: 'it' }])
      await writer.write('open', 0, [{ value: 'behind' }])
    },
    async () => {
      const held = await until(
        async () => {
          const [shown] = await partitionsOf(worker, 'open')
          return shown?.lagRecords === 0 && shown
        },
        { describe: 'no lag' }
      )
      assert.deepEqual([held.sourceEndOffset, held.nextSourceOffset], [1, 1])
      assert.deepEqual(await valuesOf('east.open'), ['before'])

      await open.commit()
      await until(async () => (await eastAdmin.offsets('open'))[0]!.lastStableOffset === 5, { describe: 'the marker' })
      assert.equal(await assertSame('open'), 4)
      assert.deepEqual(await valuesOf('east.open'), ['before', 'in', 'it', 'behind'])
    }
  )

  copies(
    'renumbers the batches that compaction left holes in',
    async () => {
      await Promise.all(COMPACTED.map(topic => eastAdmin.createTopic(topic, 1, COMPACTED_CONFIGS)))
      for (const [index, codec] of CODECS.entries()) {
        // Every third record stays; of the others, only those of the last batch do.
        const records = Array.from({ length: 20 }, (_, i) => ({
          key: i % 3 === 0 ? `kept ${index}/${i}` : `key ${i % 4}`,
          value: i === 6 ? null : `value ${index}/${i}`
        }))
        await writer.write('compacted', 0, records, codec)
      }
      // Not varied: a batch from the future would keep its segment from being rolled.
      const topics = [{ name: 'compacted-by-producer', compression: 'lz4' as const }]
      await produce({ bootstrap: east.bootstrap, topics, records: 8_000, shape: 'plain' })
      await Promise.all(COMPACTED.map(awaitCompaction))
    },
    async () => {
      for (const topic of COMPACTED) {
        const offsets = (await readRecords(east.bootstrap, topic)).map(({ offset }) => offset)
        await assertSame(topic)
        const copy = await readRecords(west.bootstrap, `east.${topic}`)
        assert.deepEqual(sourceOffsets(copy), offsets)
        assert.ok(offsets.at(-1)! - offsets[0]! + 1 > offsets.length, 'the source has no holes')
        assert.equal(copy.at(-1)!.offset - copy[0]!.offset + 1, copy.length, 'the copy has holes')
      }
      assert.equal((await westAdmin.topicConfig('east.compacted'))['cleanup.policy'], 'compact')
    }
  )

  async function awaitCompaction(topic: string): Promise<void> {
    let rolls = 0
    await until(
      async () => {
        // A segment is only rolled by an append, and only a rolled one is compacted.
        if (rolls < 3) await writer.write(topic, 0, [{ key: `roll ${rolls++}`, value: 'x' }])
        const records = await readRecords(east.bootstrap, topic)
        return records.length > 3 && new Set(records.map(({ key }) => key)).size === records.length
      },
      { timeoutMs: 90_000, pauseMs: 600, describe: `${topic} to be compacted` }
    )
  }

  copies(
    'copies batches of one record',
    () => {
      const topics = [{ name: 'singles', partitions: 2, compression: 'gzip' as const }]
      return produce({ bootstrap: east.bootstrap, topics, records: 3_000, lingerMs: 0, batchBytes: 0 })
    },
    async () => assert.equal(await assertSame('singles'), 3_000)
  )

  copies(
    'turns the time of the append into the time of creation',
    async () => {
      await eastAdmin.createTopic('stamped', CODECS.length, { 'message.timestamp.type': 'LogAppendTime' })
      const batch = [1, 2_000, 3].map(timestamp => ({ key: 'k', value: `${timestamp}`, timestamp }))
      await writeInEachCodec('stamped', [batch, batch])
    },
    async () => {
      assert.equal(await assertSame('stamped'), 6 * CODECS.length)
      const [original] = await readRecords(east.bootstrap, 'stamped', 1)
      const [copy] = await readRecords(west.bootstrap, 'east.stamped', 1)
      assert.equal(original!.timestampType, 'logappend')
      assert.ok(original!.timestamp > Date.now() - HOUR_MS)
      assert.equal(copy!.timestampType, 'create')
      assert.equal(copy!.timestamp, original!.timestamp)
    }
  )

  copies(
    'copies records of over a megabyte to a topic made with the limit of its source',
    async () => {
      await eastAdmin.createTopic('large', 2, { 'max.message.bytes': '6000000' })
      const small = { key: 'small', value: 'v' }
      await writer.write('large', 0, [small, { key: 'large', value: noiseBytes(1024 * 1024) }, small])
      await writer.write('large', 0, [small, { value: noiseBytes(5_000_000) }], 'zstd')
      // It is small on the way and large when it is opened.
      await writer.write('large', 1, [{ value: Buffer.alloc(20_000_000, 'a') }, small, small], 'gzip')
      await writer.write('large', 1, [small, { value: Buffer.alloc(3_000_000, 'b') }, small], 'lz4')
    },
    async () => {
      assert.equal(await assertSame('large'), 11)
      assert.equal((await westAdmin.topicConfig('east.large'))['max.message.bytes'], '6000000')
    }
  )

  copies(
    'keeps a thousand headers, repeated names and null values',
    async () => {
      await eastAdmin.createTopic('headers', CODECS.length)
      await writeInEachCodec('headers', [HEADERS])
    },
    async () => {
      assert.equal(await assertSame('headers'), HEADERS.length * CODECS.length)
      const [thousand, repeated] = await readRecords(west.bootstrap, 'east.headers', 3)
      assert.equal(thousand!.headers.length, 1_001)
      assert.deepEqual(repeated!.headers, [...REPEATED_HEADERS, ['farlog.origin', 'east/headers/3/1']])
    }
  )

  copies(
    'keeps null keys, tombstones and empty values apart',
    async () => {
      await eastAdmin.createTopic('nothings', CODECS.length)
      await writeInEachCodec('nothings', [NOTHINGS])
    },
    async () => {
      assert.equal(await assertSame('nothings'), NOTHINGS.length * CODECS.length)
      const copy = await readRecords(west.bootstrap, 'east.nothings', 0)
      const expected = NOTHINGS.map(({ key, value }) => [key, value])
      assert.deepEqual(
        copy.map(({ key, value }) => [key, value]),
        expected
      )
    }
  )

  copies(
    'keeps timestamps that are 0, missing, out of order, past and future',
    async () => {
      const configs = { 'message.timestamp.after.max.ms': String(100 * YEAR_MS), 'retention.ms': '-1' }
      await eastAdmin.createTopic('times', CODECS.length, configs)
      // One by one, because the writer's library spoils large differences within a batch; the copy puts them together.
      await writeInEachCodec(
        'times',
        TIMESTAMPS.map(timestamp => [{ value: `${timestamp}`, timestamp }])
      )
    },
    async () => {
      await assertSame('times')
      const copy = await readRecords(west.bootstrap, 'east.times', 4)
      assert.deepEqual(
        copy.map(({ timestamp }) => timestamp),
        TIMESTAMPS
      )
    }
  )

  copies(
    'never copies what was aborted, and moves its progress past it',
    async () => {
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
    },
    async () => {
      assert.equal(await assertSame('aborted'), 3)
      assert.deepEqual(await valuesOf('east.aborted'), ['second 1', 'second 2', 'plain'])
      const [shown] = await partitionsOf(worker, 'aborted')
      assert.equal(shown!.nextSourceOffset, 12)
    }
  )
})

const CODECS: readonly CompressionAlgorithmValue[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
/** Partitions of each topic that is written. */
const TOPICS = {
  open: 1,
  compacted: 1,
  'compacted-by-producer': 1,
  singles: 2,
  stamped: CODECS.length,
  large: 2,
  headers: CODECS.length,
  nothings: CODECS.length,
  times: CODECS.length,
  aborted: 1
} as const
const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS

/** Holes in and between batches: one written by hand, one as an idempotent producer leaves it. */
const COMPACTED = ['compacted', 'compacted-by-producer'] as const
const COMPACTED_CONFIGS = { 'cleanup.policy': 'compact', 'segment.ms': '500', 'min.cleanable.dirty.ratio': '0.001' }

const REPEATED_HEADERS = [
  ['a', '1'],
  ['a', null],
  ['a', ''],
  ['', 'no name'],
  ['b', '2'],
  ['a', '1']
] as const

const HEADERS: readonly TestRecord[] = [
  { value: 'thousand', headers: Array.from({ length: 1_000 }, (_, i) => [`h${i % 7}`, `${i}`] as const) },
  { value: 'repeated', headers: REPEATED_HEADERS },
  { value: 'bytes', headers: [['bytes', Buffer.from([0, 0xff, 0xfe])]] },
  { value: 'long', headers: [['long', 'x'.repeat(100_000)]] },
  { value: 'none' }
]

const NOTHINGS = [null, '', 'x'].flatMap(key => [null, '', 'x'].map(value => ({ key, value })))

const NOW = Date.now()
const TIMESTAMPS = [NOW, 0, NOW + 50 * YEAR_MS, 1, NOW - 30 * YEAR_MS, -1, NOW + 1, NOW, NOW, 0]

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
