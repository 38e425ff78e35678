import assert from 'node:assert/strict'
import { Screen } from '../../../src/terminal/screen.ts'

describe('Screen', () => {
  it('draws in place, within the terminal, and leaves it as it was with the last drawing below', () => {
    const written: string[] = []
    {
      using screen = new Screen({ rows: 2, columns: 80, write: text => written.push(text) })
      screen.draw('one\n')
      screen.draw('one\ntwo\nthree\n')
    }
    assert.deepEqual(written, [
      '\x1b[?1049h\x1b[?25l\x1b[?7l',
      '\x1b[Hone\x1b[K\x1b[J',
      '\x1b[Hone\x1b[K\ntwo\x1b[K\x1b[J',
      '\x1b[?7h\x1b[?25h\x1b[?1049lone\ntwo\nthree\n'
    ])
  })

  it('gives the terminal back when the drawing ends by an error', () => {
    const written: string[] = []
    assert.throws(() => {
      using screen = new Screen({ write: text => written.push(text) })
      screen.draw('one\n')
      throw new Error('no more')
    }, /no more/)
    assert.equal(written.at(-1), '\x1b[?7h\x1b[?25h\x1b[?1049lone\n')
  })
})
