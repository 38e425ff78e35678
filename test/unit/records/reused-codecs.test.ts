import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { encodeLz4 } from '../../../src/records/lz4.ts'
import { dropLargeWasmInstances, runWasmCodec, type WasmCodec } from '../../../src/records/wasm-codecs.ts'
import { dropLargeZlibResults, runZlibCodec, type ZlibCodec } from '../../../src/records/zlib-codecs.ts'

const MIB = 1024 * 1024

/** A codec in one direction, and what it is given so that plain bytes go in or come out. */
interface Kind {
  readonly name: string
  run(input: Buffer): Buffer
  inputFor(plain: Buffer): Buffer
}

const KINDS: readonly Kind[] = [
  zlibKind('gzip', plain => plain),
  zlibKind('gunzip', plain => gzipSync(plain)),
  zlibKind('zstdCompress', plain => plain),
  zlibKind('zstdDecompress', plain => zstdCompressSync(plain)),
  { name: 'encodeLz4', run: encodeLz4, inputFor: plain => plain },
  wasmKind('lz4_decompress', plain => lz4Compress(plain)),
  wasmKind('snappy_compress', plain => plain),
  wasmKind('snappy_decompress', plain => snappyCompress(plain))
]

const SMALL = Buffer.from('some text that repeats, some text that repeats')
/** Beyond what the codecs begin with: they take more memory for it while others' results lie in theirs. */
const LARGE = Buffer.from(Array.from({ length: 80_000 }, (_, i) => `line ${i}`).join('\n'))

describe('a codec that is used again and again', () => {
  for (const kind of KINDS) {
    it(`leaves the result of ${kind.name} as it was until its own next call`, () => {
      for (const plain of [SMALL, LARGE]) {
        const result = kind.run(kind.inputFor(plain))
        const copy = Buffer.from(result)
        for (const other of KINDS.filter(each => each !== kind)) {
          const inputs = [SMALL, LARGE].map(other.inputFor)
          for (const input of [...inputs, inputs[1]!.subarray(0, 5_000)]) isTaken(other, input)
          assert.ok(result.equals(copy), `after ${other.name}`)
        }
      }
    })

    it(`has the results of ${kind.name} in the same memory on this Node`, () => {
      // Large ones: small results share memory anyway where Node makes them. The first run has it grow.
      const inputs = [LARGE, LARGE, LARGE.subarray(1_000)].map(kind.inputFor)
      const [, first, second] = inputs.map(input => kind.run(input).buffer)
      assert.ok(first === second)
    })

    it(`does not keep the memory that one huge result of ${kind.name} took`, () => {
      const inputs = [notCompressible(17 * MIB), SMALL].map(kind.inputFor)
      const [most, next] = inputs.map(input => {
        // As before each call of any codec.
        dropLargeZlibResults()
        dropLargeWasmInstances()
        return kind.run(input).buffer.byteLength
      })
      assert.ok(most! > 16 * MIB && next! <= 2 * MIB, `${most} bytes, then ${next}`)
    })
  }

  for (const kind of KINDS.filter(({ name }) => name.includes('_'))) {
    it(`does not have ${kind.name} keep what it took for smaller inputs`, () => {
      const inputs = Array.from({ length: 40 }, (_, i) => kind.inputFor(notCompressible((i + 5) * 20_000)))
      const results = inputs.map(input => kind.run(input).buffer.byteLength)
      assert.ok(results.at(-1)! <= 16 * MIB, `${results.at(-1)} bytes`)
    })
  }

  for (const kind of KINDS) {
    it(`does not have ${kind.name} take more and more memory over thousands of inputs`, () => {
      const inputs = [LARGE.subarray(0, 10_000), SMALL].map(kind.inputFor)
      const bytesBefore = kind.run(inputs[0]!).buffer.byteLength
      for (let i = 0; i < 2_000; i++) kind.run(inputs[i % 2]!)
      assert.equal(kind.run(inputs[0]!).buffer.byteLength, bytesBefore)
    })
  }

  for (const kind of KINDS.filter(({ name }) => /^(lz4|snappy)_decompress$/.test(name))) {
    it(`runs ${kind.name} in an instance made anew after bytes that it traps on`, () => {
      const whole = kind.inputFor(SMALL)
      const before = kind.run(whole).buffer
      assert.throws(() => kind.run(Buffer.from('garbage')), /unreachable/)
      const after = kind.run(whole)
      assert.notEqual(after.buffer, before)
      assert.ok(after.equals(SMALL))
    })

    it(`does not have ${kind.name} take more and more memory over thousands of damaged inputs`, () => {
      const plain = LARGE.subarray(0, 10_000)
      const whole = kind.inputFor(plain)
      const bytesBefore = kind.run(whole).buffer.byteLength
      let refused = 0
      for (let i = 0; i < 3_000; i++) {
        const damaged = Buffer.from(whole)
        // Half of them near the beginning, where the sizes are.
        damaged[(i * 7_919) % (i % 2 === 0 ? 40 : damaged.length)]! ^= 1 + (i % 255)
        if (!isTaken(kind, damaged)) refused++
      }
      assert.ok(refused > 100, `${refused} are refused`)
      const after = kind.run(whole)
      assert.ok(after.equals(plain))
      assert.ok(after.buffer.byteLength <= bytesBefore + MIB, `${bytesBefore} bytes, then ${after.buffer.byteLength}`)
    })
  }

  it('refuses a result of one byte more than the limit, and goes on with what fits', () => {
    const input = gzipSync(LARGE)
    assert.throws(() => runZlibCodec('gunzip', input, LARGE.length - 1), RangeError)
    assert.ok(runZlibCodec('gunzip', input, LARGE.length).equals(LARGE))
  })
})

function zlibKind(name: ZlibCodec, inputFor: Kind['inputFor']): Kind {
  return { name, run: input => runZlibCodec(name, input, Number.POSITIVE_INFINITY), inputFor }
}

function wasmKind(name: WasmCodec, inputFor: Kind['inputFor']): Kind {
  return { name, run: input => runWasmCodec(name, input), inputFor }
}

/** Runs it on what may be damaged. @returns false where that is refused */
function isTaken(kind: Kind, input: Buffer): boolean {
  try {
    kind.run(input)
    return true
  } catch {
    return false
  }
}

/** The same noise each time, made quickly. */
function notCompressible(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes))
}
