import assert from 'node:assert/strict'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { KnownMatches } from '../../../src/records/known-matches.ts'
import { FARTHEST_MATCH, MATCH_DISTANCE_BITS } from '../../../src/records/matches.ts'
import { wordsOf } from '../../../src/records/words.ts'

/** Where records begin; what is before them is whatever the memory held. */
const START = 20
const TOO_FAR = FARTHEST_MATCH + 1

describe('KnownMatches', () => {
  it('finds what is too far among places where others began, and as much before it as is the same', () => {
    const bytes = Buffer.from(`${'.'.repeat(START)}the quick brown fox, the quick brown dog`)
    assert.deepEqual(foundAgain(bytes, bytes.indexOf('quick brown f'), bytes.indexOf(', the') + 2), [
      { at: bytes.indexOf(', the') + 2, length: 'the quick brown '.length, distance: 'the quick brown fox, '.length }
    ])
  })

  it('never repeats what is before the records, though it is the same', () => {
    const bytes = Buffer.from('-- customer pays -- customer pays')
    const [first, second] = [bytes.indexOf('-- '), bytes.lastIndexOf('-- ')]
    // As if another batch had had it there, or nothing had been known of it yet.
    assert.deepEqual(foundAgain(bytes, first, second, second), [])
    assert.deepEqual(foundAgain(bytes, first + 3, second, first + 3), [
      { at: second + 3, length: 'customer pays'.length, distance: second - first }
    ])
  })
})

/** What is found of the bytes from `at` on, where a match began at `place` before. */
function foundAgain(bytes: Buffer, place: number, at: number, start = START) {
  const pool = new BufferPool(1 << 20)
  const words = wordsOf(bytes)
  new KnownMatches(pool, 0, 0).addNearest(bytes, words, place, 4, 1)
  const matches = new KnownMatches(pool, start, 0)
  matches.addNearest(bytes, words, at, bytes.length - at, TOO_FAR)
  return Array.from({ length: matches.count }, (_, index) => ({
    at: matches.words[2 * index]!,
    length: matches.words[2 * index + 1]! >> MATCH_DISTANCE_BITS,
    distance: (matches.words[2 * index + 1]! & (FARTHEST_MATCH - 1)) + 1
  }))
}
