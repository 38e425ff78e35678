import assert from 'node:assert/strict'
import type { SourceEvent } from '../../../src/events/source-event.ts'
import { KnownEvents } from '../../../src/flow/known-events.ts'

function event(partition: number, changes: Partial<SourceEvent> = {}): SourceEvent {
  return {
    ...{ kind: 'GAP', action: 'HALTED', source: 'east', destination: 'west', topic: 'orders', partition },
    ...{ topicId: '0'.repeat(32), firstOffset: 5, nextOffset: 9, destinationOffset: null, detail: 'gone' },
    ...{ observer: 'alpha', observedAt: 0 },
    ...changes
  }
}

describe('events that are known', () => {
  it('are shown up to twenty, the newest first', () => {
    const known = new KnownEvents()
    for (let nextOffset = 0; nextOffset < 25; nextOffset++) known.note(event(0, { nextOffset }))
    assert.deepEqual(
      known.recent.map(({ nextOffset }) => nextOffset),
      Array.from({ length: 20 }, (_, index) => 24 - index)
    )
    assert.equal(known.newestOf({ topic: 'orders', partition: 0 })!.nextOffset, 24)
    assert.equal(known.newestOf({ topic: 'orders', partition: 1 }), undefined)
  })

  it('say which partitions stand still, however many others came since, until somebody decides', () => {
    const known = new KnownEvents()
    const halted = () => known.halts.map(({ partition, detail }) => [partition, detail])
    known.note(event(0, { detail: 'an older one' }))
    known.note(event(0))
    for (let partition = 1; partition < 40; partition++) known.note(event(partition, { action: 'CONTINUED' }))
    known.note(event(40, { kind: 'RECREATED', detail: 'made anew' }))
    assert.deepEqual(halted(), [
      [0, 'gone'],
      [40, 'made anew']
    ])
    known.note(event(0, { kind: 'RESUME', action: 'REQUESTED' }))
    assert.deepEqual(halted(), [[40, 'made anew']])
  })
})
