import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PrefixCode, reversed } from '../../../src/records/prefix-code.ts'

/** Each more frequent than the two before it together: the steepest of trees, with a level for each symbol. */
const STEEP = [1, 1]
while (STEEP.length < 24) STEEP.push(STEEP.at(-1)! + STEEP.at(-2)! + 1)

const countsOfSymbols = fc.oneof(
  fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 300 }),
  fc.integer({ min: 1, max: 24 }).chain(used => fc.shuffledSubarray(STEEP.slice(0, used), { minLength: used }))
)

describe('PrefixCode', () => {
  it('has no code unused or beyond the limit, and no longer ones for more frequent symbols', () => {
    let limited = 0
    fc.assert(
      fc.property(fc.array(countsOfSymbols, { minLength: 1, maxLength: 3 }), fc.constantFrom(9, 15), (all, longest) => {
        // The same object again and again, as for the blocks of a stream.
        const code = new PrefixCode(300, longest)
        for (const counts of all) {
          code.build(Int32Array.from({ length: 300 }, (_, symbol) => counts[symbol] ?? 0))
          const used = counts.flatMap((count, symbol) => (count > 0 ? [symbol] : []))
          assert.equal(code.usedSymbols, (used.at(-1) ?? -1) + 1)
          assert.equal(code.lengths.filter(length => length > 0).length, used.length)
          if (used.length > 1) assert.equal(codesEnd(code, used, longest), 2 ** longest)
          else for (const symbol of used) assert.equal(code.lengths[symbol], 1)
          for (const a of used) {
            for (const b of used) assert.ok(counts[a]! <= counts[b]! || code.lengths[a]! <= code.lengths[b]!)
          }
          if (used.length > longest + 1 && code.lengths.includes(longest)) limited++
        }
      }),
      { numRuns: 300 }
    )
    assert.ok(limited > 50, `${limited} codes were as long as they may be`)
  })
})

/** Checks that, in the order of lengths and symbols, each code begins where the one before it ends. @returns where the last one ends */
function codesEnd({ lengths, codes }: PrefixCode, used: readonly number[], longest: number): number {
  let end = 0
  for (const symbol of used.toSorted((a, b) => lengths[a]! - lengths[b]! || a - b)) {
    const length = lengths[symbol]!
    assert.ok(length >= 1 && length <= longest)
    assert.equal(reversed(codes[symbol]!, length) << (longest - length), end)
    end += 1 << (longest - length)
  }
  return end
}
