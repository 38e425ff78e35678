import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type MessageToProduce, Producer } from '@platformatic/kafka'
import { digest, type PartitionDigest } from './digest.ts'
import { runFarlog } from './farlog-process.ts'
import { type KafkaCluster, startKafka } from './kafka-cluster.ts'
import { MetricSamples } from './metric-samples.ts'
import { startMirrorMaker } from './mirror-maker.ts'
import { produce, startProducing } from './produce.ts'
import { createTopics } from './topics.ts'
import { GiveUp, until } from './wait.ts'

/** A checker that cannot see a loss is worse than none, so the harness is tested too. */
describe('the test harness', function () {
  this.timeout(240_000)

  describe('with a broker', () => {
    let kafka: KafkaCluster
    before(async () => {
      kafka = await startKafka({ name: 'harness' })
    })
    after(() => kafka.stop())

    it('produces what it says, and reads it back without a loss', async () => {
      const { bootstrap } = kafka
      const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
      const topics = compressions.map(compression => ({ name: `produced-${compression}`, partitions: 2, compression }))
      const produced = await produce({ bootstrap, topics, records: 5_001, valueBytes: 200 })
      const digests = await digest({ bootstrap, topics: topics.map(topic => topic.name) })
      assert.equal(produced.records, 5_001)
      assert.deepEqual(sizes(digests), sizes(produced.partitions))
      for (const { sequenceBreaks, aborted } of digests)
        assert.deepEqual({ sequenceBreaks, aborted }, { sequenceBreaks: 0, aborted: 0 })
    })

    it('aborts some transactions, whose records no reader of committed ones sees', async () => {
      const { bootstrap } = kafka
      const topics = [{ name: 'transactions', partitions: 2 }]
      const produced = await produce({ bootstrap, topics, records: 500, transactionRecords: 20, abortPercent: 50 })
      const digests = await digest({ bootstrap, topics: ['transactions'] })
      assert.ok(produced.aborted > 0)
      assert.deepEqual(sizes(digests), [
        ['transactions', 0, 250],
        ['transactions', 1, 250]
      ])
      for (const { sequenceBreaks, aborted } of digests)
        assert.deepEqual({ sequenceBreaks, aborted }, { sequenceBreaks: 0, aborted: 0 })
    })

    it('digests alike what is alike, and otherwise what differs in anything', async () => {
      const first: TestRecord = {
        key: 'k',
        value: 'v',
        headers: [
          ['a', '1'],
          ['b', '2']
        ],
        timestamp: 1_000
      }
      const second: TestRecord = { key: null, value: null, headers: [], timestamp: 2_000 }
      const origin: [string, string] = ['farlog.origin', 'east/t/0/5']
      const variants: Record<string, TestRecord[]> = {
        'like-base': [first, second],
        'like-with-origin': [{ ...first, headers: [...first.headers, origin] }, second],
        'other-order': [second, first],
        'other-lost': [first],
        'other-twice': [first, second, second],
        'other-key': [{ ...first, key: 'K' }, second],
        'other-null-key': [{ ...first, key: null }, second],
        'other-value': [{ ...first, value: 'w' }, second],
        'other-empty-value': [first, { ...second, value: '' }],
        'other-header-order': [{ ...first, headers: first.headers.toReversed() }, second],
        'other-header-lost': [{ ...first, headers: first.headers.slice(1) }, second],
        'other-header-value': [
          {
            ...first,
            headers: [
              ['a', '1'],
              ['b', '']
            ]
          },
          second
        ],
        'other-timestamp': [{ ...first, timestamp: 1_001 }, second]
      }
      await write(kafka.bootstrap, variants)
      const digests = await digest({ bootstrap: kafka.bootstrap, topics: Object.keys(variants) })
      const base = digests.find(each => each.topic === 'like-base')!.digest
      for (const each of digests) assert.equal(each.digest === base, each.topic.startsWith('like-'), each.topic)
    })

    it('sees duplicates, disorder and missing or double provenance', async () => {
      const from = (...origins: string[]): TestRecord => ({
        key: 'k',
        value: 'v',
        headers: origins.map(origin => ['farlog.origin', origin]),
        timestamp: 1_000
      })
      await write(kafka.bootstrap, {
        'origin-good': [from('east/t/0/5'), from('east/t/0/7'), from('east/t/1/1')],
        'origin-twice': [from('east/t/0/5'), from('east/t/0/5')],
        'origin-back': [from('east/t/0/5'), from('east/t/0/4')],
        'origin-none': [from()],
        'origin-two': [from('north/t/0/9', 'east/t/0/1')]
      })
      const topics = ['origin-good', 'origin-twice', 'origin-back', 'origin-none', 'origin-two']
      const seen = (await digest({ bootstrap: kafka.bootstrap, topics })).map(each => [
        each.topic,
        each.notExactlyOneOrigin,
        each.originNotIncreasing,
        each.duplicates
      ])
      assert.deepEqual(seen, [
        ['origin-back', 0, 1, 0],
        ['origin-good', 0, 0, 0],
        ['origin-none', 1, 0, 0],
        ['origin-twice', 0, 1, 1],
        ['origin-two', 1, 0, 0]
      ])
    })

    it('sees breaks in the numbers that produce writes, and records of aborted transactions', async () => {
      const numbered = (text: string): TestRecord => ({ key: 'k', value: text, headers: [], timestamp: 1_000 })
      await write(kafka.bootstrap, {
        numbered: [
          numbered('{"seq":0}'),
          numbered('{"seq":1}'),
          numbered('{"seq":3}'),
          numbered('{"seq":3}'),
          numbered('{"aborted":true}')
        ]
      })
      const [seen] = await digest({ bootstrap: kafka.bootstrap, topics: ['numbered'] })
      assert.deepEqual([seen!.sequenceBreaks, seen!.aborted], [2, 1])
    })

    it('goes on producing over the kill of a broker, and loses nothing acknowledged', async () => {
      const { bootstrap } = kafka
      await using producing = await startProducing({ bootstrap, topics: [{ name: 'killed' }], records: 0, rate: 1_000 })
      await until(() => producing.acknowledged() > 0, { describe: 'the first records' })
      const pidBefore = kafka.brokers[0]!.pid
      await kafka.brokers[0]!.kill()
      await kafka.brokers[0]!.restart()
      assert.notEqual(kafka.brokers[0]!.pid, pidBefore)
      const acknowledged = producing.acknowledged()
      await until(() => producing.acknowledged() > acknowledged, { describe: 'records after the restart' })
      const { records } = await producing.stop()
      const [seen] = await digest({ bootstrap, topics: ['killed'] })
      assert.deepEqual([seen!.records, seen!.sequenceBreaks], [records, 0])
    })

    it('runs a MirrorMaker that copies', async () => {
      await using destination = await startKafka({ name: 'harness-destination' })
      await createTopics(kafka.bootstrap, [
        { name: 'mirrored', partitions: 2, configs: { 'retention.ms': '86400000' } }
      ])
      await produce({ bootstrap: kafka.bootstrap, topics: [{ name: 'mirrored' }], records: 100 })
      await using _mirrorMaker = await startMirrorMaker({
        source: { alias: 'east', bootstrap: kafka.bootstrap },
        destination: { alias: 'west', bootstrap: destination.bootstrap },
        topics: 'mirrored'
      })
      const source = await digest({ bootstrap: kafka.bootstrap, topics: ['mirrored'] })
      await until(
        async () => {
          const copy = await digest({ bootstrap: destination.bootstrap, topics: ['east.mirrored'] })
          assert.deepEqual(
            copy.map(each => each.digest),
            source.map(each => each.digest)
          )
          return true
        },
        { timeoutMs: 60_000, pauseMs: 500, describe: 'the copy to equal its source' }
      )
    })
  })

  it('starts three brokers as one cluster and leaves nothing behind', async () => {
    const kafka = await startKafka({ brokers: 3 })
    await createTopics(kafka.bootstrap, [{ name: 'three', replicas: 3 }])
    await produce({ bootstrap: kafka.bootstrap, topics: [{ name: 'three' }], records: 10 })
    assert.equal(new Set(kafka.brokers.map(broker => broker.pid)).size, 3)
    await kafka.stop()
    assert.equal(existsSync(kafka.dir), false)
    for (const { pid } of kafka.brokers) assert.equal(isAlive(pid), false)
  })

  it('takes its processes along even when it is killed', async () => {
    const script = `
      import { spawnOwned } from ${JSON.stringify(join(import.meta.dirname, 'owned-process.ts'))}
      console.log(spawnOwned(['sleep', '300'], {}).pid)`
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit']
      })
      const [line] = await once(createInterface(parent.stdout), 'line')
      assert.equal(isAlive(Number(line)), true)
      parent.kill(signal)
      await until(() => !isAlive(Number(line)), { timeoutMs: 5_000, describe: `the child to end after ${signal}` })
    }
  })

  it('waits until a condition holds, and tells the last value where it never does', async () => {
    let asked = 0
    assert.equal(await until(() => ++asked === 3 && 'three', { pauseMs: 1, describe: 'the third time' }), 'three')
    await assert.rejects(
      until(() => 0, { timeoutMs: 5, pauseMs: 1, describe: 'something else' }),
      { message: 'Waited 0.005 s for something else; last value: 0' }
    )
    await assert.rejects(
      until(() => Promise.reject(new GiveUp('never')), { describe: 'the impossible' }),
      { message: 'never' }
    )
  })

  it('runs a command of farlog with only the environment that is given', async () => {
    assert.equal((await runFarlog(['--help'])).code, 0)
    const { code, stderr } = await runFarlog(['config'], { FARLOG_SOURCE: 'east' })
    assert.equal(code, 78)
    assert.match(stderr, /FARLOG_DESTINATIONS/)
  })

  it('reads Prometheus text', () => {
    const samples = new MetricSamples(
      '# HELP a text\na{topic="x",partition="1"} 2\na{topic="y",partition="1"} 3\nab 7\n'
    )
    assert.deepEqual(samples.values('a', { partition: 1 }), [2, 3])
    assert.equal(samples.sum('a', { topic: 'y' }), 3)
    assert.equal(samples.sum('a', { topic: 'z' }), undefined)
    assert.equal(samples.sum('ab'), 7)
  })
})

