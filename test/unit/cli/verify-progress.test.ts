import assert from 'node:assert/strict'
import { VerifyProgress } from '../../../src/cli/verify-progress.ts'
import { Progress } from '../../../src/terminal/progress.ts'

describe('progress of a verification', () => {
  let written: string
  let nowMs: number

  beforeEach(() => {
    written = ''
    nowMs = 0
  })

  function start(terminal: { isTTY?: boolean; columns?: number }): { bar: Progress; verification: VerifyProgress } {
    const output = { ...terminal, write: (text: string) => (written += text) }
    const verification = new VerifyProgress('east → west', () => nowMs)
    verification.started(4_000, 2)
    verification.read({ side: 'source', records: 1_000, sourceOffsets: 1_000 })
    verification.read({ side: 'destination', records: 1_500, sourceOffsets: 0 })
    verification.compared(3)
    nowMs = 2_000
    return { verification, bar: new Progress(output, () => verification.state(), { env: {}, linesEveryMs: 5_000 }) }
  }

  it('is a line where nobody watches', () => {
    using bar = start({}).bar
    bar.show()
    assert.equal(written, 'east → west 25 %, 1/2 partitions, 2,500 records read (1,250/s), 3 differences\n')
  })

  it('is a bar on a terminal, as wide as that and gone at the end', () => {
    {
      using bar = start({ isTTY: true, columns: 60 }).bar
      bar.show()
      assert.ok(written.startsWith('\r\x1b[K[######..................] east → west 25 %'))
      assert.equal(written.length, '\r\x1b[K'.length + 59)
    }
    assert.ok(written.endsWith('\r\x1b[K'))
  })

  it('never says more than 100 %', () => {
    const { bar, verification } = start({})
    using _ = bar
    verification.read({ side: 'source', records: 0, sourceOffsets: 9_000 })
    bar.show()
    assert.match(written, /east → west 100 %/)
  })
})
