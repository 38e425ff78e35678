import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { decodeSmallLz4 } from '../../../src/records/small-lz4.ts'
import { runWasmCodec } from '../../../src/records/wasm-codecs.ts'

/** Bytes that compress well, badly or not at all, with runs of every length. */
const plainBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 90 }),
      fc.record({ byte: fc.nat({ max: 255 }), times: fc.nat({ max: 600 }) }),
      fc.constantFrom('customer', 'payment', 'https://example.com/orders/')
    ),
    { minLength: 1, maxLength: 25 }
  )
  .map(parts =>
    Buffer.concat(
      parts.map(part => {
        if (typeof part === 'string') return Buffer.from(part)
        return 'byte' in part ? Buffer.alloc(part.times, part.byte) : Buffer.from(part)
      })
    )
  )

describe('decodeSmallLz4', () => {
  it('gives what was compressed, or leaves it to the module', () => {
    let decoded = 0
    fc.assert(
      fc.property(plainBytes, plain => {
        const result = decodeSmallLz4(runWasmCodec('lz4_compress', plain))
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
    const plain = Buffer.concat([literals, Buffer.alloc(5_000, 'a'), Buffer.from('abcabcabcabcabcabcabcabc'), literals])
    const result = decodeSmallLz4(runWasmCodec('lz4_compress', plain))
    assert.ok(result?.equals(plain))
  })

  it('takes damaged frames for what the module takes them for, or leaves them to it', () => {
    fc.assert(
      fc.property(plainBytes, fc.nat(), fc.nat({ max: 255 }), (plain, at, byte) => {
        const frame = Buffer.from(runWasmCodec('lz4_compress', plain))
        frame[at % frame.length] = byte
        const result = decodeSmallLz4(frame)
        if (result === undefined) return
        assert.ok(result.equals(runWasmCodec('lz4_decompress', frame)))
      }),
      { numRuns: 3_000 }
    )
  })

  it('leaves frames that are cut off, empty, stored, joined or large to the module', () => {
    const frame = Buffer.from(runWasmCodec('lz4_compress', Buffer.from('a repeated text, a repeated text'.repeat(4))))
    assert.ok(decodeSmallLz4(frame) !== undefined)
    for (let length = 0; length < frame.length; length++) {
      assert.equal(decodeSmallLz4(frame.subarray(0, length)), undefined, `${length} bytes`)
    }
    const stored = Buffer.from(runWasmCodec('lz4_compress', randomBytes(500)))
    const large = Buffer.from(runWasmCodec('lz4_compress', Buffer.concat([randomBytes(5_000), Buffer.alloc(5_000)])))
    for (const other of [Buffer.concat([frame, frame]), stored, large]) {
      assert.ok(decodeSmallLz4(other) === undefined)
    }
  })
})
