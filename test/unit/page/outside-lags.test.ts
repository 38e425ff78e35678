import assert from 'node:assert/strict'
import type { OutsidePartition } from '../../../src/page/group-look.ts'
import { OutsideLags } from '../../../src/page/outside-lags.ts'

const HOUR_MS = 3_600_000
const WALL_MS = 1_790_000_000_000

/** A partition whose owner last committed this offset, when the source ended at that one. */
function seen(nextSourceOffset: number, sourceEndOffset: number, told?: OutsidePartition['told']): OutsidePartition {
  const lagRecords = sourceEndOffset - nextSourceOffset
  const state = lagRecords === 0 ? 'mirrored' : 'behind'
  const judgement = { state, detail: null, nextSourceOffset, sourceEndOffset, lagRecords } as const
  return { topic: 'orders', partition: 3, judgement, told, stopped: undefined }
}

describe('lags of partitions of other workers', () => {
  let lags: OutsideLags
  const look = (partition: OutsidePartition, atMs: number) => {
    lags.look([partition], atMs, WALL_MS + atMs)
    const { records, seconds } = lags.of(partition)
    return { records, seconds }
  }

  beforeEach(() => {
    lags = new OutsideLags()
  })

  it('are no older than the page has been open where something else is missing at every look', () => {
    // Two seconds late all the time, so that what is committed is never all there is.
    const busy = (atMs: number) => seen(atMs - 2_000, atMs)
    assert.deepEqual(look(busy(5_000), 5_000), { records: 2_000, seconds: null })
    for (let atMs = 10_000; atMs <= 9 * HOUR_MS; atMs += 5_000) assert.equal(look(busy(atMs), atMs).seconds, 5)
    // Its owner is gone: from now on the same is missing.
    const end = 9 * HOUR_MS
    const left = (atMs: number) => look(seen(end - 2_000, atMs), atMs).seconds
    assert.equal(left(end + 5_000), 10)
    assert.equal(left(end + 60_000), 65)
  })

  it('are never less than they are where what is late is later than a look', () => {
    const late = (atMs: number) => seen(atMs - 20_000, atMs)
    for (let atMs = 25_000; atMs <= 600_000; atMs += 5_000) {
      const { seconds } = look(late(atMs), atMs)
      assert.ok(atMs < 60_000 || (seconds! >= 20 && seconds! <= 50), `${seconds} at ${atMs}`)
    }
  })

  it('are told by the owner’s word while it is new to us, whatever its clock says', () => {
    for (const skewMs of [-9 * HOUR_MS, 9 * HOUR_MS]) {
      lags = new OutsideLags()
      const word = (atMs: number) => ({ offset: atMs, seenAtMs: WALL_MS + atMs + skewMs, lagSeconds: 0.3 })
      look(seen(0, 1_000, word(1_000)), 0)
      assert.deepEqual(look(seen(4_990, 9_000, word(5_000)), 5_000), { records: 10, seconds: 0.3 })
      // It says nothing new any more.
      assert.deepEqual(look(seen(4_990, 12_000, word(5_000)), 10_000), { records: 10, seconds: 0.3 })
      assert.deepEqual(look(seen(4_990, 20_000, word(5_000)), 15_000), { records: 15_010, seconds: 10.3 })
    }
  })

  it('are told by its clock where its word is older than our first look', () => {
    const word = (secondsAgo: number) => ({ offset: 95, seenAtMs: WALL_MS - secondsAgo * 1_000, lagSeconds: 0.5 })
    assert.deepEqual(look(seen(90, 100, word(2)), 0), { records: 5, seconds: 0.5 })
    lags = new OutsideLags()
    assert.deepEqual(look(seen(90, 100, word(600)), 0), { records: 10, seconds: 600.5 })
  })

  it('begin anew once nothing is missing', () => {
    look(seen(90, 100), 0)
    assert.equal(look(seen(90, 100), 5_000).seconds, 5)
    assert.deepEqual(look(seen(100, 100), 600_000), { records: 0, seconds: 0 })
    assert.deepEqual(look(seen(100, 101), 605_000), { records: 1, seconds: 5 })
  })
})
