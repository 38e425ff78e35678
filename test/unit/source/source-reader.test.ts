import assert from 'node:assert/strict'
import fc from 'fast-check'
import { SourceReader } from '../../../src/source/source-reader.ts'
import { FakeSource, FakeTarget } from './support/fake-source.ts'

const MIB = 1024 * 1024
const EIGHT_LOOPS = Array.from({ length: 8 }, (_, i) => `fetch-${i}`)

describe('SourceReader', () => {
  for (const roundTripMs of [40, 200]) {
    it(`spreads a broker’s partitions over eight fetch loops where the round trip takes ${roundTripMs} ms`, async () => {
      const { source, targets } = await reading(roundTripMs, 40)
      await everyRequestAnswered(source, 3)
      assert.deepEqual([...readBy(source).keys()].sort(), EIGHT_LOOPS)
      assert.deepEqual(
        [...readBy(source).values()].map(partitions => partitions.length),
        Array(8).fill(5)
      )
      assertEachReadByOne(source, targets)
    })
  }

  for (const roundTripMs of [0, 1, 39.9]) {
    it(`has one fetch loop where the round trip takes ${roundTripMs} ms`, async () => {
      const { source, targets } = await reading(roundTripMs, 40)
      await everyRequestAnswered(source, 5)
      assert.deepEqual([...readBy(source).keys()], ['fetch-0'])
      assertEachReadByOne(source, targets)
    })
  }

  it('asks for more of a partition the longer the round trip', async () => {
    const asked = new Map<number, number>()
    for (const roundTripMs of [0, 19.9, 20, 39.9, 40, 300]) {
      const { source } = await reading(roundTripMs, 2)
      await everyRequestAnswered(source, 3)
      asked.set(roundTripMs, source.held[0]!.asked[0]!.maxBytes / MIB)
    }
    assert.deepEqual([...asked.values()], [1, 1, 2, 2, 4, 4])
  })

  it('hands over every record of every partition once and in order, also while it spreads them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(0, 40),
        // Which of the unanswered requests is answered next.
        fc.array(fc.nat({ max: 20 }), { minLength: 10, maxLength: 60 }),
        async (partitions, roundTripMs, answers) => {
          const { source, targets, reader, stop } = await reading(roundTripMs, partitions)
          for (const next of answers) {
            source.held[next % source.held.length]!.answer()
            await settled()
          }
          await everyRequestAnswered(source, 3)
          assertEachReadByOne(source, targets)
          for (const target of targets) {
            assert.ok(target.processed.length > 0, `partition ${target.partition} is read`)
            assert.deepEqual(
              target.processed,
              target.processed.map((_, i) => i)
            )
            assert.equal(target.processed.length, target.fetchOffset)
            assert.notEqual(reader.answeredAtMs(target), undefined)
          }
          await stop()
          assert.equal(source.unreleased, 0)
        }
      ),
      { numRuns: 40 }
    )
  })

  it('shares partitions evenly among the loops, however many there are', async () => {
    for (const partitions of [1, 2, 7, 8, 9, 10, 17, 63, 100]) {
      const { source, targets } = await reading(40, partitions)
      await everyRequestAnswered(source, 3)
      const shares = [...readBy(source).values()].map(each => each.length)
      assert.equal(shares.length, Math.min(partitions, 8))
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${partitions} as ${shares}`)
      assertEachReadByOne(source, targets)
    }
  })

  it('does not take the answer to a partition’s old reader for its new one’s', async () => {
    const { source, targets, reader } = await reading(0, 3)
    await everyRequestAnswered(source, 2)
    const [old] = targets.splice(1, 1)
    old!.isOpen = false
    reader.remove(old!)
    const successor = new FakeTarget(1, 700)
    reader.add(successor)
    await everyRequestAnswered(source, 3)
    assert.deepEqual(successor.processed, [700, 701])
    assert.equal(old!.processed.length, old!.fetchOffset)
    assert.deepEqual(
      [...targets, successor].map(({ partition }) => partition).sort(),
      readBy(source).get('fetch-0')!.sort()
    )
  })

  it('gives a new partition to the loop with the fewest, and reads a removed one no more', async () => {
    const { source, targets, reader } = await reading(40, 16)
    await everyRequestAnswered(source, 3)
    const emptied = readBy(source).get('fetch-5')!
    for (const partition of emptied) {
      const [target] = targets.splice(
        targets.findIndex(each => each.partition === partition),
        1
      )
      target!.isOpen = false
      reader.remove(target!)
    }
    await everyRequestAnswered(source, 3)
    assert.equal(readBy(source).has('fetch-5'), false)
    assertEachReadByOne(source, targets)
    const added = new FakeTarget(99)
    reader.add(added)
    await everyRequestAnswered(source, 3)
    assert.deepEqual(readBy(source).get('fetch-5'), [99])
    assertEachReadByOne(source, [...targets, added])
  })
})

/** A reader that has begun with so many partitions. */
async function reading(roundTripMs: number, partitions: number) {
  const source = new FakeSource(roundTripMs)
  const abort = new AbortController()
  const reader = new SourceReader({
    cluster: source.cluster,
    signal: abort.signal,
    hasRoom: () => true,
    retrying: error => assert.fail(error)
  })
  const targets = Array.from({ length: partitions }, (_, partition) => new FakeTarget(partition))
  for (const target of targets) reader.add(target)
  await settled()
  const stop = async () => {
    abort.abort()
    await everyRequestAnswered(source, 1)
    assert.equal(source.held.length, 0)
  }
  return { source, targets, reader, stop }
}

/** So many times: all requests that are unanswered then. */
async function everyRequestAnswered(source: FakeSource, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    for (const request of [...source.held]) request.answer()
    await settled()
  }
}

/** Everything that follows from what was done has happened. */
async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

/** The partitions that each loop asks for at present. */
function readBy(source: FakeSource): Map<string, number[]> {
  return new Map(source.held.map(({ purpose, asked }) => [purpose, asked.map(({ partition }) => partition)]))
}

/** Each loop has one request under way, and each partition is in exactly one of them. */
function assertEachReadByOne(source: FakeSource, targets: readonly FakeTarget[]): void {
  assert.equal(readBy(source).size, source.held.length)
  const read = [...readBy(source).values()].flat().sort((a, b) => a - b)
  assert.deepEqual(
    read,
    targets.map(({ partition }) => partition)
  )
  assert.deepEqual(
    targets.flatMap(({ refusals }) => refusals),
    []
  )
}
