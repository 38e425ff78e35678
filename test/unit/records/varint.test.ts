import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  readVarint,
  readVarlong,
  sizeOfVarint,
  sizeOfVarlong,
  varintEnd,
  writeVarint,
  writeVarlong
} from '../../../src/records/varint.ts'
import { varint as plainVarint } from './support/records.ts'

const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1

/** Each power of two and its neighbours on both sides of zero: where encodings get a byte longer. */
function edges(bits: number): number[] {
  const powers = Array.from({ length: bits + 1 }, (_, exponent) => 2 ** exponent)
  return powers.flatMap(power => [power - 1, power, power + 1]).flatMap(value => [value, -value, -value - 1])
}

const int32Edges = edges(31).filter(value => value >= INT32_MIN && value <= INT32_MAX)
const int53Edges = edges(53).filter(Number.isSafeInteger)
const anInt32 = fc.oneof(fc.integer(), fc.constantFrom(...int32Edges))
const anInt53 = fc.oneof(
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(...int53Edges)
)

describe('varint', () => {
  it('writes, sizes and reads every 32-bit number as the format says', () => {
    fc.assert(fc.property(anInt32, fc.nat({ max: 3 }), (value, at) => assertAgrees(value, at, 'varint')))
  })

  it('writes, sizes and reads every 32-bit edge', () => {
    for (const value of int32Edges) assertAgrees(value, 0, 'varint')
  })
})

describe('varlong', () => {
  it('writes, sizes and reads every number up to 2^53 as the format says', () => {
    fc.assert(fc.property(anInt53, fc.nat({ max: 3 }), (value, at) => assertAgrees(value, at, 'varlong')))
  })

  it('writes, sizes and reads every edge up to 2^53', () => {
    for (const value of int53Edges) assertAgrees(value, 0, 'varlong')
  })

  it('reads what does not fit a number as the nearest number beyond 2^53', () => {
    const aBeyond = fc.oneof(
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) })
    )
    fc.assert(
      fc.property(aBeyond, value => {
        assert.equal(readVarlong(plainVarint(value), 0), Number(value))
        assert.equal(varintEnd, plainVarint(value).length)
      })
    )
  })
})

describe('reading a varint that does not end', () => {
  it('stops after five bytes, or ten for a long one', () => {
    const endless = Buffer.alloc(64, 0xff)
    readVarint(endless, 3)
    assert.equal(varintEnd, 3 + 5)
    readVarlong(endless, 3)
    assert.equal(varintEnd, 3 + 10)
  })

  it('ends behind the buffer, not before, where the buffer ends first', () => {
    for (const bytes of [0, 1, 2, 4]) {
      readVarint(Buffer.alloc(bytes, 0x80), 0)
      assert.ok(varintEnd > bytes)
      readVarlong(Buffer.alloc(bytes, 0x80), 0)
      assert.ok(varintEnd > bytes)
    }
  })
})

function assertAgrees(value: number, at: number, kind: 'varint' | 'varlong'): void {
  const [write, size, read] =
    kind === 'varint' ? [writeVarint, sizeOfVarint, readVarint] : [writeVarlong, sizeOfVarlong, readVarlong]
  const expected = plainVarint(value)
  const bytes = Buffer.alloc(at + 16, 0xaa)
  assert.equal(write(bytes, value, at), at + expected.length)
  assert.equal(size(value), expected.length)
  assert.deepEqual(bytes.subarray(at, at + expected.length), expected)
  assert.ok(
    bytes.subarray(at + expected.length).every(byte => byte === 0xaa),
    'nothing is written behind it'
  )
  // -0 and 0 are the same number on the wire.
  assert.equal(read(bytes, at) + 0, value + 0)
  assert.equal(varintEnd, at + expected.length)
}
