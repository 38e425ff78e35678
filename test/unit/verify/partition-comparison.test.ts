import assert from 'node:assert/strict'
import type { ReadRecord } from '../../../src/cluster/record-reader.ts'
import { RecordQueue } from '../../../src/verify/record-queue.ts'
import { compare, copyOf, header, lines, nonZero, record, startComparison } from './records.ts'

describe('comparing a partition with its copy', () => {
  const source = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(offset => record(offset))
  const copies = source.map(each => copyOf(each, each.offset + 100))
  const at = (offset: number) => copies[offset]!
  const inOrder = (...offsets: number[]) =>
    offsets.map((offset, i) => ({ ...at(offset), offset: 100 + i }) satisfies ReadRecord)

  it('finds a right copy equal', () => {
    const result = compare(source, copies)
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 10 })
    assert.deepEqual(lines(result), [])
  })

  it('finds a right copy equal over holes on both sides', () => {
    const holed = [3, 4, 9, 20].map(offset => record(offset))
    const result = compare(
      holed,
      holed.map((each, i) => copyOf(each, i * 7))
    )
    assert.deepEqual(nonZero(result), { sourceRecords: 4, equal: 4 })
  })

  it('calls what comes after the last copy pending, not missing', () => {
    assert.deepEqual(nonZero(compare(source, inOrder(0, 1, 2))), { sourceRecords: 10, equal: 3, pending: 7 })
    assert.deepEqual(nonZero(compare(source, [])), { sourceRecords: 10, pending: 10 })
  })

  it('calls everything missing where the destination has no such partition', () => {
    const result = compare(source, [], { isDestinationThere: false })
    assert.deepEqual(nonZero(result), { sourceRecords: 10, missing: 10 })
    assert.deepEqual(lines(result), ['missing 0-9'])
  })

  it('merges missing records to ranges', () => {
    const result = compare(source, inOrder(0, 3, 4, 6, 9))
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 5, missing: 5 })
    assert.deepEqual(lines(result), ['missing 1-2', 'missing 5', 'missing 7-8'])
  })

  it('tells a second copy, next to the first or later, from a late one', () => {
    const result = compare(source, inOrder(0, 1, 1, 3, 2, 4, 5, 6, 0, 7, 8, 9))
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 9, reordered: 1, duplicated: 2 })
    assert.deepEqual(lines(result), ['duplicated 0', 'duplicated 1', 'reordered 2'])
  })

  it('calls the second copy of a late one duplicated', () => {
    const result = compare(source, inOrder(0, 2, 1, 1, 3, 4, 5, 6, 7, 8, 9))
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 9, reordered: 1, duplicated: 1 })
  })

  it('merges a batch that was written twice to one range', () => {
    const result = compare(source, inOrder(0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
    assert.deepEqual(lines(result), ['duplicated 0-3'])
    assert.deepEqual(result.differences[0]!.destinationOffsets, { first: 104, last: 107 })
  })

  it('takes a copy of no committed record for unexpected, early or late', () => {
    const holed = source.filter(({ offset }) => offset !== 4)
    assert.deepEqual(lines(compare(holed, copies)), ['unexpected 4'])
    assert.deepEqual(lines(compare(holed, inOrder(0, 1, 2, 3, 5, 4, 6, 7, 8, 9))), ['unexpected 4'])
  })

  it('takes copies of newer records for what they are, and copies of records that cannot be for unexpected', () => {
    const newer = [...copies, copyOf(record(10), 200), copyOf(record(11), 201), copyOf(record(12), 202)]
    const result = compare(source, newer, { sourceEndOffset: 10, sourceEndOffsetAfter: 12 })
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 10, newer: 2, unexpected: 1 })
    assert.deepEqual(lines(result), ['unexpected 12'])
  })

  it('knows the last record to be missing when a copy of a newer one is there', () => {
    const result = compare(source, [...copies.slice(0, 9), copyOf(record(10), 200)], {
      sourceEndOffset: 10,
      sourceEndOffsetAfter: 11
    })
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 9, missing: 1, newer: 1 })
  })

  it('leaves copies alone whose records the source has deleted', () => {
    const result = compare(source.slice(5), copies, { sourceLogStartOffset: 5 })
    assert.deepEqual(nonZero(result), { sourceRecords: 5, equal: 5, sourceGone: 5 })
  })

  it('leaves records alone whose copies the destination has deleted', () => {
    const partition = { destinationLogStartOffset: 105 }
    const result = compare(source, copies.slice(5), partition)
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 5, destinationGone: 5 })
    const holed = compare(source, [at(5), at(7), at(8), at(9)], partition)
    assert.deepEqual(nonZero(holed), { sourceRecords: 10, equal: 4, destinationGone: 5, missing: 1 })
    assert.deepEqual(nonZero(compare(source, [], partition)), { sourceRecords: 10, pending: 10 })
  })

  it('asks for no copies of records older than the first one where mirroring began with the latest', () => {
    const result = compare(source, copies.slice(4), { startsAtLatest: true })
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 6, beforeStart: 4 })
  })

  it('calls a late copy reordered even where it lies before the first copy', () => {
    const result = compare(source, inOrder(5, 3, 6, 7, 8, 9), { destinationLogStartOffset: 100 })
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 5, reordered: 1, destinationGone: 4 })
  })

  it('asks for no copy of a record that has been at the destination', () => {
    const looped = record(10, { headers: [header('farlog.origin', 'west/orders/0/3')] })
    const notLooped = record(11, { headers: [header('farlog.origin', 'western/orders/0/3'), header('west/', 'west/')] })
    const all = [...source, looped, notLooped]
    const good = compare(all, [...copies, copyOf(notLooped, 200)])
    assert.deepEqual(nonZero(good), { sourceRecords: 12, equal: 11, looped: 1 })
    const bad = compare(all, [...copies, copyOf(looped, 200), copyOf(notLooped, 201)])
    assert.deepEqual(lines(bad), ['unexpected 10'])
  })

  it("counts other writers' records and takes misplaced copies for unexpected", () => {
    const strange = (offset: number, origin: string | null): ReadRecord =>
      record(offset, { headers: [header('farlog.origin', origin)] })
    const others = [
      strange(200, null),
      strange(201, 'south/orders/0/5'),
      strange(202, 'east/orders2/0/5'),
      record(203, { headers: [] })
    ]
    const misplaced = [strange(204, 'east/orders/1/5'), strange(205, 'east/orders/0/'), strange(206, 'east/orders/0/x')]
    const result = compare(source, [...copies, ...others, ...misplaced])
    assert.deepEqual(nonZero(result), { sourceRecords: 10, equal: 10, foreign: 4, unexpected: 3 })
  })

  it('goes by the last hop', () => {
    const chained = record(10, { headers: [header('farlog.origin', 'east/orders/0/2')] })
    const result = compare([...source, chained], [...copies, copyOf(chained, 200)])
    assert.deepEqual(nonZero(result), { sourceRecords: 11, equal: 11 })
  })

  it('keeps no more differences than asked for, and counts them all', () => {
    const result = compare(source, inOrder(0, 2, 4, 6, 8), { differencesMax: 2 })
    assert.equal(result.counts.missing, 4)
    assert.deepEqual(lines(result), ['missing 1', 'missing 3'])
  })

  describe('where the destination compacts', () => {
    const keyed = (offset: number, key: string | null, value: string | null = `value ${offset}`) =>
      record(offset, { key: key === null ? null : Buffer.from(key), value: value === null ? null : Buffer.from(value) })
    const partition = { isDestinationCompacted: true }
    const compact = (records: ReadRecord[], present: number[], more = {}) =>
      compare(
        records,
        present.map((offset, i) => copyOf(records.find(each => each.offset === offset)!, i)),
        { ...partition, ...more }
      )

    it('misses only records whose key has no newer copy', () => {
      const records = [keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'a'), keyed(3, 'c'), keyed(4, 'a'), keyed(5, 'd')]
      const result = compact(records, [4, 5])
      assert.deepEqual(nonZero(result), { sourceRecords: 6, equal: 2, compacted: 2, missing: 2 })
      assert.deepEqual(lines(result), ['missing 1', 'missing 3'])
    })

    it('does not let a pending record excuse a missing one', () => {
      const records = [keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'a')]
      assert.deepEqual(nonZero(compact(records, [1])), { sourceRecords: 3, equal: 1, missing: 1, pending: 1 })
    })

    it('lets a copy newer than the comparison excuse a missing one', () => {
      const records = [keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'a')]
      const more = { sourceEndOffset: 2, sourceEndOffsetAfter: 3 }
      const result = compare(records.slice(0, 2), [copyOf(records[1]!, 0), copyOf(records[2]!, 1)], {
        ...partition,
        ...more
      })
      assert.deepEqual(nonZero(result), { sourceRecords: 2, equal: 1, compacted: 1, newer: 1 })
    })

    it('never misses tombstones and records without a key', () => {
      const records = [keyed(0, 'a'), keyed(1, 'a', null), keyed(2, null), keyed(3, 'b')]
      assert.deepEqual(nonZero(compact(records, [3])), { sourceRecords: 4, equal: 1, compacted: 3 })
    })

    it('still sees reordered copies', () => {
      const records = [keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'c')]
      const result = compact(records, [1, 0, 2])
      assert.deepEqual(nonZero(result), { sourceRecords: 3, equal: 2, reordered: 1 })
    })
  })

  it('compares only what both have where the source compacts', () => {
    const result = compare([source[2]!, source[5]!], copies.slice(0, 6), { isSourceCompacted: true })
    assert.deepEqual(nonZero(result), { sourceRecords: 2, equal: 2, sourceGone: 4 })
    const missing = compare([source[2]!, source[5]!], copies.slice(3, 6), { isSourceCompacted: true })
    assert.deepEqual(lines(missing), ['missing 2'])
  })

  it('takes the next copy for the first one after the destination deleted some before they were read', () => {
    const comparison = startComparison(source)
    const [from, to] = [new RecordQueue(), new RecordQueue()]
    from.fill(source)
    from.end()
    to.fill(copies.slice(0, 3))
    assert.equal(comparison.walk(from, to), 'destination')
    comparison.destinationLostRecords()
    to.fill(copies.slice(6))
    to.end()
    assert.equal(comparison.walk(from, to), 'none')
    assert.deepEqual(nonZero(comparison.finish()), { sourceRecords: 10, equal: 7, destinationGone: 3 })
  })

  it('leaves copies alone whose records the source deleted before they were read', () => {
    const comparison = startComparison(source)
    const [from, to] = [new RecordQueue(), new RecordQueue()]
    from.fill(source.slice(0, 3))
    to.fill(copies)
    to.end()
    assert.equal(comparison.walk(from, to), 'source')
    comparison.sourceLogStartsAt(6)
    from.fill(source.slice(6))
    from.end()
    assert.equal(comparison.walk(from, to), 'none')
    assert.deepEqual(nonZero(comparison.finish()), { sourceRecords: 7, equal: 7, sourceGone: 3 })
  })
})
