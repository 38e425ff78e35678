import assert from 'node:assert/strict'
import { Progress } from '../../../src/terminal/progress.ts'

describe('Progress', () => {
  const half = () => ({ share: 0.5, text: 'half' })

  it('writes lines that stay above the bar, and takes the bar away once', () => {
    const written: string[] = []
    const output = { isTTY: true, columns: 80, write: (text: string) => written.push(text) }
    {
      using progress = new Progress(output, half, { env: {}, linesEveryMs: undefined })
      progress.say('1/2 done\n')
      progress.end()
    }
    const bar = '\r\x1b[K[############............] half'
    assert.deepEqual(written, ['\r\x1b[K', '1/2 done\n', bar, '\r\x1b[K'])
  })

  it('writes nothing but plain lines where it can’t draw', () => {
    for (const [isTTY, env] of [
      [false, {}],
      [true, { TERM: 'dumb' }]
    ] as const) {
      const written: string[] = []
      {
        using progress = new Progress({ isTTY, write: text => written.push(text) }, half, { env, linesEveryMs: 1_000 })
        progress.say('1/2 done\n')
        progress.show()
      }
      assert.deepEqual(written, ['1/2 done\n', 'half\n'])
    }
  })

  it('keeps within the window', () => {
    const written: string[] = []
    using progress = new Progress({ isTTY: true, columns: 20, write: text => written.push(text) }, half, {
      env: {},
      linesEveryMs: undefined
    })
    progress.show()
    assert.equal(written[0], '\r\x1b[K[############......')
  })
})
