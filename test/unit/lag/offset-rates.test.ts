import assert from 'node:assert/strict'
import { OffsetRates } from '../../../src/lag/offset-rates.ts'

describe('OffsetRates', () => {
  it('knows nothing at the first look, then what moved in a second', () => {
    const rates = new OffsetRates()
    assert.deepEqual(rates.look(new Map([['a', 100]]), 1_000), new Map())
    assert.deepEqual(
      rates.look(
        new Map([
          ['a', 150],
          ['new', 7]
        ]),
        3_000
      ),
      new Map([['a', 25]])
    )
    assert.deepEqual(rates.look(new Map([['new', 7]]), 4_000), new Map([['new', 0]]))
    assert.deepEqual(rates.look(new Map([['a', 200]]), 5_000), new Map(), 'forgotten in between')
  })

  it('takes an offset that went back for one that stands still, and a clock that stands still for no look', () => {
    const rates = new OffsetRates()
    rates.look(new Map([['a', 100]]), 0)
    assert.deepEqual(rates.look(new Map([['a', 50]]), 1_000), new Map([['a', 0]]))
    assert.deepEqual(rates.look(new Map([['a', 60]]), 1_000), new Map())
  })
})
