import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Backoff, firstToSucceed, pause, within } from '../../../src/cluster/retry.ts'
import { until } from '../../support/wait.ts'

const aRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('Backoff', () => {
  it('doubles from try to try up to its longest', () => {
    const backoff = new Backoff(100, 1_000, () => 1)
    const pauses = Array.from({ length: 7 }, () => backoff.nextMs())
    assert.deepEqual(pauses, [100, 200, 400, 800, 1_000, 1_000, 1_000])
  })

  it('spreads each pause over the upper half of its step', () => {
    const backoff = new Backoff(100, 1_000, () => 0)
    assert.deepEqual(
      Array.from({ length: 5 }, () => backoff.nextMs()),
      [50, 100, 200, 400, 500]
    )
  })

  it('stays between half its first and its longest pause, however often it is asked', () => {
    const steps = fc.array(fc.oneof(aRandom, fc.constant('reset' as const)), { maxLength: 200 })
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        (all, firstMs, factor) => {
          let random = 0
          const backoff = new Backoff(firstMs, firstMs * factor, () => random)
          let longestYetMs = 0
          for (const step of all) {
            if (step === 'reset') {
              backoff.reset()
              longestYetMs = 0
              continue
            }
            random = step
            const nextMs = backoff.nextMs()
            assert.ok(nextMs >= firstMs / 2 && nextMs <= firstMs * factor)
            assert.ok(nextMs >= longestYetMs / 2, 'a longer step never gives less than half of the one before')
            longestYetMs = Math.max(longestYetMs, nextMs)
          }
        }
      )
    )
  })

  it('does not grow beyond numbers after thousands of tries', () => {
    const backoff = new Backoff(1, Number.MAX_SAFE_INTEGER, () => 1)
    for (let i = 0; i < 5_000; i++) assert.ok(Number.isFinite(backoff.nextMs()))
  })

  it('begins anew after a reset', () => {
    const backoff = new Backoff(100, 1_000, () => 1)
    backoff.nextMs()
    backoff.nextMs()
    backoff.reset()
    assert.equal(backoff.nextMs(), 100)
  })
})

describe('a pause', () => {
  it('ends early, without an error, when nobody needs it any more', async () => {
    const controller = new AbortController()
    const paused = pause(60_000, controller.signal)
    controller.abort(new Error('released'))
    await paused
  })

  it('does not begin when nobody needs it', async () => {
    await pause(60_000, AbortSignal.abort())
  })

  it('lasts as long as it should', async () => {
    const startedMs = performance.now()
    await pause(20, new AbortController().signal)
    // Timers may fire up to a millisecond early.
    assert.ok(performance.now() - startedMs >= 19)
  })
})

describe('within', () => {
  const never = new Promise<string>(() => {})

  it('gives what comes in time, and throws what fails in time', async () => {
    assert.equal(await within(Promise.resolve('here'), 10_000), 'here')
    await assert.rejects(within(Promise.reject(new Error('refused')), 10_000), /refused/)
  })

  it('gives up after the time, with what is said for that', async () => {
    assert.equal(await within(never, 5), undefined)
    assert.equal(await within(never, 5, () => 'late'), 'late')
    const tooLate = () => {
      throw new Error('no answer')
    }
    await assert.rejects(within(never, 5, tooLate), /no answer/)
  })
})

describe('firstToSucceed', () => {
  const HEAD_START_MS = 20
  /** Ways whose ends the test decides, in the order in which they were begun. */
  const trying = (ways: readonly string[]) => {
    const begun: string[] = []
    const ends = new Map(ways.map(way => [way, Promise.withResolvers<string>()]))
    const result = firstToSucceed(ways, HEAD_START_MS, way => {
      begun.push(way)
      return ends.get(way)!.promise
    })
    return {
      begun,
      result,
      succeed: (way: string) => ends.get(way)!.resolve(way),
      fail: (way: string) => ends.get(way)!.reject(new Error(way))
    }
  }
  const settled = () => new Promise(resolve => setImmediate(resolve))

  it('tries one alone that succeeds within its head start', async () => {
    const { begun, result, succeed } = trying(['a', 'b'])
    succeed('a')
    assert.equal(await result, 'a')
    await pause(2 * HEAD_START_MS)
    assert.deepEqual(begun, ['a'])
  })

  it('begins the next at once where one fails, and beside it where it takes long', async () => {
    const { begun, result, succeed, fail } = trying(['a', 'b', 'c'])
    fail('a')
    await settled()
    assert.deepEqual(begun, ['a', 'b'])
    await until(() => begun.length === 3, { describe: 'the third to be begun' })
    fail('b')
    succeed('c')
    assert.equal(await result, 'c')
  })

  it('takes the first although others were begun after it', async () => {
    const { begun, result, succeed } = trying(['a', 'b'])
    await until(() => begun.length === 2, { describe: 'the second to be begun' })
    succeed('a')
    assert.equal(await result, 'a')
  })

  it('fails with the last failure once all have failed, and not before', async () => {
    const { begun, result, fail } = trying(['a', 'b', 'c'])
    await until(() => begun.length === 3, { describe: 'all to be begun' })
    fail('c')
    fail('a')
    await settled()
    fail('b')
    await assert.rejects(result, /^Error: b$/)
    await assert.rejects(
      firstToSucceed([], 1, async () => 'nothing'),
      RangeError
    )
  })
})
