import assert from 'node:assert/strict'
import { Progress } from '../../../src/verify/progress.ts'

describe('progress of a verification', () => {
  let written: string
  let nowMs: number

  beforeEach(() => {
    written = ''
    nowMs = 0
  })

  function start(terminal: { isTTY?: boolean; columns?: number }): Progress {
    const output = { ...terminal, write: (text: string) => (written += text) }
    const progress = new Progress('east → west', output, () => nowMs)
    progress.started(4_000, 2)
    progress.read({ side: 'source', records: 1_000, sourceOffsets: 1_000 })
    progress.read({ side: 'destination', records: 1_500, sourceOffsets: 0 })
    progress.compared(3)
    nowMs = 2_000
    return progress
  }

  it('is a line where nobody watches', () => {
    using progress = start({})
    progress.show()
    assert.equal(written, 'east → west 25 %, 1/2 partitions, 2,500 records read (1,250/s), 3 differences\n')
  })

  it('is a bar on a terminal, as wide as that and gone at the end', () => {
    {
      using progress = start({ isTTY: true, columns: 60 })
      progress.show()
      assert.ok(written.startsWith('\r\x1b[K[######..................] east → west 25 %'))
      assert.equal(written.length, '\r\x1b[K'.length + 59)
    }
    assert.ok(written.endsWith('\r\x1b[K'))
  })

  it('never says more than 100 %', () => {
    using progress = start({})
    progress.read({ side: 'source', records: 0, sourceOffsets: 9_000 })
    progress.show()
    assert.match(written, /east → west 100 %/)
  })
})
