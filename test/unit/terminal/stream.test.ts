import assert from 'node:assert/strict'
import { canDraw, isColoured } from '../../../src/terminal/stream.ts'

const TERMINAL = { isTTY: true }
const PIPE = {}

describe('isColoured', () => {
  it('colours on a terminal only, and not where somebody says no', () => {
    assert.equal(isColoured(TERMINAL, { TERM: 'xterm' }), true)
    assert.equal(isColoured(PIPE, { TERM: 'xterm' }), false)
    assert.equal(isColoured(TERMINAL, { TERM: 'dumb' }), false)
    assert.equal(isColoured(TERMINAL, { NO_COLOR: '1' }), false)
    assert.equal(isColoured(TERMINAL, { NO_COLOR: '' }), true, 'empty is as if it were not there')
  })

  it('colours in a pipe where it is forced to, but not against NO_COLOR', () => {
    assert.equal(isColoured(PIPE, { FORCE_COLOR: '1' }), true)
    assert.equal(isColoured(TERMINAL, { FORCE_COLOR: '0' }), false)
    assert.equal(isColoured(PIPE, { FORCE_COLOR: '1', NO_COLOR: '1' }), false)
  })
})

describe('canDraw', () => {
  it('is true of a terminal that can erase a line', () => {
    assert.deepEqual(
      [canDraw(TERMINAL, {}), canDraw(TERMINAL, { TERM: 'dumb' }), canDraw(PIPE, {})],
      [true, false, false]
    )
  })
})
