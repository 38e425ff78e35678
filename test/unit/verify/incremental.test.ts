import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ReadRecord } from '../../../src/cluster/record-reader.ts'
import { OffsetRuns } from '../../../src/verify/offset-runs.ts'
import type { ComparedPartition } from '../../../src/verify/partition-comparison.ts'
import { RangeCheck, VerifiedRanges } from '../../../src/verify/verified-ranges.ts'
import { compare, copyOf, header, lines, nonZero, record } from './records.ts'

const source = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(offset => record(offset))
const right = source.map(each => copyOf(each, each.offset + 100))
const inOrder = (...offsets: number[]) => offsets.map((offset, i) => ({ ...right[offset]!, offset: 100 + i }))
const from = (nextSourceOffset: number, nextDestinationOffset: number, hasCopies = true) => ({
  from: { nextSourceOffset, nextDestinationOffset, hasCopies }
})

/** What both sides hold behind these places. */
function rest(
  records: readonly ReadRecord[],
  copies: readonly ReadRecord[],
  place: { nextSourceOffset: number; nextDestinationOffset: number }
): [ReadRecord[], ReadRecord[]] {
  return [
    records.filter(({ offset }) => offset >= place.nextSourceOffset),
    copies.filter(({ offset }) => offset >= place.nextDestinationOffset)
  ]
}

describe('a comparison tells how far both sides are equal:', () => {
  const end = { destinationEndOffset: 200 }
  const verifiedOf = (copies: readonly ReadRecord[], partition: Partial<ComparedPartition> = {}, records = source) => {
    const { verified } = compare(records, copies, { ...end, ...partition })
    return verified && [verified.nextSourceOffset, verified.nextDestinationOffset, verified.hasCopies]
  }

  it('up to the ends, where all is', () => {
    assert.deepEqual(verifiedOf(right), [10, 200, true])
    assert.deepEqual(verifiedOf(right, { sourceEndOffset: 14, sourceEndOffsetAfter: 14 }), [14, 200, true])
  })

  it('up to the first record that is pending', () => {
    assert.deepEqual(verifiedOf(inOrder(0, 1, 2)), [3, 200, true])
    assert.deepEqual(verifiedOf([]), [0, 200, false])
  })

  it('up to the first copy that is newer than the comparison', () => {
    const newer = [...right, copyOf(record(10), 150), copyOf(record(11), 151)]
    assert.deepEqual(verifiedOf(newer, { sourceEndOffset: 10, sourceEndOffsetAfter: 12 }), [10, 150, true])
  })

  it('up to the copy before anything that is wrong', () => {
    assert.deepEqual(verifiedOf(inOrder(0, 1, 2, 4, 5)), [3, 103, true])
    assert.deepEqual(verifiedOf(inOrder(0, 1, 1, 2)), [2, 102, true])
    assert.deepEqual(verifiedOf(inOrder(0, 1, 3, 2, 4)), [2, 102, true])
    assert.deepEqual(verifiedOf(right.with(5, { ...right[5]!, value: null })), [5, 105, true])
    assert.deepEqual(verifiedOf(right, {}, source.toSpliced(4, 1)), [4, 104, true])
    assert.deepEqual(verifiedOf([], { isDestinationThere: false }), undefined)
  })

  it('behind what has been there before, other writers’ records, and what either side has deleted', () => {
    const foreign = record(150, { headers: [header('farlog.origin', 'south/orders/0/5')] })
    assert.deepEqual(verifiedOf([...right, foreign]), [10, 200, true])
    assert.deepEqual(verifiedOf(right.slice(5), { destinationLogStartOffset: 105 }), [10, 200, true])
    assert.deepEqual(verifiedOf(right, { sourceLogStartOffset: 5 }, source.slice(5)), [10, 200, true])
    const looped = record(10, { headers: [header('farlog.origin', 'west/orders/0/3')] })
    assert.deepEqual(verifiedOf(right, {}, [...source, looped]), [11, 200, true])
  })

  it('not beyond a record whose copy compaction may have taken, until it is known', () => {
    const keyed = (offset: number, key: string) => record(offset, { key: Buffer.from(key) })
    const records = [keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'a'), keyed(3, 'c')]
    const copies = [1, 2, 3].map(offset => copyOf(records[offset]!, offset))
    const compacted = { isDestinationCompacted: true, destinationEndOffset: 4 }
    assert.deepEqual(verifiedOf(copies, compacted, records), [4, 4, true])
    // No newer copy of `a` is there.
    assert.deepEqual(verifiedOf(copies.toSpliced(1, 1), compacted, records), [0, 0, false])
  })
})

