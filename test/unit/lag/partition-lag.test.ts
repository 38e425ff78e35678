import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PartitionLag } from '../../../src/lag/partition-lag.ts'

describe('PartitionLag', () => {
  it('is unknown until both the source’s end and progress are', () => {
    const onlyEnd = new PartitionLag()
    onlyEnd.sourceEndSeen(10, 0)
    assert.equal(onlyEnd.at(0), undefined)
    const onlyProgress = new PartitionLag()
    onlyProgress.acknowledged(10)
    onlyProgress.sourceHeard(0)
    assert.equal(onlyProgress.at(0), undefined)
  })

  it('is 0 when caught up, however long that has been so', () => {
    const lag = caughtUpAt(10, 0)
    assert.deepEqual(lag.at(4_000), { records: 0, seconds: 0 })
    lag.sourceHeard(60_000)
    assert.deepEqual(lag.at(60_000), { records: 0, seconds: 0 })
  })

  it('counts from when the oldest missing offset was first seen', () => {
    const lag = caughtUpAt(10, 0)
    lag.sourceEndSeen(20, 1_000)
    lag.sourceEndSeen(30, 2_000)
    lag.sourceEndSeen(40, 3_000)
    assert.deepEqual(lag.at(4_000), { records: 30, seconds: 3 })
    lag.acknowledged(19)
    assert.deepEqual(lag.at(4_000), { records: 21, seconds: 3 })
    lag.acknowledged(20)
    assert.deepEqual(lag.at(4_000), { records: 20, seconds: 2 })
    lag.acknowledged(39)
    assert.deepEqual(lag.at(4_000), { records: 1, seconds: 1 })
    lag.acknowledged(40)
    assert.deepEqual(lag.at(4_000), { records: 0, seconds: 0 })
  })

  it('counts from the first look at the source when progress is known later', () => {
    const lag = new PartitionLag()
    lag.sourceEndSeen(100, 1_000)
    lag.sourceEndSeen(100, 4_000)
    lag.acknowledged(40)
    assert.deepEqual(lag.at(5_000), { records: 60, seconds: 4 })
  })

  it('does not begin anew when the same end is seen again', () => {
    const lag = caughtUpAt(10, 0)
    for (let nowMs = 1_000; nowMs <= 9_000; nowMs += 1_000) lag.sourceEndSeen(20, nowMs)
    assert.deepEqual(lag.at(9_000), { records: 10, seconds: 8 })
  })

  it('is unknown, not 0, once the source has not been heard of for five seconds', () => {
    const lag = caughtUpAt(10, 1_000)
    assert.deepEqual(lag.at(6_000), { records: 0, seconds: 0 })
    assert.equal(lag.at(6_001), undefined)
    lag.sourceHeard(7_000)
    assert.deepEqual(lag.at(12_000), { records: 0, seconds: 0 })
    assert.equal(lag.at(12_001), undefined)
  })

  it('is not made unknown by news that come late', () => {
    const lag = caughtUpAt(10, 0)
    lag.sourceHeard(10_000)
    lag.sourceHeard(2_000)
    assert.deepEqual(lag.at(15_000), { records: 0, seconds: 0 })
  })

  it('starts over when progress goes back, from when the source was last heard of', () => {
    const lag = caughtUpAt(1_000, 0)
    lag.sourceHeard(50_000)
    lag.sourceEndSeen(40, 60_000)
    lag.acknowledged(0)
    assert.deepEqual(lag.at(62_000), { records: 40, seconds: 2 })
    lag.sourceEndSeen(50, 63_000)
    lag.acknowledged(40)
    assert.deepEqual(lag.at(64_000), { records: 10, seconds: 1 })
  })

  it('goes on from 0 when progress goes back and the source is empty, or its new end is not known yet', () => {
    const empty = caughtUpAt(1_000, 0)
    empty.sourceEndSeen(0, 1_000)
    empty.acknowledged(0)
    assert.deepEqual(empty.at(1_500), { records: 0, seconds: 0 })
    empty.sourceEndSeen(5, 2_000)
    assert.deepEqual(empty.at(3_000), { records: 5, seconds: 1 })
  })

  describe('taken over from the owner before', () => {
    it('goes on where it was, and ends with what that one had seen', () => {
      const lag = new PartitionLag()
      lag.inherit(100, 200, 90, 1_000)
      assert.equal(lag.at(1_000), undefined, 'nobody has asked the source yet')
      lag.sourceEndSeen(300, 2_000)
      assert.deepEqual(lag.at(2_000), { records: 200, seconds: 91 })
      lag.sourceHeard(6_000)
      assert.deepEqual(lag.at(6_000), { records: 200, seconds: 95 })
      lag.acknowledged(150)
      assert.deepEqual(lag.at(6_000), { records: 150, seconds: 50 })
      lag.acknowledged(200)
      assert.deepEqual(lag.at(6_000), { records: 100, seconds: 4 })
      lag.acknowledged(300)
      assert.deepEqual(lag.at(6_000), { records: 0, seconds: 0 })
    })

    it('grows with a backlog through restarts, and does not where a copy is kept behind', () => {
      let backlog = 0
      let delayed = 3_600
      for (let restart = 0; restart < 30; restart++) {
        // For a minute, a record a second comes; one copy stands still, the other keeps its distance of an hour.
        const [standing, moving] = [new PartitionLag(), new PartitionLag()]
        const end = 10_000 + restart * 60
        standing.inherit(10_000, end, backlog, 0)
        moving.inherit(end - 3_600, end, delayed, 0)
        for (let second = 0; second <= 60; second++) {
          for (const lag of [standing, moving]) lag.sourceEndSeen(end + second, second * 1_000)
          moving.acknowledged(end + second - 3_600)
        }
        backlog = standing.at(60_000)!.seconds
        delayed = moving.at(60_000)!.seconds
      }
      assert.ok(backlog >= 29 * 60 && backlog <= 30 * 60, `${backlog}`)
      assert.ok(Math.abs(delayed - 3_600) < 1, `${delayed}`)
    })

    it('counts for nothing where nothing was missing, and of a topic made anew', () => {
      const caughtUp = new PartitionLag()
      caughtUp.inherit(100, 100, 0, 0)
      caughtUp.sourceEndSeen(150, 1_000)
      assert.deepEqual(caughtUp.at(3_000), { records: 50, seconds: 2 })
      const anew = new PartitionLag()
      anew.inherit(100, 200, 90, 0)
      anew.sourceEndSeen(40, 1_000)
      anew.acknowledged(0)
      assert.deepEqual(anew.at(3_000), { records: 40, seconds: 2 })
    })
  })

  it('is never shorter than it is, exact for 256 looks at the source, and in the end 0, while a source only grows', () => {
    const aStep = fc.record({
      afterMs: fc.nat({ max: 3_000 }),
      produced: fc.constantFrom(0, 0, 1, 5, 1_000),
      /** How much of what is missing is acknowledged then. */
      acknowledged: fc.constantFrom(0, 0, 0, 0, 0.01, 0.5, 1)
    })
    const steps = fc.oneof(
      fc.array(aStep, { minLength: 1, maxLength: 60 }),
      fc.array(aStep, { minLength: 300, maxLength: 700, size: 'max' })
    )
    fc.assert(
      fc.property(steps, fc.nat({ max: 2 ** 40 }), (all, firstOffset) => {
        const lag = new PartitionLag()
        const naive = new NaiveLag(firstOffset)
        let nowMs = 1_000
        let endOffset = firstOffset
        lag.acknowledged(firstOffset)
        for (const { afterMs, produced, acknowledged } of all) {
          nowMs += afterMs
          endOffset += produced
          lag.sourceEndSeen(endOffset, nowMs)
          naive.sourceEndSeen(endOffset, nowMs)
          const next = naive.nextOffset + Math.floor((endOffset - naive.nextOffset) * acknowledged)
          lag.acknowledged(next)
          naive.acknowledged(next)
          const { records, seconds } = lag.at(nowMs)!
          const exact = naive.at(nowMs)
          assert.equal(records, exact.records)
          if (naive.looks <= 256) assert.equal(seconds, exact.seconds)
          else assert.ok(seconds >= exact.seconds && seconds <= (nowMs - 1_000) / 1_000)
        }
        lag.acknowledged(endOffset)
        assert.deepEqual(lag.at(nowMs), { records: 0, seconds: 0 })
      })
    )
  })

  it('comes out only a little too long after more looks at the source than it keeps', () => {
    const lag = caughtUpAt(0, 0)
    for (let second = 1; second <= 20_000; second++) lag.sourceEndSeen(second, second * 1_000)
    for (const mirrored of [1_000, 5_000, 10_000, 15_000, 19_000]) {
      lag.acknowledged(mirrored)
      const { seconds } = lag.at(20_000_000)!
      const trueSeconds = 20_000 - (mirrored + 1)
      assert.ok(seconds >= trueSeconds && seconds <= trueSeconds + 2_000, `${seconds} s in place of ${trueSeconds}`)
    }
  })
})

/** The same by definition, with all that was ever seen. */
class NaiveLag {
  nextOffset: number
  looks = 0
  readonly #firstSeenMs: { readonly endOffset: number; readonly nowMs: number }[] = []

  constructor(nextOffset: number) {
    this.nextOffset = nextOffset
  }

  sourceEndSeen(endOffset: number, nowMs: number): void {
    this.looks++
    this.#firstSeenMs.push({ endOffset, nowMs })
  }

  acknowledged(nextOffset: number): void {
    this.nextOffset = nextOffset
  }

  at(nowMs: number): { records: number; seconds: number } {
    const end = this.#firstSeenMs.at(-1)!.endOffset
    if (end === this.nextOffset) return { records: 0, seconds: 0 }
    const first = this.#firstSeenMs.find(({ endOffset }) => endOffset > this.nextOffset)!
    return { records: end - this.nextOffset, seconds: (nowMs - first.nowMs) / 1_000 }
  }
}

function caughtUpAt(offset: number, nowMs: number): PartitionLag {
  const lag = new PartitionLag()
  lag.sourceEndSeen(offset, nowMs)
  lag.acknowledged(offset)
  return lag
}
