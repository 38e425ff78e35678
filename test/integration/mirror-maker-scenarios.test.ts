import assert from 'node:assert/strict'
import { Bed, logged } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { runFarlog } from '../support/farlog-process.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { startMirrorMaker } from '../support/mirror-maker.ts'
import { assertMonotonicCheckpoints, placeOf, readCheckpoints } from '../support/mirrored-groups.ts'
import { produce } from '../support/produce.ts'
import { readRecords } from '../support/read-records.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/wait.ts'

const ENV = { FARLOG_CHECKPOINT_INTERVAL: '500ms', FARLOG_HEARTBEAT_INTERVAL: '0s' }

/** What Kafka's own integration tests of MirrorMaker 2 show of it, asked of farlog, and more exactly where it can be. */
describe('the scenarios of MirrorMaker 2’s integration tests', function () {
  this.timeout(300_000)
  let bed: Bed
  before(async () => {
    bed = await Bed.start()
  })
  afterEach(() => bed.killWorkers())
  after(() => bed?.[Symbol.asyncDispose]())

  it('replication with an empty partition: the group has a place there, too, before its first record', async () => {
    const [topic, group] = ['partly-empty', 'waiting']
    await bed.eastAdmin.createTopic(topic, 3)
    for (const partition of [0, 1]) await bed.write(topic, partition, 10)
    // As a consumer that was given all three and has read to the end.
    await bed.eastAdmin.commitOffsets(group, topic, [
      [0, 10],
      [1, 10],
      [2, 0]
    ])
    const worker = await bed.startWorker(topic, ENV)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 3 })
    await bringsAlong(group, topic, [10, 10, 0])
    // MirrorMaker 2 leaves the empty partition out, and one who begins at the latest record there would miss this one.
    await bed.write(topic, 2, 1)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 3 })
    await using consumer = await GroupConsumer.join(bed.west.bootstrap, group, [`east.${topic}`], 'latest')
    assert.deepEqual(
      (await consumer.readToEnd()).map(({ partition, value }) => [partition, value]),
      [[2, `${topic} 0`]]
    )
  })

  it('one-way replication with offset sync: nothing is read again, in old and new topics and partitions', async () => {
    const [first, second, group] = ['one-way-1', 'one-way-2', 'commuter']
    await bed.eastAdmin.createTopic(first, 2)
    for (const partition of [0, 1]) await bed.write(first, partition, 50)
    await readAtSource(group, [first], 100)
    const worker = await bed.startWorker('one-way-.*', ENV)
    // A group that is ahead of its copy is brought to the copy's end, which moves on.
    await caughtUp(worker, bed.eastAdmin, first, { partitions: 2 })
    await bringsAlong(group, first, [50, 50])
    assert.deepEqual(await readAtDestination(group, [first]), [])

    await bed.eastAdmin.createTopic(second, 2)
    await bed.eastAdmin.addPartitions(first, 4)
    for (const partition of [0, 1]) await bed.write(second, partition, 30)
    for (const partition of [1, 2, 3]) await bed.write(first, partition, 20, 50)
    await readAtSource(group, [first, second], 120)
    await caughtUp(worker, bed.eastAdmin, first, { partitions: 4 })
    await caughtUp(worker, bed.eastAdmin, second, { partitions: 2 })
    await bringsAlong(group, first, [50, 70, 20, 20])
    await bringsAlong(group, second, [30, 30])
    // What is written now has been read on neither side.
    await bed.write(first, 0, 3, 100)
    await caughtUp(worker, bed.eastAdmin, first, { partitions: 4 })
    const rest = (await readAtDestination(group, [first, second])).map(({ value }) => value)
    assert.deepEqual(rest, [`${first} 100`, `${first} 101`, `${first} 102`])
    await assertMonotonicCheckpoints(bed.west.bootstrap, 'east', each => each === group)
    const backwards = (await bed.eastAdmin.topics()).filter(name => name.startsWith('west.'))
    assert.deepEqual(backwards, [])
  })

  it('restart: checkpoints of groups that move forwards never go back, whenever the worker is killed', async () => {
    const topic = 'restarted'
    const groups = ['restarted-1', 'restarted-2']
    const random = new SeededRandom(20_260_101)
    await produce({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: topic, partitions: 2, compression: 'lz4' }],
      ...{ records: 4_000, shape: 'plain', valueBytes: 30, transactionRecords: 20, abortPercent: 30 }
    })
    const ends = (await bed.eastAdmin.offsets(topic, 2)).map(({ lastStableOffset }) => lastStableOffset)
    const at = new Map(groups.map(group => [group, [0, 0]]))
    const move = async () => {
      for (const [group, offsets] of at) {
        const next = offsets.map((offset, partition) => Math.min(ends[partition]!, offset + random.integer(0, 150)))
        at.set(group, next)
        await bed.eastAdmin.commitOffsets(group, topic, [
          [0, next[0]!],
          [1, next[1]!]
        ])
      }
    }
    for (let life = 0; life < 3; life++) {
      const worker = await bed.startWorker(topic, ENV)
      await move()
      const before = at.get(groups[0]!)!
      await until(async () => (await newest(groups[0]!, `east.${topic}`))[0]! >= before[0]!, {
        timeoutMs: 90_000,
        describe: `checkpoints in life ${life}`
      })
      const killAtMs = performance.now() + random.between(500, 2_500)
      while (performance.now() < killAtMs) await move()
      worker.kill('SIGKILL')
      await worker.exit
      await move()
    }
    await bed.startWorker(topic, ENV)
    for (const group of groups) await bringsAlong(group, topic, at.get(group)!)
    const written = await assertMonotonicCheckpoints(bed.west.bootstrap, 'east', group => groups.includes(group))
    assert.ok(written > groups.length * 2 * 3, `${written} checkpoints`)
  })

  it('offset translation behind the replication flow: exact also for a group that is far behind, or is sent back', async () => {
    const [topic, group] = ['behind', 'lagging']
    await produce({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: topic, partitions: 2, compression: 'zstd' }],
      ...{ records: 20_000, shape: 'plain', valueBytes: 30, transactionRecords: 37, abortPercent: 25 }
    })
    const worker = await bed.startWorker(topic, ENV)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    const ends = (await bed.eastAdmin.offsets(topic, 2)).map(({ lastStableOffset }) => lastStableOffset)
    for (const part of [0.003, 0.05, 0.9, 1]) {
      const offsets = ends.map(end => Math.floor(end * part))
      await bed.eastAdmin.commitOffsets(group, topic, [...offsets.entries()])
      await bringsAlong(group, topic, offsets)
    }
    const furthest = await bed.westAdmin.committedOffsets(group, `east.${topic}`)
    const back = ends.map(end => Math.floor(end / 10))
    await bed.eastAdmin.commitOffsets(group, topic, [...back.entries()])
    await until(async () => String(await newest(group, `east.${topic}`)) === String(back), { describe: 'to go back' })
    const written = (await readCheckpoints(bed.west.bootstrap, 'east')).filter(each => each.group === group)
    for (const { partition, upstreamOffset, downstreamOffset } of written.slice(-2)) {
      assert.equal(downstreamOffset, await placeIn(`east.${topic}`, partition, upstreamOffset))
    }
    // The checkpoint says so, as MirrorMaker 2's does; the group at the destination is left where it is.
    assert.deepEqual(await bed.westAdmin.committedOffsets(group, `east.${topic}`), furthest)
  })

  it('topic config sync: what was changed at the destination follows the source again, but for its own entries', async () => {
    const topic = 'configured'
    const copy = `east.${topic}`
    await bed.eastAdmin.createTopic(topic, 1, { 'retention.bytes': '1000', 'min.insync.replicas': '1' })
    const worker = await bed.startWorker(topic, ENV)
    await caughtUp(worker, bed.eastAdmin, topic)
    assert.equal((await bed.westAdmin.topicConfig(copy))['retention.bytes'], '1000')
    await bed.westAdmin.setTopicConfig(copy, 'retention.bytes', '2000')
    await bed.westAdmin.setTopicConfig(copy, 'unclean.leader.election.enable', 'true')
    await hasConfig(bed.westAdmin, copy, 'retention.bytes', '1000')
    await bed.eastAdmin.setTopicConfig(topic, 'retention.bytes', null)
    await hasConfig(bed.westAdmin, copy, 'retention.bytes', '-1')
    assert.equal((await bed.westAdmin.topicConfig(copy))['unclean.leader.election.enable'], 'true')
  })

  it('topic creation while running: the new topic is mirrored with its partitions, and its group follows', async () => {
    const worker = await bed.startWorker('created-.*', ENV)
    await worker.waitReady()
    const [topic, group] = ['created-late', 'of-created']
    await bed.eastAdmin.createTopic(topic, 5)
    // Only one of its partitions gets records.
    await bed.write(topic, 0, 40)
    await readAtSource(group, [topic], 40)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 5 })
    await bringsAlong(group, topic, [40])
    assert.deepEqual(await bed.copied(topic), range(0, 40))
    assert.equal((await bed.westAdmin.offsets(`east.${topic}`, 5)).length, 5)
  })

  it('replication from latest: only what came after the start is there, and groups begin with it', async () => {
    const topic = 'from-latest'
    await bed.eastAdmin.createTopic(topic, 2)
    for (const partition of [0, 1]) await bed.write(topic, partition, 10)
    await bed.eastAdmin.commitOffsets('far-behind', topic, [
      [0, 4],
      [1, 0]
    ])
    await bed.eastAdmin.commitOffsets('at-the-end', topic, [
      [0, 10],
      [1, 10]
    ])
    const worker = await bed.startWorker(topic, { ...ENV, FARLOG_START: 'latest' })
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    // Before anything has come at all, so that the first record is missed by nobody.
    for (const group of ['far-behind', 'at-the-end']) await hasOffsets(group, topic, 2)
    for (const partition of [0, 1]) await bed.write(topic, partition, 10, 10)
    await caughtUp(worker, bed.eastAdmin, topic, { partitions: 2 })
    for (const partition of [0, 1]) assert.deepEqual(await bed.copied(topic, partition), range(10, 20))
    for (const group of ['far-behind', 'at-the-end']) {
      const read = await readAtDestination(group, [topic], 'error')
      for (const partition of [0, 1]) {
        const values = read.filter(record => record.partition === partition).map(({ value }) => value)
        assert.deepEqual(
          values,
          range(10, 20).map(number => `${topic} ${number}`),
          group
        )
      }
    }
  })

  it('after a take-over from MirrorMaker 2: a group that is behind what it copied is not led past that', async () => {
    const topic = 'taken-over'
    await bed.eastAdmin.createTopic(topic)
    await bed.write(topic, 0, 300)
    {
      const [source, destination] = [
        { alias: 'east', bootstrap: bed.east.bootstrap },
        { alias: 'west', bootstrap: bed.west.bootstrap }
      ]
      await using _mirrorMaker = await startMirrorMaker({ source, destination, topics: topic })
      await until(async () => (await readRecords(bed.west.bootstrap, `east.${topic}`)).length === 300, {
        timeoutMs: 120_000,
        describe: 'MirrorMaker 2 to copy'
      })
      // It keeps its positions once a minute, and when it is told to stop.
    }
    const env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.bootstrap,
      FARLOG_TOPICS: topic,
      FARLOG_GROUP_ID: `test-${topic}`
    }
    const imported = await runFarlog(['import-mm2', '--assume-stopped'], env)
    assert.equal(imported.code, 0, imported.stderr + imported.stdout)
    await bed.eastAdmin.commitOffsets('behind-mm2', topic, [[0, 100]])
    await bed.eastAdmin.commitOffsets('ahead-of-mm2', topic, [[0, 310]])
    const worker = await bed.startWorker(topic, ENV)
    await logged(worker, /behind-mm2.*taken-over-0 begins with records that do not say where they come from/)
    await bed.write(topic, 0, 20, 300)
    await bringsAlong('ahead-of-mm2', topic, [310])
    // A later pass than the one that has moved the other group.
    await bed.eastAdmin.commitOffsets('ahead-of-mm2', topic, [[0, 315]])
    await bringsAlong('ahead-of-mm2', topic, [315])
    assert.deepEqual(await bed.westAdmin.committedOffsets('behind-mm2', `east.${topic}`), new Map())
    assert.equal((await readRecords(bed.west.bootstrap, `east.${topic}`)).length, 320)
    // Once it has come as far as farlog's own copies it is brought along as any other.
    await bed.eastAdmin.commitOffsets('behind-mm2', topic, [[0, 300]])
    await bringsAlong('behind-mm2', topic, [300])
  })

  /** The group is at the destination where its source offsets have their exact places. */
  async function bringsAlong(group: string, topic: string, offsets: readonly number[]): Promise<void> {
    const copy = `east.${topic}`
    await until(
      async () => {
        const committed = await bed.westAdmin.committedOffsets(group, copy)
        for (const [partition, offset] of offsets.entries()) {
          assert.equal(committed.get(partition), await placeIn(copy, partition, offset), `${copy}-${partition}`)
        }
        return true
      },
      { timeoutMs: 90_000, pauseMs: 200, describe: `${group} to be brought along` }
    )
  }

  function placeIn(copy: string, partition: number, sourceOffset: number): Promise<number> {
    return placeOf({ bootstrap: bed.west.bootstrap, admin: bed.westAdmin }, copy, partition, sourceOffset)
  }

  function hasOffsets(group: string, topic: string, count: number): Promise<unknown> {
    return until(async () => (await bed.westAdmin.committedOffsets(group, `east.${topic}`)).size === count, {
      describe: `${group} to be at the destination`
    })
  }

  /** The source offsets of a group's newest checkpoints, by partition. */
  async function newest(group: string, copy: string): Promise<number[]> {
    const offsets: number[] = []
    for (const each of await readCheckpoints(bed.west.bootstrap, 'east')) {
      if (each.group === group && each.topic === copy) offsets[each.partition] = each.upstreamOffset
    }
    return offsets
  }

  async function readAtSource(group: string, topics: readonly string[], count: number): Promise<void> {
    await using consumer = await GroupConsumer.join(bed.east.bootstrap, group, topics)
    const records = await consumer.read(count)
    assert.equal(records.length, count)
    consumer.commit()
  }

  async function readAtDestination(group: string, topics: readonly string[], reset: 'earliest' | 'error' = 'earliest') {
    const copies = topics.map(topic => `east.${topic}`)
    await using consumer = await GroupConsumer.join(bed.west.bootstrap, group, copies, reset)
    return await consumer.readToEnd(5_000)
  }
})

async function hasConfig(admin: KafkaAdmin, topic: string, name: string, value: string): Promise<void> {
  await until(async () => (await admin.topicConfig(topic))[name] === value, {
    describe: `${topic} to have ${name}=${value}`
  })
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}
