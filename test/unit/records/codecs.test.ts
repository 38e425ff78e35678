import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { Codec, compress, DECOMPRESSED_BYTES_MAX, decompress, isCodec } from '../../../src/records/codecs.ts'
import { COMPRESSORS, plainDecompress, xerial } from './support/plain-codecs.ts'

const CODECS = Object.entries(Codec)

const someBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 2_000 }).map(bytes => Buffer.from(bytes)),
  // Repetitions at all distances: what the codecs' copies are made of.
  fc
    .array(
      fc.record({ piece: fc.uint8Array({ minLength: 1, maxLength: 40 }), times: fc.integer({ min: 1, max: 90 }) }),
      {
        minLength: 1,
        maxLength: 20
      }
    )
    .map(pieces => Buffer.concat(pieces.flatMap(({ piece, times }) => Array<Uint8Array>(times).fill(piece))))
)

describe('codecs', () => {
  for (const [name, codec] of CODECS) {
    it(`get back from ${name} what went in, and so does a decoder of its own`, () => {
      fc.assert(
        fc.property(someBytes, plain => {
          const compressed = compress(codec, plain)
          assert.ok(decompress(codec, compressed).equals(plain))
          assert.ok(plainDecompress(codec, compressed).equals(plain))
        })
      )
    })

    it(`get back three megabytes from ${name}, compressible or not`, () => {
      const repeated = Buffer.alloc(3_000_000, 'some text that repeats, ')
      for (const plain of [repeated, notCompressible(3_000_000)])
        assert.ok(decompress(codec, compress(codec, plain)).equals(plain))
    })
  }

  it('know their numbers', () => {
    assert.deepEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7].filter(isCodec), [0, 1, 2, 3, 4])
  })
})

describe('snappy in xerial frames', () => {
  it('is read whatever the chunks’ size', () => {
    fc.assert(
      fc.property(someBytes, fc.integer({ min: 1, max: 70_000 }), (plain, blockBytes) => {
        assert.ok(decompress(Codec.snappy, xerial(plain, Math.max(blockBytes, plain.length / 100))).equals(plain))
      })
    )
  })

  it('is refused when it ends within a chunk or within a chunk’s length', () => {
    const framed = xerial(Buffer.from('some text that repeats, some text that repeats'), 16)
    const chunkEnds = new Set([16])
    for (let at = 16; at < framed.length; ) {
      at += 4 + framed.readInt32BE(at)
      chunkEnds.add(at)
    }
    for (let end = 16; end < framed.length; end++) {
      if (chunkEnds.has(end)) continue
      assert.throws(() => decompress(Codec.snappy, framed.subarray(0, end)), RangeError, `cut at ${end}`)
    }
  })

  it('is refused when a chunk claims more bytes than there are', () => {
    for (const claim of [0x7fffffff, 0xffffffff]) {
      const framed = xerial(Buffer.from('text'), 16)
      framed.writeUInt32BE(claim, 16)
      assert.throws(() => decompress(Codec.snappy, framed), RangeError)
    }
  })
})

describe('lz4 frames of other writers', () => {
  const plain = Buffer.from(
    Array.from({ length: 2_600 }, (_, i) => `{"n":${i % 37},"name":"value ${i % 7}"}\n`).join('')
  )
  // Made by `lz4 -9 -B4` with -BD; with -BX -BI --content-size; with -BI --no-frame-crc.
  for (const kind of ['linked-blocks', 'all-checksums', 'no-checksums']) {
    it(`are read with ${kind.replace('-', ' ')}`, () => {
      const frame = readFileSync(join(import.meta.dirname, 'fixtures', `lz4-${kind}.lz4`))
      assert.ok(decompress(Codec.lz4, frame).equals(plain))
    })
  }
})

