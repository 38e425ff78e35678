/**
 * The floor: source batches go to the destination as they are, over farlog's own transport. Each is stamped with a
 * producer id and a sequence (so its CRC is computed anew, once); nothing is verified, no header is added, no progress
 * kept. One topic, read from the beginning.
 */
import { crc32c } from '@node-rs/crc32'
import type { BatchConnection } from '../../src/cluster/batch-connection.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import { type FetchedPartition, fetch } from '../../src/cluster/fetch.ts'
import { type ProducePartition, produce } from '../../src/cluster/produce.ts'
import { TopicAdmin } from '../../src/cluster/topic-admin.ts'
import { Fence } from '../../src/destination/fence.ts'
import {
  type BatchView,
  batchesIn,
  OFFSET_ATTRIBUTES,
  OFFSET_BASE_OFFSET,
  OFFSET_BASE_SEQUENCE,
  OFFSET_CRC,
  OFFSET_LEADER_EPOCH,
  OFFSET_PRODUCER_EPOCH,
  OFFSET_PRODUCER_ID,
  writeInt64
} from '../../src/records/batch.ts'
import { BufferPool } from '../../src/records/buffer-pool.ts'
import { plainCluster } from '../../test/support/plain-cluster.ts'
import type { CopyOrder } from './contender.ts'

const FETCH_BYTES_MAX = 8 * 1024 * 1024
const PARTITION_BYTES_MAX = 1024 * 1024
const IN_FLIGHT_MAX = 5

const order = JSON.parse(process.argv[2]!) as CopyOrder
const pool = new BufferPool(64 * 1024 * 1024)
const source = new Cluster(plainCluster('source', order.sourceBootstrap), 'floor', pool)
const destination = new Cluster(plainCluster('destination', order.destinationBootstrap), 'floor', pool)
const copy = `${order.alias}.${order.topics}`

await source.refresh([order.topics])
const { partitions, topicId } = source.topic(order.topics)!
await new TopicAdmin(destination.config, 'floor').createTopic({
  name: copy,
  partitions: partitions.length,
  replicationFactor: undefined,
  configs: []
})
while (destination.leaderOf(copy, partitions.length - 1) === undefined) await destination.refresh([copy])
const identity = await new Fence(destination).anonymous(AbortSignal.timeout(30_000))
const positions = partitions.map(() => 0)
const sequences = partitions.map(() => 0)
const from = await source.batchBroker(source.leaderOf(order.topics, 0)!.nodeId, 'fetch')
const to = await destination.batchBroker(destination.leaderOf(copy, 0)!.nodeId, 'produce')
await relay(from, to)

async function relay(from: BatchConnection, to: BatchConnection): Promise<void> {
  const inFlight: Promise<unknown>[] = []
  let request = fetchNext(from)
  for (;;) {
    const response = await request
    const waves = wavesOf(response.partitions)
    request = fetchNext(from)
    const sent: Promise<unknown>[] = []
    for (const wave of waves) {
      if (inFlight.length >= IN_FLIGHT_MAX) await inFlight.shift()
      const produced = produce(to, wave)
      inFlight.push(produced)
      sent.push(produced)
    }
    void Promise.all(sent).then(response.release)
  }
}

function fetchNext(connection: BatchConnection) {
  return fetch(connection, {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: FETCH_BYTES_MAX,
    readCommitted: true,
    sessionId: 0,
    sessionEpoch: -1,
    partitions: positions.map((fetchOffset, partition) => ({
      topicId,
      partition,
      leaderEpoch: -1,
      fetchOffset,
      lastFetchedEpoch: -1,
      maxBytes: PARTITION_BYTES_MAX
    })),
    forgotten: []
  })
}

/** The protocol takes one batch of a partition in each request: the first of each, then the second of each, and so on. */
function wavesOf(fetched: readonly FetchedPartition[]): ProducePartition[][] {
  const waves: ProducePartition[][] = []
  for (const { partition, records } of fetched) {
    let wave = 0
    for (const batch of batchesIn(records)) {
      if (batch.lastOffset < positions[partition]!) continue
      positions[partition] = batch.lastOffset + 1
      if (batch.isControl) continue
      waves[wave] ??= []
      waves[wave++]!.push({ topic: copy, partition, batch: stamp(batch, partition) })
    }
  }
  return waves
}

function stamp(batch: BatchView, partition: number): Buffer {
  const bytes = batch.bytes.subarray(batch.start, batch.end)
  writeInt64(bytes, 0, OFFSET_BASE_OFFSET)
  bytes.writeInt32BE(-1, OFFSET_LEADER_EPOCH)
  writeInt64(bytes, identity.producerId, OFFSET_PRODUCER_ID)
  bytes.writeInt16BE(identity.producerEpoch, OFFSET_PRODUCER_EPOCH)
  bytes.writeInt32BE(sequences[partition]!, OFFSET_BASE_SEQUENCE)
  sequences[partition]! += batch.recordCount
  bytes.writeUInt32BE(crc32c(bytes.subarray(OFFSET_ATTRIBUTES)), OFFSET_CRC)
  return bytes
}
