import assert from 'node:assert/strict'
import { operandsOf, selectorsOf } from './support/promql.ts'

describe('looking at an expression part by part', () => {
  it('takes apart what is compared, and leaves out numbers', () => {
    assert.deepEqual(operandsOf('sum by (a) (increase(x{b!="="}[5m])) > 0'), ['sum by (a) (increase(x{b!="="}[5m]))'])
    assert.deepEqual(operandsOf('x <= bool on (a) group_left () y'), ['x', 'y'])
  })

  it('takes apart sets, also within parentheses around all of a part, and not within those of a function', () => {
    assert.deepEqual(operandsOf('a > 1 unless on (l) (b == 1 and c) or (d) + (e)'), ['a', 'b', 'c', '(d) + (e)'])
    assert.deepEqual(operandsOf('count(a > 1)\n  unless b'), ['count(a > 1)', 'b'])
    assert.deepEqual(operandsOf('absent(a)'), ['a'])
  })

  it('finds every metric with what it is chosen by, once', () => {
    const expr =
      'count(farlog_lag_seconds{topic=~"$topic"} > 0) or up == 0 or flow:farlog_workers:count / farlog_x + farlog_x'
    assert.deepEqual(selectorsOf(expr), [
      'farlog_lag_seconds{topic=~"$topic"}',
      'up',
      'flow:farlog_workers:count',
      'farlog_x'
    ])
  })
})