describe('decompressing more than the limit', () => {
  const ONE_MORE = DECOMPRESSED_BYTES_MAX + 1

  it('is refused by gzip', () => {
    const member = gzipSync(Buffer.alloc(16 << 20))
    const members = Array<Buffer>(DECOMPRESSED_BYTES_MAX / (16 << 20) + 1).fill(member)
    assert.throws(() => decompress(Codec.gzip, Buffer.concat(members)), /larger than 268435456/)
  })

  it('is refused by zstd', () => {
    assert.equal(decompress(Codec.zstd, zstdZeros(8)).length, 1 << 20)
    assert.throws(
      () => decompress(Codec.zstd, zstdZeros(DECOMPRESSED_BYTES_MAX / (1 << 17) + 1)),
      /larger than 268435456/
    )
  })

  it('is refused by snappy for what a block claims, before memory is taken', () => {
    assert.throws(() => decompress(Codec.snappy, snappyClaim(ONE_MORE)), /expands beyond 268435456/)
    assert.throws(() => decompress(Codec.snappy, snappyClaim(2 ** 32 - 1)), /expands beyond 268435456/)
  })

  it('is refused by snappy for what a xerial chunk claims', () => {
    const framed = Buffer.concat([xerial(Buffer.from('fits'), 16), Buffer.from([0, 0, 0, 8]), snappyClaim(ONE_MORE)])
    assert.throws(() => decompress(Codec.snappy, framed), /expands beyond 268435456/)
  })

  it('is refused by lz4 for what its blocks can hold, before memory is taken', () => {
    assert.equal(decompress(Codec.lz4, lz4Zeros(2)).length, 8 << 20)
    assert.throws(() => decompress(Codec.lz4, lz4Zeros(65)), /expands beyond 268435456/)
  })

  it('does not keep lz4 from a frame of megabytes that fits', () => {
    const plain = notCompressible(1_200_000)
    const frame = compress(Codec.lz4, plain)
    assert.ok(frame.length * 255 > DECOMPRESSED_BYTES_MAX, 'large enough to be looked at')
    assert.ok(decompress(Codec.lz4, frame).equals(plain))
  })
})

describe('bytes that are not what the codec says', () => {
  for (const [name, codec] of CODECS.filter(([, codec]) => codec !== Codec.none)) {
    it(`are refused by ${name}, or come out as some bytes within the limit`, () => {
      const whole = compress(codec, Buffer.from('some text that repeats, some text that repeats, '.repeat(5)))
      const garbage = fc.oneof(
        fc.uint8Array({ maxLength: 80 }).map(bytes => Buffer.from(bytes)),
        fc.nat({ max: whole.length }).map(end => whole.subarray(0, end)),
        fc
          .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 })
          .map(changes => {
            const changed = Buffer.from(whole)
            for (const [at, byte] of changes) changed[at] = byte
            return changed
          })
      )
      fc.assert(
        fc.property(garbage, bytes => {
          decompressDamaged(codec, bytes)
        })
      )
    })
  }
})

describe('a good input right after a damaged one', () => {
  const plain = Buffer.from('some text that repeats, some text that repeats, '.repeat(40))

  for (const { name, codec, compress: compressWith } of COMPRESSORS.filter(({ codec }) => codec !== Codec.none)) {
    const whole = compressWith(plain)

    it(`still comes out of ${name} after each way to cut one short`, () => {
      for (let end = 0; end < whole.length; end++) {
        decompressDamaged(codec as Codec, whole.subarray(0, end))
        assert.ok(decompress(codec as Codec, whole).equals(plain), `cut at ${end}`)
      }
    })

    it(`still comes out of ${name} after any of its bytes was changed`, () => {
      for (let at = 0; at < whole.length; at++) {
        for (const bits of [0x01, 0x80, 0xff]) {
          const damaged = Buffer.from(whole)
          damaged[at]! ^= bits
          decompressDamaged(codec as Codec, damaged)
          assert.ok(decompress(codec as Codec, whole).equals(plain), `byte ${at} changed by ${bits}`)
        }
      }
    })
  }
})

