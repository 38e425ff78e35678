/** How much the links carry, measured with a bounded amount of real work. */
import { randomBytes } from 'node:crypto'
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { fetchBatches } from '../cluster/fetch-batches.ts'
import { EARLIEST, LATEST, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { produce } from '../cluster/produce.ts'
import { lastBatchIn } from '../records/batch.ts'
import { BatchBuilder } from '../records/batch-builder.ts'
import { BufferPool } from '../records/buffer-pool.ts'
import { Codec } from '../records/codecs.ts'
import { writeVarint } from '../records/varint.ts'
import { megabytes } from './cluster-checks.ts'
import { Notes, type Tell } from './finding.ts'

/** Both bounds hold: whichever comes first ends the measurement. */
const LINK_BYTES_MAX = 32 * 1024 * 1024
const LINK_MS_MAX = 3_000

const CONNECTIONS = 4
/** Candidates among which the largest partitions are looked for. */
const PARTITIONS_ASKED_MAX = 2_000
const FETCH_BYTES = 4 * 1024 * 1024
/** Less than that says nothing of a link. */
const TELLING_BYTES_MIN = 256 * 1024
/** Read from so near the end: what is further away may have to come from a disk. */
const RECORDS_FROM_END = 200_000

interface Measured {
  readonly bytes: number
  readonly ms: number
}

/** Reads committed data of the source as a worker would, over some connections side by side. */
export async function checkSourceLink(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  tell: Tell
): Promise<void> {
  const notes = new Notes('link', cluster.alias, tell)
  try {
    const { bytes, ms } = await readLargest(cluster, partitions.slice(0, PARTITIONS_ASKED_MAX))
    if (bytes < TELLING_BYTES_MIN) {
      notes.skipped(`the selected topics hold too little to measure by (${bytes} bytes could be read)`)
      return
    }
    notes.ok(`${rateText({ bytes, ms })} read`)
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    notes.skipped(`could not be measured: ${error.message}`)
  }
}

/** Writes random records to a topic that was named for it. */
export async function checkDestinationLink(cluster: Cluster, topic: string, tell: Tell): Promise<void> {
  const notes = new Notes('link', cluster.alias, tell)
  try {
    await cluster.refresh([topic])
    const partitions = cluster.topic(topic)?.partitions.length ?? 0
    if (partitions === 0) {
      notes.problem(`there is no topic ${topic} to write to`, 'make it, or name another one by --write-test')
      return
    }
    notes.ok(`${rateText(await write(cluster, topic, Math.min(partitions, CONNECTIONS)))} written to ${topic}`)
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    notes.problem(`writing to ${topic}: ${error.message}`, null)
  }
}

async function readLargest(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<Measured> {
  const [starts, ends] = await Promise.all([
    listOffsets(cluster, partitions, EARLIEST, 'read_committed'),
    listOffsets(cluster, partitions, LATEST, 'read_committed')
  ])
  const startOf = new Map(starts.filter(({ error }) => error === 'NONE').map(at => [partitionKey(at), at.offset]))
  const largest = ends
    .filter(at => at.error === 'NONE' && startOf.has(partitionKey(at)))
    .map(end => ({ ...end, from: Math.max(startOf.get(partitionKey(end))!, end.offset - RECORDS_FROM_END) }))
    .toSorted((a, b) => b.offset - b.from - (a.offset - a.from))
    .slice(0, CONNECTIONS)
  const reading = new Bounded(largest.length)
  // Connections are made before the clock runs.
  await Promise.all(largest.map((at, index) => readOnce(cluster, at, at.from, index, 1)))
  return reading.run(async (index, isOver) => {
    const partition = largest[index]!
    let bytes = 0
    for (let position = partition.from; position < partition.offset && !isOver(bytes); ) {
      const read = await readOnce(cluster, partition, position, index, FETCH_BYTES)
      if (read.nextPosition <= position) break
      position = read.nextPosition
      bytes += read.bytes
    }
    return bytes
  })
}

async function readOnce(
  cluster: Cluster,
  partition: TopicPartition,
  position: number,
  index: number,
  maxBytes: number
) {
  const purpose = `link-${index}`
  const fetched = await fetchBatches(cluster, partition, position, { purpose, maxBytes, doing: 'reading' })
  try {
    const nextPosition = (lastBatchIn(fetched.records)?.lastOffset ?? position - 1) + 1
    return { bytes: fetched.records.length, nextPosition }
  } finally {
    fetched.release()
  }
}

const BATCH_BYTES = 512 * 1024

/** Without a producer id: nobody's sequence is touched. */
async function write(cluster: Cluster, topic: string, partitions: number): Promise<Measured> {
  const batch = randomBatch()
  const send = async (partition: number) => {
    const leader = cluster.leaderOf(topic, partition)
    if (leader === undefined)
      throw new ClusterError('LEADER_NOT_AVAILABLE', `${topic}-${partition} has no leader`, true)
    const connection = await cluster.batchBroker(leader.nodeId, `link-${partition}`)
    const answer = await produce(connection, [{ topic, partition, batch }])
    const error = answer.partitions[0]?.error ?? 'BAD_RESPONSE'
    if (error !== 'NONE') throw new ClusterError(error, `${topic}-${partition}: ${error}`, false)
  }
  const writing = new Bounded(partitions)
  return writing.run(async (partition, isOver) => {
    let bytes = 0
    while (!isOver(bytes)) {
      await send(partition)
      bytes += batch.length
    }
    return bytes
  })
}

/** One record with a value that does not compress, and a key that says where it came from. */
function randomBatch(): Buffer {
  const key = Buffer.from('farlog doctor --write-test')
  const value = randomBytes(BATCH_BYTES)
  const body = Buffer.alloc(64 + key.length + value.length)
  let at = 1
  at = writeVarint(body, 0, at)
  at = writeVarint(body, 0, at)
  at = writeVarint(body, key.length, at)
  at += key.copy(body, at)
  at = writeVarint(body, value.length, at)
  at += value.copy(body, at)
  at = writeVarint(body, 0, at)
  const builder = new BatchBuilder(new BufferPool(0), Codec.none, body.length + 128)
  builder.ensure(at + 5)
  const start = writeVarint(builder.bytes, at, builder.length)
  body.copy(builder.bytes, start, 0, at)
  builder.added(0, Date.now(), start + at)
  return builder.seal({ producerId: -1, producerEpoch: -1, baseSequence: -1 }).bytes
}

/** Lanes side by side that together keep to the bounds. */
class Bounded {
  readonly #lanes: number

  constructor(lanes: number) {
    this.#lanes = lanes
  }

  async run(lane: (index: number, isOver: (bytes: number) => boolean) => Promise<number>): Promise<Measured> {
    const startedAtMs = performance.now()
    const isOver = (bytes: number) =>
      bytes >= LINK_BYTES_MAX / this.#lanes || performance.now() - startedAtMs >= LINK_MS_MAX
    const bytes = await Promise.all(Array.from({ length: this.#lanes }, (_, index) => lane(index, isOver)))
    return { bytes: bytes.reduce((sum, one) => sum + one, 0), ms: performance.now() - startedAtMs }
  }
}

function rateText({ bytes, ms }: Measured): string {
  return `${megabytes((bytes / ms) * 1000)}/s (${megabytes(bytes)} in ${(ms / 1000).toFixed(1)} s)`
}
