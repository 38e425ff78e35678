import assert from 'node:assert/strict'
import kafkaJavascript from '@confluentinc/kafka-javascript'
import {
  Admin,
  type CompressionAlgorithmValue,
  Connection,
  FetchIsolationLevels,
  type MessageRecord,
  produceV9
} from '@platformatic/kafka'
import { runFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import type { RunResult } from '../support/run-to-end.ts'
import { createTopics } from '../support/topics.ts'
import { until } from '../support/wait.ts'

/** Copies are made by hand here, right and wrong: what judges the mirror must itself be judged without it. */
describe('farlog verify', function () {
  this.timeout(180_000)

  let east: TestCluster
  let west: TestCluster

  before(async () => {
    ;[east, west] = await Promise.all([TestCluster.start('east'), TestCluster.start('west')])
  })

  after(() => Promise.all([east?.stop(), west?.stop()]))

  const verify = (topics: string, ...args: string[]) => verifyWith({}, topics, ...args)

  function verifyWith(env: Record<string, string>, topics: string, ...args: string[]): Promise<RunResult> {
    return runFarlog(['verify', '--topics', topics, ...args], {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      ...env
    })
  }

  it('finds a right copy identical, whatever the codec and however odd the records', async () => {
    const codecs: CompressionAlgorithmValue[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
    await east.create('right', codecs.length)
    await west.create('east.right', codecs.length)
    for (const [partition, codec] of codecs.entries()) {
      const records = oddRecords()
      await east.write('right', partition, records, codec)
      await east.writeAborted('right', partition, 3)
      await east.write('right', partition, records, codec)
      // The same producer's second one within the same answer.
      await east.writeAborted('right', partition, 2)
      const first = await copiesOf('right', partition, records, 0)
      // Three aborted records and the marker stand between.
      const second = await copiesOf('right', partition, records, records.length + 4)
      await west.write('east.right', partition, [...first, ...second], codecs.at(-partition - 1)!)
    }
    const { code, stdout, stderr } = await verify('right', '--json')
    assert.equal(code, 0, stdout + stderr)
    const { verdict, flows } = JSON.parse(stdout)
    const total = codecs.length * oddRecords().length * 2
    assert.equal(verdict, 'identical')
    assert.deepEqual(nonZero(flows[0].totals), { sourceRecords: total, equal: total })
  })

  it('names every planted fault, its place and nothing else', async () => {
    await east.create('faulty', 1)
    await west.create('east.faulty', 1)
    const records = plainRecords(20)
    await east.write('faulty', 0, records)
    await east.writeAborted('faulty', 0, 1)
    const copies = copiesOf('faulty', 0, records, 0)
    const copy = (offset: number, change: Partial<MessageRecord> = {}) => ({ ...copies[offset]!, ...change })
    const aborted = copiesOf('faulty', 0, plainRecords(1), 20)[0]!
    await west.write('east.faulty', 0, [
      copy(0),
      copy(3),
      copy(3),
      copy(5),
      copy(4),
      copy(6, { value: Buffer.from('changed') }),
      copy(7, { timestamp: copies[7]!.timestamp! + 1n }),
      copy(8, { key: Buffer.alloc(0) }),
      copy(9, {
        headers: new Map([...copies[9]!.headers!].map(([name, value], i) => [name, i === 0 ? null! : value]))
      }),
      copy(10),
      copy(11),
      copy(12),
      aborted
    ])
    const { code, stdout } = await verify('faulty', '--json')
    assert.equal(code, 1)
    const [flow] = JSON.parse(stdout).flows
    assert.deepEqual(nonZero(flow.totals), {
      sourceRecords: 20,
      equal: 6,
      missing: 9,
      duplicated: 1,
      reordered: 1,
      different: 4,
      unexpected: 1
    })
    assert.deepEqual(flow.differences.map(oneLine), [
      'missing 1-2',
      'duplicated 3-3 at 2',
      'reordered 4-4 at 4',
      'different 6-6 at 5 value',
      'different 7-7 at 6 timestamp',
      'different 8-8 at 7 key',
      'different 9-9 at 8 headers',
      'missing 13-19',
      'unexpected 20-20 at 12'
    ])
  })

  it('prints the differences for people, no more than asked for, and no contents', async () => {
    const { code, stdout } = await verify('faulty', '--limit', '4')
    assert.equal(code, 1)
    assert.match(stdout, /^TOPIC +RECORDS +EQUAL +MISSING/)
    assert.match(stdout, /faulty-0 source offset 1 to 2: missing\n/)
    assert.match(stdout, /faulty-0 source offset 6, destination offset 5: different value \(value: 8 bytes became 7/)
    assert.match(stdout, /… and more/)
    assert.match(stdout, /east → west: DIFFERENT/)
    assert.doesNotMatch(stdout, /changed/)
  })

  it('calls lag pending, and no difference where it is allowed', async () => {
    await east.create('behind', 1)
    await west.create('east.behind', 1)
    const records = plainRecords(10)
    await east.write('behind', 0, records)
    await west.write('east.behind', 0, copiesOf('behind', 0, records, 0).slice(0, 6))
    const strict = await verify('behind')
    assert.equal(strict.code, 1)
    assert.match(strict.stdout, /only because 4 records are not mirrored yet/)
    assert.equal((await verify('behind', '--allow-lag')).code, 0)
  })

  it('misses every record of a topic that is not there', async () => {
    await east.create('nowhere', 2)
    await east.write('nowhere', 1, plainRecords(5))
    const { code, stdout } = await verify('nowhere', '--json')
    assert.equal(code, 1)
    assert.deepEqual(nonZero(JSON.parse(stdout).flows[0].totals), { sourceRecords: 5, missing: 5 })
  })

  it('leaves alone what either side has deleted, and records that have been there', async () => {
    await east.create('deleted', 1)
    await west.create('east.deleted', 1)
    const looped = { ...plainRecords(1)[0]!, headers: headersOf([['farlog.origin', 'west/deleted/0/7']]) }
    const records = [...plainRecords(10), looped]
    await east.write('deleted', 0, records)
    await west.write('east.deleted', 0, copiesOf('deleted', 0, records, 0).slice(0, 10))
    await east.deleteBefore('deleted', 0, 2)
    await west.deleteBefore('east.deleted', 0, 5)
    const after = await verify('deleted', '--json')
    assert.equal(after.code, 0, after.stdout)
    const expected = { sourceRecords: 9, equal: 5, destinationGone: 3, looped: 1 }
    assert.deepEqual(nonZero(JSON.parse(after.stdout).flows[0].totals), expected)
    await east.deleteBefore('deleted', 0, 7)
    const later = await verify('deleted', '--json', '--full')
    assert.equal(later.code, 0, later.stdout)
    assert.deepEqual(nonZero(JSON.parse(later.stdout).flows[0].totals), {
      sourceRecords: 4,
      equal: 3,
      looped: 1,
      sourceGone: 2
    })
  })

  it('expects the time of the append where the source stamps it', async () => {
    await east.create('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
    await west.create('east.stamped', 1)
    const records = plainRecords(3)
    const appendTime = await east.write('stamped', 0, records)
    const stamped = records.map(record => ({ ...record, timestamp: appendTime }))
    await west.write('east.stamped', 0, copiesOf('stamped', 0, stamped, 0))
    const { code, stdout } = await verify('stamped')
    assert.equal(code, 0, stdout)
  })

  it('compares topics of the same name under the identity policy, among records of other writers', async () => {
    await east.create('same', 1)
    await west.create('same', 1)
    const records = plainRecords(5)
    await east.write('same', 0, records)
    const copies = copiesOf('same', 0, records, 0)
    await west.write('same', 0, [...copies.slice(0, 2), ...plainRecords(4), ...copies.slice(2)])
    const { code, stdout } = await verifyWith({ FARLOG_REPLICATION_POLICY: 'identity' }, 'same', '--json')
    assert.equal(code, 0, stdout)
    assert.deepEqual(nonZero(JSON.parse(stdout).flows[0].totals), { sourceRecords: 5, equal: 5, foreign: 4 })
  })

  it('exits 2 with one line where a cluster cannot be reached', async () => {
    const [port] = await freePorts(1)
    const startedAt = performance.now()
    const { code, stdout, stderr } = await verifyWith({ FARLOG_WEST_BOOTSTRAP_SERVERS: `127.0.0.1:${port}` }, 'right')
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^farlog verify: could not compare: cannot read from west \(127\.0\.0\.1:\d+\): .*\n$/)
    assert.ok(performance.now() - startedAt < 35_000)
  })

  it('exits 2 where there is nothing to compare', async () => {
    const { code, stderr } = await verify('no-such-topic')
    assert.equal(code, 2)
    assert.match(stderr, /none of the \d+ topics of east is selected/)
  })
})

const { KafkaJS } = kafkaJavascript

type Headers = NonNullable<MessageRecord['headers']>

/** One broker, and what the test writes to it byte for byte. */
class TestCluster {
  readonly #kafka: KafkaCluster
  readonly #connection: Connection
  readonly #admin: Admin

  static async start(name: string): Promise<TestCluster> {
    const kafka = await startKafka({ name })
    const connection = new Connection('test', { requestTimeout: 60_000 })
    await connection.connect('127.0.0.1', kafka.brokers[0]!.port)
    return new TestCluster(kafka, connection)
  }

  private constructor(kafka: KafkaCluster, connection: Connection) {
    this.#kafka = kafka
    this.#connection = connection
    this.#admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.bootstrap] })
  }

  get bootstrap(): string {
    return this.#kafka.bootstrap
  }

  create(name: string, partitions: number, configs: Record<string, string> = {}): Promise<void> {
    return createTopics(this.bootstrap, [{ name, partitions, configs: { 'retention.ms': '-1', ...configs } }])
  }

  /** Writes one batch; returns the time of the append, where the topic stamps it. */
  async write(
    topic: string,
    partition: number,
    records: readonly Omit<MessageRecord, 'topic'>[],
    compression: CompressionAlgorithmValue = 'none'
  ): Promise<bigint> {
    const messages = records.map(record => ({ ...record, topic, partition }))
    // A broker may take a moment to learn that it leads a new partition.
    const answer = await until(() => produceV9.api.async(this.#connection, 1, 30_000, messages, { compression }), {
      describe: `a batch to be written to ${topic}-${partition}`
    })
    if (typeof answer === 'boolean') throw new Error('acknowledgement expected')
    return answer.responses[0]!.partitionResponses[0]!.logAppendTimeMs
  }

  /** Leaves as many aborted records and one marker behind. */
  async writeAborted(topic: string, partition: number, count: number): Promise<void> {
    const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [this.bootstrap], logLevel: KafkaJS.logLevel.NOTHING } })
    const producer = kafka.producer({ kafkaJS: { transactionalId: `aborts-${topic}-${partition}` } })
    await producer.connect()
    try {
      const transaction = await producer.transaction()
      const messages = plainRecords(count).map(({ key, value }) => ({ partition, key: key!, value }))
      await transaction.send({ topic, messages })
      await transaction.abort()
    } finally {
      await producer.disconnect()
    }
    // The abort is answered before its marker stands.
    await until(() => this.#isStable(topic, partition), { describe: `the abort marker in ${topic}-${partition}` })
  }

  async #isStable(topic: string, partition: number): Promise<boolean> {
    const latest = { topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1n }] }] }
    const ends = await Promise.all([
      this.#admin.listOffsets({ ...latest, isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED }),
      this.#admin.listOffsets({ ...latest, isolationLevel: FetchIsolationLevels.READ_COMMITTED })
    ])
    const [highWatermark, lastStableOffset] = ends.map(([listed]) => listed!.partitions[0]!.offset)
    return highWatermark === lastStableOffset
  }

  async deleteBefore(name: string, partition: number, offset: number): Promise<void> {
    await this.#admin.deleteRecords({ topics: [{ name, partitions: [{ partition, offset: BigInt(offset) }] }] })
  }

  async stop(): Promise<void> {
    await Promise.all([this.#connection.close(), this.#admin.close()])
    await this.#kafka.stop()
  }
}

type PlainRecord = Omit<MessageRecord, 'topic'>

function plainRecords(count: number): PlainRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key ${i}`),
    value: Buffer.from(`value ${String(i).padStart(2, '0')}`),
    timestamp: 1_700_000_000_000n + BigInt(i),
    headers: headersOf([['trace', `${i}`]])
  }))
}

/** What a careless copy would lose: null and empty, repeated names, odd times. The library's types know no nulls. */
function oddRecords(): PlainRecord[] {
  const none = null as unknown as Buffer
  const empty = Buffer.alloc(0)
  const value = Buffer.from('value')
  return [
    { key: none, value, timestamp: -1n },
    { key: empty, value: none, timestamp: 0n },
    { key: none, value: empty, timestamp: 5n },
    {
      value,
      timestamp: 4n,
      headers: headersOf([
        ['a', '1'],
        ['a', null],
        ['a', ''],
        ['b', '2'],
        ['a', '1']
      ])
    },
    { value, timestamp: 4n, headers: new Map([[Buffer.from([0xff, 0xfe]), Buffer.from([0x80])]]) },
    { value: Buffer.alloc(300_000, 'large'), timestamp: 1_000_000_000n },
    { value, headers: headersOf(Array.from({ length: 1_000 }, (_, i) => [`h${i % 7}`, `${i}`])), timestamp: 1n },
    {
      value,
      timestamp: 6n,
      headers: headersOf([
        ['farlog.origin', 'south/orders/3/4'],
        ['after', 'it']
      ])
    }
  ].map(record => ({ key: none, headers: new Map<Buffer, Buffer>(), ...record }))
}

/** Buffers as keys of a map are told apart by identity, so names can repeat. */
function headersOf(entries: readonly (readonly [name: string, value: string | null])[]): Map<Buffer, Buffer> {
  return new Map(
    entries.map(([name, value]) => [Buffer.from(name), (value === null ? null : Buffer.from(value)) as Buffer])
  )
}

function copiesOf(
  topic: string,
  partition: number,
  records: readonly PlainRecord[],
  baseOffset: number
): PlainRecord[] {
  return records.map((record, i) => ({
    ...record,
    headers: new Map([
      ...((record.headers as Headers | undefined) ?? []),
      [Buffer.from('farlog.origin'), Buffer.from(`east/${topic}/${partition}/${baseOffset + i}`)]
    ])
  }))
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
}

interface ShownDifference {
  readonly kind: string
  readonly sourceOffsets: { readonly first: number; readonly last: number }
  readonly destinationOffsets?: { readonly first: number; readonly last: number }
  readonly fields?: readonly string[]
}

function oneLine({ kind, sourceOffsets, destinationOffsets, fields }: ShownDifference): string {
  const at = destinationOffsets === undefined ? '' : ` at ${destinationOffsets.first}`
  return `${kind} ${sourceOffsets.first}-${sourceOffsets.last}${at}${fields === undefined ? '' : ` ${fields}`}`
}
