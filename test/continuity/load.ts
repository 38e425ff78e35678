import { BatchWriter } from '../support/batch-writer.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { produce, startProducing } from '../support/produce.ts'
import { readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'
import { COMPACTED, type ContinuityTopic, nameOf, PARTITIONS, TOPICS } from './topics.ts'

/** Over all compacted partitions, of a thousand keys each. */
const PRELOADED_RECORDS = 12_000
const VALUE_BYTES = 60
const TRANSACTION = { transactionRecords: 15, abortPercent: 30 }

/** Makes the topics, and waits until compaction has been through what stands in them. */
export async function prepareSource(
  east: KafkaCluster,
  admin: KafkaAdmin,
  seed: number
): Promise<{ readonly records: number; readonly offsets: number }> {
  for (const { name, partitions, isCompacted } of TOPICS) {
    await admin.createTopic(name, partitions, isCompacted ? COMPACTED : {})
  }
  const compacted = TOPICS.filter(({ isCompacted }) => isCompacted)
  await produce({ ...writing(east.bootstrap, compacted), seed, records: PRELOADED_RECORDS })
  await using writer = new BatchWriter(east.bootstrap)
  const partitions = PARTITIONS.filter(({ topic }) => compacted.some(({ name }) => name === topic))
  let total = { records: 0, offsets: 0 }
  for (const partition of partitions) {
    const { records, offsets } = await until(
      async () => {
        // Only an append closes a segment.
        await writer.write(partition.topic, partition.partition, [
          { key: 'closes a segment', value: nameOf(partition) }
        ])
        const left = await readRecords(east.bootstrap, partition.topic, partition.partition)
        const ends = await admin.offsets(partition.topic, partition.partition + 1)
        const { highWatermark } = ends[partition.partition]!
        return left.length < highWatermark / 2 ? { records: left.length, offsets: highWatermark } : undefined
      },
      { timeoutMs: 120_000, pauseMs: 700, describe: `${nameOf(partition)} to be compacted` }
    )
    total = { records: total.records + records, offsets: total.offsets + offsets }
  }
  return total
}

/** Writes on until it is disposed of, transactions in one half and batches of one record in the other. */
export async function startLoad(bootstrap: string, seed: number, recordsPerSecond: number): Promise<AsyncDisposable> {
  const [transactional, single] = [true, false].map(is =>
    TOPICS.filter(({ isTransactional }) => isTransactional === is)
  )
  const load = { records: 0, rate: recordsPerSecond / 2 }
  const writers = await Promise.all([
    startProducing({ ...writing(bootstrap, transactional!), ...load, ...TRANSACTION, seed: seed + 1 }),
    startProducing({ ...writing(bootstrap, single!), ...load, batchBytes: 0, seed: seed + 2 })
  ])
  // They end badly with the source.
  for (const { finished } of writers) finished.catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(writers.map(writer => writer[Symbol.asyncDispose]()))
    }
  }
}

function writing(bootstrap: string, topics: readonly ContinuityTopic[]) {
  const compressed = topics.map(({ name, compression }) => ({ name, compression }))
  return { bootstrap, topics: compressed, valueBytes: VALUE_BYTES, shape: 'plain', nullKeys: false } as const
}
