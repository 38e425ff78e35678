import assert from 'node:assert/strict'
import { caughtUp } from '../support/caught-up.ts'
import { itAtLength } from '../support/long.ts'
import { produce } from '../support/produce.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, Bed, halted, logged } from './support/bed.ts'

const KIB = 1024

describe('a destination that takes only so much', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start()
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('is sent smaller batches where it takes no large ones, also when its limit is lowered meanwhile', async () => {
    const topic = 'split'
    await bed.eastAdmin.createTopic(topic, 2, { 'max.message.bytes': '4000000' })
    await bed.westAdmin.createTopic(`east.${topic}`, 2, { 'max.message.bytes': String(64 * KIB) })
    // Some 800 KiB of small records in each batch.
    const batch = Array.from({ length: 400 }, (_, i) => ({ key: `${i}`, value: Buffer.alloc(2 * KIB, i) }))
    const writeBatches = async () => {
      for (const codec of ['none', 'lz4'] as const) await bed.writer.write(topic, 0, batch, codec)
      await bed.writer.write(topic, 1, batch, 'zstd')
    }
    await writeBatches()
    // The limit is looked up at each refresh only: until then the worker goes by the one of before.
    const worker = await bed.startWorker(topic, { FARLOG_SYNC_TOPIC_CONFIGS: 'false', FARLOG_REFRESH_INTERVAL: '5m' })
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    await bed.westAdmin.setTopicConfig(`east.${topic}`, 'max.message.bytes', String(8 * KIB))
    await writeBatches()
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    assert.equal(await bed.assertSame(topic), 6 * batch.length)
    await assertHealthy(worker)
  })

  it('halts only the partition whose record it does not take, in the midst of mirroring, and goes on at a higher limit', async () => {
    const topic = 'too-large'
    await bed.eastAdmin.createTopic(topic, 2, { 'max.message.bytes': '4000000' })
    await bed.westAdmin.createTopic(`east.${topic}`, 2, { 'max.message.bytes': '100000' })
    const worker = await bed.startWorker(topic, { FARLOG_SYNC_TOPIC_CONFIGS: 'false' })
    for (const partition of [0, 1]) await bed.write(topic, partition, 10)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    await bed.writer.write(topic, 1, [{ value: 'before' }, { value: Buffer.alloc(200_000, 'x') }, { value: 'behind' }])
    const { reason, detail, nextSourceOffset } = await halted(worker, topic, 1)
    assert.equal(reason, 'record-too-large')
    assert.match(detail!, /source offset 11\b.* 2\d{5} bytes.*east\.too-large takes 100000\b/)
    assert.equal(nextSourceOffset, 11)
    await bed.write(topic, 0, 10)
    await until(async () => (await bed.copied(topic, 0)).length === 20, { describe: 'the other partition' })
    await bed.westAdmin.setTopicConfig(`east.${topic}`, 'max.message.bytes', '1000000')
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    assert.equal(await bed.assertSame(topic), 33)
    await assertHealthy(worker)
  })

  for (const side of ['destination', 'source'] as const) {
    const itInTime = side === 'source' ? itAtLength : it
    itInTime(
      `holds a worker back by the ${side}’s quota without a retry or a time-out, says so, and gets everything`,
      async () => {
        const topic = `throttled-at-${side}`
        const topics = [{ name: topic, partitions: 4 }]
        await produce({ bootstrap: bed.east.bootstrap, topics, records: 10_000, valueBytes: 1_200, shape: 'plain' })
        const [admin, what] =
          side === 'source' ? ([bed.eastAdmin, 'reading'] as const) : ([bed.westAdmin, 'writing'] as const)
        // Some 12 MB, which is longer under way than the 20 s after which an unanswered request is given up.
        await admin.limitClients(what, 400 * KIB)
        try {
          const worker = await bed.startWorker(topic)
          await caughtUp(worker, bed.eastAdmin, topic, { partitions: 4, timeoutMs: 120_000 })
          const metrics = await worker.metrics()
          const operation = side === 'source' ? 'fetch' : 'produce'
          assert.equal(metrics.sum('farlog_retries_total', { operation }) ?? 0, 0)
          assert.ok(metrics.sum('farlog_throttled_seconds_total', { side })! > 5)
          const alias = side === 'source' ? 'east' : 'west'
          await logged(worker, new RegExp(`a quota at ${alias} holds the flow back`))
          await assertHealthy(worker)
        } finally {
          await admin.limitClients(what)
        }
        assert.equal(await bed.assertSame(topic), 10_000)
      }
    )
  }
})
