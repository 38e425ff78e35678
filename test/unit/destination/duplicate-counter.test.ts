import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { ClusterError } from '../../../src/cluster/errors.ts'
import { DuplicateCounter } from '../../../src/destination/duplicate-counter.ts'
import { ProvenanceReader } from '../../../src/rewrite/provenance.ts'
import { until } from '../../support/wait.ts'
import { ATTRIBUTE, batchFields, encodeBatch, type PlainRecord } from '../records/support/records.ts'
import { DESTINATION, FakeDestination, type LoggedBatch } from './support/fake-destination.ts'

const OWN = 5n
const ZOMBIE = 4n
/** Of somebody who writes what was never copied. */
const STRANGER = -1n

interface Written {
  readonly by: bigint
  readonly records: number
  readonly isMarker?: boolean
  /** The answer to it got lost. */
  readonly isUnknown?: boolean
}

const own: Written = { by: OWN, records: 3 }
const zombies: Written = { by: ZOMBIE, records: 2 }
const strangers: Written = { by: STRANGER, records: 4 }
const marker: Written = { by: ZOMBIE, records: 1, isMarker: true }

describe('DuplicateCounter', () => {
  it('reads nothing where its owner writes alone', async () => {
    const world = new World([own, own, own])
    world.counter(-1)
    world.tellAll()
    await world.settled()
    assert.equal(world.destination.fetches, 0)
    assert.deepEqual(world.found, [])
  })

  it('counts copies that others wrote since the newest that was there, and nothing else of theirs', async () => {
    const world = new World([zombies, marker, strangers, zombies, own, strangers, own])
    world.counter(1)
    world.tellAll()
    await world.settled(2)
    assert.deepEqual(world.found, [2])
  })

  it('counts each of them once, whatever else is in the log and whenever it is told', async () => {
    const aBatch = fc.record({
      by: fc.constantFrom(OWN, OWN, ZOMBIE, STRANGER),
      records: fc.integer({ min: 1, max: 5 }),
      isMarker: fc.constant(false),
      isUnknown: fc.boolean()
    })
    const choices = fc.record({
      log: fc.array(fc.oneof({ weight: 4, arbitrary: aBatch }, { weight: 1, arbitrary: fc.constant(marker) }), {
        maxLength: 20
      }),
      answerBytes: fc.constantFrom(1, 300, 1_000_000),
      turns: fc.array(fc.boolean(), { minLength: 20, maxLength: 20 })
    })
    await fc.assert(
      fc.asyncProperty(choices, async ({ log, answerBytes, turns }) => {
        const world = new World(log, answerBytes)
        world.counter(-1)
        for (const [index, batch] of world.batches.entries()) {
          world.tell(batch)
          if (turns[index]) await new Promise(resolve => setImmediate(resolve))
        }
        const told = world.batches.findLastIndex(({ by, isUnknown }) => by === OWN && isUnknown !== true)
        const expected = world.batches
          .slice(0, Math.max(told, 0))
          .filter(({ by, isMarker }) => by === ZOMBIE && isMarker !== true)
          .reduce((sum, { records }) => sum + records, 0)
        await world.settled(expected)
        assert.equal(world.sum, expected)
        assert.equal(world.destination.held, 0)
      }),
      { numRuns: 200 }
    )
  })

  it('knows of nothing before its first batch where nothing was there', async () => {
    const world = new World([zombies, own, own])
    world.counter(undefined)
    world.tellAll()
    await world.settled()
    assert.equal(world.destination.fetches, 0)
  })

  it('forgets no place that it hears of while it reads, also where it has to read again', async () => {
    for (const leaderless of [0, 1]) {
      const world = new World([own, zombies, own, zombies, own, zombies, own])
      world.leaderless = leaderless
      world.counter(-1)
      world.tellAll()
      await world.settled(6)
      assert.equal(world.leaderless, 0)
    }
  })

  it('asks once where the answer will not change', async () => {
    const world = new World([own, zombies, own, zombies, own])
    world.refusals = 1
    world.counter(-1)
    world.tell(world.batches[0]!)
    world.tell(world.batches[2]!)
    await world.settled()
    assert.equal(world.refusals, 0)
    world.tell(world.batches[4]!)
    await world.settled(2)
  })

  it('counts nothing of what is damaged, and goes on behind it', async () => {
    const world = new World([own, zombies, own, zombies, own])
    world.batches[1]!.bytes[70]! ^= 1
    world.counter(-1)
    world.tell(world.batches[0]!)
    world.tell(world.batches[2]!)
    await until(async () => world.destination.fetches === 1, { describe: 'the damaged batch to be read' })
    await world.settled()
    world.tell(world.batches[4]!)
    await world.settled(2)
    assert.deepEqual(world.found, [2])
  })

  it('tells nothing once it is closed', async () => {
    for (const answerBytes of [1, 1_000_000]) {
      const world = new World([own, zombies, zombies, own], answerBytes)
      const counter = world.counter(-1)
      world.tellAll()
      counter.close()
      await world.settled()
      assert.deepEqual(world.found, [])
    }
  })
})

