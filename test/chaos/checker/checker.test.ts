import assert from 'node:assert/strict'
import { comparePartition, type PartitionVerdict } from './compare-partition.ts'
import { type FoundKind, nothingFound } from './faults-found.ts'
import { NumberRanges } from './number-ranges.ts'
import { parseSeenRecord, type SeenRecord } from './seen-record.ts'
import type { WrittenBook } from './written.ts'

/** Each test plants faults in a good copy: what the checker does not find here, it would not find in a run. */
describe('the checker of a copy', () => {
  const book: WrittenBook = {
    writer: 'w',
    topic: 'orders',
    partition: 2,
    written: 10,
    aborted: [[3, 4]],
    uncertain: [[7, 8]]
  }
  /** 7 turned out to be there, and 8 not. Markers leave holes in the offsets. */
  const source = [0, 1, 2, 5, 6, 7, 9].map(number => original(number, 100 + 2 * number))
  const copies = source.map(record => copyOf(record))

  it('finds nothing wrong with a good one', async () => {
    const verdict = await judge(source, copies)
    assert.deepEqual(verdict.found, nothingFound())
    assert.deepEqual([verdict.sourceRecords, verdict.copies, verdict.compacted], [7, 7, 0])
  })

  it('finds nothing wrong with an empty one', async () => {
    const verdict = await judge([], [], { books: [] })
    assert.deepEqual(verdict.found, nothingFound())
  })

  for (const index of [0, 3, 6]) {
    it(`finds the loss of record ${index}`, () => assertFinds({ lost: 1 }, copies.toSpliced(index, 1)))
    it(`finds record ${index} twice in a row`, () =>
      assertFinds({ duplicated: 1 }, copies.toSpliced(index, 0, copies[index]!)))
    it(`finds record ${index} once more at the end`, () => assertFinds({ duplicated: 1 }, [...copies, copies[index]!]))
  }

  it('finds that everything is lost', () => assertFinds({ lost: 7 }, []))

  it('finds a run of records that was copied again', () =>
    assertFinds({ duplicated: 3 }, [...copies.slice(0, 5), ...copies.slice(2)]))

  it('finds two neighbours that changed places', () => {
    const [first, second, third, ...others] = copies
    return assertFinds({ inversions: 1 }, [first!, third!, second!, ...others])
  })

  it('finds the first record at the end', () => assertFinds({ inversions: 1 }, [...copies.slice(1), copies[0]!]))

  for (const field of ['key', 'value', 'headers', 'timestamp'] as const) {
    it(`finds a changed ${field}`, async () => {
      const changed = { ...copies[4]!, [field]: 'other' }
      const verdict = await assertFinds({ differences: 1 }, copies.with(4, changed))
      assert.match(verdict.examples[0]!, new RegExp(`${field} of source offset 112`))
    })
  }

  it('finds two records that changed places but for their origins', () => {
    const swapped = copies.with(1, { ...copies[2]!, origins: copies[1]!.origins }).with(2, {
      ...copies[1]!,
      origins: copies[2]!.origins
    })
    return assertFinds({ differences: 2 }, swapped)
  })

  it('finds the copy of an aborted record', () =>
    assertFinds({ aborted: 1 }, copies.toSpliced(3, 0, copyOf(original(3, 106)))))

  it('finds the copy of what the source does not have', () =>
    assertFinds({ unexpected: 1 }, copies.toSpliced(1, 0, { ...copies[0]!, id: '', origins: ['east/orders/2/101'] })))

  for (const [title, origins] of [
    ['no origin', []],
    ['two origins', ['east/orders/2/102', 'east/orders/2/102']],
    ['the origin of another partition', ['east/orders/3/102']],
    ['the origin of another topic', ['east/other/2/102']],
    ['the origin of another cluster', ['north/orders/2/102']],
    ['an origin that is no number', ['east/orders/2/']]
  ] as const) {
    it(`finds a copy with ${title}`, () =>
      assertFinds({ provenance: 1, lost: 1 }, copies.with(1, { ...copies[1]!, origins })))
  }

  it('finds what was acknowledged and is not at the source, wherever it stood', async () => {
    for (const index of [0, 3, 6]) {
      const { found } = await judge(source.toSpliced(index, 1), copies.toSpliced(index, 1))
      assert.deepEqual(found, { ...nothingFound(), unkept: 1 })
    }
    assert.equal((await judge([], [])).found.unkept, 6)
  })

  it('finds what the source should not show: aborted, never written, of nobody', async () => {
    const strangers = [original(3, 106), original(10, 130), { ...original(0, 131), id: '' }]
    for (const stranger of strangers) {
      const records = [...source, stranger].toSorted((a, b) => a.offset - b.offset)
      const { found } = await judge(records, records.filter(({ id }) => id !== 'w/3').map(copyOf))
      assert.equal(found.unsound, 1, stranger.id)
    }
  })

  it('lets producers write again, but not the copy', async () => {
    const again = [original(6, 113), original(7, 115)]
    const records = [...source, ...again].toSorted((a, b) => a.offset - b.offset)
    const verdict = await judge(records, records.map(copyOf))
    assert.deepEqual(verdict.found, nothingFound())
    assert.equal(verdict.writtenAgain, 2)
    assert.equal((await judge(records, copies)).found.lost, 2)
  })

  describe('of a compacted topic', () => {
    const compactedBook = { ...book, written: 9, aborted: [], uncertain: [] }
    /** Keys 0, 1 and 2 in turn. */
    const all = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(number => ({ ...original(number, number), key: `key-${number % 3}` }))
    const allCopies = all.map(copyOf)
    const judgeCompacted = (records: readonly SeenRecord[], theirs: readonly SeenRecord[]) =>
      judge(records, theirs, { books: [compactedBook], compactedKeys: 3 })

    it('lets either side have lost records to newer ones of their keys', async () => {
      for (const [records, theirs] of [
        [all, allCopies.slice(6)],
        [all.slice(6), allCopies],
        [all.slice(6), allCopies.slice(6)],
        [all.slice(3), allCopies.toSpliced(4, 1)],
        [all.toSpliced(5, 1), allCopies.slice(4)]
      ] as const) {
        assert.deepEqual((await judgeCompacted(records, theirs)).found, nothingFound())
      }
    })

    it('finds the loss of the last record of a key', async () => {
      for (const index of [6, 7, 8]) {
        const { found } = await judgeCompacted(all, allCopies.toSpliced(index, 1))
        assert.deepEqual(found, { ...nothingFound(), lost: 1 })
      }
    })

    it('finds the loss of all records of a key', async () => {
      const { found } = await judgeCompacted(
        all,
        allCopies.filter(({ key }) => key !== 'key-1')
      )
      assert.equal(found.lost, 3)
    })

    it('finds duplicates, inversions and changes', async () => {
      const [first, second, ...others] = allCopies
      const found = async (theirs: readonly SeenRecord[]) => (await judgeCompacted(all, theirs)).found
      assert.equal((await found([...allCopies, allCopies[8]!])).duplicated, 1)
      assert.equal((await found([second!, first!, ...others])).inversions, 1)
      assert.equal((await found(allCopies.with(3, { ...allCopies[3]!, value: 'other' }))).differences, 1)
    })

    it('finds copies of keys that the source does not have', async () => {
      const stranger = { ...allCopies[8]!, key: 'key-9', id: '', origins: ['east/orders/2/9'] }
      assert.equal((await judgeCompacted(all, [...allCopies, stranger])).found.unexpected, 1)
    })

    it('finds what was acknowledged and is not at the source', async () => {
      const { found } = await judgeCompacted(all.toSpliced(7, 1), allCopies.toSpliced(7, 1))
      assert.deepEqual(found, { ...nothingFound(), unkept: 1 })
    })
  })

  async function assertFinds(
    expected: Partial<Record<FoundKind, number>>,
    faulty: readonly SeenRecord[]
  ): Promise<PartitionVerdict> {
    const verdict = await judge(source, faulty)
    assert.deepEqual(verdict.found, { ...nothingFound(), ...expected })
    assert.ok(verdict.examples.length > 0)
    return verdict
  }

  function judge(
    records: readonly SeenRecord[],
    theirs: readonly SeenRecord[],
    { books = [book], compactedKeys = 0 }: { books?: readonly WrittenBook[]; compactedKeys?: number } = {}
  ): Promise<PartitionVerdict> {
    return comparePartition({
      sourceAlias: 'east',
      topic: 'orders',
      partition: 2,
      compactedKeys,
      books,
      source: inTurn(records),
      copies: inTurn(theirs)
    })
  }
})

