import assert from 'node:assert/strict'
import {
  checkpointsTopic,
  type EncodedRecord,
  encodeCheckpoint,
  encodeHeartbeat,
  encodeOffsetSync,
  offsetSyncsTopic
} from '../../src/offsets/mm2-format.ts'
import { Bed } from '../fault/support/bed.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { javaCommand } from '../support/java.ts'
import { javaTool } from '../support/java-tools.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { placeOf } from '../support/mirrored-groups.ts'
import { produce } from '../support/produce.ts'
import { runToEnd } from '../support/run-to-end.ts'
import { until } from '../support/wait.ts'

const GROUP = 'Käufer'
const CHECKPOINTS = checkpointsTopic('east')
const SYNCS = offsetSyncsTopic('east')
const HEARTBEATS = 'east.heartbeats'

/** What MirrorMaker 2's own classes, client and console formatters read at a destination. */
describe('what farlog writes in MirrorMaker 2’s formats', function () {
  this.timeout(180_000)

  let west: KafkaCluster

  before(async () => {
    west = await startKafka({ name: 'west' })
    await emit(west.bootstrap)
  })

  after(() => west?.stop())

  it('is decoded by Kafka’s own classes, and followed by MirrorClient and RemoteClusterUtils', async () => {
    const topics = { checkpoints: CHECKPOINTS, syncs: SYNCS, heartbeats: HEARTBEATS }
    const lines = await linesOf(
      await javaTool('Mm2Reader', { bootstrap: west.bootstrap, source: 'east', group: GROUP, ...topics })
    )
    const newest = `{east.orders-0=110 '', east.orders-1=7 'pàge 3'}`
    assert.deepEqual(lines, [
      ...SHOWN.checkpoints,
      ...SHOWN.syncs,
      ...SHOWN.heartbeats,
      `remoteConsumerOffsets ${newest}`,
      `checkpointTopics [${CHECKPOINTS}]`,
      `heartbeatTopics [${HEARTBEATS}]`,
      'upstreamClusters [east]',
      'replicationHops 1',
      `translateOffsets ${newest}`
    ])
  })

  for (const [formatter, topic, shown] of [
    ['CheckpointFormatter', CHECKPOINTS, 'checkpoints'],
    ['OffsetSyncFormatter', SYNCS, 'syncs'],
    ['HeartbeatFormatter', HEARTBEATS, 'heartbeats']
  ] as const) {
    it(`is shown by the console consumer with ${formatter}`, async () => {
      const expected = SHOWN[shown]
      const where = ['--bootstrap-server', west.bootstrap, '--topic', topic, '--from-beginning']
      const how = ['--formatter', `org.apache.kafka.connect.mirror.formatters.${formatter}`]
      const until = ['--max-messages', String(expected.length), '--timeout-ms', '30000']
      const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
      const lines = await linesOf(javaCommand(main, [...where, ...how, ...until], { heapMb: 256, logLevel: 'error' }))
      assert.deepEqual(lines, expected)
    })
  }
})

