import type { Cluster } from '../../src/cluster/cluster.ts'
import type { TopicPartition } from '../../src/cluster/offsets.ts'
import { produce } from '../../src/cluster/produce.ts'
import type { ProducerIdentity } from '../../src/cluster/transactions.ts'
import { BatchBuilder } from '../../src/records/batch-builder.ts'
import { BufferPool } from '../../src/records/buffer-pool.ts'
import { writeVarint } from '../../src/records/varint.ts'

/**
 * Writes records that are nothing but a header each as somebody with this identity, a zombie perhaps. Resolves to the error's name that
 * the leader answers with, `NONE` where it takes them.
 */
export async function writeAs(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  identity: ProducerIdentity,
  baseSequence: number,
  headers: readonly Uint8Array[]
): Promise<string> {
  const builder = new BatchBuilder(new BufferPool(0), 0, 1024)
  for (const [index, header] of headers.entries()) append(builder, index, header)
  const connection = await cluster.batchBroker(cluster.leaderOf(topic, partition)!.nodeId, 'test')
  const batch = builder.seal({ ...identity, baseSequence }).bytes
  const { partitions } = await produce(connection, [{ topic, partition, batch }])
  return partitions[0]!.error
}

/** A record with no key, no value and one header. */
function append(builder: BatchBuilder, index: number, header: Uint8Array): void {
  const body = Buffer.alloc(16 + header.length)
  let at = 1 // attributes
  at = writeVarint(body, 0, at) // timestamp delta
  at = writeVarint(body, index, at)
  at = writeVarint(body, -1, at)
  at = writeVarint(body, -1, at)
  at = writeVarint(body, 1, at)
  body.set(header, at)
  at += header.length
  builder.ensure(at + 5)
  const start = writeVarint(builder.bytes, at, builder.length)
  body.copy(builder.bytes, start, 0, at)
  builder.added(index, 1_700_000_000_000, start + at)
}
