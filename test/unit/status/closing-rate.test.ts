import assert from 'node:assert/strict'
import { ClosingRate } from '../../../src/status/closing-rate.ts'
import { behind, row } from './support.ts'

describe('ClosingRate', () => {
  function etasOf(lags: readonly number[], intervalMs = 2_000): (number | null)[] {
    const rate = new ClosingRate()
    return lags.map((lag, index) => rate.estimate([behind(lag, 1)], index * intervalMs)[0]!.etaSeconds)
  }

  it('needs two observations', () => {
    assert.deepEqual(etasOf([1_000, 600]), [null, 3])
  })

  it('has no answer while the lag grows or stands', () => {
    assert.deepEqual(etasOf([100, 100, 150]), [null, null, null])
    assert.deepEqual(etasOf([100, 90], 0), [null, null])
  })

  it('is 0 once caught up', () => {
    assert.deepEqual(etasOf([100, 0]), [null, 0])
  })

  it('forgets what is long ago', () => {
    const etas = etasOf([1_000, 900, 800, 700, 600, 500, 500, 500, 500, 500, 500])
    assert.equal(etas[5], 10)
    assert.equal(etas.at(-1), null)
  })

  it('keeps partitions apart, and forgets one that is gone or unknown', () => {
    const rate = new ClosingRate()
    const both = [behind(100, 1), behind(40, 1, { partition: 1 })]
    rate.estimate(both, 0)
    const unknown = row({ lagRecords: null })
    const second = rate.estimate([unknown, behind(20, 1, { partition: 1 })], 1_000)
    assert.deepEqual([second[0], second[1]!.etaSeconds], [unknown, 1])
    assert.equal(rate.estimate([behind(50, 1)], 2_000)[0]!.etaSeconds, null)
  })
})
