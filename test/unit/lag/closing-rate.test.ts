import assert from 'node:assert/strict'
import { ClosingRate } from '../../../src/lag/closing-rate.ts'

describe('ClosingRate', () => {
  function etasOf(left: readonly number[], intervalMs = 2_000): (number | null | undefined)[] {
    const rate = new ClosingRate()
    return left.map((records, index) => rate.look(new Map([['a', records]]), index * intervalMs).get('a'))
  }

  it('needs two looks', () => {
    assert.deepEqual(etasOf([1_000, 600]), [null, 3])
  })

  it('has no answer while it becomes more or stands', () => {
    assert.deepEqual(etasOf([100, 100, 150]), [null, null, null])
    assert.deepEqual(etasOf([100, 90], 0), [null, null])
  })

  it('is 0 once nothing is left', () => {
    assert.deepEqual(etasOf([100, 0]), [null, 0])
  })

  it('forgets what is long ago', () => {
    const etas = etasOf([1_000, 900, 800, 700, 600, 500, 500, 500, 500, 500, 500])
    assert.equal(etas[5], 10)
    assert.equal(etas.at(-1), null)
  })

  it('keeps names apart, and forgets those that are not named any more', () => {
    const rate = new ClosingRate()
    const look = (left: Record<string, number>, nowMs: number) =>
      Object.fromEntries(rate.look(new Map(Object.entries(left)), nowMs))
    assert.deepEqual(look({ a: 100, b: 40 }, 0), { a: null, b: null })
    assert.deepEqual(look({ b: 20 }, 1_000), { b: 1 })
    assert.deepEqual(look({ a: 50 }, 2_000), { a: null })
  })
})
