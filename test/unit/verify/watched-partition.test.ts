import assert from 'node:assert/strict'
import type { PartitionOutcome, PartitionPair } from '../../../src/verify/compare-partition.ts'
import { OffsetRuns } from '../../../src/verify/offset-runs.ts'
import { noCounts, type PartitionCounts } from '../../../src/verify/partition-comparison.ts'
import { WatchedPartition } from '../../../src/verify/watched-partition.ts'
import { verified } from './verified.ts'

const PAIR: PartitionPair = {
  topic: 'orders',
  destinationTopic: 'east.orders',
  partition: 0,
  sourceTopicId: verified().sourceTopicId,
  destinationTopicId: verified().destinationTopicId,
  isSourceCompacted: false,
  isDestinationCompacted: false
}

const place = (offset: number) => ({ nextSourceOffset: offset, nextDestinationOffset: offset, hasCopies: true })

/** What a turn came to that found both sides equal up to one offset, and compared them up to another. */
function outcome(
  equalUpTo: number,
  comparedUpTo = equalUpTo,
  counts: Partial<PartitionCounts> = {},
  changes: Partial<PartitionOutcome> = {}
): PartitionOutcome {
  return {
    counts: { ...noCounts(), ...counts },
    differences: [],
    verified: place(equalUpTo),
    compared: place(comparedUpTo),
    beginning: { kind: 'go-on', from: place(0) },
    remember: verified(place(equalUpTo)),
    goOn: verified(place(comparedUpTo)),
    missing: new OffsetRuns(10),
    ...changes
  }
}

const different = (equalUpTo: number, comparedUpTo: number) => outcome(equalUpTo, comparedUpTo, { missing: 2 })

describe('a partition under continuous verification', () => {
  const offsets = (partition: WatchedPartition) => [partition.equal?.nextSourceOffset, partition.next?.nextSourceOffset]

  it('goes on where somebody has got to before', () => {
    const partition = new WatchedPartition(PAIR, verified(place(10)))
    assert.deepEqual(offsets(partition), [10, 10])
    assert.equal(partition.take(outcome(15)), 'equal')
    assert.deepEqual(offsets(partition), [15, 15])
  })

  it('looks a second time before it tells a difference, from the same place', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    partition.take(outcome(10))
    assert.equal(partition.take(different(12, 20)), 'look again')
    assert.deepEqual(offsets(partition), [10, 10])
    assert.equal(partition.take(outcome(20)), 'equal', 'it has gone')
    assert.equal(partition.take(different(22, 30)), 'look again', 'each has a second look of its own')
    assert.equal(partition.take(different(22, 30)), 'different')
  })

  it('reads on behind a difference, and calls nothing equal any more', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    for (let look = 0; look < 2; look++) partition.take(different(12, 20))
    assert.deepEqual(offsets(partition), [12, 20])
    assert.equal(partition.take(outcome(30)), 'equal')
    assert.deepEqual(offsets(partition), [12, 30])
  })

  it('calls nothing equal beyond what could not be judged, though nothing is different', () => {
    const partition = new WatchedPartition({ ...PAIR, isDestinationCompacted: true }, undefined)
    assert.equal(partition.take(outcome(12, 20, { unjudged: 3 })), 'equal')
    partition.take(outcome(30))
    assert.deepEqual(offsets(partition), [12, 30])
  })

  it('begins anew where a log was made anew', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    for (let look = 0; look < 2; look++) partition.take(different(12, 20))
    partition.take(outcome(3, 3, {}, { beginning: { kind: 'anew', because: 'the source topic was made anew' } }))
    assert.deepEqual(offsets(partition), [3, 3])
  })

  it('keeps in mind which records were missing, for each turn on its own', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    const missing = new OffsetRuns(10)
    missing.append(13)
    for (let look = 0; look < 2; look++) partition.take({ ...different(12, 20), missing })
    partition.missing!.remove(13)
    assert.ok(partition.missing!.has(13))
  })

  it('remembers what is new, and no more often than it should', () => {
    const partition = new WatchedPartition(PAIR, verified(place(10)))
    assert.equal(partition.toRemember(0, 30), undefined)
    partition.take(outcome(15))
    const first = partition.toRemember(0, 30)!
    assert.equal(first.nextSourceOffset, 15)
    partition.remembered(first, 0)
    partition.take(outcome(16))
    assert.equal(partition.toRemember(29, 30), undefined)
    partition.remembered(undefined, 30)
    assert.equal(partition.toRemember(59, 30), undefined, 'a failure is not tried again at once')
    assert.equal(partition.toRemember(60, 30)?.nextSourceOffset, 16)
    partition.take(different(16, 20))
    assert.equal(partition.toRemember(60, 30)?.nextSourceOffset, 16)
  })

  it('goes back where somebody else has found less to be equal, once', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    partition.take(outcome(100))
    const less = verified(place(40))
    partition.heed(less)
    assert.deepEqual(offsets(partition), [40, 40])
    partition.take(outcome(100))
    partition.heed(less)
    assert.deepEqual(offsets(partition), [100, 100])
    partition.heed(verified(place(200)))
    assert.deepEqual(offsets(partition), [100, 100], 'more is for us to find')
  })

  it('goes on where somebody else has, when it was held up', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    for (let look = 0; look < 2; look++) partition.take(different(12, 20))
    partition.heed(verified(place(50)))
    assert.deepEqual(offsets(partition), [50, 50])
  })

  it('is left alone for a while after a failure, and tells it once', () => {
    const partition = new WatchedPartition(PAIR, undefined)
    assert.equal(partition.failed('UNREACHABLE', 0), true)
    assert.equal(partition.isPaused(400), true)
    assert.equal(partition.failed('UNREACHABLE', 5_000), false)
    assert.equal(partition.failed('CORRUPT_BATCH', 10_000), true)
    assert.equal(partition.isPaused(10_000 + 5 * 60_000), false)
    partition.take(outcome(1))
    assert.equal(partition.failed('CORRUPT_BATCH', 20_000), true)
  })
})
