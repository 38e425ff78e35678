import assert from 'node:assert/strict'
import { ageSeconds } from '../../../src/status/oldest-record.ts'

const NOW_MS = 1_800_000_000_000

describe('ageSeconds', () => {
  it('is what the first timestamp says that tells anything', () => {
    assert.equal(ageSeconds([NOW_MS - 1_500, NOW_MS - 9_000], NOW_MS), 1.5)
    assert.equal(ageSeconds([-1, 0, NOW_MS + 3_600_000, NOW_MS - 2_000], NOW_MS), 2)
    assert.equal(ageSeconds([0, -1, NOW_MS + 3_600_000], NOW_MS), null)
  })

  it('is not negative where the clocks differ a little', () => {
    assert.equal(ageSeconds([NOW_MS + 200], NOW_MS), 0)
  })
})
