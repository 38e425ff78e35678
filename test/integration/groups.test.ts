import assert from 'node:assert/strict'
import { decodeCheckpoint, decodeOffsetSync } from '../../src/offsets/mm2-format.ts'
import { Bed } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { produce } from '../support/produce.ts'
import { readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

const TOPIC = 'orders'
const COPY = 'east.orders'
const GROUP = 'billing'
const ENV = { FARLOG_CHECKPOINT_INTERVAL: '500ms', FARLOG_HEARTBEAT_INTERVAL: '200ms' }

describe('consumer groups', function () {
  this.timeout(180_000)
  let bed: Bed
  before(async () => {
    bed = await Bed.start()
  })
  afterEach(() => bed.killWorkers())
  after(() => bed?.[Symbol.asyncDispose]())

  it('go on at the destination with the very record after the last one they committed', async () => {
    const worker = await bed.startWorker(TOPIC, ENV)
    await produce({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: TOPIC, partitions: 3, compression: 'lz4' }],
      ...{ records: 6_000, shape: 'plain', transactionRecords: 50, abortPercent: 30, valueBytes: 40 }
    })
    const read = new Set<string>()
    {
      await using consumer = await GroupConsumer.join(bed.east.bootstrap, GROUP, [TOPIC])
      for (const { partition, value } of await consumer.read(2_500)) read.add(`${partition} ${value}`)
      consumer.commit()
      await caughtUp(worker, bed.eastAdmin, TOPIC, { partitions: 3 })
      const committed = await bed.eastAdmin.committedOffsets(GROUP, TOPIC)
      // It is brought along while the application is still at work at the source.
      await until(async () => (await bed.westAdmin.committedOffsets(GROUP, COPY)).size === committed.size, {
        describe: 'the group to be at the destination'
      })
    }
    const all = new Set<string>()
    for (const partition of [0, 1, 2]) {
      for (const { value } of await readRecords(bed.west.bootstrap, COPY, partition)) all.add(`${partition} ${value}`)
    }
    await using successor = await GroupConsumer.join(bed.west.bootstrap, GROUP, [COPY])
    const rest = (await successor.readToEnd()).map(({ partition, value }) => `${partition} ${value}`)
    assert.deepEqual(
      rest.filter(record => read.has(record)),
      [],
      'read twice'
    )
    assert.equal(read.size + rest.length, all.size, 'every record once')
  })

  it('are not touched while they are at work at the destination, and never moved back', async () => {
    const group = 'at-work'
    await bed.startWorker(TOPIC, ENV)
    await using consumer = await GroupConsumer.join(bed.west.bootstrap, group, [COPY])
    await consumer.read(3_000)
    consumer.commit()
    const own = await bed.westAdmin.committedOffsets(group, COPY)
    await using atSource = await GroupConsumer.join(bed.east.bootstrap, group, [TOPIC])
    await atSource.readToEnd()
    atSource.commit()
    const checkpointed = async () => {
      const records = await checkpoints()
      return records.filter(checkpoint => checkpoint.group === group).length === 3
    }
    await until(checkpointed, { describe: 'checkpoints of the group' })
    assert.deepEqual(await bed.westAdmin.committedOffsets(group, COPY), own)
  })

  it('have checkpoints and offset syncs that name the same records on both sides', async () => {
    const copies = await Promise.all([0, 1, 2].map(partition => readRecords(bed.west.bootstrap, COPY, partition)))
    const originOf = (partition: number, destinationOffset: number) => {
      const copy = copies[partition]!.find(({ offset }) => offset === destinationOffset)
      return copy?.headers.find(([name]) => name === 'farlog.origin')?.[1]
    }
    const syncs = (await rawRecords('mm2-offset-syncs.east.internal')).map(
      ([key, value]) => decodeOffsetSync(key, value)!
    )
    assert.ok(syncs.length > 0)
    for (const { topic, partition, upstreamOffset, downstreamOffset } of syncs) {
      assert.equal(originOf(partition, downstreamOffset), `east/${topic}/${partition}/${upstreamOffset}`)
    }
    for (const { topic, partition, upstreamOffset, downstreamOffset } of await checkpoints()) {
      assert.equal(topic, COPY)
      const before = copies[partition]!.filter(({ offset }) => offset < downstreamOffset)
      const after = copies[partition]!.filter(({ offset }) => offset >= downstreamOffset)
      const sourceOffset = (origin: (typeof before)[number]) => Number(origin.headers.at(-1)![1]!.split('/').at(-1))
      assert.ok(before.every(copy => sourceOffset(copy) < upstreamOffset))
      assert.ok(after.every(copy => sourceOffset(copy) >= upstreamOffset))
    }
  })

  it('are looked after by one worker, and by another one when that dies', async () => {
    const workers = [await bed.startWorker(TOPIC, ENV), await bed.startWorker(TOPIC, ENV)]
    const inCharge = async () => {
      const ages = await Promise.all(
        workers.map(async worker => (await worker.metrics()).values('farlog_checkpoint_age_seconds', { group: GROUP }))
      )
      return ages.flatMap((age, index) => (age.length > 0 ? [index] : []))
    }
    await until(async () => (await inCharge()).length === 1, { describe: 'one of them to be in charge' })
    const [first] = await inCharge()
    const dead = workers.splice(first!, 1)[0]!
    dead.kill('SIGKILL')
    await until(async () => (await inCharge()).length === 1, {
      describe: 'the other one to take over',
      timeoutMs: 60_000
    })
    await using consumer = await GroupConsumer.join(bed.east.bootstrap, 'later', [TOPIC])
    await consumer.read(100)
    consumer.commit()
    await until(async () => (await bed.westAdmin.committedOffsets('later', COPY)).size > 0, {
      describe: 'a new group to be brought along'
    })
  })

  it('are shown with the age of their checkpoints, and the flow with the age of its heartbeat', async () => {
    const worker = await bed.startWorker(TOPIC, ENV)
    await until(
      async () => {
        const metrics = await worker.metrics()
        const age = metrics.sum('farlog_heartbeat_age_seconds', { source: 'east', destination: 'west' })
        return age !== undefined && age < 3 && metrics.sum('farlog_group_reprocess_records', { group: GROUP }) === 0
      },
      { describe: 'heartbeats to arrive' }
    )
    assert.ok((await readRecords(bed.west.bootstrap, 'east.heartbeats')).length > 0)
  })

  async function checkpoints() {
    return (await rawRecords('east.checkpoints.internal')).map(([key, value]) => decodeCheckpoint(key, value)!)
  }

  /** Keys and values as bytes. */
  async function rawRecords(topic: string): Promise<[Buffer, Buffer][]> {
    await using consumer = await GroupConsumer.join(bed.west.bootstrap, `raw-${topic}`, [topic])
    return (await consumer.readToEnd()).map(({ key, bytes }) => [key!, bytes!])
  }
})
