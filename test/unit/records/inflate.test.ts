import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { constants, crc32, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { inflateTraced } from '../../../src/records/inflate.ts'
import { distanceOf, FARTHEST_MATCH, LONGEST_MATCH, lengthOf } from '../../../src/records/matches.ts'
import { wordsOf } from '../../../src/records/words.ts'
import { repetitiveBytes } from './support/repetitive-bytes.ts'

const STRATEGIES = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FILTERED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
  constants.Z_FIXED
]
const zlibOptions = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(...STRATEGIES),
  memLevel: fc.constantFrom(1, 8, 9)
})

describe('inflateTraced', () => {
  it('undoes whatever zlib makes, wherever it lies, and names repetitions that are there', () => {
    fc.assert(
      fc.property(repetitiveBytes, zlibOptions, fc.nat({ max: 20 }), (plain, options, before) => {
        const stream = gzipSync(plain, options)
        const around = Buffer.concat([Buffer.alloc(before, 0xff), stream, Buffer.from('behind')])
        const traced = inflateTraced(wordsOf(around), before, before + stream.length)
        assert.ok(traced !== undefined)
        assert.ok(traced.plain.equals(plain))
        assertMatches(traced, options.level === 0 || options.strategy === constants.Z_HUFFMAN_ONLY)
      }),
      { numRuns: 1_000 }
    )
  })

  it('undoes megabytes, with long and stored blocks, and gives up beyond what a batch may have', () => {
    const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `order ${i * i} of ${i}, `).join(''))
    const plain = Buffer.concat([text, randomBytes(300_000), Buffer.alloc(600_000, 'a'), text])
    for (const level of [0, 1, 6, 9]) {
      const stream = gzipSync(plain, { level })
      const traced = inflateTraced(wordsOf(stream), 0, stream.length)
      assert.ok(traced !== undefined)
      assert.ok(traced.plain.equals(plain))
      assertMatches(traced, level === 0)
    }
    const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024))
    assert.equal(inflateTraced(wordsOf(bomb), 0, bomb.length), undefined)
  })

  it('writes nothing beyond the largest buffer, whatever ends there', () => {
    const largest = 16 * 1024 * 1024
    const matchesBytes = 7 * LONGEST_MATCH
    const bytes = Buffer.alloc(largest + matchesBytes, randomBytes(100))
    // Of seven longest matches, the last one ends where there is room behind it, or at the very end, or beyond it.
    const undone = [2_400, 2_068, 2_067, matchesBytes + 1, matchesBytes, 200].map(bytesLeft => {
      const plain = bytes.subarray(0, largest - bytesLeft + matchesBytes)
      const stream = storedThenCompressed(plain, largest - bytesLeft)
      const traced = inflateTraced(wordsOf(stream), 0, stream.length)
      return traced?.plain.equals(plain)
    })
    assert.deepEqual([undone[0], undone.at(-1)], [true, undefined])
    assert.ok(!undone.includes(false))
  })

  it('leaves to zlib what ends too early, wherever that is', () => {
    const plain = Buffer.from('stored or not, '.repeat(9))
    for (const level of [0, 6]) {
      const stream = gzipSync(plain, { level })
      for (let length = 0; length < stream.length; length++) {
        // In memory of its own, beyond which nothing can be read.
        const cut = new Uint8Array(stream.subarray(0, length))
        assert.equal(inflateTraced(wordsOf(cut), 0, length), undefined)
      }
    }
  })

  it('leaves to zlib what is more than one plain member', () => {
    const stream = gzipSync('plain')
    const named = Buffer.concat([
      stream.subarray(0, 3),
      Buffer.from([8]),
      stream.subarray(4, 10),
      Buffer.from('name\0'),
      stream.subarray(10)
    ])
    assert.equal(gunzipSync(named).toString(), 'plain')
    for (const other of [
      named,
      Buffer.concat([stream, stream]),
      Buffer.concat([stream, Buffer.alloc(3)]),
      stream.subarray(0, -1),
      stream.subarray(0, 12),
      Buffer.alloc(0)
    ]) {
      assert.equal(inflateTraced(wordsOf(other), 0, other.length), undefined)
    }
  })

  it('takes damaged streams for what zlib takes them for, or leaves them to it', () => {
    let understood = 0
    fc.assert(
      fc.property(repetitiveBytes, zlibOptions, fc.nat(), fc.nat({ max: 255 }), (plain, options, at, byte) => {
        const stream = gzipSync(plain, options)
        stream[at % stream.length] = byte
        const traced = inflateTraced(wordsOf(stream), 0, stream.length)
        if (traced === undefined) return
        understood++
        assert.ok(traced.plain.equals(gunzipSync(stream)))
      }),
      { numRuns: 3_000 }
    )
    assert.ok(understood > 10, `${understood} were understood: bytes that are as they were, or say nothing`)
  })

  it('ends, whatever the bytes are', () => {
    const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), body => {
        const stream = Buffer.concat([header, body, Buffer.alloc(8)])
        assert.equal(inflateTraced(wordsOf(stream), 0, stream.length)?.plain.length ?? 0, 0)
      }),
      { numRuns: 5_000 }
    )
  })
})

/** A member of stored blocks up to there, and one behind them that repeats what they hold. */
function storedThenCompressed(plain: Buffer, storedBytes: number): Buffer {
  const parts: Buffer[] = [gzipSync('').subarray(0, 10)]
  for (let at = 0; at < storedBytes; at += 0xffff) {
    const length = Math.min(storedBytes - at, 0xffff)
    parts.push(Buffer.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff]))
    parts.push(plain.subarray(at, at + length))
  }
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(plain))
  trailer.writeUInt32LE(plain.length, 4)
  const dictionary = plain.subarray(Math.max(storedBytes - FARTHEST_MATCH, 0), storedBytes)
  return Buffer.concat([...parts, deflateRawSync(plain.subarray(storedBytes), { dictionary }), trailer])
}

function assertMatches({ plain, matches }: NonNullable<ReturnType<typeof inflateTraced>>, isWithout: boolean): void {
  if (isWithout) assert.equal(matches.count, 0)
  let last = 0
  for (let i = 0; i < matches.count; i++) {
    const at = matches.words[2 * i]!
    const length = lengthOf(matches.words[2 * i + 1]!)
    const distance = distanceOf(matches.words[2 * i + 1]!)
    assert.ok(at >= last && at + length <= plain.length && distance <= at)
    assert.equal(plain.compare(plain, at - distance, at - distance + length, at, at + length), 0)
    last = at + length
  }
}
