import assert from 'node:assert/strict'
import {
  checkpointsTopic,
  type EncodedRecord,
  encodeCheckpoint,
  encodeHeartbeat,
  encodeOffsetSync,
  offsetSyncsTopic
} from '../../src/offsets/mm2-format.ts'
import { BatchWriter } from '../support/batch-writer.ts'
import { javaCommand } from '../support/java.ts'
import { javaTool } from '../support/java-tools.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { runToEnd } from '../support/run-to-end.ts'

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