/** The same client at the destination of a worker that runs. */
describe('what a farlog worker writes', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start()
  })

  after(() => bed?.[Symbol.asyncDispose]())

  it('is what MirrorClient has a consumer go on from: the very offsets that farlog commits for the group', async () => {
    await bed.startWorker('followed-.*', { FARLOG_CHECKPOINT_INTERVAL: '500ms', FARLOG_HEARTBEAT_INTERVAL: '200ms' })
    const topics = ['followed-1', 'followed-2']
    await produce({
      bootstrap: bed.east.bootstrap,
      topics: topics.map(name => ({ name, partitions: 2, compression: 'lz4' })),
      ...{ records: 4_000, shape: 'plain', transactionRecords: 30, abortPercent: 30, valueBytes: 40 }
    })
    await bed.eastAdmin.createTopic('followed-empty')
    await bed.eastAdmin.commitOffsets(GROUP, 'followed-empty', [[0, 0]])
    {
      await using consumer = await GroupConsumer.join(bed.east.bootstrap, GROUP, topics)
      await consumer.read(1_300)
      consumer.commit()
    }
    const committed = async (admin: KafkaAdmin, prefix: string) => {
      const offsets: [string, number][] = []
      for (const topic of [...topics, 'followed-empty']) {
        for (const [partition, offset] of await admin.committedOffsets(GROUP, prefix + topic)) {
          offsets.push([`${prefix}${topic}-${partition}`, offset])
        }
      }
      return offsets
    }
    const atSource = await committed(bed.eastAdmin, '')
    assert.ok(atSource.length > 1)
    const places = await until(
      async () => {
        const atDestination = await committed(bed.westAdmin, 'east.')
        for (const [topic, offset] of atSource) {
          const [, name, partition] = /^(.*)-(\d+)$/.exec(topic)!
          const west = { bootstrap: bed.west.bootstrap, admin: bed.westAdmin }
          const expected = await placeOf(west, `east.${name}`, Number(partition), offset)
          assert.equal(new Map(atDestination).get(`east.${topic}`), expected, topic)
        }
        return atDestination.length === atSource.length ? atDestination : undefined
      },
      { timeoutMs: 60_000, describe: 'the group to be brought along' }
    )
    const seen = await until(
      async () => {
        const read = { bootstrap: bed.west.bootstrap, source: 'east', group: GROUP }
        const lines = await linesOf(
          await javaTool('Mm2Reader', { ...read, checkpoints: CHECKPOINTS, syncs: SYNCS, heartbeats: HEARTBEATS })
        )
        return lines.some(line => line.startsWith('Heartbeat{')) ? lines : undefined
      },
      { timeoutMs: 60_000, describe: 'heartbeats to arrive' }
    )
    const line = (name: string) => seen.find(each => each.startsWith(`${name} `))?.slice(name.length + 1)
    const expected = `{${places
      .map(([partition, offset]) => `${partition}=${offset} ''`)
      .toSorted()
      .join(', ')}}`
    assert.equal(line('remoteConsumerOffsets'), expected)
    assert.equal(line('translateOffsets'), expected)
    assert.equal(line('checkpointTopics'), `[${CHECKPOINTS}]`)
    assert.equal(line('heartbeatTopics'), `[${HEARTBEATS}]`)
    assert.equal(line('upstreamClusters'), '[east]')
    assert.equal(line('replicationHops'), '1')
    assert.ok(
      seen.every(
        each => !each.startsWith('Heartbeat{') || each.includes('sourceClusterAlias=west, targetClusterAlias=east')
      )
    )
    const synced = new Set(seen.map(each => /^OffsetSync\{topicPartition=(.*?),/.exec(each)?.[1]))
    assert.deepEqual(
      atSource.filter(([partition]) => !synced.has(partition)),
      [['followed-empty-0', 0]]
    )
  })
})

/** As the `toString` of Kafka's classes has it. */
const SHOWN = {
  checkpoints: [
    checkpointLine(GROUP, 'east.orders-0', 100, 90, ''),
    checkpointLine(GROUP, 'east.orders-1', 9, 7, 'pàge 3'),
    checkpointLine('other', 'east.orders-0', 5, 5, ''),
    checkpointLine(GROUP, 'east.orders-0', 120, 110, '')
  ],
  syncs: [
    'OffsetSync{topicPartition=orders-0, upstreamOffset=100, downstreamOffset=90}',
    'OffsetSync{topicPartition=orders-2147483647, upstreamOffset=9007199254740991, downstreamOffset=0}'
  ],
  heartbeats: ['Heartbeat{sourceClusterAlias=west, targetClusterAlias=east, timestamp=1700000000000}']
}

/** Stands for the farlog that writes all of this. */
async function emit(bootstrap: string): Promise<void> {
  await using admin = new KafkaAdmin(bootstrap)
  await using writer = new BatchWriter(bootstrap)
  const write = async (topic: string, records: readonly EncodedRecord[]) => {
    await admin.createTopic(topic, 1, { 'cleanup.policy': 'compact' })
    await writer.write(topic, 0, records)
  }
  const checkpoint = { group: GROUP, topic: 'east.orders', partition: 0, metadata: '' }
  await write(CHECKPOINTS, [
    encodeCheckpoint({ ...checkpoint, upstreamOffset: 100, downstreamOffset: 90 }),
    encodeCheckpoint({ ...checkpoint, partition: 1, upstreamOffset: 9, downstreamOffset: 7, metadata: 'pàge 3' }),
    encodeCheckpoint({ ...checkpoint, group: 'other', upstreamOffset: 5, downstreamOffset: 5 }),
    encodeCheckpoint({ ...checkpoint, upstreamOffset: 120, downstreamOffset: 110 })
  ])
  await write(SYNCS, [
    encodeOffsetSync({ topic: 'orders', partition: 0, upstreamOffset: 100, downstreamOffset: 90 }),
    encodeOffsetSync({
      topic: 'orders',
      partition: 2 ** 31 - 1,
      upstreamOffset: Number.MAX_SAFE_INTEGER,
      downstreamOffset: 0
    })
  ])
  await write(HEARTBEATS, [encodeHeartbeat({ source: 'west', target: 'east', timestampMs: 1_700_000_000_000 })])
}

function checkpointLine(
  group: string,
  partition: string,
  upstream: number,
  downstream: number,
  metadata: string
): string {
  return (
    `Checkpoint{consumerGroupId=${group}, topicPartition=${partition}, upstreamOffset=${upstream}, ` +
    `downstreamOffset=${downstream}, metadata=${metadata}}`
  )
}

async function linesOf(command: readonly string[]): Promise<string[]> {
  const { stdout } = await runToEnd(command)
  return stdout.split('\n').filter(line => line !== '')
}
