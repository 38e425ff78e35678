import assert from 'node:assert/strict'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import { startProducing } from '../support/produce.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, Bed, halted } from './support/bed.ts'

/** What is deleted and made again at the source is looked at in test/integration/trouble.test.ts. */
describe('topics that are deleted while they are mirrored', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start()
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('are made again at the destination, which is said, and hold all that comes from then on, without a hole', async () => {
    const topics = [{ name: 'dropped', partitions: 2 }]
    await using producing = await startProducing({ bootstrap: bed.east.bootstrap, topics, records: 0, rate: 3_000 })
    await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
    const worker = await bed.startWorker('dropped')
    // Under load, so that batches are in flight whenever the topic goes.
    for (let deletion = 1; deletion <= 3; deletion++) {
      await recordsArrive()
      await bed.westAdmin.deleteTopic('east.dropped')
      await until(() => count(worker, 'destination topic created') > deletion, {
        describe: 'the topic to be made again'
      })
    }
    await recordsArrive()
    await producing.stop()
    await caughtUp(worker, bed.eastAdmin, 'dropped', { partitions: 2 })
    const ends = await bed.eastAdmin.offsets('dropped', 2)
    for (const { partition, highWatermark } of ends) {
      const offsets = await bed.copied('dropped', partition)
      const first = offsets[0]!
      assert.deepEqual(
        offsets,
        Array.from({ length: highWatermark - first }, (_, i) => first + i)
      )
    }
    const retries = (await worker.metrics()).sum('farlog_retries_total') ?? 0
    assert.ok(retries < 2_000, `${retries} retries for three deletions`)
    await assertHealthy(worker)
  })

  function recordsArrive(): Promise<boolean> {
    return until(
      async () => (await bed.westAdmin.offsets('east.dropped', 2)).every(({ highWatermark }) => highWatermark > 1_000),
      { describe: 'records to arrive' }
    )
  }

  it('are let go of when the source has deleted them, and the others go on', async () => {
    for (const topic of ['going.first', 'going.second']) await createWithRecords(topic)
    const worker = await bed.startWorker('going.*')
    for (const topic of ['going.first', 'going.second']) await caughtUp(worker, bed.eastAdmin, topic)
    await progressIsCommitted(worker, 'going.first')
    await isDeletedAndLetGo(worker, 'going.first')
    await bed.write('going.second', 0, 20)
    await caughtUp(worker, bed.eastAdmin, 'going.second')
    assert.equal(await bed.assertSame('going.second'), 40)
    assert.equal((await worker.metrics()).sum('farlog_lag_records'), 0)
    await isRecognisedWhenRemade(worker, 'going.first')
  })

  it('are recognised when they are made again, also when they were gone before their progress was ever committed', async () => {
    await createWithRecords('short-lived')
    const worker = await bed.startWorker('short-lived')
    await caughtUp(worker, bed.eastAdmin, 'short-lived')
    await isDeletedAndLetGo(worker, 'short-lived')
    await isRecognisedWhenRemade(worker, 'short-lived')
  })

  async function createWithRecords(topic: string): Promise<void> {
    await bed.eastAdmin.createTopic(topic)
    await bed.write(topic, 0, 20)
  }

  async function isDeletedAndLetGo(worker: FarlogProcess, topic: string): Promise<void> {
    await bed.eastAdmin.deleteTopic(topic)
    await until(async () => (await partitionsOf(worker, topic)).length === 0, { describe: `${topic} to be let go of` })
    assert.equal((await bed.copied(topic)).length, 20)
  }

  /** Where the group's own offsets are gone with the topic, too. */
  async function progressIsCommitted(worker: FarlogProcess, topic: string): Promise<void> {
    const { groupId } = (await worker.status()).flows[0]!
    await until(async () => (await bed.westAdmin.committedOffsets(groupId, `east.${topic}`)).get(0) === 20, {
      describe: 'progress to be committed'
    })
  }

  /** Other records under the same name are not put behind those of before in silence. */
  async function isRecognisedWhenRemade(worker: FarlogProcess, topic: string): Promise<void> {
    await bed.eastAdmin.createTopic(topic)
    await bed.write(topic, 0, 30, 100)
    const { reason, detail } = await halted(worker, topic)
    assert.equal(reason, 'recreated')
    assert.match(detail!, new RegExp(`${topic} was deleted and made again`))
    assert.equal((await bed.copied(topic)).length, 20)
  }
})

function count(worker: FarlogProcess, message: string): number {
  return worker.logs.filter(({ msg }) => msg.includes(message)).length
}
