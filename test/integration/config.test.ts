import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { within } from '../../src/cluster/retry.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { produce, startProducing } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const EXIT_CONFIG = 78
/** Kubernetes kills after that time, unless told otherwise. */
const POD_GRACE_MS = 30_000

describe('farlog run with a wrong configuration', function () {
  this.timeout(60_000)

  const wrong: { title: string; env: Record<string, string>; problems: RegExp[] }[] = [
    { title: 'nothing at all', env: {}, problems: [/^FARLOG_SOURCE: /, /^FARLOG_DESTINATIONS: /] },
    {
      title: 'a typo in a variable’s name',
      env: { ...clusters('east:9092', 'west:9092'), FARLOG_TOPIC: 'orders' },
      problems: [/^FARLOG_TOPIC: .*FARLOG_TOPICS/]
    },
    {
      title: 'an alias without its variables',
      env: { FARLOG_SOURCE: 'east', FARLOG_DESTINATIONS: 'west-1' },
      problems: [/^FARLOG_EAST_BOOTSTRAP_SERVERS: /, /^FARLOG_WEST_1_BOOTSTRAP_SERVERS: /]
    },
    {
      title: 'a regular expression that is none',
      env: { ...clusters('east:9092', 'west:9092'), FARLOG_TOPICS: 'orders,clicks(' },
      problems: [/^FARLOG_TOPICS: .*clicks\(/]
    },
    {
      title: 'a duration that is none',
      env: { ...clusters('east:9092', 'west:9092'), FARLOG_REFRESH_INTERVAL: '30 seconds' },
      problems: [/^FARLOG_REFRESH_INTERVAL: .*30s/]
    },
    {
      title: 'five mistakes at once',
      env: {
        ...clusters('east', 'west:9092'),
        FARLOG_DELIVERY: 'exactly_once',
        FARLOG_COMPRESSION: 'brotli',
        FARLOG_THREADS: '0',
        FARLOG_HTTP_PORT: '99999'
      },
      problems: [
        /^FARLOG_EAST_BOOTSTRAP_SERVERS: /,
        /^FARLOG_DELIVERY: .*exactly-once/,
        /^FARLOG_COMPRESSION: .*zstd/,
        /^FARLOG_THREADS: /,
        /^FARLOG_HTTP_PORT: /
      ]
    }
  ]

  for (const { title, env, problems } of wrong) {
    it(`ends with 78 and a line for each problem: ${title}`, async () => {
      const { code, stdout, stderr } = await runFarlog(['run'], env)
      assert.equal(code, EXIT_CONFIG, stderr)
      assert.equal(stdout, '')
      const lines = stderr.trimEnd().split('\n')
      assert.equal(lines.length, problems.length, stderr)
      for (const problem of problems)
        assert.ok(
          lines.some(line => problem.test(line)),
          `${problem}\n${stderr}`
        )
    })
  }

  it('connects to nothing', async () => {
    let connections = 0
    const server = createServer(() => connections++)
    const [port] = await freePorts(1)
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    try {
      const address = `127.0.0.1:${port}`
      const { code } = await runFarlog(['run'], { ...clusters(address, 'west:9092'), FARLOG_START: 'tomorrow' })
      assert.equal(code, EXIT_CONFIG)
      assert.equal(connections, 0)
    } finally {
      server.close()
    }
  })

  it('says so in one line where the HTTP port is taken', async () => {
    const server = createServer()
    const [port] = await freePorts(1)
    await new Promise<void>(resolve => server.listen(port, '0.0.0.0', resolve))
    try {
      await using worker = await startFarlog({
        ...clusters('127.0.0.1:1', '127.0.0.1:2'),
        FARLOG_HTTP_HOST: '0.0.0.0',
        FARLOG_HTTP_PORT: String(port)
      })
      const exit = await within(worker.exit, 20_000)
      assert.equal(exit?.code, 1)
      assert.equal(worker.otherOutput.length, 1)
      assert.match(worker.otherOutput[0]!, new RegExp(`^farlog: .*${port}.*FARLOG_HTTP_PORT`))
    } finally {
      server.close()
    }
  })

  it('is helped by --help of every command', async () => {
    const overview = await runFarlog(['--help'])
    const commands = [...overview.stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name!)
    assert.ok(commands.includes('run') && commands.includes('verify'))
    const helps = await Promise.all(commands.map(name => runFarlog([name, '--help'])))
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      assert.equal(code, 0, stderr)
      assert.equal(stderr, '')
      assert.match(stdout, new RegExp(`^Usage: farlog ${commands[index]} `, 'm'))
    }
  })
})