type WrittenBatch = Written & LoggedBatch & { readonly baseOffset: number }

/** A destination's log, and a counter that hears of what its owner has written there. */
class World {
  readonly batches: WrittenBatch[] = []
  readonly destination: FakeDestination
  readonly found: number[] = []
  /** So many times there is nobody to ask. */
  leaderless = 0
  /** So many times the question is refused for good. */
  refusals = 0
  #counter: DuplicateCounter | undefined

  constructor(log: readonly Written[], answerBytes = 1_000_000) {
    let nextOffset = 0
    for (const written of log) {
      const baseOffset = nextOffset
      nextOffset += written.records
      this.batches.push({ ...written, baseOffset, lastOffset: nextOffset - 1, bytes: batchOf(written, baseOffset) })
    }
    this.destination = new FakeDestination(this.batches, 0, nextOffset, answerBytes)
  }

  get sum(): number {
    return this.found.reduce((sum, records) => sum + records, 0)
  }

  counter(newestOffset: number | undefined): DuplicateCounter {
    const { cluster } = this.destination
    const leaderOf: Cluster['leaderOf'] = (topic, partition) => {
      if (this.refusals > 0 && this.refusals-- > 0) throw new ClusterError('OFFSET_OUT_OF_RANGE', 'refused', false)
      return this.leaderless > 0 && this.leaderless-- > 0 ? undefined : cluster.leaderOf(topic, partition)
    }
    this.#counter = new DuplicateCounter({
      destination: { ...cluster, leaderOf } as Cluster,
      partition: DESTINATION,
      origin: new ProvenanceReader('east', 'orders', 3),
      producerId: Number(OWN),
      newestOffset,
      found: records => this.found.push(records)
    })
    return this.#counter
  }

  tellAll(): void {
    for (const batch of this.batches) this.tell(batch)
  }

  tell({ by, isUnknown, baseOffset, records }: WrittenBatch): void {
    if (by === OWN && isUnknown !== true) this.#counter!.wrote(baseOffset, records)
  }

  /** So many are found, and no more than that. */
  async settled(expected = 0): Promise<void> {
    await until(async () => this.sum >= expected && this.destination.held === 0, { describe: 'it to be counted' })
    for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
    assert.equal(this.sum, expected)
  }
}

function batchOf({ by, records, isMarker }: Written, baseOffset: number): Buffer {
  const origin = { key: 'farlog.origin', value: Buffer.from('east/orders/3/7') }
  const plain: PlainRecord[] = Array.from({ length: records }, (_, i) => ({
    attributes: 0,
    timestamp: 1_000n,
    offset: baseOffset + i,
    key: isMarker ? Buffer.from([0, 0, 0, 0]) : null,
    value: Buffer.from('value'),
    headers: by === STRANGER || isMarker ? [] : [origin]
  }))
  const attributes = isMarker ? ATTRIBUTE.control | ATTRIBUTE.transactional : 0
  return encodeBatch(plain, batchFields(plain, { baseOffset, producerId: by, attributes }))
}
