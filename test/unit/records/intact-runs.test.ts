import assert from 'node:assert/strict'
import fc from 'fast-check'
import { batchesIn } from '../../../src/records/batch.ts'
import { IntactRuns } from '../../../src/records/intact-runs.ts'
import { batchFields, sealRaw } from './support/records.ts'

/** Of records, at most: sizes around what counts as small, and around every digit of the lengths that are put together. */
const recordBytes = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 3_900, max: 4_200 }))
const log = fc
  .array(fc.tuple(recordBytes, fc.nat({ max: 255 })), { minLength: 1, maxLength: 120 })
  .map(sizes =>
    Buffer.concat(
      sizes.map(([size, seed], index) =>
        sealRaw(
          1,
          Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + seed) & 0xff)),
          batchFields([], { baseOffset: index, leaderEpoch: seed })
        )
      )
    )
  )

describe('IntactRuns', () => {
  it('takes all batches for intact that are, in runs of any length and size', () => {
    fc.assert(
      fc.property(log, bytes => {
        assert.equal(firstRefused(bytes, new IntactRuns()), undefined)
      }),
      { numRuns: 200 }
    )
  })

  it('refuses the very batch that its own CRC refuses, for any damage', () => {
    let refused = 0
    fc.assert(
      fc.property(
        log,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
        (bytes, changes) => {
          const damaged = Buffer.from(bytes)
          for (const [at, difference] of changes) damaged[at % damaged.length]! ^= difference
          const expected = firstRefused(damaged, { assertIntact: batch => batch.assertIntact() })
          assert.equal(firstRefused(damaged, new IntactRuns()), expected)
          if (expected !== undefined) refused++
        }
      ),
      { numRuns: 1_000 }
    )
    assert.ok(refused > 800, `${refused} of 1,000 were refused`)
  })

  it('finds two changes that would cancel each other out in a sum', () => {
    const batches = [1, 2, 3].map(offset =>
      sealRaw(1, Buffer.alloc(400, offset), batchFields([], { baseOffset: offset }))
    )
    const bytes = Buffer.concat(batches)
    bytes[100]! ^= 1
    bytes[batches[0]!.length + 100]! ^= 1
    assert.match(firstRefused(bytes, new IntactRuns())!, /offset 1 is corrupt/)
  })

  it('refuses another message format, which no CRC covers', () => {
    for (const magic of [1, 3]) {
      const bytes = Buffer.concat(
        [1, 2, 3].map(offset => sealRaw(1, Buffer.alloc(400, offset), batchFields([], { baseOffset: offset })))
      )
      bytes[bytes.length / 3 + 16] = magic
      assert.match(firstRefused(bytes, new IntactRuns())!, /offset 2 has message format/)
    }
  })
})

/** What the first batch that does not pass is refused with, and where the walk itself ends otherwise. */
function firstRefused(bytes: Buffer, check: Pick<IntactRuns, 'assertIntact'>): string | undefined {
  try {
    for (const batch of batchesIn(bytes)) check.assertIntact(batch)
  } catch (error) {
    assert.ok(error instanceof Error)
    return error.message
  }
  return undefined
}
