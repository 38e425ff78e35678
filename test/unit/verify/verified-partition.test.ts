import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeVerified,
  encodeVerified,
  type VerifiedPartition,
  verifiedKey,
  verifiedTopic
} from '../../../src/verify/verified-partition.ts'
import { isWorthRemembering } from '../../../src/verify/worth-remembering.ts'
import { verified } from './verified.ts'

const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 })
const ranges = fc.array(
  fc.record(
    {
      firstSourceOffset: offset,
      firstDestinationOffset: offset,
      copies: offset,
      digest: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes))
    },
    { noNullPrototype: true }
  )
)
const partitions: fc.Arbitrary<VerifiedPartition> = fc.record({
  topic: fc.string(),
  partition: fc.nat(),
  sourceTopicId: fc.string(),
  destinationTopicId: fc.string(),
  nextSourceOffset: offset,
  nextDestinationOffset: offset,
  sourceLeaderEpoch: fc.integer({ min: -1, max: 1_000 }),
  destinationLeaderEpoch: fc.integer({ min: -1, max: 1_000 }),
  hasCopies: fc.boolean(),
  rangeSourceOffsets: offset,
  ranges,
  verifiedBy: fc.string(),
  verifiedAt: offset
})

describe('what is remembered of a partition', () => {
  it('is read as it was written, and in nothing else', () => {
    fc.assert(
      fc.property(partitions, each => {
        const { ranges, ...rest } = decodeVerified(encodeVerified(each))!
        assert.deepEqual({ ...rest, ranges: ranges.map(range => ({ ...range })) }, { ...each })
      })
    )
    fc.assert(fc.property(fc.uint8Array(), bytes => decodeVerified(Buffer.from(bytes)) === undefined))
  })

  it('stands in a topic that is never mirrored, under the name of the source topic', () => {
    assert.equal(verifiedTopic('east'), 'farlog.verified.east.internal')
    assert.equal(verifiedKey({ topic: 'orders', partition: 7 }), 'orders/7')
  })
})

describe('what was found', () => {
  const newest = verified({ nextSourceOffset: 100, nextDestinationOffset: 100 })
  const at = (nextSourceOffset: number, nextDestinationOffset: number) =>
    verified({ nextSourceOffset, nextDestinationOffset })

  it('is worth remembering where nothing was, if there is anything', () => {
    assert.equal(isWorthRemembering(at(0, 0), undefined, true), false)
    assert.equal(isWorthRemembering(at(1, 0), undefined, true), true)
    assert.equal(isWorthRemembering(at(0, 1), undefined, false), true)
  })

  it('never takes back what somebody else has found meanwhile, as long as all was equal', () => {
    assert.equal(isWorthRemembering(at(90, 90), newest, true), false)
    assert.equal(isWorthRemembering(at(100, 100), newest, true), false)
    assert.equal(isWorthRemembering(at(110, 90), newest, true), false)
    assert.equal(isWorthRemembering(at(110, 100), newest, true), true)
    assert.equal(isWorthRemembering(at(100, 101), newest, true), true)
  })

  it('takes back what is not equal any more, and what was of other topics', () => {
    assert.equal(isWorthRemembering(at(90, 90), newest, false), true)
    assert.equal(isWorthRemembering(at(100, 100), newest, false), false)
    assert.equal(isWorthRemembering({ ...at(5, 5), sourceTopicId: 'other' }, newest, true), true)
  })
})
