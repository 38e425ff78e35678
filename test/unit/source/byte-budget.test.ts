import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ByteBudget, sharedBudget } from '../../../src/source/byte-budget.ts'

const MIB = 1024 * 1024
const BYTES_PER_SECOND = 4 * MIB

interface Contender {
  readonly isBacklog: boolean
  /** How much it has to fetch per second; it never has more waiting than that. */
  readonly bytesPerSecond: number
  readonly roundTripMs: number
  /** 0: the first thread's budget. */
  readonly thread?: number
}

interface Fetched {
  readonly atMs: number
  readonly bytes: number
}

/** Loops that fetch through budgets of as many threads as they name, under a virtual clock. */
function play(contenders: readonly Contender[], seconds: number, share = 0.25): Fetched[][] {
  let nowMs = 10_000
  const endMs = nowMs + seconds * 1_000
  const threads = Math.max(...contenders.map(({ thread = 0 }) => thread)) + 1
  const shared = sharedBudget()
  const nowNs = () => BigInt(Math.round(nowMs * 1e6))
  const options = { bytesPerSecond: BYTES_PER_SECOND, backlogShare: share, shared, nowNs }
  const budgets = Array.from({ length: threads }, () => new ByteBudget(options))
  const fetched: Fetched[][] = contenders.map(() => [])
  const waiting = contenders.map(() => 0)
  const isHungry = contenders.map(() => true)
  for (const { isBacklog, thread = 0 } of contenders) budgets[thread]!.countHungry(1, isBacklog)
  const answerAtMs: (number | undefined)[] = contenders.map(() => undefined)
  for (; nowMs < endMs; nowMs++) {
    contenders.forEach(({ isBacklog, bytesPerSecond, roundTripMs, thread = 0 }, i) => {
      waiting[i] = Math.min(waiting[i]! + bytesPerSecond / 1_000, Math.max(bytesPerSecond, MIB))
      const budget = budgets[thread]!
      if (answerAtMs[i] !== undefined && nowMs >= answerAtMs[i]!) {
        const bytesMax = budget.answerBytesMax(isBacklog)
        const bytes = Math.min(waiting[i]!, bytesMax)
        budget.take(bytes, isBacklog)
        if (bytes >= bytesMax / 2 !== isHungry[i]) {
          isHungry[i] = !isHungry[i]
          budget.countHungry(isHungry[i] ? 1 : -1, isBacklog)
        }
        waiting[i]! -= bytes
        fetched[i]!.push({ atMs: nowMs, bytes })
        answerAtMs[i] = undefined
      }
      if (answerAtMs[i] === undefined && budget.waitMs(isBacklog) === 0) answerAtMs[i] = nowMs + roundTripMs
    })
  }
  return fetched
}

function rate(fetched: readonly Fetched[], seconds: number): number {
  return fetched.reduce((sum, { bytes }) => sum + bytes, 0) / seconds / BYTES_PER_SECOND
}

/** The most that came within any second, in seconds' worth. */
function worstSecond(fetched: readonly Fetched[]): number {
  const sorted = fetched.toSorted((a, b) => a.atMs - b.atMs)
  let worst = 0
  let sum = 0
  let from = 0
  for (const { atMs, bytes } of sorted) {
    sum += bytes
    while (sorted[from]!.atMs <= atMs - 1_000) sum -= sorted[from++]!.bytes
    worst = Math.max(worst, sum)
  }
  return worst / BYTES_PER_SECOND
}

const EVERYTHING = 1_000 * MIB

