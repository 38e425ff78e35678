import assert from 'node:assert/strict'
import type { FlowStatus } from '../../../src/observe/status.ts'
import { FlowPage } from '../../../src/page/flow-page.ts'
import type { GroupSeen, OutsidePartition } from '../../../src/page/group-look.ts'
import type { FlowView, RowQuery } from '../../../src/page/page-view.ts'
import { flowStatus, partitionStatus } from '../observe/worker-status.ts'

const WALL_MS = 1_790_000_000_000
const QUERY: RowQuery = { filter: 'all', search: '', page: 0 }

/** A partition of the worker `bravo`, as its last commit tells it. */
function other(nextSourceOffset: number, changes: Partial<OutsidePartition> = {}): OutsidePartition {
  return {
    topic: 'users',
    partition: 3,
    judgement: {
      state: 'behind',
      detail: null,
      nextSourceOffset,
      sourceEndOffset: 1_000,
      lagRecords: 1_000 - nextSourceOffset
    },
    told: { offset: nextSourceOffset + 5, seenAtMs: WALL_MS, lagSeconds: 0.2 },
    stopped: undefined,
    ...changes
  }
}

class Watched {
  readonly page: FlowPage
  status: FlowStatus = flowStatus()
  atMs = 0

  constructor(delayMs = 0) {
    this.page = new FlowPage({ delayMs, stallTimeoutMs: 60_000 }, 'alpha')
  }

  inCharge: string | undefined = 'alpha'

  seen(...others: readonly OutsidePartition[]): void {
    const seen: GroupSeen = {
      inCharge: this.inCharge,
      workers: [
        { clientId: 'alpha', host: '/1', partitions: [{ topic: 'orders', partition: 0 }] },
        { clientId: 'bravo', host: '/2', partitions: others }
      ],
      others
    }
    this.page.seen({ ...seen, atMs: this.atMs, wallAtMs: WALL_MS + this.atMs })
  }

  view(trouble: string | null = null): FlowView {
    const moment = { nowMs: this.atMs, wallNowMs: WALL_MS + this.atMs }
    this.page.sample(this.status, moment)
    return this.page.view(this.page.now(this.status, moment), trouble, QUERY, moment)
  }
}

