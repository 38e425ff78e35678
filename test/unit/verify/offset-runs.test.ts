import assert from 'node:assert/strict'
import fc from 'fast-check'
import { OffsetRuns } from '../../../src/verify/offset-runs.ts'

describe('runs of offsets', () => {
  it('hold what a set holds', () => {
    const ascending = fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map(offsets => offsets.sort((a, b) => a - b))
    fc.assert(
      fc.property(ascending, fc.array(fc.nat(60)), (offsets, removed) => {
        const runs = new OffsetRuns(1_000)
        const set = new Set(offsets)
        for (const offset of offsets) runs.append(offset)
        for (const offset of removed) assert.equal(runs.remove(offset), set.delete(offset))
        for (let offset = 0; offset <= 61; offset++) assert.equal(runs.has(offset), set.has(offset), `${offset}`)
        const listed = runs
          .first(100)
          .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
        assert.deepEqual(
          listed,
          [...set].sort((a, b) => a - b)
        )
      })
    )
  })

  it('take a million in a row for one', () => {
    const runs = new OffsetRuns(1)
    for (let offset = 5; offset < 1_000_005; offset++) runs.append(offset)
    assert.deepEqual(runs.first(10), [{ first: 5, last: 1_000_004 }])
    assert.equal(runs.forgottenBefore, 0)
  })

  it('forget the older half at the limit, and say so', () => {
    const runs = new OffsetRuns(4)
    for (const offset of [0, 2, 4, 6, 8]) runs.append(offset)
    assert.equal(runs.forgottenBefore, 3)
    assert.deepEqual(
      [2, 4, 6, 8].map(offset => runs.has(offset)),
      [false, true, true, true]
    )
    assert.equal(runs.first(10).length, 5)
  })
})
