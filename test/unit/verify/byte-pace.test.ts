import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BytePace } from '../../../src/verify/byte-pace.ts'

describe('the pace of reading', () => {
  it('never lets more pass than its rate, but for a second in hand and the last answer', () => {
    const step = fc.record({ bytes: fc.nat({ max: 5_000 }), idleMs: fc.nat({ max: 3_000 }) })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 50 }), steps => {
        let nowMs = 0
        const pace = new BytePace(1_000, () => nowMs)
        let sum = 0
        for (const { bytes, idleMs } of steps) {
          nowMs += idleMs
          nowMs += pace.waitMs
          assert.equal(pace.waitMs, 0, 'what it said to wait for is enough')
          assert.ok(sum <= 1_000 + nowMs, `${sum} bytes within ${nowMs} ms`)
          pace.fetched(bytes)
          sum += bytes
        }
      })
    )
  })

  it('uses all of its rate', () => {
    let nowMs = 0
    const pace = new BytePace(1_000, () => nowMs)
    let sum = 0
    while (nowMs < 60_000) {
      nowMs += pace.waitMs
      pace.fetched(100)
      sum += 100
    }
    assert.ok(sum >= 60_000 && sum <= 61_200, `${sum}`)
  })

  it('stops waiting when nobody needs it any more', async () => {
    const pace = new BytePace(1)
    pace.fetched(1_000_000)
    const stop = new AbortController()
    const waiting = pace.wait(stop.signal)
    stop.abort()
    await waiting
  })
})
