import assert from 'node:assert/strict'
import type { PartitionStatus } from '../../../src/observe/status.ts'
import {
  byNeed,
  isOwnWaiting,
  needsAttention,
  type OutsideNews,
  outsideRow,
  ownRow,
  selectRows
} from '../../../src/page/page-rows.ts'
import type { PartitionRow } from '../../../src/page/page-view.ts'
import type { MirrorState } from '../../../src/status/overview.ts'
import { partitionStatus } from '../observe/worker-status.ts'

const LIMITS = { lagSeconds: 10, stallSeconds: 60 }

function own(changes: Partial<PartitionStatus>, standingSeconds = 0): PartitionRow {
  return ownRow(partitionStatus(changes), 'alpha', standingSeconds, LIMITS)
}

function outside(
  state: MirrorState,
  news: Partial<OutsideNews> = {},
  topic = 'orders',
  partition = 0,
  told: string | null = null,
  nextSourceOffset = 90
): PartitionRow {
  const judgement = { state, detail: told, nextSourceOffset, sourceEndOffset: 100, lagRecords: 10 }
  return outsideRow(
    { topic, partition, judgement, told: undefined, stopped: undefined },
    {
      lag: { sourceEndOffset: 100, records: 10, seconds: 1 },
      worker: 'bravo',
      etaSeconds: null,
      standingSeconds: 0,
      isStopped: false,
      halt: undefined,
      ...news
    },
    LIMITS
  )
}

describe('a row of a partition', () => {
  it('of this worker is in the state that a person wants to know', () => {
    const state = (changes: Partial<PartitionStatus>, standingSeconds = 0) => own(changes, standingSeconds).state
    assert.equal(state({}), 'up to date')
    assert.equal(state({ lagSeconds: 11 }), 'behind')
    assert.equal(state({ lagRecords: null, lagSeconds: null }), 'unknown')
    assert.equal(state({ state: 'fencing', lagRecords: null, lagSeconds: null }), 'starting')
    assert.equal(state({ state: 'resuming', lagSeconds: 11 }), 'behind')
    assert.equal(state({}, 60), 'stalled')
    assert.equal(state({ state: 'fencing' }, 60), 'stalled')
    // Whether anything is left to do nobody knows while the source does not tell.
    for (const waiting of ['mirroring', 'fencing', 'resuming'] as const) {
      assert.equal(state({ state: waiting, lagRecords: null, lagSeconds: null }, 60), 'unknown')
    }
    assert.equal(state({ state: 'fencing', lagRecords: 0, lagSeconds: 0 }, 60), 'starting')
    assert.equal(state({ state: 'halted', reason: 'gap' }, 60), 'halted')
    assert.equal(state({ state: 'halted', reason: 'stopped' }), 'stopped')
    assert.equal(state({ verifyDifferences: 2, lagSeconds: 11 }), 'differs')
    assert.equal(state({ verifyDifferences: 2 }, 60), 'stalled')
    assert.match(
      own({ verifyDifferences: 2 }, 60).detail!,
      /not moved for 60 s; verification found 2 differences between/
    )
    assert.equal(needsAttention(own({ verifyDifferences: 2 })), true)
  })

  it('of this worker says what it stands still at', () => {
    assert.match(own({}, 60).detail!, /^it has records to copy and has not moved for 60 s$/)
    assert.match(own({ state: 'fencing' }, 60).detail!, /^earlier owners are being shut out for 60 s/)
    const resuming = own({ state: 'resuming', lagRecords: null, lagSeconds: null }, 61)
    assert.match(resuming.detail!, /^it is being found out where to go on for 61 s/)
    assert.equal(own({ state: 'resuming' }, 59).detail, null)
  })

  it('of this worker is meant to move unless it stands still for a reason or has nothing to do', () => {
    assert.equal(isOwnWaiting(partitionStatus({ etaSeconds: 5 })), true)
    assert.equal(isOwnWaiting(partitionStatus({ etaSeconds: null, lagRecords: null })), false, 'nobody knows')
    assert.equal(isOwnWaiting(partitionStatus({ state: 'fencing', lagRecords: null })), true)
    assert.equal(isOwnWaiting(partitionStatus({ state: 'resuming', lagRecords: 0, etaSeconds: 0 })), true)
    assert.equal(isOwnWaiting(partitionStatus({ etaSeconds: 0 })), false, 'new traffic, or held back on purpose')
    assert.equal(isOwnWaiting(partitionStatus({ etaSeconds: null, lagRecords: 0 })), false)
    assert.equal(isOwnWaiting(partitionStatus({ etaSeconds: null, state: 'halted' })), false)
  })

  it('of another worker is in the state that the clusters tell', () => {
    const state = (judged: MirrorState, news: Partial<OutsideNews> = {}) => outside(judged, news).state
    for (const judged of ['gap', 'recreated'] as const) assert.equal(state(judged), 'halted')
    assert.equal(state('unreachable'), 'unknown')
    assert.equal(state('missing'), 'starting')
    assert.equal(state('not started'), 'starting')
    assert.equal(state('not started', { lag: { sourceEndOffset: 100, records: 0, seconds: 0 } }), 'up to date')
    assert.equal(state('behind'), 'up to date')
    assert.equal(state('behind', { lag: { sourceEndOffset: 100, records: 10, seconds: 11 } }), 'behind')
    assert.equal(state('behind', { lag: { sourceEndOffset: 100, records: 10, seconds: null } }), 'up to date')
    assert.equal(
      state('mirrored', { lag: { sourceEndOffset: 100, records: 0, seconds: 0 }, standingSeconds: 999 }),
      'up to date'
    )
    for (const judged of ['missing', 'not started', 'behind'] as const) {
      assert.equal(state(judged, { standingSeconds: 60 }), 'stalled')
      assert.equal(state(judged, { standingSeconds: 60, isStopped: true }), 'stopped')
    }
    const at = { observedAt: '2026-01-01T00:00:00.000Z', topic: 'orders', partition: 0, firstOffset: 0, nextOffset: 0 }
    const halt = { ...at, kind: 'RECREATED', action: 'HALTED', detail: 'orders was made anew' }
    const { state: halted, reason, detail } = outside('not started', { halt })
    assert.deepEqual([halted, reason, detail], ['halted', 'recreated', 'orders was made anew'])
    assert.equal(state('behind', { halt, isStopped: true }), 'stopped')
    const missing = outside('missing', { standingSeconds: 61 }, 'orders', 0, 'east.orders is not at the destination')
    assert.match(missing.detail!, /^east.orders is not at the destination; it has records to copy and has not moved/)
    assert.match(outside('behind', { standingSeconds: 61 }).detail!, /not moved for 61 s; the page or the log of bravo/)
  })
})

