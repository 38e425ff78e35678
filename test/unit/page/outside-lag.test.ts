import assert from 'node:assert/strict'
import { type OutsideFacts, outsideLag } from '../../../src/page/outside-lag.ts'

function lag(changes: Partial<OutsideFacts>, toldSecondsAgo = 2) {
  const { records, seconds, sourceEndOffset } = outsideLag({
    nextSourceOffset: 100,
    sourceEndOffset: 5_100,
    lagRecords: 5_000,
    told: { offset: 103, lagSeconds: 0.4, seenAtMs: 0 },
    toldAgeMs: toldSecondsAgo * 1_000,
    behindMs: undefined,
    ...changes
  })
  // A row's three numbers never contradict one another.
  if (records === 3 || records === 5_000) assert.equal(sourceEndOffset, 100 + records)
  return { records, seconds }
}

describe('lag of a partition of another worker', () => {
  it('is what its owner said while that is fresh, whatever was written since', () => {
    assert.deepEqual(lag({}), { records: 3, seconds: 0.4 })
    assert.deepEqual(lag({ nextSourceOffset: 103 }), { records: 0, seconds: 0 })
  })

  it('counts to the source’s end as it is now once its owner is silent', () => {
    assert.deepEqual(lag({}, 10), { records: 5_000, seconds: 10.4 })
    assert.deepEqual(lag({}, 600), { records: 5_000, seconds: 600.4 })
  })

  it('is no older than it was seen, where its owner had copied all when it was last heard of', () => {
    const caughtUp = { nextSourceOffset: 103, lagRecords: 1 }
    assert.deepEqual(lag({ ...caughtUp, behindMs: 5_000 }, 18_000), { records: 1, seconds: 5 })
    // At the first look nobody can tell.
    assert.deepEqual(lag(caughtUp, 18_000), { records: 1, seconds: null })
  })

  it('is nothing where nothing is left, and unknown where it is unknown', () => {
    assert.deepEqual(lag({ lagRecords: 0 }, 600), { records: 0, seconds: 0 })
    assert.deepEqual(lag({ lagRecords: null }), { records: null, seconds: null })
    assert.deepEqual(lag({ told: undefined }), { records: 5_000, seconds: null })
    assert.deepEqual(lag({ told: undefined, behindMs: 7_000 }), { records: 5_000, seconds: 7 })
    assert.deepEqual(lag({ nextSourceOffset: null, behindMs: 7_000 }), { records: 5_000, seconds: 7 })
  })
})
