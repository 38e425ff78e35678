import assert from 'node:assert/strict'
import { History } from '../../../src/page/history.ts'
import { PassedOffsets } from '../../../src/page/passed-offsets.ts'
import { StandingStill } from '../../../src/page/standing-still.ts'

const at = (nextSourceOffset: number | null, partition = 0) => ({ topic: 'orders', partition, nextSourceOffset })

describe('the history of a flow', () => {
  it('is its last samples, the oldest first, and never more', () => {
    const history = new History(3)
    const kept = () => history.samples.map(({ atMs, observed }) => [atMs, observed.lagRecords])
    assert.deepEqual(kept(), [])
    for (const [atMs, lagRecords] of [
      [1, 10],
      [2, null]
    ] as const)
      history.add(atMs, { lagRecords, lagSeconds: 0, recordsPerSecond: 0 })
    assert.deepEqual(kept(), [
      [1, 10],
      [2, null]
    ])
    for (let atMs = 3; atMs <= 8; atMs++) history.add(atMs, { lagRecords: atMs, lagSeconds: 0, recordsPerSecond: 0 })
    assert.deepEqual(kept(), [
      [6, 6],
      [7, 7],
      [8, 8]
    ])
  })
})

describe('standing still', () => {
  it('begins when a partition with something left to do is first seen where it is, and ends when it moves', () => {
    const standing = new StandingStill()
    standing.look([at(5), at(null, 1)], 1_000)
    standing.look([at(5), at(null, 1)], 4_000)
    assert.deepEqual([standing.secondsOf(at(5), 6_000), standing.secondsOf(at(null, 1), 6_000)], [5, 5])
    standing.look([at(6), at(0, 1)], 7_000)
    assert.deepEqual([standing.secondsOf(at(6), 8_000), standing.secondsOf(at(0, 1), 8_000)], [1, 1])
  })

  it('is forgotten of what has nothing left to do', () => {
    const standing = new StandingStill()
    standing.look([at(5)], 1_000)
    standing.look([], 2_000)
    assert.equal(standing.secondsOf(at(5), 3_000), 0)
    standing.look([at(5)], 4_000)
    assert.equal(standing.secondsOf(at(5), 5_000), 1)
  })
})

describe('the speed of other workers', () => {
  it('is how far their partitions came from look to look', () => {
    const passed = new PassedOffsets()
    passed.look([at(100), at(50, 1)], 0)
    assert.equal(passed.perSecond, null)
    passed.look([at(600), at(50, 1)], 5_000)
    assert.equal(passed.perSecond, 100)
    passed.look([at(600), at(1_050, 1)], 10_000)
    assert.equal(passed.perSecond, 150)
  })

  it('is not mended by what comes and goes with a rebalance, or goes back', () => {
    const passed = new PassedOffsets()
    passed.look([at(100)], 0)
    passed.look([at(100), at(9_000_000, 1), at(null, 2)], 5_000)
    passed.look([at(9_000_001, 1), at(7, 2)], 10_000)
    passed.look([at(20), at(9_000_001, 1)], 15_000)
    assert.equal(passed.perSecond, 1 / 15)
  })

  it('is that of now: what was before a pause in looking does not count', () => {
    const passed = new PassedOffsets()
    passed.look([at(0)], 0)
    passed.look([at(1_000_000)], 5_000)
    passed.look([at(2_000_000)], 100_000)
    assert.equal(passed.perSecond, null)
    for (let look = 1; look <= 10; look++) passed.look([at(2_000_000 + look * 10)], 100_000 + look * 5_000)
    assert.equal(passed.perSecond, 2)
  })
})
