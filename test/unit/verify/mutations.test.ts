import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ReadRecord, RecordHeader } from '../../../src/cluster/record-reader.ts'
import type { RecordField } from '../../../src/verify/record-difference.ts'
import { compare, copyOf, lines } from './records.ts'

/** Whatever is done to a right copy must be reported as that and nothing else. */
describe('mutations of a right copy', () => {
  const bytes = fc.option(
    fc.uint8Array({ maxLength: 6 }).map(array => Buffer.from(array)),
    { nil: null }
  )
  const headers = fc.array(
    fc.tuple(
      fc.constantFrom('a', 'b', 'farlog.origin').map(name => Buffer.from(name)),
      bytes
    ) as fc.Arbitrary<RecordHeader>,
    { maxLength: 3 }
  )
  const fields = fc.record({ timestamp: fc.bigInt({ min: -1n, max: 9_999n }), key: bytes, value: bytes, headers })
  const partition = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fields), { minLength: 2, maxLength: 30 })
    .map(steps => {
      let offset = -1
      return steps.map(([step, rest]): ReadRecord => {
        offset += step
        return { ...rest, offset }
      })
    })
  const chunkSizes = fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 10 }))
  const place = fc.nat()
  const numbered = (copies: readonly ReadRecord[]) => copies.map((copy, i) => ({ ...copy, offset: i * 2 }))
  const copied = (source: readonly ReadRecord[]) => source.map((each, i) => copyOf(each, i))

  it('none: nothing is reported', () => {
    fc.assert(
      fc.property(partition, chunkSizes, (source, sizes) => {
        const { counts, differences } = compare(source, copied(source), {}, sizes)
        assert.equal(counts.equal, source.length)
        assert.deepEqual(differences, [])
      })
    )
  })

  it('one dropped, not the last: missing', () => {
    fc.assert(
      fc.property(partition, place, chunkSizes, (source, at, sizes) => {
        const index = at % (source.length - 1)
        const result = compare(source, numbered(copied(source).toSpliced(index, 1)), {}, sizes)
        assert.deepEqual(lines(result), [`missing ${source[index]!.offset}`])
        assert.equal(result.counts.equal, source.length - 1)
      })
    )
  })

  it('the last ones dropped: pending', () => {
    fc.assert(
      fc.property(partition, place, chunkSizes, (source, at, sizes) => {
        const kept = at % source.length
        const { counts, differences } = compare(source, copied(source).slice(0, kept), {}, sizes)
        assert.deepEqual(differences, [])
        assert.equal(counts.pending, source.length - kept)
      })
    )
  })

  it('one written again, at once or later: duplicated', () => {
    fc.assert(
      fc.property(partition, place, place, chunkSizes, (source, at, later, sizes) => {
        const index = at % source.length
        const copies = copied(source)
        const again = index + 1 + (later % (source.length - index))
        const result = compare(source, numbered(copies.toSpliced(again, 0, copies[index]!)), {}, sizes)
        assert.deepEqual(lines(result), [`duplicated ${source[index]!.offset}`])
        assert.equal(result.counts.equal, source.length)
      })
    )
  })

  it('two neighbours swapped: reordered', () => {
    fc.assert(
      fc.property(partition, place, chunkSizes, (source, at, sizes) => {
        const index = at % (source.length - 1)
        const copies = copied(source)
        const swapped = numbered(copies.toSpliced(index, 2, copies[index + 1]!, copies[index]!))
        const result = compare(source, swapped, {}, sizes)
        assert.deepEqual(lines(result), [`reordered ${source[index]!.offset}`])
        assert.equal(result.counts.equal, source.length - 1)
      })
    )
  })

  const changes: readonly [RecordField, string, (copy: ReadRecord) => ReadRecord][] = [
    ['key', 'null and empty exchanged', copy => ({ ...copy, key: nullAndEmptyExchanged(copy.key) })],
    ['key', 'a byte more', copy => ({ ...copy, key: longer(copy.key) })],
    ['value', 'null and empty exchanged', copy => ({ ...copy, value: nullAndEmptyExchanged(copy.value) })],
    ['value', 'a bit turned', copy => ({ ...copy, value: bitTurned(copy.value) })],
    ['timestamp', 'a millisecond later', copy => ({ ...copy, timestamp: copy.timestamp + 1n })],
    ['headers', 'one more in front', copy => ({ ...copy, headers: [h('x', 'y'), ...copy.headers] })],
    ['headers', 'one more behind the origin', copy => ({ ...copy, headers: [...copy.headers, h('x', 'y')] })],
    [
      'headers',
      'null and empty exchanged',
      copy => {
        const [name, value] = copy.headers[0]!
        const isOrigin = copy.headers.length === 1
        return {
          ...copy,
          headers: isOrigin
            ? [h('x', null), ...copy.headers]
            : [[name, nullAndEmptyExchanged(value)], ...copy.headers.slice(1)]
        }
      }
    ],
    [
      'headers',
      'one taken away, or one added where there was none',
      copy => ({ ...copy, headers: copy.headers.length > 1 ? copy.headers.slice(1) : [h('a', ''), ...copy.headers] })
    ]
  ]
  for (const [field, what, change] of changes) {
    it(`one changed, ${field}, ${what}: different in just that`, () => {
      fc.assert(
        fc.property(partition, place, chunkSizes, (source, at, sizes) => {
          const index = at % source.length
          const copies = copied(source)
          const result = compare(source, copies.with(index, change(copies[index]!)), {}, sizes)
          assert.deepEqual(lines(result), [`different ${source[index]!.offset} ${field}`])
          assert.equal(result.counts.equal, source.length - 1)
        })
      )
    })
  }

  it('two headers exchanged: different headers', () => {
    fc.assert(
      fc.property(partition, place, (source, at) => {
        const index = at % source.length
        const two = { ...source[index]!, headers: [h('a', '1'), h('a', '2')] }
        const records = source.with(index, two)
        const exchanged = [two.headers[1]!, two.headers[0]!, ...copyOf({ ...two, headers: [] }, 0).headers]
        const result = compare(records, copied(records).with(index, { ...copyOf(two, index), headers: exchanged }))
        assert.deepEqual(lines(result), [`different ${two.offset} headers`])
      })
    )
  })

  it('many at once: as one who knows everything would judge', () => {
    const mutation = fc.record({
      kind: fc.constantFrom('drop' as const, 'duplicate' as const, 'swap' as const, 'change' as const),
      at: place,
      to: place
    })
    fc.assert(
      fc.property(partition, fc.array(mutation, { maxLength: 12 }), chunkSizes, (source, mutations, sizes) => {
        let copies = copied(source)
        for (const { kind, at, to } of mutations) {
          if (copies.length === 0) break
          const index = at % copies.length
          const other = to % copies.length
          const copy = copies[index]!
          if (kind === 'drop') copies = copies.toSpliced(index, 1)
          else if (kind === 'duplicate') copies = copies.toSpliced(other, 0, copy)
          else if (kind === 'swap') copies = copies.with(index, copies[other]!).with(other, copy)
          else copies = copies.with(index, { ...copy, value: bitTurned(copy.value) })
        }
        const result = compare(source, numbered(copies), {}, sizes)
        assert.deepEqual(expand(result.differences), judgedKnowingEverything(source, copies))
        const { equal, different, missing, reordered, pending } = result.counts
        assert.equal(equal + different + missing + reordered + pending, source.length)
      }),
      { numRuns: 500 }
    )
  })
})

