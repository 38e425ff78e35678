import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { deflateKnown } from '../../../src/records/deflate.ts'
import { inflateTraced } from '../../../src/records/inflate.ts'
import { FARTHEST_MATCH, type Matches, packMatch, SHORTEST_MATCH } from '../../../src/records/matches.ts'
import { wordsOf } from '../../../src/records/words.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { repetitiveBytes } from './support/repetitive-bytes.ts'

const NO_MATCHES: Matches = { words: new Int32Array(0), count: 0 }

describe('deflateKnown', () => {
  it('makes what zlib undoes, with all, some or none of the repetitions known', () => {
    fc.assert(
      fc.property(repetitiveBytes, fc.nat({ max: 70 }), fc.integer({ min: 1, max: 4 }), (plain, before, known) => {
        const bytes = Buffer.concat([Buffer.alloc(before, 0xff), plain, Buffer.from('behind')])
        const matches = matchesOf(plain, before, index => index % known === 0)
        assert.ok(gunzipSync(deflateKnown(bytes, before, before + plain.length, matches)).equals(plain))
      }),
      { numRuns: 1_000 }
    )
  })

  it('takes as much room as zlib with the same repetitions', () => {
    const text = Buffer.from(
      Array.from({ length: 20_000 }, (_, i) => `order ${(i * 7919) % 10_007} of ${i}, `).join('')
    )
    const ours = deflateKnown(text, 0, text.length, matchesOf(text)).length
    const theirs = gzipSync(text).length
    assert.ok(ours < theirs * 1.01, `${ours} bytes, and ${theirs}`)
  })

  it('writes any number of blocks, of bytes that compress well or not at all', () => {
    for (const plain of [
      Buffer.alloc(0),
      Buffer.from([7]),
      Buffer.alloc(100_000, 7),
      randomBytes(300_000),
      Buffer.concat([randomBytes(40_000), Buffer.alloc(3_000_000, 'ab'), randomBytes(70_000)])
    ]) {
      for (const matches of [NO_MATCHES, matchesOf(plain)]) {
        const stream = deflateKnown(plain, 0, plain.length, matches)
        assert.ok(gunzipSync(stream).equals(plain))
        assert.ok(stream.length <= plain.length * 1.01 + 400, `${stream.length} bytes of ${plain.length}`)
      }
    }
  })

  it('has room for blocks of nothing but far repetitions', () => {
    const random = new SeededRandom(1)
    const plain = randomBytes(400_000)
    const words: number[] = []
    // Literals before that, so many that a block of repetitions comes to the end of the smallest buffer.
    for (let at = 110_000; at + SHORTEST_MATCH <= plain.length; at += SHORTEST_MATCH) {
      const distance = 1 + Math.floor(random.next() * FARTHEST_MATCH)
      for (let i = at; i < at + SHORTEST_MATCH; i++) plain[i] = plain[i - distance]!
      words.push(at, packMatch(SHORTEST_MATCH, distance))
    }
    const matches = { words: Int32Array.from(words), count: words.length / 2 }
    // What is larger than all that is kept: the next one begins with the smallest buffer.
    deflateKnown(Buffer.alloc(5 * 1024 * 1024, randomBytes(1_000)), 0, 5 * 1024 * 1024, NO_MATCHES)
    assert.ok(gunzipSync(deflateKnown(plain, 0, plain.length, matches)).equals(plain))
  })

  it('keeps codes within their limit where some symbols are rarer by far than others', () => {
    // Each is more frequent than all before it but one, and the one after it than both: codes of 19 bits, in one block.
    const steep = [1, 1]
    while (steep.length < 19) steep.push(steep.at(-1)! + steep.at(-2)! + 1)
    const plain = Buffer.concat(steep.map((times, i) => Buffer.alloc(times, i)))
    assert.ok(gunzipSync(deflateKnown(plain, 0, plain.length, NO_MATCHES)).equals(plain))
  })
})

/** What zlib finds in these bytes, at places that count from `before` bytes in front of them. */
function matchesOf(plain: Buffer, before = 0, isKept: (index: number) => boolean = () => true): Matches {
  const stream = gzipSync(plain)
  const traced = inflateTraced(wordsOf(stream), 0, stream.length)
  assert.ok(traced !== undefined)
  const { words, count } = traced.matches
  const kept = Array.from({ length: count }, (_, index) => index).filter(isKept)
  return {
    words: Int32Array.from(kept.flatMap(index => [words[2 * index]! + before, words[2 * index + 1]!])),
    count: kept.length
  }
}
