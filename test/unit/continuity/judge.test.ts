import assert from 'node:assert/strict'
import { judge, type PartitionInstant, sum } from '../../continuity/judge.ts'

/** Source offsets 0 to 19 without 5 and 6, which are markers; their copies stand 100 further up. */
const COPIES = Array.from({ length: 20 }, (_, offset) => offset)
  .filter(offset => offset !== 5 && offset !== 6)
  .map(sourceOffset => ({ sourceOffset, destinationOffset: sourceOffset + 100 }))
const READ_TO = 16
const INSTANT: PartitionInstant = {
  copies: COPIES,
  read: new Set(COPIES.map(({ sourceOffset }) => sourceOffset).filter(offset => offset < READ_TO)),
  position: READ_TO,
  committed: 12,
  checkpointed: 9,
  goesOnAt: 109
}

describe('judging a failover', () => {
  it('finds nothing but the price of a crash where the group goes on at its last checkpoint', () => {
    assert.deepEqual(judge(INSTANT), { missed: 0, readAgain: 7, notCommitted: 4, committed: 3, beyond: 0 })
  })

  it('finds each record that is read again although the checkpoint was behind it', () => {
    assert.deepEqual(judge({ ...INSTANT, goesOnAt: 108 }).beyond, 1)
    assert.deepEqual(judge({ ...INSTANT, goesOnAt: 0 }), {
      ...{ missed: 0, readAgain: 14, notCommitted: 4, committed: 3, beyond: 7 }
    })
  })

  it('finds each record that was never read and lies before the place', () => {
    assert.equal(judge({ ...INSTANT, goesOnAt: 116 }).missed, 0)
    assert.equal(judge({ ...INSTANT, goesOnAt: 117 }).missed, 1)
    assert.equal(judge({ ...INSTANT, goesOnAt: 500 }).missed, 4)
  })

  it('takes nothing for missed that compaction had taken before the group came by', () => {
    const read = new Set([...INSTANT.read].filter(offset => offset !== 3))
    assert.equal(judge({ ...INSTANT, read }).missed, 0)
    assert.equal(judge({ ...INSTANT, read, position: 3 }).missed, 1)
  })

  it('counts as committed only what was', () => {
    // A checkpoint can be of a commit that was taken back since.
    assert.deepEqual(judge({ ...INSTANT, checkpointed: 14 }), {
      ...{ missed: 0, readAgain: 7, notCommitted: 4, committed: 0, beyond: 3 }
    })
  })

  it('adds up', () => {
    const once = judge(INSTANT)
    assert.deepEqual(sum([once, once]), { missed: 0, readAgain: 14, notCommitted: 8, committed: 6, beyond: 0 })
    assert.equal(sum([]).readAgain, 0)
  })
})
