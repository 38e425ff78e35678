import assert from 'node:assert/strict'
import { digest, type PartitionDigest } from '../support/digest.ts'
import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { type Compression, produce } from '../support/produce.ts'
import { until } from '../support/wait.ts'

/** The writer and the reader are Kafka's own Java clients: nothing of farlog takes part in judging farlog. */
describe('a copy, judged from outside', function () {
  this.timeout(300_000)

  const compressions: Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const mixed = compressions.map(compression => ({ name: `mixed-${compression}`, partitions: 4, compression }))
  const tiny = [{ name: 'tiny-batches', partitions: 2, compression: 'none' as const }]
  const transactional = [{ name: 'transactions', partitions: 3, compression: 'lz4' as const }]
  const topics = [...mixed, ...tiny, ...transactional].map(topic => topic.name)
  let east: KafkaCluster
  let west: KafkaCluster
  let worker: FarlogProcess

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    const bootstrap = east.bootstrap
    await produce({ bootstrap, topics: mixed, records: 900_000, seed: 1 })
    await produce({ bootstrap, topics: tiny, records: 20_000, seed: 2, lingerMs: 0, batchBytes: 0 })
    await produce({
      bootstrap,
      topics: transactional,
      records: 80_000,
      seed: 3,
      transactionRecords: 50,
      abortPercent: 30
    })
    worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap
    })
    await worker.waitReady()
    await until(async () => (await worker.status()).flows[0]!.exposure.records === 0, {
      timeoutMs: 200_000,
      describe: 'the backlog to be mirrored'
    })
  })

  after(async () => {
    await worker?.[Symbol.asyncDispose]()
    await Promise.all([east?.stop(), west?.stop()])
  })

  it('holds every record once, in order, equal in key, value, headers and timestamp', async () => {
    const source = await digest({ bootstrap: east.bootstrap, topics })
    const copy = await digest({ bootstrap: west.bootstrap, topics: topics.map(topic => `east.${topic}`) })
    assert.equal(total(source), 1_000_000)
    assert.deepEqual(
      copy.map(({ topic, partition, records, digest }) => ({ topic, partition, records, digest })),
      source.map(({ topic, partition, records, digest }) => ({ topic: `east.${topic}`, partition, records, digest }))
    )
    for (const partition of copy) {
      const { notExactlyOneOrigin, originNotIncreasing, duplicates, aborted, sequenceBreaks } = partition
      const faults = { notExactlyOneOrigin, originNotIncreasing, duplicates, aborted, sequenceBreaks }
      const none = { notExactlyOneOrigin: 0, originNotIncreasing: 0, duplicates: 0, aborted: 0, sequenceBreaks: 0 }
      assert.deepEqual(faults, none, `${partition.topic}-${partition.partition}`)
    }
  })

  it('shows lag, state and latency as metrics', async () => {
    const metrics = await worker.metrics()
    assert.equal(metrics.sum('farlog_records_total'), 1_000_000)
    assert.equal(metrics.sum('farlog_lag_records'), 0)
    const weekSeconds = 7 * 86_400
    assert.deepEqual(new Set(metrics.values('farlog_retention_margin_seconds')), new Set([weekSeconds]))
  })
})

function total(digests: readonly PartitionDigest[]): number {
  return digests.reduce((sum, { records }) => sum + records, 0)
}
