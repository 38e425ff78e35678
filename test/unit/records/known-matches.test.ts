import assert from 'node:assert/strict'
import { BufferPool } from '../../../src/records/buffer-pool.ts'
import { KnownMatches, MatchCarrier } from '../../../src/records/known-matches.ts'
import { distanceOf, FARTHEST_MATCH, LONGEST_MATCH, lengthOf, packMatch } from '../../../src/records/matches.ts'
import { wordsOf } from '../../../src/records/words.ts'

/** Where records begin; what is before them is whatever the memory held. */
const START = 20
const TOO_FAR = FARTHEST_MATCH + 1

describe('KnownMatches', () => {
  it('finds what is too far among places where others began, and as much before it as is the same', () => {
    const bytes = Buffer.from(`${'.'.repeat(START)}the quick brown fox, the quick brown dog`)
    // What is before `at` is not asked for, though it is the same too: something else may be known of it.
    const at = bytes.lastIndexOf('he quick')
    assert.deepEqual(foundAgain(bytes, bytes.indexOf('quick'), at), [
      { at, length: 'he quick brown '.length, distance: 'the quick brown fox, '.length }
    ])
  })

  it('never repeats what is before the records, though it is the same', () => {
    const bytes = Buffer.from('-- customer pays -- customer pays')
    const at = bytes.lastIndexOf('-- ')
    // As if another batch had had it there, or nothing had been known of it yet.
    assert.deepEqual(foundAgain(bytes, 0, at, 3 + 'customer pays '.length), [])
    assert.deepEqual(foundAgain(bytes, 3, at, 3), [{ at: at + 3, length: 'customer pays'.length, distance: at }])
  })

  it('knows of no match that is too short, or farther than deflate can say', () => {
    const matches = knownMatches()
    matches.add(40_000, 4, FARTHEST_MATCH)
    matches.add(40_010, 4, TOO_FAR)
    matches.add(40_020, 2, 1)
    assert.deepEqual(listed(matches), [{ at: 40_000, length: 4, distance: FARTHEST_MATCH }])
    for (const [distance, count] of [
      [FARTHEST_MATCH, 1],
      [TOO_FAR, 0]
    ] as const) {
      const bytes = Buffer.alloc(START + distance + 7)
      bytes.write('payment', START)
      bytes.write('payment', START + distance)
      assert.equal(foundAgain(bytes, START, START + distance).length, count)
    }
  })

  it('has headers repeat the one before, no farther than they go and no longer than a match may be', () => {
    for (const headerBytes of [30, 300]) {
      // What lies behind the second one is the same too, as it may be in memory that is used again.
      const header = Buffer.from(Array.from({ length: headerBytes }, (_, i) => i & 0xff))
      const bytes = Buffer.concat([Buffer.alloc(START), header, header, header])
      const [first, second, third] = [0, 1, 2].map(index => START + index * headerBytes) as [number, number, number]
      const whole = { at: second, length: Math.min(headerBytes, LONGEST_MATCH), distance: headerBytes }

      const matches = knownMatches()
      matches.addHeader(bytes, first, first, second)
      matches.addHeader(bytes, second, second, third)
      assert.deepEqual(listed(matches), [whole])

      const prolonged = knownMatches()
      prolonged.add(second, 10, headerBytes)
      prolonged.addHeader(bytes, second + 10, second + 10, third)
      assert.deepEqual(listed(prolonged), [whole])
    }
  })

  it('keeps any number of them', () => {
    const matches = knownMatches()
    const expected = Array.from({ length: 5_000 }, (_, i) => ({ at: i * 10, length: 4 + (i % 5), distance: 1 + i }))
    for (const { at, length, distance } of expected) matches.add(at, length, distance)
    assert.deepEqual(listed(matches), expected)
  })
})

describe('MatchCarrier', () => {
  it('remembers no more than so many pieces of a batch, and carries over nothing of those behind them', () => {
    for (const [pieces, expected] of [
      [500_000, [{ at: START + 500_010, length: 50, distance: 10 }]],
      [600_000, []]
    ] as const) {
      const bytes = Buffer.alloc(START + pieces + 100)
      const words = Int32Array.of(pieces + 10, packMatch(50, 10))
      const carrier = new MatchCarrier({ words, count: 1 })
      const into = knownMatches()
      for (let at = 0; at < pieces; at++) carrier.carry(at, at + 1, START + at, bytes, into)
      carrier.carry(pieces, pieces + 100, START + pieces, bytes, into)
      assert.deepEqual(listed(into), expected)
    }
  })
})

function knownMatches(start = START): KnownMatches {
  return new KnownMatches(new BufferPool(1 << 20), start, 0)
}

/** What is found of the bytes from `at` on, where a match began at `place` before. */
function foundAgain(bytes: Buffer, place: number, at: number, start = START) {
  const words = wordsOf(bytes)
  knownMatches(0).addNearest(bytes, words, place, 4, 1)
  const matches = knownMatches(start)
  matches.addNearest(bytes, words, at, bytes.length - at, TOO_FAR)
  return listed(matches)
}

function listed({ words, count }: KnownMatches) {
  return Array.from({ length: count }, (_, index) => ({
    at: words[2 * index]!,
    length: lengthOf(words[2 * index + 1]!),
    distance: distanceOf(words[2 * index + 1]!)
  }))
}
