import assert from 'node:assert/strict'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

/** A broker that stands still takes requests and never answers: for a time shorter than any time-out no error says so. */
describe('a stall that nothing explains', function () {
  this.timeout(180_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let admin: KafkaAdmin
  let writer: BatchWriter

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    admin = new KafkaAdmin(east.bootstrap)
    writer = new BatchWriter(east.bootstrap)
  })

  after(async () => {
    await Promise.all([writer, admin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  const write = (first: number) =>
    writer.write(
      'orders',
      0,
      Array.from({ length: 100 }, (_, i) => ({ value: `${first + i}` }))
    )

  it('is met with new connections, a new beginning, and in the end an exit for the supervisor, each logged', async () => {
    const env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_STALL_TIMEOUT: '5s'
    }
    await admin.createTopic('orders')
    await write(0)
    await using worker = await startFarlog(env)
    await caughtUp(worker, admin, 'orders')
    await west.brokers[0]!.kill('SIGSTOP')
    try {
      await write(100)
      let exitCode: number | null | undefined
      void worker.exit.then(({ code }) => {
        exitCode = code
      })
      await until(() => exitCode !== undefined, { timeoutMs: 90_000, describe: 'the worker to end' })
      assert.equal(exitCode, 1)
      const steps = worker.logs.filter(({ msg }) => msg.startsWith('stalled')).map(({ step }) => step)
      assert.deepEqual(steps, ['reconnect', 'restart-flow', 'exit'])
    } finally {
      await west.brokers[0]!.kill('SIGCONT')
    }
    await using next = await startFarlog(env)
    await caughtUp(next, admin, 'orders')
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { orders: 'east.orders' }), 200)
  })
})