describe('farlog run from start to stop', function () {
  this.timeout(180_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await eastAdmin?.[Symbol.asyncDispose]()
    await Promise.all([east?.stop(), west?.stop()])
  })

  async function startWorker(topic: string): Promise<FarlogProcess> {
    const worker = await startFarlog({
      ...clusters(east.bootstrap, west.bootstrap),
      FARLOG_TOPICS: topic,
      FARLOG_GROUP_ID: `test-${topic}`,
      FARLOG_REFRESH_INTERVAL: '1s'
    })
    workers.push(worker)
    return worker
  }

  for (const side of ['east', 'west'] as const) {
    it(`waits for ${side} where it cannot be reached, says so, and mirrors when it can`, async () => {
      const topic = `waits-for-${side}`
      await produce({ bootstrap: east.bootstrap, topics: [{ name: topic, partitions: 2 }], records: 500 })
      const cluster = side === 'east' ? east : west
      await cluster.brokers[0]!.kill()
      const worker = await startWorker(topic)
      const reason = await until(
        async () => {
          const response = await fetch(`${worker.url}/readyz`)
          assert.equal(response.status, 503)
          const { reason } = (await response.json()) as { reason: string }
          return reason.includes(cluster.bootstrap) && reason
        },
        { describe: 'a reason that names the broker' }
      )
      assert.match(reason, new RegExp(`\\b${side}\\b`))
      assert.equal((await fetch(`${worker.url}/livez`)).status, 200)
      const complaint = await until(
        () => worker.logs.find(line => line.level === 'warn' && JSON.stringify(line).includes(cluster.bootstrap)),
        { describe: 'a log line that names the broker' }
      )
      assert.ok(JSON.stringify(complaint).includes(side))
      assert.equal((await worker.metrics()).sum('farlog_lag_records'), undefined)

      await cluster.brokers[0]!.restart()
      await worker.waitReady(60_000)
      await caughtUp(worker, eastAdmin, topic, { partitions: 2 })
      assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { [topic]: `east.${topic}` }), 500)
      assert.deepEqual(worker.otherOutput, [])
      assert.ok(!JSON.stringify(worker.logs).includes('node:internal'), 'a stack trace')
    })
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends with 0 on ${signal} under load, and has committed exactly what it mirrored`, async () => {
      const topic = `stopped-by-${signal}`
      await using producing = await startProducing({
        bootstrap: east.bootstrap,
        topics: [{ name: topic, partitions: 3, compression: 'lz4' }],
        records: 0,
        rate: 3_000
      })
      await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
      const worker = await startWorker(topic)
      await until(async () => ((await worker.metrics()).sum('farlog_records_total') ?? 0) > 3_000, {
        describe: 'records to be mirrored'
      })
      worker.kill(signal)
      assert.deepEqual(await worker.exit, { code: 0, signal: null })
      await producing.stop()

      const committed = await eastAdmin.committedOffsets(`test-${topic}`, topic)
      for (const partition of [0, 1, 2]) {
        const copied = sourceOffsets(await readRecords(west.bootstrap, `east.${topic}`, partition))
        assert.deepEqual(
          copied,
          Array.from({ length: copied.length }, (_, offset) => offset)
        )
        assert.equal(committed.get(partition), copied.length)
      }
      assert.equal(worker.logs.at(-1)?.msg, 'stopped')
      assert.deepEqual(worker.otherOutput, [])
    })
  }

  for (const side of ['east', 'west'] as const) {
    it(`ends with 0 on SIGTERM while ${side} stands still, before a pod would be killed`, async () => {
      const topic = `stopped-while-${side}-stands-still`
      await produce({ bootstrap: east.bootstrap, topics: [{ name: topic }], records: 100 })
      const worker = await startWorker(topic)
      await caughtUp(worker, eastAdmin, topic)
      const [broker] = (side === 'east' ? east : west).brokers
      await broker!.kill('SIGSTOP')
      try {
        await stoppedMirroring(worker, topic, side)
        worker.kill('SIGTERM')
        assert.deepEqual(await within(worker.exit, POD_GRACE_MS), { code: 0, signal: null })
      } finally {
        await broker!.kill('SIGCONT')
      }
    })
  }

  /** Until the worker feels it: its lag is unknown, or it has records that it cannot get rid of. */
  async function stoppedMirroring(worker: FarlogProcess, topic: string, side: 'east' | 'west'): Promise<void> {
    if (side === 'west') await produce({ bootstrap: east.bootstrap, topics: [{ name: topic }], records: 100 })
    const lag = side === 'east' ? null : 100
    await until(async () => (await partitionsOf(worker, topic))[0]?.lagRecords === lag, {
      describe: `a lag of ${lag}`
    })
  }
})

function clusters(east: string, west: string): Record<string, string> {
  return {
    FARLOG_SOURCE: 'east',
    FARLOG_DESTINATIONS: 'west',
    FARLOG_EAST_BOOTSTRAP_SERVERS: east,
    FARLOG_WEST_BOOTSTRAP_SERVERS: west
  }
}
