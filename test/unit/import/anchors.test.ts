import assert from 'node:assert/strict'
import { LOOK_BACK_RECORDS, syncAnchors } from '../../../src/import/anchors.ts'

const BOUNDS = { sourceStartOffset: 0, destinationStartOffset: 0, destinationEndOffset: 50_000 }

describe('the anchors that offset syncs give', () => {
  it('are one far enough back to see an earlier run, then the nearest', () => {
    const syncs = every(100, 50_000)
    assert.deepEqual(anchors(syncs, 49_950), [
      [40_000, 40_000],
      [49_900, 49_900]
    ])
    assert.equal(BOUNDS.destinationEndOffset - 40_000, LOOK_BACK_RECORDS)
  })

  it('are never beyond the position', () => {
    assert.deepEqual(anchors(every(100, 50_000), 45_010), [
      [40_000, 40_000],
      [45_000, 45_000]
    ])
    assert.deepEqual(anchors([[500, 500]], 499), [])
  })

  it('are any where there is no position', () => {
    assert.deepEqual(anchors([[500, 500]], undefined), [[500, 500]])
  })

  it('are the oldest where none is far enough back', () => {
    assert.deepEqual(
      anchors(
        [
          [49_000, 49_010],
          [49_100, 49_110],
          [49_200, 49_210]
        ],
        49_990
      ),
      [
        [49_000, 49_010],
        [49_200, 49_210]
      ]
    )
  })

  it('are what both logs still hold', () => {
    const syncs = every(1_000, 50_000)
    const bounds = { sourceStartOffset: 46_000, destinationStartOffset: 47_500, destinationEndOffset: 49_000 }
    assert.deepEqual(anchors(syncs, 60_000, bounds), [[48_000, 48_000]])
  })
})

type Pair = readonly [sourceOffset: number, destinationOffset: number]

function every(step: number, end: number): Pair[] {
  return Array.from({ length: end / step }, (_, i) => [i * step, i * step])
}

function anchors(pairs: readonly Pair[], position: number | undefined, bounds = BOUNDS): Pair[] {
  const syncs = pairs.map(([upstreamOffset, downstreamOffset]) => ({
    topic: 'orders',
    partition: 0,
    upstreamOffset,
    downstreamOffset
  }))
  return syncAnchors(syncs, position, bounds).map(({ sourceOffset, destinationOffset }) => [
    sourceOffset,
    destinationOffset
  ])
}
