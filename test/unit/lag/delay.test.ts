import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Delay } from '../../../src/lag/delay.ts'
import { PartitionLag } from '../../../src/lag/partition-lag.ts'
import { batchFields, encodeBatch } from '../records/support/records.ts'

const DELAY_MS = 60_000
/** Of the wall clock, when the monotonic one is at 0. */
const EPOCH_MS = 1_750_000_000_000
const YEAR_MS = 365 * 86_400_000

interface Batch {
  readonly lastOffset: number
  readonly bytes: Buffer
  readonly appendedAtMs: number
  /** By the monotonic clock; `undefined`: it has none. */
  readonly timestampMs: number | undefined
  firstSeenAtMs: number | undefined
  takenAtMs: number | undefined
}

/** A source partition, and a worker that takes from it all that it may, whenever it may. */
class World {
  nowMs = 0
  readonly batches: Batch[] = []
  readonly lag = new PartitionLag()
  readonly delay = new Delay(DELAY_MS, this.lag, {
    nowMs: () => this.nowMs,
    wallMs: () => EPOCH_MS + this.nowMs
  })
  fetchOffset = 0
  firstLookAtMs: number | undefined
  fetchedBytes = 0

  constructor() {
    this.lag.acknowledged(0)
  }

  get endOffset(): number {
    return (this.batches.at(-1)?.lastOffset ?? -1) + 1
  }

  append(timestampMs: number | undefined, valueBytes = 0): Batch {
    const offset = this.endOffset
    const timestamp = timestampMs === undefined ? -1n : BigInt(EPOCH_MS + timestampMs)
    const records = [0, 1].map(i => ({
      attributes: 0,
      timestamp,
      offset: offset + i,
      key: null,
      value: Buffer.alloc(valueBytes),
      headers: []
    }))
    const bytes = encodeBatch(records, batchFields(records))
    const seen = { firstSeenAtMs: undefined, takenAtMs: undefined }
    const batch = { lastOffset: offset + 1, bytes, appendedAtMs: this.nowMs, timestampMs, ...seen }
    this.batches.push(batch)
    return batch
  }

  look(): void {
    this.firstLookAtMs ??= this.nowMs
    for (let i = this.batches.length - 1; i >= 0 && this.batches[i]!.firstSeenAtMs === undefined; i--) {
      this.batches[i]!.firstSeenAtMs = this.nowMs
    }
    this.lag.sourceEndSeen(this.endOffset, this.nowMs)
  }

  /** As the fetch loop does it: not before it is due, and again until nothing comes. */
  take(): void {
    while (this.fetchOffset < this.endOffset && this.delay.dueAtMs(this.fetchOffset) <= this.nowMs) {
      const before = this.fetchOffset
      const records = this.#fetch()
      this.look()
      const dueBytes = this.delay.dueBytes(records, before)
      assert.ok(dueBytes === 0 || this.#endsAt(before).includes(dueBytes), 'whole batches')
      for (const batch of this.batches.filter(({ lastOffset }) => lastOffset >= before)) {
        const end = this.batches
          .filter(({ lastOffset }) => lastOffset >= before && lastOffset <= batch.lastOffset)
          .reduce((sum, { bytes }) => sum + bytes.length, 0)
        if (end > dueBytes) break
        batch.takenAtMs = this.nowMs
        this.fetchOffset = batch.lastOffset + 1
      }
      if (this.fetchOffset === before) return
      this.lag.acknowledged(this.fetchOffset)
    }
  }

  #fetch(): Buffer {
    const parts: Buffer[] = []
    let bytes = 0
    for (const batch of this.batches) {
      if (batch.lastOffset < this.fetchOffset) continue
      if (parts.length > 0 && bytes + batch.bytes.length > this.delay.fetchBytesMax) break
      parts.push(batch.bytes)
      bytes += batch.bytes.length
    }
    this.fetchedBytes += bytes
    return Buffer.concat(parts)
  }

  #endsAt(fromOffset: number): number[] {
    let bytes = 0
    return this.batches.filter(({ lastOffset }) => lastOffset >= fromOffset).map(batch => (bytes += batch.bytes.length))
  }
}

