import assert from 'node:assert/strict'
import { compileNameFilter, splitPatterns } from '../../../src/config/name-filter.ts'

describe('compileNameFilter', () => {
  it('matches the whole name', () => {
    const takes = compileNameFilter({ include: ['orders', 'pay|payments'], exclude: [] })
    assert.deepEqual(['orders', 'orders2', 'my-orders', 'payments', 'paym'].filter(takes), ['orders', 'payments'])
  })

  it('lets exclude win', () => {
    const takes = compileNameFilter({ include: ['.*'], exclude: ['.*[\\-\\.]internal', '.*\\.replica', '__.*'] })
    const names = ['orders', 'mm2-offsets.x.internal', 'a-internal', 'ainternal', 'x.replica', '__consumer_offsets']
    assert.deepEqual(names.filter(takes), ['orders', 'ainternal'])
  })

  it('takes nothing by no pattern', () => {
    assert.equal(compileNameFilter({ include: [], exclude: [] })('orders'), false)
  })

  it('does not hang on a pattern that backtracking would', function () {
    this.timeout(2_000)
    assert.equal(compileNameFilter({ include: ['(a*)*b', '(a|a)*b'], exclude: [] })('a'.repeat(5_000)), false)
  })
})

describe('splitPatterns', () => {
  const cases: [list: string, patterns: string[]][] = [
    ['.*[\\-\\.]internal,.*\\.replica,__.*', ['.*[\\-\\.]internal', '.*\\.replica', '__.*']],
    [' a , b ', ['a', 'b']],
    ['a,,b,', ['a', 'b']],
    ['', []],
    ['a{1,3},b', ['a{1,3}', 'b']],
    ['a{,b', ['a{', 'b']],
    ['[,;],b', ['[,;]', 'b']],
    ['[],],b', ['[],]', 'b']],
    ['[^],],b', ['[^],]', 'b']],
    ['[\\],],b', ['[\\],]', 'b']],
    ['[[:alpha:],],b', ['[[:alpha:],]', 'b']],
    ['a\\,b,c', ['a\\,b', 'c']],
    ['a\\\\,b', ['a\\\\', 'b']],
    ['[a,b', ['[a,b']],
    ['a\\', ['a\\']]
  ]
  for (const [list, patterns] of cases) {
    it(`splits ${JSON.stringify(list)}`, () => assert.deepEqual(splitPatterns(list), patterns))
  }
})