describe('a flow on the page', () => {
  it('is this worker’s own share until somebody has looked at the group', () => {
    const watched = new Watched()
    const { verdict, exposure, backlog, figures, table, workers, workersNote } = watched.view()
    assert.equal(verdict.level, 'unknown')
    assert.equal(exposure, 'If east were lost now: at least 10 records, 1.5 s; not known of what other workers mirror.')
    assert.equal(backlog, null)
    assert.deepEqual(
      figures.slice(0, 3).map(({ value, note }) => `${value} ${note}`),
      ['– not known of all partitions', '1,000/s 1.0 MiB/s by this worker', '1 of this worker, 0 need attention']
    )
    assert.equal(table.caption, '1 to 1 of 1 partition')
    assert.equal(workers, null)
    assert.match(workersNote, /^Only this worker’s partitions/)
  })

  it('is the whole group’s once somebody has, with the worker that owns each', () => {
    const watched = new Watched()
    watched.seen(other(900))
    const { exposure, table, workers, figures } = watched.view()
    assert.equal(exposure, 'If east were lost now: 15 records, 1.5 s.')
    assert.deepEqual(
      table.rows.map(({ topic, worker, lagRecords }) => [topic, worker, lagRecords]),
      [
        ['orders', 'alpha', '10'],
        ['users', 'bravo', '5']
      ]
    )
    assert.deepEqual(
      workers!.map(({ name, isThis }) => [name, isThis]),
      [
        ['alpha', true],
        ['bravo', false]
      ]
    )
    assert.equal(figures[2]!.value, '2')
    // What this worker has taken over meanwhile is its own.
    watched.status = flowStatus({
      partitions: [...watched.status.partitions, partitionStatus({ topic: 'users', partition: 3 })]
    })
    assert.deepEqual(
      watched.view().table.rows.map(({ topic, worker }) => [topic, worker]),
      [
        ['orders', 'alpha'],
        ['users', 'alpha']
      ]
    )
  })

  it('is not known to be exposed while this worker’s own share is not known', () => {
    const watched = new Watched()
    watched.status = flowStatus({ partitions: [], exposure: { records: null, seconds: null } })
    watched.seen(other(1_000, { judgement: { ...other(0).judgement, state: 'mirrored', lagRecords: 0 } }))
    assert.equal(watched.view().verdict.level, 'unknown')
  })

  it('does not trust what it has not seen any more, whatever that was', () => {
    const watched = new Watched()
    const halted = { ...other(900).judgement, state: 'gap' } as const
    watched.seen(other(900, { judgement: halted }))
    assert.equal(watched.view().verdict.level, 'attention')
    watched.atMs = 60_000
    const { verdict, exposure } = watched.view('east cannot be reached')
    assert.equal(verdict.level, 'unknown')
    assert.match(verdict.sentences[0]!, /that of the others can’t be looked at: east cannot be reached\.$/)
    assert.match(exposure, /not known of what other workers mirror/)
  })

  it('has a partition of another worker behind, then stalled, when that one does not move any more', () => {
    const watched = new Watched()
    const state = () => watched.view().table.rows.find(({ topic }) => topic === 'users')!.state
    watched.seen(other(900))
    assert.equal(state(), 'up to date')
    for (watched.atMs = 5_000; watched.atMs <= 55_000; watched.atMs += 5_000) watched.seen(other(900))
    watched.atMs = 55_000
    assert.equal(state(), 'behind')
    // Not by the time that passes while nobody looks.
    watched.atMs = 60_000
    assert.equal(state(), 'behind')
    watched.seen(other(900))
    assert.equal(state(), 'stalled')
    assert.equal(watched.view().verdict.level, 'attention')
  })

  it('has all partitions stopped, which nobody needs to attend to, when somebody has ordered that', () => {
    const watched = new Watched()
    const stopped = { id: 'a', stoppedBy: 'ops', stoppedAt: '2026-01-01T00:00:00.000Z', stopAt: null, reason: 'drill' }
    watched.status = flowStatus({ stopped, partitions: [partitionStatus({ state: 'halted', reason: 'stopped' })] })
    watched.seen(other(900))
    const { table, verdict } = watched.view()
    assert.deepEqual(
      table.rows.map(({ state }) => state),
      ['stopped', 'stopped']
    )
    assert.equal(verdict.level, 'stopped')
  })

  it('has only those stopped that have reached the time of an order, and the others as they are', () => {
    const watched = new Watched()
    const order = { id: 'a', stoppedBy: 'ops', stoppedAt: '2026-01-01T00:00:00.000Z', reason: 'bad deployment' }
    watched.status = flowStatus({ stopped: { ...order, stopAt: '2026-01-01T01:00:00.000Z' } })
    const states = () => new Map(watched.view().table.rows.map(({ partition, state }) => [partition, state] as const))
    const look = () =>
      watched.seen(
        other(900, { stopped: 'a' }),
        other(900, { partition: 4, stopped: 'an older one' }),
        other(900, { partition: 5 })
      )
    look()
    assert.deepEqual(
      states(),
      new Map([
        [3, 'stopped'],
        [4, 'up to date'],
        [5, 'up to date'],
        [0, 'up to date']
      ])
    )
    watched.atMs = 60_000
    look()
    assert.equal(states().get(3), 'stopped')
    assert.equal(states().get(4), 'stalled')
  })

  it('does not have a partition of another worker stall that is held back on purpose', () => {
    const watched = new Watched(600_000)
    const state = () => {
      watched.seen(other(900, { told: { offset: 905, seenAtMs: WALL_MS + watched.atMs, lagSeconds: 600 } }))
      return watched.view().table.rows.find(({ topic }) => topic === 'users')!.state
    }
    for (; watched.atMs < 660_000; watched.atMs += 5_000) assert.equal(state(), 'up to date')
    assert.equal(state(), 'stalled')
  })

  it('has partitions of other workers halted, however many events there were since', () => {
    const watched = new Watched()
    const at = { observedAt: '2026-01-01T00:00:00.000Z', topic: 'users', firstOffset: 0, nextOffset: 9 }
    const halt = { ...at, partition: 3, kind: 'DIVERGED', action: 'HALTED', detail: 'the log was cut back' }
    const passed = { ...halt, partition: 4, kind: 'GAP', action: 'CONTINUED' }
    watched.status = flowStatus({ halts: [halt], events: Array.from({ length: 20 }, () => passed) })
    watched.seen(other(900), other(900, { partition: 4 }))
    assert.deepEqual(
      watched.view().table.rows.map(({ partition, state, detail }) => [partition, state, detail]),
      [
        [3, 'halted', 'diverged: the log was cut back'],
        [0, 'up to date', null],
        [4, 'up to date', null]
      ]
    )
  })

  it('counts what was passed over in the last day, by the loss of it or by somebody’s word', () => {
    const watched = new Watched()
    const hoursAgo = (hours: number) => new Date(WALL_MS - hours * 3_600_000).toISOString()
    const at = { topic: 'users', partition: 3, firstOffset: 0, nextOffset: 9, detail: '' }
    const halt = { ...at, kind: 'GAP', action: 'HALTED', observedAt: hoursAgo(3) }
    const resume = { ...at, kind: 'RESUME', action: 'REQUESTED', observedAt: hoursAgo(2) }
    const passed = { ...at, kind: 'GAP', action: 'CONTINUED', observedAt: hoursAgo(1) }
    watched.status = flowStatus({ events: [passed, resume, { ...resume, observedAt: hoursAgo(25) }, halt] })
    watched.seen()
    const { level, sentences } = watched.view().verdict
    assert.equal(level, 'trusted')
    assert.deepEqual(sentences.slice(1), [
      'Once in the last day records were gone before they could be copied: see the events.',
      'Once in the last day somebody said where a partition goes on, and what that passed over is not copied: see the events.'
    ])
  })

  it('names the partitions of other workers whose copies are gone', () => {
    const watched = new Watched()
    watched.seen(other(900, { judgement: { ...other(900).judgement, state: 'diverged', lagRecords: null } }))
    assert.deepEqual(watched.view().verdict.sentences, ['What had been copied of users-3 is gone from west.'])
  })

  it('is not known while this worker is not ready to mirror it', () => {
    const watched = new Watched()
    watched.status = flowStatus({ notReadyReason: 'west has not answered' })
    watched.seen()
    assert.deepEqual(watched.view().verdict.sentences, [
      'This worker is not ready to mirror east to west: west has not answered.'
    ])
  })

  it('does not count the time in which nobody looked as time that a partition stood still', () => {
    const watched = new Watched()
    watched.seen(other(900))
    for (watched.atMs = 5_000; watched.atMs <= 300_000; watched.atMs += 5_000) watched.view()
    watched.seen(other(900))
    assert.equal(watched.view().table.rows.find(({ topic }) => topic === 'users')!.state, 'behind')
  })

  it('tells when all that is left to do will be done, whatever keeps it', () => {
    const watched = new Watched()
    const lag = { lagRecords: 10, lagSeconds: 25, etaSeconds: 4 }
    watched.status = flowStatus({ partitions: [partitionStatus(lag)], exposure: { records: 10, seconds: 25 } })
    // Another worker has a backlog of which nothing has been copied yet.
    const judgement = {
      ...other(0).judgement,
      state: 'not started',
      nextSourceOffset: null,
      lagRecords: 4_000_000
    } as const
    const starting = other(0, { judgement, told: undefined })
    const halted = other(0, { partition: 4, judgement: { ...other(0).judgement, state: 'gap' } })
    watched.seen(starting)
    watched.atMs = 5_000
    watched.seen(starting)
    assert.match(watched.view().verdict.sentences[0]!, /behind east; it is not known when it will have caught up\.$/)
    assert.match(watched.view().backlog!, /^When the backlog will be copied is not known yet/)
    watched.atMs = 10_000
    watched.seen(other(900), halted)
    assert.equal(watched.view().backlog, 'The backlog will be copied in about 4 s.')
  })

  it('adds up how fast all move, and remembers the group only for as long as somebody looked', () => {
    const watched = new Watched()
    watched.seen(other(0))
    watched.view()
    watched.atMs = 5_000
    watched.seen(other(500))
    const { figures, history } = watched.view()
    assert.equal(figures[1]!.value, '1,100/s')
    assert.equal(history.recordsPerSecond.at(-1), 1_100)
    // Nobody looks for a while; then somebody does.
    for (watched.atMs = 100_000; watched.atMs <= 110_000; watched.atMs += 5_000) watched.view()
    assert.equal(watched.view().table.rows.length, 1)
    watched.atMs = 115_000
    watched.seen(other(900))
    const { lagRecords, recordsPerSecond } = watched.view().history
    assert.equal(recordsPerSecond.at(-1), null)
    assert.deepEqual(lagRecords.slice(-3), [null, null, 110])
    assert.notEqual(lagRecords[0], null)
  })

  it('says which worker looks after consumer groups where this one does not', () => {
    const watched = new Watched()
    const note = (inCharge: string | undefined) => {
      watched.inCharge = inCharge
      watched.seen(other(900, { topic: 'apples', partition: 0 }))
      return watched.view().groupsNote
    }
    assert.match(watched.view().groupsNote, /which one is not known now\.$/)
    // Whoever owns the first partition that is shown.
    assert.equal(note('alpha'), 'No consumer group has positions to bring along yet.')
    assert.equal(note('bravo'), 'Worker bravo looks after the consumer groups of this flow; its page shows them.')
    assert.match(note(undefined), /which one is not known now\.$/)
  })

  it('knows nothing, rather than that partitions stall, for as long as the source does not tell', () => {
    const watched = new Watched()
    const unheard = { lagRecords: null, lagSeconds: null, etaSeconds: null }
    const level = () => {
      watched.seen()
      return watched.view().verdict.level
    }
    // One that had caught up, and one that had not.
    watched.status = flowStatus({
      partitions: [
        partitionStatus({ ...unheard, nextSourceOffset: 100 }),
        partitionStatus({ ...unheard, partition: 1 })
      ],
      exposure: { records: null, seconds: null }
    })
    for (; watched.atMs <= 120_000; watched.atMs += 5_000) assert.equal(level(), 'unknown')
    assert.deepEqual(
      watched.view().table.rows.map(({ state }) => state),
      ['unknown', 'unknown']
    )
  })

  it('needs attention where verification has found differences, though all of it moves', () => {
    const watched = new Watched()
    const differing = partitionStatus({ partition: 7, verifyDifferences: 2 })
    watched.status = flowStatus({ partitions: [partitionStatus(), differing] })
    watched.seen()
    const { verdict, table } = watched.view()
    assert.deepEqual(
      [verdict.level, ...verdict.sentences],
      ['attention', 'Verification found 2 differences between records and their copies in orders-7.']
    )
    assert.equal(table.rows[0]!.state, 'differs')
  })

  it('warns of records that the source deletes before they are copied', () => {
    const level = (changes: Parameters<typeof partitionStatus>[0]) => {
      const watched = new Watched()
      watched.status = flowStatus({ partitions: [partitionStatus(changes)] })
      watched.seen()
      return watched.view().verdict.level
    }
    assert.equal(level({ retentionMarginSeconds: 600, etaSeconds: null }), 'attention')
    assert.equal(level({ retentionMarginSeconds: 600, etaSeconds: 700 }), 'attention')
    assert.equal(level({ retentionMarginSeconds: 600, etaSeconds: 500 }), 'trusted')
    assert.equal(level({ retentionMarginSeconds: 0, etaSeconds: 500 }), 'attention')
    // A record in flight to a topic that was quiet for longer than its retention.
    assert.equal(level({ retentionMarginSeconds: 0, lagRecords: 1, etaSeconds: 0 }), 'trusted')
    assert.equal(level({ retentionMarginSeconds: 600, lagRecords: 0, lagSeconds: 0, etaSeconds: 0 }), 'trusted')
    assert.equal(level({ retentionMarginSeconds: 7_200, etaSeconds: null }), 'trusted')
  })
})
