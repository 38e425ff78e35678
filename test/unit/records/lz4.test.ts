import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { lz4Compress } from '@platformatic/wasm-utils'
import fc from 'fast-check'
import { decodeSmallLz4, encodeLz4, smallLz4Plain } from '../../../src/records/lz4.ts'
import { runWasmCodec } from '../../../src/records/wasm-codecs.ts'
import { wordsOf } from '../../../src/records/words.ts'
import { repetitiveBytes } from './support/repetitive-bytes.ts'

describe('decodeSmallLz4', () => {
  it('gives what another encoder compressed, or leaves it to the module', () => {
    let decoded = 0
    fc.assert(
      fc.property(repetitiveBytes, plain => {
        const result = decodeSmall(lz4Compress(plain))
        if (result === undefined) return
        decoded++
        assert.ok(result.equals(plain))
      }),
      { numRuns: 1_000 }
    )
    assert.ok(decoded > 500, `${decoded} of 1,000 were decoded here`)
  })

  it('decodes matches that overlap themselves, long ones and long literals', () => {
    const literals = Buffer.from(Array.from({ length: 400 }, (_, index) => (index * 89) % 251))
    const near = ['ababababab', 'abcabcabcabcabcabcabcabc', 'abcdabcdabcdabcdabcd', 'abcdeabcdeabcdeabcde'].map(text =>
      Buffer.from(text)
    )
    const plain = Buffer.concat([literals, Buffer.alloc(5_000, 'a'), ...near, literals])
    assert.ok(decodeSmall(lz4Compress(plain))?.equals(plain))
  })

  it('takes damaged frames for what the module takes them for, or leaves them to it', () => {
    fc.assert(
      fc.property(repetitiveBytes, fc.nat(), fc.nat({ max: 255 }), (plain, at, byte) => {
        const frame = Buffer.from(lz4Compress(plain))
        frame[at % frame.length] = byte
        const result = decodeSmall(frame)
        if (result === undefined) return
        assert.ok(result.equals(runWasmCodec('lz4_decompress', frame)))
      }),
      { numRuns: 3_000 }
    )
  })

  it('leaves frames that are cut off, empty, stored, joined or large to the module', () => {
    const frame = Buffer.from(lz4Compress(Buffer.from('a repeated text, a repeated text'.repeat(4))))
    assert.ok(decodeSmall(frame) !== undefined)
    for (let length = 0; length < frame.length; length++) {
      assert.equal(decodeSmall(frame.subarray(0, length)), undefined, `${length} bytes`)
    }
    const stored = Buffer.from(lz4Compress(randomBytes(500)))
    const large = Buffer.from(lz4Compress(Buffer.concat([randomBytes(5_000), Buffer.alloc(5_000)])))
    for (const other of [Buffer.concat([frame, frame]), stored, large]) {
      assert.ok(decodeSmall(other) === undefined)
    }
  })

  it('reads nothing outside of the frame', () => {
    fc.assert(
      fc.property(repetitiveBytes, fc.uint8Array({ maxLength: 8 }), (plain, beside) => {
        const frame = lz4Compress(plain)
        const between = Buffer.concat([beside, frame, beside])
        const result = decodeSmall(between, beside.length, beside.length + frame.length)
        assert.deepEqual(result, decodeSmall(frame))
      })
    )
  })
})

describe('encodeLz4', () => {
  it('makes a frame that other decoders read', () => {
    fc.assert(
      fc.property(repetitiveBytes, plain => {
        const frame = encodeLz4(plain)
        assert.ok(runWasmCodec('lz4_decompress', frame).equals(plain))
        const small = decodeSmall(frame)
        assert.ok(small === undefined || small.equals(plain))
      }),
      { numRuns: 2_000 }
    )
  })

  it('makes blocks of 64 KiB, each with the end that decoders rely on', () => {
    const text = Buffer.from(Array.from({ length: 30_000 }, (_, i) => `order ${i % 700} of customer ${i % 41}`).join())
    const mixed = Buffer.concat([text.subarray(0, 70_000), randomBytes(150_000), Buffer.alloc(100_000), text])
    for (const plain of [mixed, text, randomBytes(65_536), Buffer.alloc(65_537), Buffer.alloc(200_000)]) {
      for (const bytes of [plain.length, 65_535, 65_536, 65_537, 131_072].filter(bytes => bytes <= plain.length)) {
        const part = plain.subarray(0, bytes)
        const frame = encodeLz4(part)
        assertWellFormed(frame)
        assert.ok(runWasmCodec('lz4_decompress', frame).equals(part))
      }
    }
    fc.assert(fc.property(repetitiveBytes, plain => assertWellFormed(encodeLz4(plain))))
  })

  it('compresses documents about as well as the module does', () => {
    const documents = Array.from({ length: 2_000 }, (_, i) =>
      JSON.stringify({
        id: randomBytes(8).toString('hex'),
        sequence: i,
        status: 'paid',
        items: [{ sku: `SKU-${i * 7919}` }]
      })
    )
    const plain = Buffer.from(documents.join(''))
    assert.ok(encodeLz4(plain).length < lz4Compress(plain).length * 1.05)
  })

  it('adds less than a hundredth to what does not compress', () => {
    for (const bytes of [1, 11, 12, 13, 100, 65_536, 1_000_000]) {
      assert.ok(encodeLz4(randomBytes(bytes)).length < bytes * 1.01 + 20, `${bytes} bytes`)
    }
  })
})

function decodeSmall(bytes: Buffer, start = 0, end = bytes.length): Buffer | undefined {
  const length = decodeSmallLz4(wordsOf(bytes), start, end)
  return length < 0 ? undefined : Buffer.from(smallLz4Plain.subarray(0, length))
}

/**
 * Walks a frame by the format's description: no block refers to one before it, none is longer than 64 KiB, the last match
 * of one begins at least 12 bytes before its end, and its last 5 bytes are literals.
 */
function assertWellFormed(frame: Buffer): void {
  assert.equal(frame.toString('hex', 0, 7), '04224d18604082')
  let at = 7
  for (;;) {
    const size = frame.readUInt32LE(at)
    at += 4
    if (size === 0) break
    if (size < 0x80000000) assertBlockEnds(frame.subarray(at, at + size))
    else assert.ok(size - 0x80000000 <= 65_536)
    at += size % 0x80000000
  }
  assert.equal(at, frame.length)
}

function assertBlockEnds(block: Buffer): void {
  let at = 0
  let plain = 0
  let lastMatchStart = -1
  const lengthAt = (first: number) => {
    let length = first
    if (first === 15) for (let more = 255; more === 255; ) length += more = block[at++]!
    return length
  }
  for (;;) {
    const token = block[at++]!
    const literals = lengthAt(token >> 4)
    at += literals
    plain += literals
    if (at === block.length) {
      assert.ok(
        lastMatchStart < 0 || (literals >= 5 && lastMatchStart <= plain - 12),
        `${literals} literals at the end`
      )
      break
    }
    const distance = block.readUInt16LE(at)
    at += 2
    assert.ok(distance > 0 && distance <= plain, `a match ${distance} back at ${plain}`)
    lastMatchStart = plain
    plain += lengthAt(token & 15) + 4
  }
  assert.ok(plain <= 65_536)
}
