import assert from 'node:assert/strict'
import { Count, Steps } from '../../../src/cli/progress.ts'

describe('Count', () => {
  it('tells how many of how many, and nothing is done of what is not known yet', () => {
    const count = new Count('partitions compared')
    assert.deepEqual(count.state(), { share: 0, text: '0 of 0 partitions compared' })
    count.reached(2_500, 10_000)
    assert.deepEqual(count.state(), { share: 0.25, text: '2,500 of 10,000 partitions compared' })
  })
})

describe('Steps', () => {
  it('says each step in a line with its number, and draws nothing in a pipe', () => {
    const written = stderrOf(() => {
      using steps = new Steps(['ready', 'shut out'], { TERM: 'dumb' })
      steps.say('ready', 'both answer')
      steps.say('shut out', 'nobody writes any more')
      steps.end()
    })
    assert.equal(written, '1/2  ready     both answer\n2/2  shut out  nobody writes any more\n')
  })
})

function stderrOf(work: () => void): string {
  const write = process.stderr.write
  let written = ''
  process.stderr.write = (text: string | Uint8Array) => {
    written += text
    return true
  }
  try {
    work()
  } finally {
    process.stderr.write = write
  }
  return written
}