interface TestRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string])[]
  readonly timestamp: number
}

/** Writes each topic's records in their order, into a new topic of one partition. */
async function write(bootstrap: string, topics: Readonly<Record<string, readonly TestRecord[]>>): Promise<void> {
  await createTopics(
    bootstrap,
    Object.keys(topics).map(name => ({ name }))
  )
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: bootstrap.split(',') })
  for (const [topic, records] of Object.entries(topics)) {
    const messages = records.map(({ key, value, headers, timestamp }): MessageToProduce => {
      // Map keys are compared by identity here, so a name may stand there twice.
      const headerMap = new Map(headers.map(([name, text]) => [Buffer.from(name), Buffer.from(text)]))
      const message: MessageToProduce = { topic, partition: 0, headers: headerMap, timestamp: BigInt(timestamp) }
      if (key !== null) message.key = Buffer.from(key)
      if (value !== null) message.value = Buffer.from(value)
      return message
    })
    await producer.send({ messages })
  }
  await producer.close()
}

function sizes(partitions: readonly Pick<PartitionDigest, 'topic' | 'partition' | 'records'>[]): unknown[] {
  const rows = partitions.map(({ topic, partition, records }) => [topic, partition, records])
  return rows.sort((a, b) => String(a).localeCompare(String(b)))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