describe('Delay', () => {
  it('counts what was seen arriving from then on, whatever its timestamp says', () => {
    for (const timestampMs of [undefined, -YEAR_MS, 0, 5_000, YEAR_MS]) {
      const world = new World()
      world.look()
      world.nowMs = 5_000
      const batch = world.append(timestampMs)
      world.nowMs = 5_900
      world.look()
      assert.equal(world.delay.dueAtMs(0), 5_900 + DELAY_MS)
      world.nowMs = 5_899 + DELAY_MS
      world.take()
      assert.equal(batch.takenAtMs, undefined)
      world.nowMs++
      world.take()
      assert.equal(batch.takenAtMs, 5_900 + DELAY_MS)
    }
  })

  const found: [string, number | undefined, number][] = [
    ['by its timestamp', -10_000, DELAY_MS - 10_000],
    ['at once where its timestamp lies back further than the delay', -YEAR_MS, 100],
    ['from the first look where its timestamp lies in the future', YEAR_MS, 100 + DELAY_MS],
    ['from the first look where it has no timestamp', undefined, 100 + DELAY_MS]
  ]
  for (const [how, timestampMs, dueAtMs] of found) {
    it(`counts what was there before the first look ${how}`, () => {
      const world = new World()
      const batch = world.append(timestampMs)
      world.nowMs = 100
      world.look()
      world.take()
      if (dueAtMs > 100) {
        assert.equal(world.delay.dueAtMs(0), dueAtMs)
        world.nowMs = dueAtMs - 1
        world.take()
        assert.equal(batch.takenAtMs, undefined)
        world.nowMs = dueAtMs
        world.take()
      }
      assert.equal(batch.takenAtMs, dueAtMs)
    })
  }

  it('takes nothing that arrived at its end or later, however long it waits, until it has no end any more', () => {
    const world = new World()
    const found = world.append(-10_000)
    world.look()
    world.delay.endAt(EPOCH_MS + 5_000)
    world.nowMs = 4_900
    const [before] = [world.append(YEAR_MS)]
    world.look()
    world.nowMs = 5_000
    // It was there a moment before it was seen, and its timestamp says so: no timestamp takes part.
    const after = world.append(-YEAR_MS)
    world.look()
    world.nowMs = 10 * DELAY_MS
    assert.equal(world.delay.hasEnded, false)
    world.take()
    assert.deepEqual(
      [found, before!, after].map(({ takenAtMs }) => takenAtMs),
      [world.nowMs, world.nowMs, undefined]
    )
    assert.equal(world.delay.hasEnded, true)
    assert.equal(world.delay.dueAtMs(world.fetchOffset), Number.POSITIVE_INFINITY)
    assert.equal(world.delay.heldRecords(world.fetchOffset), 2)
    world.delay.endAt(undefined)
    world.take()
    assert.equal(after.takenAtMs, world.nowMs)
  })

  it('keeps order: what is due waits for what stands before it', () => {
    const world = new World()
    const [young, old] = [world.append(-1_000), world.append(-YEAR_MS)]
    world.look()
    world.take()
    assert.deepEqual([young.takenAtMs, old.takenAtMs], [undefined, undefined])
    world.nowMs = DELAY_MS - 1_000
    world.take()
    assert.deepEqual([young.takenAtMs, old.takenAtMs], [world.nowMs, world.nowMs])
  })

  it('lets nothing go early, and holds nothing for longer than the delay after it was seen first', () => {
    const aTimestamp = fc.constantFrom('none', 'now', 'past', 'future', 'odd')
    const aStep = fc.record({
      afterMs: fc.oneof(fc.nat({ max: 2_000 }), fc.nat({ max: 2 * DELAY_MS })),
      appended: fc.array(aTimestamp, { maxLength: 3 }),
      isLook: fc.boolean(),
      oddMs: fc.integer({ min: -2 * DELAY_MS, max: 2 * DELAY_MS })
    })
    const steps = fc.oneof(
      fc.array(aStep, { maxLength: 60, size: 'max' }),
      fc.array(
        aStep.map(step => ({ ...step, afterMs: step.afterMs % 500, isLook: true })),
        { minLength: 400, maxLength: 600, size: 'max' }
      )
    )
    fc.assert(
      fc.property(steps, all => {
        const world = new World()
        for (const { afterMs, appended, isLook, oddMs } of all) {
          world.nowMs += afterMs
          const timestamps = { none: undefined, now: 0, past: -YEAR_MS, future: YEAR_MS, odd: oddMs }
          for (const kind of appended) {
            const relativeMs = timestamps[kind as keyof typeof timestamps]
            world.append(relativeMs === undefined ? undefined : world.nowMs + relativeMs)
          }
          if (isLook) world.look()
          if (world.firstLookAtMs !== undefined) world.take()
          const next = world.batches.find(({ takenAtMs }) => takenAtMs === undefined)
          if (next?.firstSeenAtMs === undefined) continue
          assert.ok(world.nowMs < next.firstSeenAtMs + DELAY_MS * 1.02, `${next.lastOffset} waits for too long`)
        }
        for (const { appendedAtMs, timestampMs, firstSeenAtMs, takenAtMs, lastOffset } of world.batches) {
          if (takenAtMs === undefined) continue
          const wasFound = firstSeenAtMs === world.firstLookAtMs
          const sinceMs = wasFound ? Math.min(timestampMs ?? firstSeenAtMs!, firstSeenAtMs!) : appendedAtMs
          assert.ok(takenAtMs >= sinceMs + DELAY_MS, `${lastOffset} is taken too early`)
        }
      }),
      { numRuns: 200 }
    )
  })

  it('reads little in vain, however much is written all the time', () => {
    for (const valueBytes of [10, 1_000, 40_000]) {
      const world = new World()
      world.look()
      let takenBytes = 0
      for (let second = 0; second < 600; second++) {
        world.nowMs = second * 1_000
        world.append(world.nowMs, valueBytes)
        world.look()
        world.take()
      }
      for (const { bytes, takenAtMs } of world.batches) takenBytes += takenAtMs === undefined ? 0 : bytes.length
      assert.ok(takenBytes > 0)
      const inVain = world.fetchedBytes - takenBytes
      assert.ok(inVain <= Math.max(takenBytes * 2, 600 * 16 * 1024), `${inVain} of ${world.fetchedBytes} in vain`)
    }
  })

  it('tells how much is held back', () => {
    const world = new World()
    world.look()
    assert.equal(world.delay.heldRecords(0), 0)
    for (const atMs of [1_000, 2_000, 3_000]) {
      world.nowMs = atMs
      world.append(atMs)
      world.look()
    }
    assert.equal(world.delay.heldRecords(0), 6)
    world.nowMs = 2_000 + DELAY_MS
    assert.equal(world.delay.heldRecords(0), 2)
    world.take()
    assert.equal(world.fetchOffset, 4)
    assert.equal(world.delay.heldRecords(world.fetchOffset), 2)
  })
})
