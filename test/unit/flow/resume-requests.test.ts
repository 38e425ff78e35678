import assert from 'node:assert/strict'
import type { LoggedEvent } from '../../../src/events/event-log.ts'
import type { SourceEvent } from '../../../src/events/source-event.ts'
import type { Progress } from '../../../src/flow/messages.ts'
import { ResumeRequests, requestId } from '../../../src/flow/resume-requests.ts'

const ORDERS = { topic: 'orders', partition: 3 }
const PROGRESS: Progress = { nextSourceOffset: 10, topicId: 'old', leaderEpoch: 4, destinationOffset: 8 }

function logged(offset: number, changes: Partial<SourceEvent> = {}, logId = 'log'): LoggedEvent {
  const event: SourceEvent = {
    ...{ kind: 'RESUME', action: 'REQUESTED', source: 'east', destination: 'west', ...ORDERS },
    ...{ topicId: 'new', firstOffset: 15, nextOffset: 15, destinationOffset: 12 },
    ...{ detail: '', observer: 'ann@host', observedAt: 0, ...changes }
  }
  return { logId, offset, event }
}

function requests(...events: readonly LoggedEvent[]): ResumeRequests {
  const all = new ResumeRequests()
  for (const event of events) all.note(event)
  return all
}

describe('requests to go on', () => {
  it('overrule the progress of their own partition', () => {
    const all = requests(logged(7))
    assert.deepEqual(all.overruling(ORDERS, PROGRESS), {
      nextSourceOffset: 15,
      topicId: 'new',
      leaderEpoch: -1,
      destinationOffset: 11,
      resumed: requestId('log', 7)
    })
    assert.equal(all.overruling(ORDERS, undefined)?.nextSourceOffset, 15)
    assert.equal(all.overruling({ ...ORDERS, partition: 4 }, PROGRESS), undefined)
    assert.equal(all.overruling({ ...ORDERS, topic: 'other' }, PROGRESS), undefined)
  })

  it('are obeyed once, and the newest counts', () => {
    const all = requests(logged(7), logged(9, { firstOffset: 20 }))
    const obeyed = all.overruling(ORDERS, PROGRESS)!
    assert.equal(obeyed.nextSourceOffset, 20)
    assert.equal(all.overruling(ORDERS, obeyed), undefined)
    assert.equal(all.overruling(ORDERS, { ...obeyed, nextSourceOffset: 500 }), undefined)
    assert.ok(all.overruling(ORDERS, { ...PROGRESS, resumed: requestId('log', 7) }) !== undefined)
    assert.ok(all.overruling(ORDERS, { ...PROGRESS, resumed: requestId('log', 10) }) === undefined)
  })

  it('are new in a log that was made anew', () => {
    const all = requests(logged(2, {}, 'another'))
    assert.ok(all.overruling(ORDERS, { ...PROGRESS, resumed: requestId('log', 7) }) !== undefined)
  })

  it('are not what other events say', () => {
    assert.equal(requests(logged(7, { kind: 'GAP', action: 'HALTED' })).overruling(ORDERS, PROGRESS), undefined)
  })
})