function h(name: string, value: string | null): RecordHeader {
  return [Buffer.from(name), value === null ? null : Buffer.from(value)]
}

function nullAndEmptyExchanged(value: Buffer | null): Buffer | null {
  return value === null ? Buffer.alloc(0) : null
}

function longer(value: Buffer | null): Buffer {
  return Buffer.concat([value ?? Buffer.alloc(0), Buffer.from('x')])
}

function bitTurned(value: Buffer | null): Buffer {
  const turned = Buffer.from(value ?? [0])
  if (turned.length === 0) return Buffer.from([0])
  turned[turned.length - 1]! ^= 1
  return turned
}

/** One line for each record of each difference, in no order. */
function expand(differences: ReturnType<typeof compare>['differences']): string[] {
  return differences
    .flatMap(({ kind, sourceOffsets: { first, last } }) =>
      Array.from({ length: last - first + 1 }, (_, i) => `${kind} ${first + i}`)
    )
    .sort()
}

/** The same judgement with all records at hand, without any cleverness. */
function judgedKnowingEverything(source: readonly ReadRecord[], copies: readonly ReadRecord[]): string[] {
  const found: string[] = []
  const seen = new Set<number>()
  let highest = -1
  for (const copy of copies) {
    const origin = copy.headers.at(-1)![1]!.toString()
    const offset = Number(origin.slice(origin.lastIndexOf('/') + 1))
    const original = source.find(each => each.offset === offset)!
    const isEqual = original.value?.toString('hex') === copy.value?.toString('hex')
    if (seen.has(offset)) found.push(`duplicated ${offset}`)
    else if (offset < highest) found.push(`reordered ${offset}`)
    else if (!isEqual) found.push(`different ${offset}`)
    seen.add(offset)
    highest = Math.max(highest, offset)
  }
  for (const { offset } of source) if (!seen.has(offset) && offset < highest) found.push(`missing ${offset}`)
  return found.sort()
}
