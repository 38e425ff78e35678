import assert from 'node:assert/strict'
import { BufferedBytes } from '../../../src/source/buffered-bytes.ts'

const BYTES_MAX = 1_000

function holding(liveBytes: number, backlogBytes: number, share = 0.25): BufferedBytes {
  const buffered = new BufferedBytes(BYTES_MAX, share)
  buffered.add(liveBytes, false)
  buffered.add(backlogBytes, true)
  return buffered
}

describe('BufferedBytes', () => {
  it('has room for either up to its limit where they do not compete', () => {
    for (const isBacklog of [true, false]) {
      assert.equal(holding(0, 999).hasRoom(isBacklog, false), true)
      assert.equal(holding(0, 1_000).hasRoom(isBacklog, false), false)
      assert.equal(holding(999, 0, 1).hasRoom(isBacklog, true), true)
      assert.equal(holding(500, 500, 1).hasRoom(isBacklog, true), false)
    }
  })

  it('leaves room to new traffic that the backlog can’t have', () => {
    assert.equal(holding(0, 799).hasRoom(true, true), true)
    assert.equal(holding(0, 800).hasRoom(true, true), false)
    assert.equal(holding(0, 800).hasRoom(false, true), true)
    assert.equal(holding(199, 800).hasRoom(false, true), true)
    assert.equal(holding(200, 800).hasRoom(false, true), false)
  })

  it('leaves the backlog its share, however much new traffic there is', () => {
    assert.equal(holding(749, 0).hasRoom(false, true), true)
    assert.equal(holding(750, 0).hasRoom(false, true), false)
    assert.equal(holding(750, 249).hasRoom(true, true), true)
    assert.equal(holding(750, 250).hasRoom(true, true), false)
  })

  it('stays within its limit with answers of one byte, whoever asks', () => {
    for (const share of [0.01, 0.25, 0.5, 0.99]) {
      const buffered = new BufferedBytes(BYTES_MAX, share)
      for (let i = 0; i < 5_000; i++) {
        const isBacklog = i % 2 === 0
        if (buffered.hasRoom(isBacklog, true)) buffered.add(1, isBacklog)
      }
      assert.ok(buffered.total <= BYTES_MAX + 1 && buffered.total >= BYTES_MAX * 0.98, `${share}: ${buffered.total}`)
    }
  })

  it('has no room to rewrite while what was rewritten takes all of it, whatever waits for that', () => {
    const buffered = holding(5_000, 5_000)
    assert.equal(buffered.hasRoomToRewrite, true)
    buffered.addRewritten(1_000)
    assert.equal(buffered.hasRoomToRewrite, false)
    buffered.addRewritten(-1)
    assert.equal(buffered.hasRoomToRewrite, true)
  })

  it('gives back what goes out', () => {
    const buffered = holding(0, 1_000)
    buffered.add(-1_000, true)
    assert.equal(buffered.total, 0)
    assert.equal(buffered.hasRoom(true, true), true)
  })
})