describe('a row of a partition of another worker whose logs diverge', () => {
  it('is halted where the source was cut back, and mirrored on where the destination was', () => {
    const row = (nextSourceOffset: number, news: Partial<OutsideNews> = {}) => {
      const { state, reason, detail } = outside('diverged', news, 'orders', 0, 'cut back', nextSourceOffset)
      return [state, reason, detail]
    }
    assert.deepEqual(row(101), ['halted', 'diverged', 'cut back'])
    assert.deepEqual(row(100), ['differs', 'copies gone', 'cut back'])
    assert.deepEqual(row(100, { isStopped: true }), ['differs', 'copies gone', 'cut back'])
  })
})

describe('rows of partitions', () => {
  const rows = [
    own({ topic: 'b', partition: 10 }),
    own({ topic: 'b', partition: 2, lagSeconds: 5 }),
    own({ topic: 'a', lagSeconds: 11 }),
    own({ topic: 'c', lagSeconds: 900 }),
    outside('behind', { standingSeconds: 60 }, 'd'),
    outside('unreachable', { lag: { sourceEndOffset: 100, records: null, seconds: null } }, 'e'),
    outside('gap', {}, 'f'),
    own({ topic: 'g', state: 'halted', lagSeconds: 7_200 })
  ].toSorted(byNeed)
  const names = (some: readonly PartitionRow[]) => some.map(({ topic, partition }) => `${topic}-${partition}`)

  it('are in the order of need; those that are up to date in the order of their names', () => {
    assert.deepEqual(names(rows), ['g-0', 'f-0', 'd-0', 'e-0', 'c-0', 'a-0', 'b-2', 'b-10'])
    assert.deepEqual(names(rows.filter(needsAttention)), ['g-0', 'f-0', 'd-0', 'e-0'])
  })

  it('are chosen by what they need, and by a part of a name of their own or of their worker’s', () => {
    const chosen = (filter: 'all' | 'attention' | 'behind', search = '') =>
      names(selectRows(rows, { filter, search, page: 0 }))
    assert.deepEqual(chosen('all'), names(rows))
    assert.deepEqual(chosen('behind'), ['c-0', 'a-0'])
    assert.deepEqual(chosen('all', ' B-1 '), ['b-10'])
    assert.deepEqual(chosen('attention', 'BRAVO'), ['f-0', 'd-0', 'e-0'])
    assert.deepEqual(chosen('all', '.*'), [])
  })
})
