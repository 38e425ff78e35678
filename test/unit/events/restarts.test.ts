import assert from 'node:assert/strict'
import { Restarts } from '../../../src/events/restarts.ts'
import type { SourceEvent } from '../../../src/events/source-event.ts'

const PARTITION = { topic: 'orders', partition: 3 }
const FIRST = 'a'.repeat(32)
const SECOND = 'b'.repeat(32)

function event(what: Pick<SourceEvent, 'kind' | 'action'> & Partial<SourceEvent>): SourceEvent {
  return {
    ...{ source: 'east', destination: 'west', ...PARTITION, topicId: FIRST, firstOffset: 0, nextOffset: 0 },
    ...{ destinationOffset: null, detail: '', observer: 'test', observedAt: 0 },
    ...what
  }
}

const resume = (firstOffset: number, destinationOffset: number, topicId = FIRST) =>
  event({ kind: 'RESUME', action: 'REQUESTED', firstOffset, nextOffset: firstOffset, destinationOffset, topicId })
const recreated = (action: 'HALTED' | 'CONTINUED', topicId: string, destinationOffset: number | null = null) =>
  event({ kind: 'RECREATED', action, topicId, destinationOffset })
const gap = (topicId: string) => event({ kind: 'GAP', action: 'HALTED', topicId })

/** Where copies of these source offsets may be at the lowest, after these events. */
function firstOffsets(events: readonly SourceEvent[], ...sourceOffsets: number[]): number[] {
  const restarts = new Restarts('west')
  for (const each of events) restarts.note(each)
  return sourceOffsets.map(sourceOffset => restarts.firstDestinationOffset(PARTITION, sourceOffset))
}

describe('where source offsets start over', () => {
  it('is nowhere without events, and for other partitions and other destinations', () => {
    const elsewhere = [
      { ...resume(50, 500), destination: 'south' },
      { ...resume(50, 500), partition: 4 },
      { ...resume(50, 500), topic: 'payments' }
    ]
    assert.deepEqual(firstOffsets([], 0, 60), [0, 0])
    assert.deepEqual(firstOffsets(elsewhere, 0, 60), [0, 0])
  })

  it('is where somebody had it go on, from that source offset on only', () => {
    assert.deepEqual(firstOffsets([gap(FIRST), resume(50, 500)], 0, 49, 50, 900), [0, 0, 500, 500])
  })

  it('is where the topic made anew begins, for all of its offsets', () => {
    for (const events of [
      [recreated('CONTINUED', SECOND, 500)],
      [recreated('HALTED', SECOND), resume(7, 500, SECOND)],
      [gap(FIRST), resume(50, 300), recreated('HALTED', SECOND), resume(7, 500, SECOND)],
      [recreated('CONTINUED', FIRST, 100), recreated('CONTINUED', SECOND, 500)],
      // An owner that died before it could commit is followed by one that begins again.
      [recreated('CONTINUED', SECOND, 400), recreated('CONTINUED', SECOND, 500)]
    ]) {
      assert.deepEqual(firstOffsets(events, 0, 7, 60), [500, 500, 500])
    }
  })

  it('is where somebody had the topic made anew go on', () => {
    const events = [recreated('CONTINUED', SECOND, 500), gap(SECOND), resume(50, 800, SECOND)]
    assert.deepEqual(firstOffsets(events, 0, 49, 50), [500, 500, 800])
  })

  it('is not where a request names that another one followed: it may never have been obeyed', () => {
    assert.deepEqual(firstOffsets([resume(50, 500), resume(100, 500)], 49, 70, 100), [0, 0, 500])
    assert.deepEqual(firstOffsets([resume(100, 500), resume(50, 600)], 49, 50, 100), [0, 600, 600])
  })

  it('is not taken from what is no word about where copies begin', () => {
    // Nobody wrote down that the topic was made anew; what was mirrored of it before the gap counts too.
    assert.deepEqual(firstOffsets([gap(FIRST), resume(50, 500, SECOND)], 5, 50), [0, 500])
    assert.deepEqual(firstOffsets([recreated('HALTED', SECOND), gap(SECOND), resume(50, 500, SECOND)], 5, 50), [0, 500])
    // As older workers wrote it.
    assert.deepEqual(firstOffsets([recreated('CONTINUED', SECOND, null)], 5), [0])
  })
})
