import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FetchSession, type SessionPartition } from '../../../src/source/fetch-session.ts'
import { keyOf, SessionCache } from './support/session-cache.ts'

/** What happens between two requests. */
type Change =
  | { readonly kind: 'want'; readonly partition: number; readonly isRecreated: boolean }
  | { readonly kind: 'leave'; readonly partition: number }
  | { readonly kind: 'move-on'; readonly partition: number; readonly by: number }
  | { readonly kind: 'elect'; readonly partition: number }
  | { readonly kind: 'new-batch-epoch'; readonly partition: number }
  | { readonly kind: 'evict' }
  | { readonly kind: 'fill' | 'empty' }

/** What becomes of a request. */
type Fate = 'answered' | 'lost-before' | 'lost-after'

const partition = fc.nat({ max: 5 })
const aChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('want' as const), partition, isRecreated: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), partition }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('move-on' as const), partition, by: fc.integer({ min: -5, max: 50 }) })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('elect' as const), partition }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('new-batch-epoch' as const), partition }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('evict' as const, 'fill' as const, 'empty' as const) }) }
)
const aFate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('answered') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('lost-before', 'lost-after') }
)
const rounds = fc.array(fc.tuple(fc.array(aChange, { maxLength: 6 }), aFate), { maxLength: 40, size: 'max' })

describe('FetchSession against a broker’s session cache', () => {
  it('has the broker read exactly what is wanted, where it is wanted, or learns of an error and begins anew', () => {
    fc.assert(
      fc.property(rounds, all => {
        const broker = new SessionCache()
        const session = new FetchSession()
        const wanted = new Map<string, SessionPartition>()
        for (const [changes, fate] of all) {
          for (const change of changes) apply(change, wanted, broker)
          // The fetch loop sleeps while nothing is wanted.
          if (wanted.size === 0) continue
          const request = next(session, wanted)
          if (fate === 'lost-before') {
            session.reset()
            continue
          }
          const understood = broker.receive(request)
          if ('error' in understood) {
            assert.ok(['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'].includes(understood.error))
            session.reset()
            continue
          }
          assert.deepEqual(understood.partitions, wanted)
          if (fate === 'lost-after') session.reset()
          else session.answered(understood)
        }
      }),
      { numRuns: 500 }
    )
  })

  it('names only what changed', () => {
    const broker = new SessionCache()
    const session = new FetchSession()
    const wanted = new Map([0, 1, 2, 3].map(number => entry(number, { fetchOffset: 10 })))
    const ask = () => {
      const request = next(session, wanted)
      const understood = broker.receive(request)
      assert.ok(!('error' in understood))
      session.answered(understood)
      return {
        asked: request.partitions.map(each => each.partition),
        forgotten: request.forgotten.map(each => each.partition)
      }
    }
    assert.deepEqual(ask(), { asked: [0, 1, 2, 3], forgotten: [] })
    assert.deepEqual(ask(), { asked: [], forgotten: [] })
    wanted.set(...entry(2, { fetchOffset: 11 }))
    assert.deepEqual(ask(), { asked: [2], forgotten: [] })
    wanted.delete(entry(1)[0])
    assert.deepEqual(ask(), { asked: [], forgotten: [1] })
    wanted.set(...entry(1, { fetchOffset: 10 }))
    assert.deepEqual(ask(), { asked: [1], forgotten: [] })
    assert.deepEqual(ask(), { asked: [], forgotten: [] })
  })

  it('names everything each time where the broker has no room for a session', () => {
    const broker = new SessionCache()
    broker.hasRoom = false
    const session = new FetchSession()
    const wanted = new Map([0, 1].map(number => entry(number)))
    for (let round = 0; round < 3; round++) {
      const request = next(session, wanted)
      assert.equal(request.partitions.length, 2)
      const understood = broker.receive(request)
      assert.ok(!('error' in understood) && understood.sessionId === 0)
      session.answered(understood)
    }
  })

  it('does not take a broker’s slots by and by: a session begun anew ends the one before', () => {
    const broker = new SessionCache()
    const session = new FetchSession()
    const wanted = new Map([entry(0)])
    for (let round = 0; round < 20; round++) {
      const understood = broker.receive(next(session, wanted))
      assert.ok(!('error' in understood))
      session.answered(understood)
      // Its answer was not understood, or its connection broke: the broker still keeps the session.
      session.reset()
    }
    assert.ok(broker.sessions <= 2, `${broker.sessions} sessions are kept`)
  })
})

/** Tells the session what is wanted now, as the fetch loop does: everything that is, and what no longer is. */
function next(session: FetchSession, wanted: ReadonlyMap<string, SessionPartition>) {
  for (const topicId of ['00', 'ff'].map(byte => byte.repeat(16))) {
    for (let partition = 0; partition <= 5; partition++) {
      const key = keyOf({ topicId, partition })
      const found = wanted.get(key)
      if (found === undefined) session.leave(key)
      else session.want(key, found)
    }
  }
  return session.next()
}

function apply(change: Change, wanted: Map<string, SessionPartition>, broker: SessionCache): void {
  if (!('partition' in change)) {
    if (change.kind === 'evict') broker.evictAll()
    else broker.hasRoom = change.kind === 'empty'
    return
  }
  const current = [...wanted.values()].find(each => each.partition === change.partition)
  if (change.kind === 'want') {
    // A topic that was made again has another id; its partition numbers are the same.
    if (current !== undefined) wanted.delete(keyOf(current))
    const [key, fresh] = entry(change.partition, change.isRecreated ? { topicId: 'ff'.repeat(16) } : {})
    wanted.set(key, fresh)
    return
  }
  if (current === undefined) return
  switch (change.kind) {
    case 'leave':
      wanted.delete(keyOf(current))
      return
    case 'move-on':
      wanted.set(keyOf(current), { ...current, fetchOffset: Math.max(current.fetchOffset + change.by, 0) })
      return
    case 'elect':
      wanted.set(keyOf(current), { ...current, leaderEpoch: current.leaderEpoch + 1 })
      return
    case 'new-batch-epoch':
      wanted.set(keyOf(current), { ...current, lastFetchedEpoch: current.lastFetchedEpoch + 1 })
  }
}

function entry(number: number, given: Partial<SessionPartition> = {}): [string, SessionPartition] {
  const partition = {
    topicId: '00'.repeat(16),
    partition: number,
    leaderEpoch: 1,
    fetchOffset: 0,
    lastFetchedEpoch: -1,
    maxBytes: 1 << 20,
    ...given
  }
  return [keyOf(partition), partition]
}