describe('ranges of numbers', () => {
  it('know what is in them', () => {
    const ranges = new NumberRanges([
      [10, 12],
      [3, 3],
      [20, 29]
    ])
    const inside = Array.from({ length: 35 }, (_, number) => number).filter(number => ranges.has(number))
    assert.deepEqual(inside, [3, 10, 11, 12, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
    for (let first = 0; first < 35; first++) {
      for (let end = first; end < 35; end++) {
        const expected = inside.filter(number => number >= first && number < end).length
        assert.equal(ranges.countWithin(first, end), expected, `${first} to ${end}`)
      }
    }
  })
})

describe('a line of the reader', () => {
  it('has all fields, and as many origins as there are', () => {
    const record = {
      offset: 7,
      timestamp: '1CreateTime',
      key: 'a',
      value: 'b',
      headers: 'c',
      id: '',
      origins: ['east/orders/0/1', 'x']
    }
    assert.deepEqual(parseSeenRecord('7\t1CreateTime\ta\tb\tc\t\teast/orders/0/1\tx'), record)
    assert.deepEqual(parseSeenRecord('7\t1CreateTime\ta\tb\tc\t'), { ...record, origins: [] })
    assert.throws(() => parseSeenRecord('7\t1CreateTime'))
  })
})

function original(number: number, offset: number): SeenRecord {
  return {
    offset,
    timestamp: `${number}CreateTime`,
    key: `key-${number}`,
    value: `value-${number}`,
    headers: `headers-${number}`,
    id: `w/${number}`,
    origins: []
  }
}

function copyOf(record: SeenRecord): SeenRecord {
  return { ...record, offset: record.offset + 1_000, origins: [`east/orders/2/${record.offset}`] }
}

async function* inTurn(records: readonly SeenRecord[]): AsyncGenerator<SeenRecord, undefined> {
  yield* records
}