describe('frames one behind the other', () => {
  // Also such as end exactly where the memory for results does.
  const sizes = fc.array(fc.oneof(fc.nat({ max: 3_000 }), fc.constantFrom(131_072, 262_143, 262_144, 262_145)), {
    minLength: 2,
    maxLength: 4
  })
  for (const [name, codec, compressOne] of [
    ['gzip', Codec.gzip, (plain: Buffer) => gzipSync(plain)],
    ['zstd', Codec.zstd, (plain: Buffer) => zstdCompressSync(plain)]
  ] as const) {
    it(`are all read from ${name}`, () => {
      fc.assert(
        fc.property(sizes, frameBytes => {
          const plain = frameBytes.map((bytes, i) => Buffer.alloc(bytes, `frame ${i}, `))
          assert.ok(decompress(codec, Buffer.concat(plain.map(compressOne))).equals(Buffer.concat(plain)))
        }),
        { numRuns: 30 }
      )
    })
  }

  it('end with the first one in lz4', () => {
    const frames = ['first', 'second'].map(text => Buffer.from(compress(Codec.lz4, Buffer.from(text))))
    assert.equal(decompress(Codec.lz4, Buffer.concat(frames)).toString(), 'first')
  })

  it('are refused by snappy, which has no frames', () => {
    const blocks = ['first', 'second'].map(text => Buffer.from(compress(Codec.snappy, Buffer.from(text))))
    assert.throws(() => decompress(Codec.snappy, Buffer.concat(blocks)))
  })

  it('may be followed by zeros in gzip, and by nothing else that is not a frame', () => {
    const member = gzipSync(Buffer.from('text'))
    assert.equal(decompress(Codec.gzip, Buffer.concat([member, Buffer.alloc(9)])).toString(), 'text')
    assert.throws(() => decompress(Codec.gzip, Buffer.concat([member, Buffer.from('garbage')])), {
      code: 'Z_DATA_ERROR'
    })
    const frame = zstdCompressSync(Buffer.from('text'))
    assert.throws(() => decompress(Codec.zstd, Buffer.concat([frame, Buffer.from('garbage')])), /frame/)
  })
})

/** Either refuses it or gives some bytes. */
function decompressDamaged(codec: Codec, damaged: Buffer): void {
  try {
    assert.ok(decompress(codec, damaged).length <= DECOMPRESSED_BYTES_MAX)
  } catch (error) {
    assert.ok(error instanceof Error && !(error instanceof assert.AssertionError))
  }
}

function notCompressible(bytes: number): Buffer {
  const random = Buffer.alloc(bytes)
  for (let i = 0, state = 1; i < bytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    random[i] = state >>> 24
  }
  return random
}

/** A snappy block that claims so many plain bytes, and holds nothing. */
function snappyClaim(plainBytes: number): Buffer {
  const bytes: number[] = []
  let rest = plainBytes
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest, 0, 0, 0])
}

/** An LZ4 frame of blocks of 4 MiB of zeros each, without checksums. */
function lz4Zeros(blocks: number): Buffer {
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73])
  // A literal zero, then a copy from one byte back: 15, 4 and all the 255s behind. The block ends in literals.
  const more = Math.floor((4_194_304 - 1 - 19 - 5) / 255)
  const last = (4_194_304 - 1 - 19 - 5) % 255
  const data = Buffer.from([0x1f, 0, 1, 0, ...Array<number>(more).fill(255), last, 0x50, 0, 0, 0, 0, 0])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(data.length)
  return Buffer.concat([header, ...Array<Buffer>(blocks).fill(Buffer.concat([size, data])), Buffer.alloc(4)])
}

/** A zstd frame of blocks of 128 KiB that repeat one byte (RFC 8878). */
function zstdZeros(blocks: number): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])
  const block = (isLast: boolean) => Buffer.from([(isLast ? 1 : 0) | (1 << 1), 0x00, 0x10, 0])
  return Buffer.concat([header, ...Array<Buffer>(blocks - 1).fill(block(false)), block(true)])
}
