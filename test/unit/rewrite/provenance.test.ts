import assert from 'node:assert/strict'
import fc from 'fast-check'
import { HopDetector, ProvenanceHeader, ProvenanceReader } from '../../../src/rewrite/provenance.ts'
import { encodeHeaders, type Header } from '../records/support/records.ts'

const anOffset = fc.oneof(fc.nat({ max: 1_200 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100 }))

describe('ProvenanceHeader', () => {
  it('names offset 0 when that is the first one', () => {
    assert.equal(headerText(new ProvenanceHeader('east', 'orders', 3).encode(0)), 'east/orders/3/0')
  })

  it('names every offset from 0 to 10,010 in turn', () => {
    const header = new ProvenanceHeader('east', 'orders', 3)
    for (let offset = 0; offset <= 10_010; offset++) {
      assert.equal(headerText(header.encode(offset)), `east/orders/3/${offset}`)
    }
  })

  it('names offsets in any order: runs, repeats and jumps over a change in digits', () => {
    const aRun = fc.record({ start: anOffset, length: fc.integer({ min: 1, max: 25 }) })
    fc.assert(
      fc.property(fc.array(aRun, { maxLength: 20 }), runs => {
        const header = new ProvenanceHeader('east', 'orders', 0)
        for (const { start, length } of runs) {
          for (let offset = start; offset < start + length; offset++) {
            assert.equal(headerText(header.encode(offset)), `east/orders/0/${offset}`)
          }
        }
      })
    )
  })

  it('counts on over 9, 99, 999 and the largest offset’s digits', () => {
    for (const last of [9, 99, 999, 999_999, 2 ** 32, 8_999_999_999_999_999]) {
      const header = new ProvenanceHeader('e', 't', 12_345)
      for (const offset of [last - 1, last, last + 1, last + 2]) {
        assert.equal(headerText(header.encode(offset)), `e/t/12345/${offset}`)
      }
    }
  })

  it('encodes key and value with their lengths in front, also when the value takes a two-byte length', () => {
    const topic = 't'.repeat(249)
    const encoded = new ProvenanceHeader('east', topic, 3).encode(77)
    assert.deepEqual(Buffer.from(encoded), encodeHeaders([header(`east/${topic}/3/77`)]))
  })
})

describe('ProvenanceReader', () => {
  const reader = new ProvenanceReader('east', 'orders', 3)
  const sourceOffset = (headers: readonly Header[]) => {
    const bytes = encodeHeaders(headers)
    return reader.sourceOffset(bytes, 0, bytes.length, headers.length)
  }

  it('reads back what ProvenanceHeader wrote, behind any other headers', () => {
    const others = fc.array(fc.record({ key: fc.string(), value: fc.option(fc.uint8Array({ maxLength: 9 })) }))
    fc.assert(
      fc.property(others, anOffset, (before, offset) => {
        const written = Buffer.from(new ProvenanceHeader('east', 'orders', 3).encode(offset))
        const earlier = encodeHeaders(before.map(({ key, value }) => ({ key, value: value && Buffer.from(value) })))
        const bytes = Buffer.concat([earlier, written])
        assert.equal(reader.sourceOffset(bytes, 0, bytes.length, before.length + 1), offset)
      })
    )
  })

  const cases: [what: string, hops: (string | null)[], expected: number][] = [
    ['goes by the last hop', ['north/a/1/5', 'east/orders/3/42'], 42],
    ['does not go by an earlier hop', ['east/orders/3/42', 'north/orders/3/7'], -1],
    ['refuses another partition', ['east/orders/31/42'], -1],
    ['refuses another topic that begins alike', ['east/orders2/3/42'], -1],
    ['refuses another cluster that ends alike', ['northeast/orders/3/42'], -1],
    ['refuses a hop without an offset', ['east/orders/3/'], -1],
    ['refuses an offset that is no number', ['east/orders/3/4x'], -1],
    ['refuses a negative offset', ['east/orders/3/-4'], -1],
    ['refuses an offset beyond what a number holds', ['east/orders/3/99999999999999999'], -1],
    ['refuses a null value', [null], -1],
    ['refuses an empty value', [''], -1],
    ['lets a null value win over an earlier hop', ['east/orders/3/42', null], -1]
  ]
  for (const [what, hops, expected] of cases) it(what, () => assert.equal(sourceOffset(hops.map(header)), expected))

  it('finds nothing where there is no provenance', () => {
    assert.equal(sourceOffset([]), -1)
    assert.equal(sourceOffset([{ key: 'farlog.other', value: Buffer.from('east/orders/3/42') }]), -1)
    assert.equal(sourceOffset([{ key: 'farlog.origin2', value: Buffer.from('east/orders/3/42') }]), -1)
  })
})

describe('HopDetector', () => {
  const detector = new HopDetector('west')
  const hasHop = (headers: readonly Header[]) => {
    const bytes = encodeHeaders(headers)
    return detector.hasHop(bytes, 0, bytes.length, headers.length)
  }

  it('finds the cluster in the first, a middle or the last hop', () => {
    const north = header('north/t/0/1')
    const west = header('west/t/0/1')
    assert.ok(hasHop([west]))
    assert.ok(hasHop([north, west, north]))
    assert.ok(hasHop([north, north, west]))
  })

  it('takes no other cluster for it, nor other headers', () => {
    assert.equal(hasHop([header('west2/t/0/1'), header('northwest/t/0/1'), header('wes'), header(null)]), false)
    assert.equal(hasHop([{ key: 'origin', value: Buffer.from('west/t/0/1') }]), false)
    assert.equal(hasHop([]), false)
  })

  it('does not read behind the record’s end', () => {
    const bytes = encodeHeaders([header('north/t/0/1'), header('west/t/0/1')])
    assert.equal(detector.hasHop(bytes, 0, encodeHeaders([header('north/t/0/1')]).length, 2), false)
  })
})

describe('headers that lie about their count and lengths', () => {
  // A key length of -1 or -2 leads back to itself: without a check, two billion turns without progress.
  const lies = [Buffer.from([0x03, 0x01, 0x01]), Buffer.from([0x01, 0x01, 0x01, 0x01])]

  it('do not keep HopDetector busy', () => {
    const detector = new HopDetector('west')
    for (const lie of lies) detector.hasHop(readAtMost(1_000, lie), 0, lie.length, 2 ** 31 - 1)
  })

  it('do not keep ProvenanceReader busy', () => {
    const reader = new ProvenanceReader('east', 'orders', 3)
    for (const lie of lies) reader.sourceOffset(readAtMost(1_000, lie), 0, lie.length, 2 ** 31 - 1)
  })
})

/** The same bytes, but an error once they were read too often. */
function readAtMost(times: number, bytes: Uint8Array): Uint8Array {
  let reads = 0
  return new Proxy(bytes, {
    get(target, at) {
      assert.ok(++reads <= times, `no end after ${times} reads`)
      return Reflect.get(target, at)
    }
  })
}

function header(value: string | null): Header {
  return { key: 'farlog.origin', value: value === null ? null : Buffer.from(value) }
}

/** The value in an encoded provenance header whose value is shorter than 64 bytes. */
function headerText(encoded: Uint8Array): string {
  const bytes = Buffer.from(encoded)
  assert.equal(bytes.toString('latin1', 1, 14), 'farlog.origin')
  assert.equal(bytes[14], (bytes.length - 15) * 2)
  return bytes.toString('latin1', 15)
}
