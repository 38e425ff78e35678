import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ReadRecord } from '../../../src/cluster/record-reader.ts'
import { type Followed, followCopies } from '../../../src/import/follow-copies.ts'

describe('following the copies of a MirrorMaker 2', () => {
  it('ends where the destination ends', async () => {
    assert.deepEqual(await follow('abcdef', 'abcd'), together(4, 4, 0))
    assert.deepEqual(await follow('abcd', 'abcd'), together(4, 4, 0))
  })

  it('passes over offsets without a record on either side', async () => {
    const source = [...log('ab'), ...log('cd', 10)]
    const destination = [...log('a'), ...log('bc', 7)]
    assert.deepEqual(await followCopies(stream(source), stream(destination)), together(11, 3, 0))
  })

  it('is not misled by what was copied twice, wherever the last run ended', async () => {
    assert.deepEqual(await follow('abcdefgh', 'abcdecd'), together(5, 7, 2))
    assert.deepEqual(await follow('abcdefgh', 'abcdecdef'), together(6, 9, 3))
    assert.deepEqual(await follow('abcdefgh', 'abcdeababcab'), together(5, 12, 7))
    assert.deepEqual(await follow('abcdefgh', 'abcdeabfg'), together(7, 9, 2))
  })

  it('finds the way among equal records', async () => {
    // After the second x it may be at either of the two; only the e that follows tells.
    assert.deepEqual(await follow('axbxefg', 'axbxexef'), together(6, 8, 2))
    assert.deepEqual(await follow('xxxxxx', 'xxx'), together(3, 3, 0))
  })

  it('tells where the logs part', async () => {
    assert.deepEqual(await follow('abcdef', 'abxd'), {
      kind: 'apart',
      copies: 2,
      destinationOffset: 2,
      expectedSourceOffset: 2,
      differing: ['value']
    })
  })

  it('tells that a source record has no copy', async () => {
    assert.deepEqual(await follow('abcdef', 'abdef'), {
      kind: 'apart',
      copies: 2,
      destinationOffset: 2,
      expectedSourceOffset: 2,
      differing: ['value']
    })
  })

  it('tells that the destination has more than the source', async () => {
    assert.deepEqual(await follow('ab', 'abc'), {
      kind: 'apart',
      copies: 2,
      destinationOffset: 2,
      expectedSourceOffset: undefined,
      differing: []
    })
  })

  it('takes every part of a record into account', async () => {
    const record: ReadRecord = {
      offset: 0,
      timestamp: 5n,
      key: Buffer.from('k'),
      value: null,
      headers: [[Buffer.from('h'), null]]
    }
    const others: [string, Partial<ReadRecord>][] = [
      ['key', { key: null }],
      ['key', { key: Buffer.alloc(0) }],
      ['value', { value: Buffer.alloc(0) }],
      ['timestamp', { timestamp: 6n }],
      ['headers', { headers: [] }],
      ['headers', { headers: [[Buffer.from('h'), Buffer.alloc(0)]] }],
      ['headers', { headers: [[Buffer.from('i'), null]] }],
      ['headers', { headers: [...record.headers, ...record.headers] }]
    ]
    assert.deepEqual(await followCopies(stream([record]), stream([record])), together(1, 1, 0))
    for (const [part, other] of others) {
      const followed = await followCopies(stream([record]), stream([{ ...record, ...other }]))
      assert.deepEqual(followed.kind === 'apart' && followed.differing, [part])
    }
  })

  it('says so where there is no copy at all', async () => {
    assert.deepEqual(await follow('abc', ''), { kind: 'nothing' })
  })

  /** A MirrorMaker 2 that is killed and started again: each run begins at or before the furthest place so far. */
  const someRuns = fc.array(fc.record({ back: fc.nat({ max: 8 }), records: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 1,
    maxLength: 6
  })

  it('finds the exact place after any number of crashes', async () => {
    await fc.assert(
      fc.asyncProperty(someRuns, async runs => {
        const source = log(Array.from({ length: 100 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join(''))
        const { destination, next } = mirror(source, runs)
        const followed = await followCopies(stream(source), stream(destination))
        assert.deepEqual(followed, together(next, destination.length, destination.length - next))
      })
    )
  })

  it('leaves out no record, even where records are equal to one another', async () => {
    let placesFound = 0
    await fc.assert(
      fc.asyncProperty(
        someRuns,
        fc.array(fc.constantFrom('x', 'y'), { minLength: 80, maxLength: 80 }),
        async (runs, values) => {
          const source = log(values.join(''))
          const { destination } = mirror(source, runs)
          const followed = await followCopies(stream(source), stream(destination))
          if (followed.kind !== 'together') return
          placesFound++
          const copies = countByValue(destination)
          for (const [value, count] of countByValue(source.slice(0, followed.nextSourceOffset))) {
            assert.ok((copies.get(value) ?? 0) >= count, `${count} times ${value} have ${copies.get(value)} copies`)
          }
        }
      )
    )
    assert.ok(placesFound > 50, `only ${placesFound} places were found`)
  })
})

function mirror(source: readonly ReadRecord[], runs: readonly { back: number; records: number }[]) {
  const copied: ReadRecord[] = []
  let next = 0
  for (const { back, records } of runs) {
    const from = Math.max(next - back, 0)
    copied.push(...source.slice(from, from + records))
    next = Math.max(next, from + records)
  }
  return { destination: copied.map((record, offset) => ({ ...record, offset })), next }
}

function together(nextSourceOffset: number, copies: number, repeated: number): Followed {
  return { kind: 'together', nextSourceOffset, copies, repeated }
}

function follow(source: string, destination: string): Promise<Followed> {
  return followCopies(stream(log(source)), stream(log(destination)))
}

/** One record a letter. */
function log(letters: string, firstOffset = 0): ReadRecord[] {
  return [...letters].map((letter, i) => ({
    offset: firstOffset + i,
    timestamp: 1n,
    key: null,
    value: Buffer.from(letter),
    headers: []
  }))
}

async function* stream(records: readonly ReadRecord[]): AsyncGenerator<ReadRecord> {
  yield* records
}

function countByValue(records: readonly ReadRecord[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { value } of records) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1)
  return counts
}
