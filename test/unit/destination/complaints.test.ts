import assert from 'node:assert/strict'
import { Complaints } from '../../../src/destination/complaints.ts'

const MINUTE_MS = 60_000

describe('complaints about what does not pass', () => {
  let nowMs: number
  let said: string[]
  let complaints: Complaints

  beforeEach(() => {
    nowMs = 0
    said = []
    complaints = new Complaints(
      (_, message, { error }) => void said.push(`${message}: ${String(error)}`),
      () => nowMs
    )
  })

  function say(about: string, error: string): void {
    complaints.say(about, 'warn', about, { error })
  }

  it('are said once of each trouble', () => {
    for (let i = 0; i < 5; i++) {
      say('orders', 'refused')
      say('clicks', 'refused')
    }
    assert.deepEqual(said, ['orders: refused', 'clicks: refused'])
  })

  it('are said again when they change, and when they come back', () => {
    say('orders', 'refused')
    say('orders', 'not answered')
    complaints.settle('orders')
    say('orders', 'not answered')
    assert.deepEqual(said, ['orders: refused', 'orders: not answered', 'orders: not answered'])
  })

  it('are said again every ten minutes', () => {
    for (; nowMs < 25 * MINUTE_MS; nowMs += MINUTE_MS) say('orders', 'refused')
    assert.equal(said.length, 3)
  })

  it('do not fill the memory', () => {
    for (let i = 0; i <= 10_000; i++) say(`topic-${i}`, 'refused')
    say('topic-0', 'refused')
    say('topic-10000', 'refused')
    assert.equal(said.length, 10_002)
  })
})
