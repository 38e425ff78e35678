import assert from 'node:assert/strict'
import { type FlowFacts, verdictOf, worstOf } from '../../../src/page/verdict.ts'

function verdict(changes: Partial<FlowFacts>) {
  return verdictOf({
    source: 'east',
    destination: 'west',
    notReadyReason: null,
    stopped: null,
    unseen: null,
    partitions: 12,
    halted: new Map(),
    stalled: 0,
    differences: 0,
    differing: [],
    unknown: 0,
    exposure: { records: 10, seconds: 0.4 },
    etaSeconds: 0,
    lagLimitSeconds: 10,
    delaySeconds: 0,
    heartbeatAgeSeconds: 1,
    deletedInSeconds: null,
    copiesGone: [],
    passedLately: 0,
    resumedLately: 0,
    ...changes
  })
}

const STOPPED = {
  id: 'a',
  stoppedBy: 'ops@laptop',
  stoppedAt: '2026-01-01T00:00:00.000Z',
  stopAt: null,
  reason: 'failover'
}

describe('the verdict', () => {
  it('is trust only where everything is known, moves, and is late by no more than it may', () => {
    const levels = (changes: Partial<FlowFacts>) => verdict(changes).level
    assert.equal(levels({}), 'trusted')
    assert.equal(levels({ exposure: { records: 0, seconds: 0 } }), 'trusted')
    assert.equal(levels({ exposure: { records: 5, seconds: 10 } }), 'trusted')
    assert.equal(levels({ exposure: { records: 5, seconds: 10.1 } }), 'behind')
    assert.equal(levels({ exposure: { records: null, seconds: null } }), 'unknown')
    assert.equal(levels({ exposure: { records: 5, seconds: null } }), 'unknown')
    assert.equal(levels({ notReadyReason: 'west has not answered' }), 'unknown')
    assert.equal(levels({ partitions: 0, exposure: { records: 0, seconds: 0 } }), 'unknown')
    assert.equal(levels({ unseen: 'is being looked at' }), 'unknown')
    assert.equal(levels({ stopped: STOPPED }), 'stopped')
    assert.equal(levels({ halted: new Map([['gap', 1]]) }), 'attention')
    assert.equal(levels({ stalled: 1 }), 'attention')
    assert.equal(levels({ deletedInSeconds: 600 }), 'attention')
    assert.equal(levels({ copiesGone: ['orders-7'] }), 'attention')
    assert.equal(levels({ differences: 1, differing: ['orders-7'] }), 'attention')
    assert.equal(levels({ heartbeatAgeSeconds: 61 }), 'attention')
  })

  it('is about what somebody has to do before all else', () => {
    const everything = verdict({
      halted: new Map([
        ['gap', 2],
        ['fenced', 1]
      ]),
      stalled: 3,
      deletedInSeconds: 0,
      heartbeatAgeSeconds: 600,
      exposure: { records: null, seconds: null },
      notReadyReason: 'progress is being loaded'
    })
    assert.deepEqual(everything.sentences, [
      '3 partitions stand still (gap 2, fenced 1).',
      '3 partitions with records to copy do not move.',
      'east deletes records now that will not be copied by then.',
      'No heartbeat from east has reached west for 10 min.'
    ])
    assert.deepEqual(verdict({ halted: new Map([['gap', 1]]) }).sentences, ['1 partition stands still (gap).'])
  })

  it('names partitions that verification has found to differ, though not all of many', () => {
    const said = (differing: string[]) => verdict({ differences: 7, differing }).sentences
    const found = 'Verification found 7 differences between records and their copies in '
    assert.deepEqual(said(['a-0', 'b-1', 'c-2']), [`${found}a-0, b-1, c-2.`])
    assert.deepEqual(said(['a-0', 'b-1', 'c-2', 'd-3']), [`${found}a-0, b-1, c-2 and 1 more partition.`])
    assert.deepEqual(said(['a-0', 'b-1', 'c-2', 'd-3', 'e-4']), [`${found}a-0, b-1, c-2 and 2 more partitions.`])
  })

  it('is no more than this worker’s own share lets it be while nobody has seen the others’', () => {
    const sentences = (changes: Partial<FlowFacts>) => verdict({ unseen: 'is being looked at', ...changes }).sentences
    assert.deepEqual(sentences({}), [
      'Only this worker’s share is known (12 partitions); that of the others is being looked at.'
    ])
    assert.deepEqual(sentences({ unseen: 'can’t be looked at: east cannot be reached', unknown: 12 }), [
      'Only this worker’s share is known (12 partitions); that of the others can’t be looked at: east cannot be reached.',
      'How far 12 partitions of east got can’t be told now.'
    ])
    // A spare worker has none, which says nothing of what is selected.
    assert.equal(verdict({ unseen: 'is being looked at', partitions: 0 }).title, 'Not known')
    assert.deepEqual(sentences({ stalled: 1 }), verdict({ stalled: 1 }).sentences)
  })

  it('says how late it is, and what of it is on purpose', () => {
    const sentences = (changes: Partial<FlowFacts>) => verdict(changes).sentences
    assert.deepEqual(sentences({}), [
      'All that was to be copied from east to west has been copied, but for the last 0.4 s.'
    ])
    assert.deepEqual(sentences({ exposure: { records: 0, seconds: 0 } }), [
      'All that was to be copied from east to west has been copied.'
    ])
    assert.deepEqual(
      sentences({ exposure: { records: 9, seconds: 3_602 }, lagLimitSeconds: 3_610, delaySeconds: 3_600 }),
      [
        'All that was to be copied from east to west has been copied, but for the last 60 min; 60 min of that is on purpose.'
      ]
    )
    assert.deepEqual(sentences({ exposure: { records: 412_000, seconds: 180 }, etaSeconds: 700 }), [
      'west is 3 min and 412,000 records behind east; caught up in about 12 min.'
    ])
    assert.match(sentences({ exposure: { records: 5, seconds: 60 }, etaSeconds: null })[0]!, /it is not known when/)
  })

  it('does not keep quiet about records that are missing', () => {
    assert.match(verdict({ passedLately: 1 }).sentences[1]!, /^Once in the last day records were gone before/)
    assert.match(verdict({ passedLately: 2 }).sentences[1]!, /^2 times in the last day/)
    assert.match(
      verdict({ resumedLately: 1 }).sentences[1]!,
      /^Once in the last day somebody said where a partition goes/
    )
    assert.equal(
      verdict({ passedLately: 1, resumedLately: 3, exposure: { records: 5, seconds: 60 } }).sentences.length,
      3
    )
    assert.deepEqual(verdict({ copiesGone: ['users-3'] }).sentences, [
      'What had been copied of users-3 is gone from west.'
    ])
  })

  it('does not miss heartbeats in a flow that somebody has stopped, or is kept behind', () => {
    assert.equal(verdict({ heartbeatAgeSeconds: 900, stopped: STOPPED }).level, 'stopped')
    assert.equal(verdict({ heartbeatAgeSeconds: 900, delaySeconds: 900 }).level, 'trusted')
    assert.equal(verdict({ heartbeatAgeSeconds: null }).level, 'trusted')
  })

  it('of several is the worst, of all that it is the verdict of', () => {
    const to = (destination: string, changes: Partial<FlowFacts>) => ({
      source: 'east',
      destination,
      verdict: verdict({ destination, ...changes })
    })
    const of = (...flows: Parameters<typeof worstOf>[0]) => worstOf(flows)
    const [trusted, stopped] = [to('west', {}), to('south', { stopped: STOPPED })]
    assert.deepEqual(of(trusted, to('north', { stalled: 1 }), stopped, to('up', { halted: new Map([['gap', 1]]) })), {
      level: 'attention',
      title: 'Needs attention',
      sentences: [
        'east → north: 1 partition with records to copy does not move.',
        'east → up: 1 partition stands still (gap).'
      ]
    })
    assert.deepEqual(of(trusted, stopped).level, 'stopped')
    assert.deepEqual(of(trusted), trusted.verdict)
    const nothing = { partitions: 0, exposure: { records: 0, seconds: 0 } }
    assert.equal(of(to('south', nothing), to('north', nothing)).title, 'Nothing to copy')
    assert.equal(of(to('south', nothing), to('north', { unseen: 'is being looked at' })).title, 'Not known')
    assert.equal(of().level, 'unknown')
  })
})
