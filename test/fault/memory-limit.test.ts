import assert from 'node:assert/strict'
import type { CompressionAlgorithmValue } from '@platformatic/kafka'
import { caughtUp } from '../support/caught-up.ts'
import { itAtLength } from '../support/long.ts'
import { limitMemory } from '../support/memory-limit.ts'
import { produce } from '../support/produce.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, Bed, knownLags } from './support/bed.ts'

const MIB = 1024 * 1024
/** What `farlog doctor` says that a worker with one flow and one thread may take, with the usual batches. */
const USUAL_LIMIT_BYTES = 384 * MIB
/** What docs/sizing.md gives a worker, so that it can take the largest batches too. */
const GENEROUS_LIMIT_BYTES = 1024 * MIB
/** Just below what a batch may expand to (src/records/codecs.ts). */
const LARGEST_BATCH_BYTES = 250 * MIB

const RECORD_BYTES = 10_000
/** Far more, once out of its compression, than the smaller limit; not much as it crosses the link. */
const SWELLING = { partitions: 32, batchBytes: 12 * MIB }
const LARGE = { partitions: 16, records: 64, bytes: 1_000_000 }

/** A container's limit counts all of a worker: its threads, native memory and files in the cache. */
describe('a worker under a limit of memory', function () {
  this.timeout(240_000)

  let bed: Bed

  before(async () => {
    bed = await Bed.start()
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('is not killed by batches that expand to far more than it has, while the destination stands still and after', async () => {
    await bed.eastAdmin.createTopic('swelling', SWELLING.partitions)
    await bed.eastAdmin.createTopic('large', LARGE.partitions, { 'max.message.bytes': String(2 * MIB) })
    await survives(USUAL_LIMIT_BYTES, ['swelling', 'large'], async () => {
      for (let partition = 0; partition < SWELLING.partitions; partition++) {
        await writeBatch('swelling', partition, SWELLING.batchBytes, 'zstd')
      }
      const { records, bytes: valueBytes } = LARGE
      await produce({ bootstrap: bed.east.bootstrap, topics: [{ name: 'large' }], records, valueBytes, shape: 'plain' })
    })
  })

  itAtLength('is not killed by the largest batches of each codec, under what docs/sizing.md gives it', async () => {
    await bed.eastAdmin.createTopic('bombs', 4, { 'max.message.bytes': String(4 * MIB) })
    await survives(GENEROUS_LIMIT_BYTES, ['bombs'], async () => {
      await writeBatch('bombs', 0, LARGEST_BATCH_BYTES, 'zstd')
      await writeBatch('bombs', 1, LARGEST_BATCH_BYTES, 'lz4')
      await writeBatch('bombs', 2, LARGEST_BATCH_BYTES, 'gzip')
      // It compresses much less.
      await writeBatch('bombs', 3, LARGEST_BATCH_BYTES / 4, 'snappy')
      await writeBatch('bombs', 0, LARGEST_BATCH_BYTES, 'lz4')
    })
  })

  /** Has a worker under the limit copy what is written while the destination stands still. */
  async function survives(limitBytes: number, topics: readonly string[], write: () => Promise<void>): Promise<void> {
    await using limit = limitMemory(limitBytes, 'worker')
    const worker = await bed.startWorker(topics.join(), {}, { prefix: limit.prefix })
    await worker.waitReady()
    for (const topic of topics) await bed.write(topic, 0, 1)
    for (const topic of topics) await caughtUp(worker, bed.eastAdmin, topic)
    const destination = bed.west.brokers[0]!
    await destination.kill('SIGSTOP')
    try {
      await write()
      await until(async () => (await knownLags(worker)).some(lag => lag > 0), { describe: 'the worker to see it' })
    } finally {
      await destination.kill('SIGCONT')
    }
    for (const topic of topics) {
      const partitions = (await worker.status()).flows[0]!.partitions.filter(shown => shown.topic === topic).length
      await caughtUp(worker, bed.eastAdmin, topic, { partitions })
    }
    const peakBytes = limit.peakBytes(worker.pid)
    console.log(`      at most ${Math.round(peakBytes / MIB)} of ${limitBytes / MIB} MiB, limited by ${limit.means}`)
    assert.equal(limit.kills(), 0)
    assert.ok(peakBytes <= limitBytes)
    await assertHealthy(worker)
    await bed.killWorkers()
    await bed.assertSame(...topics)
  }

  /** One batch of records that tell their number and otherwise compress to next to nothing. */
  function writeBatch(
    topic: string,
    partition: number,
    bytes: number,
    codec: CompressionAlgorithmValue
  ): Promise<void> {
    const records = Array.from({ length: Math.floor(bytes / RECORD_BYTES) }, (_, i) => ({
      key: `${i}`,
      value: `${i}`.padEnd(RECORD_BYTES, 'x')
    }))
    return bed.writer.write(topic, partition, records, codec)
  }
})