describe('ByteBudget', () => {
  for (const roundTripMs of [0, 5, 80, 200]) {
    it(`lets through what it says and no more, where an answer takes ${roundTripMs} ms`, () => {
      for (const loops of [1, 3, 8]) {
        const contender = { isBacklog: true, bytesPerSecond: EVERYTHING, roundTripMs }
        const fetched = play(Array(loops).fill(contender), 20)
        const total = rate(fetched.flat(), 20)
        assert.ok(total > 0.97 && total < 1.06, `${loops} loops: ${total}`)
        assert.ok(worstSecond(fetched.flat()) < 2, `${worstSecond(fetched.flat())}`)
      }
    })
  }

  it('is shared by threads, whoever of them has something to fetch', () => {
    const contender = { isBacklog: true, bytesPerSecond: EVERYTHING, roundTripMs: 5 }
    const both = play([contender, { ...contender, thread: 1 }], 20)
    assert.ok(Math.abs(rate(both.flat(), 20) - 1) < 0.06)
    for (const each of both) assert.ok(rate(each, 20) > 0.3, `${rate(each, 20)}`)
    const alone = play(
      [
        { ...contender, bytesPerSecond: 0 },
        { ...contender, thread: 1 }
      ],
      20
    )
    assert.ok(rate(alone[1]!, 20) > 0.97)
  })

  it('saves up no more than a quarter of a second', () => {
    let nowMs = 0
    const nowNs = () => BigInt(nowMs * 1e6)
    const options = { bytesPerSecond: 1_000, backlogShare: 1, shared: sharedBudget(), nowNs }
    const budget = new ByteBudget(options)
    nowMs = 3_600_000
    budget.take(250, true)
    assert.equal(budget.waitMs(true), 0)
    budget.take(200, true)
    assert.equal(budget.waitMs(true), 200)
    nowMs += 200
    assert.equal(budget.waitMs(true), 0)
  })

  it('waits for as long as a single large batch takes, and says that it does', () => {
    let nowMs = 3_600_000
    const nowNs = () => BigInt(nowMs * 1e6)
    const options = { bytesPerSecond: 1_000, backlogShare: 1, shared: sharedBudget(), nowNs }
    const budget = new ByteBudget(options)
    assert.equal(budget.takeHeldUp(), false)
    budget.take(100_250, false)
    assert.equal(budget.waitMs(false), 100_000)
    assert.equal(budget.takeHeldUp(), true)
    nowMs += 50_000
    // Nobody has asked since, but they wait still.
    assert.equal(budget.takeHeldUp(), true)
    assert.equal(budget.waitMs(false), 50_000)
    nowMs += 60_000
    assert.equal(budget.takeHeldUp(), true)
    assert.equal(budget.takeHeldUp(), false)
  })

  describe('where new traffic and backlog compete', () => {
    const backlog = { isBacklog: true, bytesPerSecond: EVERYTHING, roundTripMs: 5 }

    it('gives new traffic all it needs, and the backlog the rest', () => {
      for (const needed of [0.05, 0.3, 0.6]) {
        const live = { isBacklog: false, bytesPerSecond: needed * BYTES_PER_SECOND, roundTripMs: 5 }
        const [liveFetched, backlogFetched] = play([live, backlog], 20)
        assert.ok(rate(liveFetched!, 20) > needed * 0.97, `${needed}: live ${rate(liveFetched!, 20)}`)
        assert.ok(rate(backlogFetched!, 20) > (1 - needed) * 0.95, `${needed}: backlog ${rate(backlogFetched!, 20)}`)
      }
    })

    it('never makes new traffic wait for what the backlog has taken', () => {
      const live = { isBacklog: false, bytesPerSecond: 0.2 * BYTES_PER_SECOND, roundTripMs: 5 }
      const [fetched] = play([live, backlog, backlog, backlog], 20)
      for (let i = 1; i < fetched!.length; i++) {
        const gapMs = fetched![i]!.atMs - fetched![i - 1]!.atMs
        assert.ok(gapMs < 60, `${gapMs} ms between two answers`)
      }
    })

    it('gives the backlog its share, however much new traffic there is', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(0.01, 0.1, 0.25, 0.5, 0.9),
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 4 }),
          fc.constantFrom(0, 5, 50),
          (share, lives, backlogs, roundTripMs) => {
            const live = { isBacklog: false, bytesPerSecond: EVERYTHING, roundTripMs }
            const all = [...Array(lives).fill(live), ...Array(backlogs).fill({ ...backlog, roundTripMs })]
            const fetched = play(all, 30, share)
            const got = rate(fetched.slice(lives).flat(), 30)
            assert.ok(got > share * 0.9, `a share of ${share} came to ${got}`)
            assert.ok(rate(fetched.flat(), 30) < 1.1)
          }
        ),
        { numRuns: 30 }
      )
    })
  })
})
