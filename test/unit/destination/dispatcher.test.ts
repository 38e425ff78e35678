import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Dispatcher } from '../../../src/destination/dispatcher.ts'
import { PartitionWriter } from '../../../src/destination/partition-writer.ts'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { Codec } from '../../../src/records/codecs.ts'
import { FakeLeader, type HeldRequest } from './support/fake-leader.ts'

const KIB = 1024
const MIB = 1024 * KIB
const REQUESTS_MAX = 5
const LARGE_BYTES = MIB
const IN_FLIGHT_BYTES_MAX = 32 * MIB

describe('Dispatcher', () => {
  it('has five small requests in flight, and the next one carries all that waited for an answer', async () => {
    const { leader, append } = world()
    for (let partition = 0; partition < 12; partition++) await append(partition, KIB)
    assert.deepEqual(partitionsOf(leader.held), [[0], [1], [2], [3], [4]])
    leader.held[2]!.answer()
    await settled()
    assert.deepEqual(partitionsOf(leader.held), [[0], [1], [3], [4], [5, 6, 7, 8, 9, 10, 11]])
  })

  it('sends a sixth request as soon as a megabyte has come together for it, be it of many partitions', async () => {
    const { leader, append } = world()
    for (let partition = 0; partition < REQUESTS_MAX; partition++) await append(partition, KIB)
    for (let partition = 10; partition < 13; partition++) await append(partition, 300 * KIB)
    assert.equal(leader.held.length, 5)
    await append(13, 300 * KIB)
    assert.deepEqual(partitionsOf(leader.held.slice(5)), [[10, 11, 12, 13]])
    await append(20, MIB)
    assert.deepEqual(partitionsOf(leader.held.slice(6)), [[20]])
  })

  it('does not take what a partition can’t send yet for a part of a large request', async () => {
    const { leader, append } = world()
    for (let partition = 0; partition < REQUESTS_MAX; partition++) await append(partition, KIB)
    // Until the leader knows the producer, one batch goes alone: those behind it wait for its answer.
    await append(0, MIB)
    await append(10, KIB)
    assert.equal(leader.held.length, 5)
    leader.held[0]!.answer()
    await settled()
    assert.deepEqual(partitionsOf(leader.held.slice(4)), [[10, 0]])
  })

  it('sends what else a partition has without an answer for what it sent before', async () => {
    const { leader, append } = world()
    await append(9, KIB)
    leader.held[0]!.answer()
    await settled()
    for (let partition = 0; partition < REQUESTS_MAX; partition++) await append(partition, KIB)
    // No two of these fit into a batch.
    for (let batch = 0; batch < 3; batch++) await append(9, 900 * KIB)
    assert.equal(leader.held.length, 5)
    for (const request of leader.held.slice(0, 3)) request.answer()
    await settled()
    assert.deepEqual(partitionsOf(leader.held), [[3], [4], [9], [9], [9]])
    recordsInOrder(leader.received)
  })

  it('sends nothing more beyond five once 32 MiB are in flight, and goes on when there are less', async () => {
    const { leader, append } = world()
    for (let partition = 0; partition < 60; partition++) await append(partition, MIB)
    assert.ok(leader.heldBytes >= IN_FLIGHT_BYTES_MAX)
    assert.equal(leader.held.length, 32)
    leader.held[7]!.answer()
    await settled()
    // What waited goes together, as much as a request may hold.
    assert.deepEqual(partitionsOf(leader.held.slice(31)), [[32, 33, 34, 35]])
    for (const request of leader.held.slice(0, 3)) request.answer()
    await settled()
    assert.equal(leader.held.length, 29)
    assert.ok(leader.heldBytes >= IN_FLIGHT_BYTES_MAX)
  })

  it('keeps to the limits and to each partition’s order, whatever is appended and answered when', async () => {
    const aBatch = fc.record({
      partition: fc.nat({ max: 60 }),
      bytes: fc.oneof(fc.integer({ min: 1, max: 20 * KIB }), fc.integer({ min: 600 * KIB, max: MIB }))
    })
    const aStep = fc.oneof(
      { weight: 9, arbitrary: aBatch },
      { weight: 1, arbitrary: fc.record({ answered: fc.nat({ max: 40 }) }) }
    )
    const most = { requests: 0, bytes: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(aStep, { minLength: 80, maxLength: 200, size: 'max' }), async steps => {
        const { leader, writers, append } = world()
        for (const step of steps) {
          if ('bytes' in step) await append(step.partition, step.bytes)
          else leader.held[step.answered % leader.held.length]?.answer()
        }
        while (leader.held.length > 0) {
          leader.held[0]!.answer()
          await settled()
        }
        assert.ok([...writers.values()].every(writer => writer.isIdle))
        for (const request of leader.received) {
          assertWithinLimits(request)
          most.requests = Math.max(most.requests, request.before.requests + 1)
          most.bytes = Math.max(most.bytes, request.before.bytes + request.bytes)
        }
        assert.equal(recordsInOrder(leader.received), steps.filter(step => 'bytes' in step).length)
      }),
      // One that reaches the limits for sure; whether the others do is chance.
      { numRuns: 15, examples: [[Array.from({ length: 60 }, (_, partition) => ({ partition, bytes: MIB }))]] }
    )
    assert.ok(most.requests > REQUESTS_MAX && most.bytes >= IN_FLIGHT_BYTES_MAX, JSON.stringify(most))
  })
})