describe('a comparison that goes on', () => {
  it('reads nothing where nothing is new', () => {
    const result = compare([], [], { ...from(10, 110), sourceEndOffset: 10, destinationEndOffset: 110 })
    assert.deepEqual(nonZero(result), {})
    assert.deepEqual(result.verified, { nextSourceOffset: 10, nextDestinationOffset: 110, hasCopies: true })
  })

  it('misses records that have no copy behind the place, though the destination has deleted what is before it', () => {
    const [records, copies] = rest(source, right, { nextSourceOffset: 5, nextDestinationOffset: 107 })
    const result = compare(records, copies, { ...from(5, 105), destinationLogStartOffset: 103 })
    assert.deepEqual(lines(result), ['missing 5-6'])
    const deleted = compare(records, copies, { ...from(5, 105), destinationLogStartOffset: 107 })
    assert.deepEqual(nonZero(deleted), { sourceRecords: 5, equal: 3, destinationGone: 2 })
  })

  it('asks for copies of the first records only while there was none, where mirroring began with the latest', () => {
    const [records, copies] = rest(source, right, { nextSourceOffset: 3, nextDestinationOffset: 105 })
    const latest = { startsAtLatest: true }
    assert.deepEqual(nonZero(compare(records, copies, { ...latest, ...from(3, 100, false) })).beforeStart, 2)
    assert.deepEqual(lines(compare(records, copies, { ...latest, ...from(3, 103) })), ['missing 3-4'])
  })

  it('takes a copy of what was found equal before for a second one', () => {
    const again = { ...right[1]!, offset: 106 }
    const result = compare(source.slice(5), [right[5]!, again], from(5, 105))
    assert.deepEqual(lines(result), ['duplicated 1'])
  })

  it('takes a copy of what was missing before for a late one', () => {
    const missingBefore = new OffsetRuns(10)
    for (const offset of [1, 2]) missingBefore.append(offset)
    const late = [right[5]!, { ...right[1]!, offset: 106 }, { ...right[1]!, offset: 107 }]
    const result = compare(source.slice(5), late, { ...from(5, 105), missingBefore })
    assert.deepEqual(nonZero(result), { sourceRecords: 5, equal: 1, pending: 4, reordered: 1, duplicated: 1 })
  })

  it('does not go back where it is told less to be mirrored than it has read', () => {
    const result = compare([], [right[5]!], { ...from(5, 105), sourceEndOffset: 3, sourceEndOffsetAfter: 10 })
    assert.deepEqual(result.verified, { nextSourceOffset: 5, nextDestinationOffset: 105, hasCopies: true })
  })

  const partition = fc
    .array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 30 })
    .map(steps => steps.map((_, i) => record(steps.slice(0, i + 1).reduce((sum, step) => sum + step, -1))))
  const mutation = fc.record({
    kind: fc.constantFrom('drop' as const, 'duplicate' as const, 'swap' as const, 'change' as const),
    at: fc.nat(),
    to: fc.nat()
  })

  it('finds what one that reads all finds, wherever the runs before it ended, and whatever they saw', () => {
    const cuts = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(partition, fc.array(mutation, { maxLength: 4 }), cuts, (records, mutations, ends) => {
        const copies = mutated(records, mutations)
        const endOffset = records.at(-1)!.offset + 1
        const destinationEndOffset = copies.length * 2
        let place: ComparedPartition['from']
        for (const [sourceCut, destinationCut] of ends) {
          const sourceEndOffset = Math.max(sourceCut % (endOffset + 1), place?.nextSourceOffset ?? 0)
          const partialEnd = Math.max(destinationCut % (destinationEndOffset + 1), place?.nextDestinationOffset ?? 0)
          const [behind, copiesBehind] = rest(records, copies, place ?? BEGINNING)
          place = compare(
            behind.filter(({ offset }) => offset < sourceEndOffset),
            copiesBehind.filter(({ offset }) => offset < partialEnd),
            { from: place, sourceEndOffset, sourceEndOffsetAfter: endOffset, destinationEndOffset: partialEnd }
          ).verified
        }
        const all = { sourceEndOffset: endOffset, destinationEndOffset }
        const [behind, copiesBehind] = rest(records, copies, place ?? BEGINNING)
        assert.deepEqual(
          lines(compare(behind, copiesBehind, { ...all, from: place })),
          lines(compare(records, copies, all))
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it('sums up the copies to the same ranges as one that reads all, and that one finds a change in them', () => {
    fc.assert(
      fc.property(partition, fc.nat(), (records, at) => {
        const copies = mutated(records, [])
        const destinationEndOffset = copies.length * 2
        const cut = at % copies.length
        const parts = new VerifiedRanges()
        const { verified } = compare(records, copies.slice(0, cut), { destinationEndOffset: cut * 2, ranges: parts })
        const [behind, copiesBehind] = rest(records, copies, verified!)
        compare(behind, copiesBehind, { destinationEndOffset, from: verified, ranges: parts })
        const whole = new VerifiedRanges()
        const { verified: end } = compare(records, copies, { destinationEndOffset, ranges: whole })
        assert.deepEqual(parts.remember(), whole.remember())

        const check = () => new RangeCheck(whole.remember(), end!)
        const same = compare(records, copies, { destinationEndOffset, check: check() })
        assert.deepEqual(lines(same), [])
        // Both sides have changed alike.
        const other = { ...records[cut]!, value: Buffer.from('other') }
        const changed = compare(records.with(cut, other), copies.with(cut, copyOf(other, cut * 2)), {
          ...{ destinationEndOffset, check: check(), ranges: new VerifiedRanges() }
        })
        assert.equal(changed.counts.equal, records.length)
        assert.equal(changed.counts.changed, 1)
        assert.equal(changed.verified!.nextDestinationOffset, 0)
        // The record is gone.
        const gone = compare(records.slice(cut + 1), copies.with(cut, copyOf(other, cut * 2)), {
          ...{ destinationEndOffset, check: check(), sourceLogStartOffset: records[cut]!.offset + 1 },
          sourceEndOffset: records.at(-1)!.offset + 1
        })
        assert.equal(gone.counts.changed, 1)
      }),
      { numRuns: 200 }
    )
  })
})

const BEGINNING = { nextSourceOffset: 0, nextDestinationOffset: 0 }

function mutated(
  records: readonly ReadRecord[],
  mutations: readonly { kind: 'drop' | 'duplicate' | 'swap' | 'change'; at: number; to: number }[]
): ReadRecord[] {
  let copies = records.map(each => copyOf(each, 0))
  for (const { kind, at, to } of mutations) {
    if (copies.length === 0) break
    const index = at % copies.length
    const other = to % copies.length
    const copy = copies[index]!
    if (kind === 'drop') copies = copies.toSpliced(index, 1)
    else if (kind === 'duplicate') copies = copies.toSpliced(other, 0, copy)
    else if (kind === 'swap') copies = copies.with(index, copies[other]!).with(other, copy)
    else copies = copies.with(index, { ...copy, value: Buffer.from('changed') })
  }
  return copies.map((copy, i) => ({ ...copy, offset: i * 2 }))
}
