import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ByteBudget } from '../../../src/source/byte-budget.ts'
import type { SourceReaderOptions } from '../../../src/source/fetch-loop.ts'
import { SourceReader } from '../../../src/source/source-reader.ts'
import { until } from '../../support/wait.ts'
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

  it('lets more of a partition be here unacknowledged the longer either way is', async () => {
    const mostBuffered = async (roundTripMs: number, destinationRoundTripMs: number) => {
      const { source, targets, reader } = await reading(roundTripMs, 2, {
        destinationRoundTripMs: () => destinationRoundTripMs
      })
      await everyRequestAnswered(source, 3)
      for (const mib of [12, 8, 4, 1]) {
        targets[1]!.bufferedBytes = mib * MIB - 1
        reader.roomMade(targets[1]!)
        await everyRequestAnswered(source, 3)
        if (source.held.some(({ asked }) => asked.some(({ partition }) => partition === 1))) return mib
      }
      return 0
    }
    assert.equal(await mostBuffered(0, 0), 4)
    assert.equal(await mostBuffered(20, 39), 4)
    assert.equal(await mostBuffered(40, 0), 8)
    assert.equal(await mostBuffered(0, 40), 8)
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

  describe('with an order', () => {
    it('reads what has caught up by a loop of its own, and goes on with it where it was', async () => {
      const { source, targets } = await reading(0, 6, { isOrdered: true })
      for (const backlog of [1, 3, 4]) source.endOffsets.set(backlog, 1_000_000)
      await everyRequestAnswered(source, 3)
      assert.deepEqual(readBy(source).get('fetch-0'), [1, 3, 4])
      assert.deepEqual(readBy(source).get('fetch-live-0'), [0, 2, 5])
      assertEachReadByOne(source, targets)
      assert.deepEqual(
        targets.map(({ isBacklog }) => isBacklog),
        [false, true, false, true, true, false]
      )
      source.endOffsets.delete(3)
      await everyRequestAnswered(source, 3)
      assert.deepEqual(readBy(source).get('fetch-live-0'), [0, 2, 5, 3])
      for (const { processed } of targets) {
        assert.deepEqual(
          processed,
          processed.map((_, i) => i)
        )
      }
    })

    it('takes new traffic for backlog once it has not come near its end for five seconds', async () => {
      let nowMs = 1_000
      using _clock = steppedClock(() => nowMs)
      const { source } = await reading(0, 2, { isOrdered: true })
      await everyRequestAnswered(source, 3)
      assert.deepEqual(readBy(source).get('fetch-live-0'), [0, 1])
      source.endOffsets.set(1, 1_000_000)
      await everyRequestAnswered(source, 3)
      nowMs += 4_999
      await everyRequestAnswered(source, 3)
      assert.deepEqual(readBy(source).get('fetch-live-0'), [0, 1])
      nowMs += 1
      await everyRequestAnswered(source, 3)
      assert.deepEqual(readBy(source).get('fetch-live-0'), [0])
      assert.deepEqual(readBy(source).get('fetch-0'), [1])
    })

    it('hands over every record once and in order, whatever catches up and falls behind', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(0, 40),
          fc.array(fc.record({ next: fc.nat({ max: 20 }), partition: fc.nat({ max: 9 }), isBehind: fc.boolean() }), {
            minLength: 10,
            maxLength: 80
          }),
          async (roundTripMs, steps) => {
            let nowMs = 1_000
            using _clock = steppedClock(() => nowMs)
            const { source, targets, stop } = await reading(roundTripMs, 10, { isOrdered: true })
            for (const { next, partition, isBehind } of steps) {
              nowMs += 2_000
              if (isBehind) source.endOffsets.set(partition, 1_000_000)
              else source.endOffsets.delete(partition)
              source.held[next % source.held.length]!.answer()
              await settled()
            }
            await everyRequestAnswered(source, 4)
            assertEachReadByOne(source, targets)
            for (const { processed, fetchOffset } of targets) {
              assert.deepEqual(
                processed,
                Array.from({ length: fetchOffset }, (_, i) => i)
              )
            }
            await stop()
            assert.equal(source.unreleased, 0)
          }
        ),
        { numRuns: 40 }
      )
    })
  })

  it('does not ask for what is not due, and does when it is, whatever others do meanwhile', async () => {
    const { source, targets } = await reading(0, 3)
    targets[1]!.dueAtMs = performance.now() + 150
    await everyRequestAnswered(source, 2)
    assert.deepEqual(readBy(source).get('fetch-0'), [0, 2])
    const { fetchOffset, dueAtMs } = targets[1]!
    await until(
      async () => {
        await everyRequestAnswered(source, 1)
        return readBy(source).get('fetch-0')?.includes(1)
      },
      { describe: 'what is due to be asked for', pauseMs: 5 }
    )
    assert.ok(performance.now() >= dueAtMs)
    await everyRequestAnswered(source, 1)
    assert.deepEqual(targets[1]!.processed.slice(fetchOffset), [fetchOffset])
  })

  it('sleeps until something is due where nothing else is read', async () => {
    const { source, targets } = await reading(0, 2)
    const dueAtMs = performance.now() + 150
    for (const target of targets) target.dueAtMs = dueAtMs
    await everyRequestAnswered(source, 2)
    assert.deepEqual(source.held, [])
    await until(() => source.held.length > 0, { describe: 'what is due to be asked for', pauseMs: 5 })
    assert.ok(performance.now() >= dueAtMs)
    assertEachReadByOne(source, targets)
  })

  it('asks for no more than the budget allows, and waits until what came is paid for', async () => {
    let waitMs = 0
    const taken: number[] = []
    const budget = {
      waitMs: () => waitMs,
      answerBytesMax: () => 50_000,
      countHungry: () => {},
      take: (bytes: number) => {
        taken.push(bytes)
        waitMs = 20
      }
    }
    const { source, targets, stop } = await reading(0, 1, { budget: budget as unknown as ByteBudget })
    assert.equal(source.held[0]!.maxBytes, 50_000)
    await everyRequestAnswered(source, 1)
    assert.deepEqual(source.held, [])
    assert.deepEqual(
      targets.map(({ processed }) => processed),
      [[0]],
      'what is here is not held up'
    )
    assert.equal(taken.length, 1)
    assert.ok(taken[0]! > 16)
    waitMs = 0
    await until(() => source.held.length > 0, { describe: 'the next request', pauseMs: 5 })
    await stop()
  })

  it('waits in the midst of an answer while there is no room to rewrite, and leaves out what is closed meanwhile', async () => {
    let hasRoomToRewrite = true
    const { source, targets, reader, stop } = await reading(0, 4, { hasRoomToRewrite: () => hasRoomToRewrite })
    const [first, second, third] = targets as [FakeTarget, FakeTarget, FakeTarget]
    await everyRequestAnswered(source, 3)
    const before = targets.map(target => target.processed.length)
    const processed = () => targets.map(target => target.processed.length - before[target.partition]!)
    // After one step of the first one there is none.
    first.afterStep = () => {
      hasRoomToRewrite = false
    }
    await everyRequestAnswered(source, 3)
    assert.deepEqual(processed(), [1, 0, 0, 0])
    second.isOpen = false
    reader.remove(second)
    await settled()
    assert.deepEqual(processed(), [1, 0, 0, 0])
    first.afterStep = () => {}
    hasRoomToRewrite = true
    reader.roomMade(third)
    await settled()
    assert.equal(processed()[1], 0)
    assert.ok(processed()[2]! > 0 && processed()[3]! > 0, String(processed()))
    for (const { processed: offsets } of targets) assert.deepEqual(offsets, [...offsets.keys()])
    hasRoomToRewrite = false
    await stop()
    assert.equal(source.unreleased, 0)
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
async function reading(roundTripMs: number, partitions: number, options: Partial<SourceReaderOptions> = {}) {
  const source = new FakeSource(roundTripMs)
  const abort = new AbortController()
  const reader = new SourceReader({
    cluster: source.cluster,
    signal: abort.signal,
    hasRoom: () => true,
    destinationRoundTripMs: () => 0,
    hasRoomToRewrite: () => true,
    retrying: error => assert.fail(error),
    ...options
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

/** `performance.now()` says what it is told to. */
function steppedClock(nowMs: () => number): Disposable {
  Object.defineProperty(performance, 'now', { configurable: true, value: nowMs })
  // The prototype's shows again.
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(performance, 'now') }
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