/** Beyond five only while it is large, and while there is room. */
function assertWithinLimits({ batches, bytes, before }: HeldRequest): void {
  assert.equal(new Set(batches.map(({ partition }) => partition)).size, batches.length, 'one batch of a partition')
  if (before.requests < REQUESTS_MAX) return
  assert.ok(bytes >= LARGE_BYTES, `${bytes} bytes, with ${before.requests} requests in flight`)
  assert.ok(before.bytes < IN_FLIGHT_BYTES_MAX, `with ${before.bytes} bytes in flight`)
}

/** Asserts that each partition's batches came one behind the other. @returns how many records came */
function recordsInOrder(requests: readonly HeldRequest[]): number {
  const next = new Map<number, number>()
  for (const { partition, baseSequence, recordCount } of requests.flatMap(({ batches }) => batches)) {
    assert.equal(baseSequence, next.get(partition) ?? 0)
    next.set(partition, baseSequence + recordCount)
  }
  return [...next.values()].reduce((sum, records) => sum + records, 0)
}

/** A dispatcher, the writers of a topic's partitions, and the broker that leads them all. */
function world() {
  const leader = new FakeLeader()
  const pool = new BufferPool(64 * MIB)
  const retrying = () => assert.fail('nothing fails here')
  const dispatcher = new Dispatcher(leader.cluster, { retrying }, new AbortController().signal)
  const writers = new Map<number, PartitionWriter>()
  let sourceOffset = 0
  const append = async (partition: number, bytes: number) => {
    let writer = writers.get(partition)
    if (writer === undefined) {
      writer = writerOf(leader.topic, partition, pool)
      writers.set(partition, writer)
    }
    const builder = writer.builderFor(Codec.none, bytes, bytes)
    builder.added(sourceOffset++, 0, builder.length + bytes)
    dispatcher.offer(writer)
    await settled()
  }
  return { leader, writers, append }
}

function writerOf(topic: string, partition: number, pool: BufferPool): PartitionWriter {
  return new PartitionWriter({
    topic,
    partition,
    identity: { producerId: partition, producerEpoch: 0 },
    batchBytesMax: MIB + 61,
    pool,
    wallClockMs: () => 0,
    listener: {
      progressed: () => {},
      acknowledged: () => {},
      fenced: () => assert.fail('there is no other owner here'),
      failed: failure => assert.fail(failure.error)
    }
  })
}

/** Everything that follows from what was done has happened. */
async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

function partitionsOf(requests: readonly HeldRequest[]): number[][] {
  return requests.map(({ batches }) => batches.map(({ partition }) => partition))
}
