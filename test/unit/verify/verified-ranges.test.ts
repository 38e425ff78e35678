import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ReadRecord } from '../../../src/cluster/record-reader.ts'
import { CopyDigester } from '../../../src/verify/copy-digest.ts'
import { RANGES_MAX, RangeCheck, VerifiedRanges } from '../../../src/verify/verified-ranges.ts'
import { copyOf, header, record } from './records.ts'

describe('the digest of a copy', () => {
  const copy = copyOf(record(7), 9)
  const originIndex = copy.headers.length - 1
  const digestOf = (of: ReadRecord, sourceOffset = 7, origin = originIndex) =>
    Buffer.from(new CopyDigester().digest(of, sourceOffset, origin).slice().buffer).toString('hex')

  it('is another one as soon as anything of it is', () => {
    const [name, value] = copy.headers[0]!
    const changed: ReadRecord[] = [
      { ...copy, offset: 10 },
      { ...copy, timestamp: copy.timestamp + 1n },
      { ...copy, key: null },
      { ...copy, key: Buffer.alloc(0) },
      { ...copy, value: null },
      { ...copy, value: Buffer.concat([copy.value!, Buffer.alloc(1)]) },
      { ...copy, key: copy.value, value: copy.key },
      { ...copy, headers: [[name, null], copy.headers[1]!] },
      { ...copy, headers: [[Buffer.concat([name, value!.subarray(0, 1)]), value!.subarray(1)], copy.headers[1]!] },
      { ...copy, headers: [copy.headers[0]!, copy.headers[0]!, copy.headers[1]!] }
    ]
    const digests = [digestOf(copy), digestOf(copy, 8), ...changed.map(each => digestOf(each))]
    assert.equal(new Set(digests).size, changed.length + 2)
  })

  it('is the same however large the copy before it was, and without regard to the origin', () => {
    const digester = new CopyDigester()
    const large = copyOf(record(1, { value: Buffer.alloc(100_000, 1) }), 1)
    const first = digester.digest(copy, 7, originIndex).slice()
    digester.digest(large, 1, 1)
    assert.deepEqual(digester.digest(copy, 7, originIndex), first)
    const elsewhere = { ...copy, headers: [copy.headers[0]!, header('farlog.origin', 'north/orders/0/7')] }
    assert.equal(digestOf(elsewhere), digestOf(copy))
  })
})

describe('ranges of copies', () => {
  const digester = new CopyDigester()
  const add = (to: { add: VerifiedRanges['add'] }, offset: number, value = `value ${offset}`) =>
    to.add(
      offset,
      offset * 2,
      digester.digest(copyOf(record(offset, { value: Buffer.from(value) }), offset * 2), offset, 1)
    )
  const check = (ranges: VerifiedRanges, nextOffset: number) =>
    new RangeCheck(ranges.remember(), { nextSourceOffset: nextOffset, nextDestinationOffset: nextOffset * 2 })
  const addToCheck = (to: RangeCheck, offset: number, value = `value ${offset}`) =>
    to.add(offset * 2, digester.digest(copyOf(record(offset, { value: Buffer.from(value) }), offset * 2), offset, 1))

  /** Making a smaller example of a list of hundreds takes minutes, and tells no more. */
  const LONG_LISTS = { numRuns: 50, endOnFailure: true }

  /** Ascending offsets that fill several ranges, with holes. */
  const offsets = fc
    .array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 300, size: 'max' })
    .map(steps => {
      let offset = 0
      return steps.map(step => (offset += step))
    })

  it('are the same whether one run or several have added to them', () => {
    fc.assert(
      fc.property(offsets, fc.nat(), (all, at) => {
        const whole = new VerifiedRanges()
        for (const offset of all) add(whole, offset)
        let parts = new VerifiedRanges()
        for (const [i, offset] of all.entries()) {
          if (i === at % all.length) parts = new VerifiedRanges(parts.remember())
          add(parts, offset)
        }
        assert.deepEqual(parts.remember(), whole.remember())
        assert.ok(whole.remember().ranges.length <= RANGES_MAX)
        assert.equal(
          whole.remember().ranges.reduce((sum, { copies }) => sum + copies, 0),
          all.length
        )
      }),
      LONG_LISTS
    )
  })

  it('tell which of them has changed, and no other', () => {
    fc.assert(
      fc.property(offsets, fc.nat(), fc.constantFrom('other', 'gone'), (all, at, how) => {
        const ranges = new VerifiedRanges()
        for (const offset of all) add(ranges, offset)
        const end = all.at(-1)! + 1
        const same = check(ranges, end)
        const changed = check(ranges, end)
        const changedOffset = all[at % all.length]!
        for (const offset of all) {
          addToCheck(same, offset)
          if (offset !== changedOffset) addToCheck(changed, offset)
          else if (how === 'other') addToCheck(changed, offset, 'other')
        }
        addToCheck(same, end)
        assert.deepEqual(same.changed(0), [])
        const [found, ...more] = changed.changed(0)
        assert.ok(found !== undefined && more.length === 0)
        assert.ok(found.firstSourceOffset <= changedOffset && changedOffset < found.nextSourceOffset)
        assert.ok(found.firstDestinationOffset <= changedOffset * 2 && changedOffset * 2 < found.nextDestinationOffset)
        assert.deepEqual(
          changed.changed(found.firstDestinationOffset + 1),
          [],
          'not where retention has taken some of it'
        )
      }),
      LONG_LISTS
    )
  })

  it('are not told as changed where something else says why', () => {
    const ranges = new VerifiedRanges()
    for (const offset of [1, 2, 20_000, 20_001]) add(ranges, offset)
    const checked = check(ranges, 30_000)
    checked.explain(2)
    checked.explain(60_001)
    assert.deepEqual(
      checked.changed(0).map(({ firstSourceOffset, nextSourceOffset }) => [firstSourceOffset, nextSourceOffset]),
      [[20_000, 30_000]]
    )
  })

  it('end before a copy that has changed, at the beginning of its range', () => {
    const ranges = new VerifiedRanges()
    for (const offset of [1, 2, 20_000, 20_001, 50_000]) add(ranges, offset)
    assert.deepEqual(ranges.cutBefore(40_002), {
      nextSourceOffset: 20_000,
      nextDestinationOffset: 40_000,
      hasCopies: true
    })
    assert.deepEqual(
      ranges.remember().ranges.map(({ firstSourceOffset, copies }) => [firstSourceOffset, copies]),
      [[1, 2]]
    )
    assert.equal(ranges.cutBefore(3), undefined)
    assert.deepEqual(ranges.remember().ranges, [])
  })

  it('that the destination has begun to delete are dropped, but the one that still grows', () => {
    const ranges = new VerifiedRanges()
    for (const offset of [1, 20_000, 40_000]) add(ranges, offset)
    ranges.dropBefore(40_001)
    assert.deepEqual(
      ranges.remember().ranges.map(({ firstSourceOffset }) => firstSourceOffset),
      [40_000]
    )
    ranges.dropBefore(90_000)
    assert.equal(ranges.remember().ranges.length, 1)
  })
})
