import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from '../../src/cluster/cluster.ts'
import { type ProducerIdentity, TransactionCoordinators } from '../../src/cluster/transactions.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Fence, transactionalId } from '../../src/destination/fence.ts'
import { findEnd } from '../../src/destination/find-end.ts'
import { untilServed } from '../../src/destination/until-served.ts'
import { Permits } from '../../src/flow/permits.ts'
import { ProvenanceHeader, ProvenanceReader } from '../../src/rewrite/provenance.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { createTopics } from '../support/topics.ts'
import { until } from '../support/wait.ts'
import { writeAs } from '../support/write-as.ts'

/** The two steps that exactly-once stands on, tried on a real broker one by one. */
describe('fencing and finding the end', function () {
  this.timeout(120_000)

  const signal = new AbortController().signal
  const origin = new ProvenanceReader('east', 'orders', 0)
  let kafka: KafkaCluster
  let west: Cluster
  let fence: Fence

  before(async () => {
    const config = {
      'transactional.id.expiration.ms': '3000',
      'transaction.remove.expired.transaction.cleanup.interval.ms': '500'
    }
    kafka = await startKafka({ name: 'west', config })
    const { flows } = loadConfig({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: '127.0.0.1:1',
      FARLOG_WEST_BOOTSTRAP_SERVERS: kafka.bootstrap
    })
    west = new Cluster(flows[0]!.destination, 'test')
    fence = new Fence(west)
  })

  after(async () => {
    await west?.close()
    await kafka?.stop()
  })

  it('lets a zombie write until the marker stands, and refuses it from then on', async () => {
    const topic = await newTopic('fenced')
    const id = transactionalId('east', 'west', 'orders', 0)
    const older = await fence.raise(id, topic, 0, signal)
    assert.equal(await write(topic, older, 0, [mirrored(0)]), 'NONE')

    // Only the coordinator knows of this epoch: the leader still takes the older one. This is why a marker is needed.
    await new TransactionCoordinators(west).initProducerId(id)
    assert.equal(await write(topic, older, 1, [mirrored(1)]), 'NONE')

    const newer = await fence.raise(id, topic, 0, signal)
    assert.equal(await write(topic, older, 2, [mirrored(2)]), 'INVALID_PRODUCER_EPOCH')
    assert.equal((await findEnd(west, { topic, partition: 0 }, origin, -1, signal))?.sourceOffset, 1)
    assert.equal(await write(topic, newer, 0, [mirrored(2)]), 'NONE')
  })

  it('finds the newest record of its own behind other writers’ records and many markers', async () => {
    const topic = await newTopic('shared')
    const identity = await fence.raise('own', topic, 0, signal)
    const own = Array.from({ length: 100 }, (_, offset) => mirrored(offset * 10))
    assert.equal(await write(topic, identity, 0, own), 'NONE')
    const foreign = await fence.raise('foreign', topic, 0, signal)
    const others = Array.from({ length: 3_000 }, (_, offset) => headerOf('south', offset))
    assert.equal(await write(topic, foreign, 0, others), 'NONE')
    for (let i = 0; i < 20; i++) await fence.raise('own', topic, 0, signal)

    const end = await findEnd(west, { topic, partition: 0 }, origin, -1, signal)
    // The fence of `own` wrote a marker at 0, so the hundredth record stands at 100.
    assert.deepEqual(end, { sourceOffset: 990, destinationOffset: 100 })
  })

  it('finds nothing in what committed progress covers, nor in an empty partition', async () => {
    const topic = await newTopic('covered')
    assert.equal(await findEnd(west, { topic, partition: 0 }, origin, -1, signal), undefined)
    const identity = await fence.raise('covered', topic, 0, signal)
    assert.equal(await write(topic, identity, 0, [mirrored(7), mirrored(8)]), 'NONE')
    const partition = { topic, partition: 0 }
    assert.equal((await findEnd(west, partition, origin, 1, signal))?.sourceOffset, 8)
    assert.equal(await findEnd(west, partition, origin, 2, signal), undefined)
    // More than the log has: it was made anew since, and progress says nothing about it.
    assert.equal((await findEnd(west, partition, origin, 1_000, signal))?.sourceOffset, 8)
  })

  it('goes over to a new producer id before the epochs run out, and still shuts out the one before', async () => {
    const topic = await newTopic('epochs')
    const coordinators = new TransactionCoordinators(west)
    let older = await fence.raise('epochs', topic, 0, signal)
    while (older.producerEpoch < 32_690) older = await coordinators.initProducerId('epochs')
    older = await fence.raise('epochs', topic, 0, signal)
    let newer = older
    while (newer.producerId === older.producerId) {
      assert.ok(newer.producerEpoch >= older.producerEpoch, 'epochs only rise')
      older = newer
      newer = await fence.raise('epochs', topic, 0, signal)
    }
    assert.equal(await write(topic, older, 0, [mirrored(0)]), 'INVALID_PRODUCER_EPOCH')
    assert.equal(await write(topic, newer, 0, [mirrored(0)]), 'NONE')
  })

  it('stays up beyond the time after which the coordinator forgets an id, if it is renewed', async () => {
    const topic = await newTopic('renewed')
    const owner = await fence.raise('renewed', topic, 0, signal)
    // Three times what this broker's coordinator remembers.
    for (const untilMs = performance.now() + 9_000; performance.now() < untilMs; await sleep(500)) {
      await fence.renew('renewed', owner, topic, 0, signal)
    }
    assert.equal(await write(topic, owner, 0, [mirrored(0)]), 'NONE')
    const newer = await fence.raise('renewed', topic, 0, signal)
    assert.equal(newer.producerId, owner.producerId)
    assert.equal(await write(topic, owner, 1, [mirrored(1)]), 'INVALID_PRODUCER_EPOCH')
  })

  it('does not wait for markers that a leader cannot write yet, when it is made with its topic', async () => {
    const partitions = 500
    await newTopic('just-made', partitions)
    const permits = new Permits(64)
    const tookMs = await Promise.all(
      Array.from({ length: partitions }, async (_, partition) => {
        // What is not served within its patience is tried again, as a worker does.
        const isServed = () => untilServed(west, { topic: 'just-made', partition }, signal).then(() => true)
        await until(isServed, { timeoutMs: 60_000, describe: `just-made-${partition} to be served` })
        return permits.use(async () => {
          const beganMs = performance.now()
          await fence.raise(`just-made-${partition}`, 'just-made', partition, signal)
          return performance.now() - beganMs
        })
      })
    )
    // A leader that has some of the logs may leave the coordinator without an answer, which asks again after 30 s.
    assert.ok(Math.max(...tookMs) < 25_000, `${Math.max(...tookMs)} ms`)
  })

  async function newTopic(name: string, partitions = 1): Promise<string> {
    await createTopics(kafka.bootstrap, [{ name, partitions }])
    await until(
      async () => {
        await west.refresh([name])
        return west.leaderOf(name, 0)
      },
      { describe: `${name} to have a leader` }
    )
    return name
  }

  function write(
    topic: string,
    identity: ProducerIdentity,
    baseSequence: number,
    headers: readonly Uint8Array[]
  ): Promise<string> {
    return writeAs(west, { topic, partition: 0 }, identity, baseSequence, headers)
  }
})

function mirrored(sourceOffset: number): Uint8Array {
  return headerOf('east', sourceOffset)
}

function headerOf(alias: string, sourceOffset: number): Uint8Array {
  return Uint8Array.from(new ProvenanceHeader(alias, 'orders', 0).encode(sourceOffset))
}
