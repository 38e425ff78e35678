import assert from 'node:assert/strict'
import { flowOverview, isComplete } from '../../../src/status/overview.ts'
import { behind, FLOW, row } from './support.ts'

const WEST_GONE = { cluster: 'west', code: 'UNREACHABLE', message: 'west cannot be reached' }

describe('flowOverview', () => {
  it('sums lag up and takes the longest time', () => {
    const { totals, exposure } = flowOverview(FLOW, [row(), behind(30, 1.5), behind(12, 4)])
    assert.equal(totals.partitions, 3)
    assert.deepEqual([totals.states.mirrored, totals.states.behind, totals.states.gap], [1, 2, 0])
    assert.deepEqual([totals.lagRecords, totals.lagSeconds, totals.unknownPartitions], [42, 4, 0])
    assert.deepEqual(exposure, { records: 42, seconds: 4 })
  })

  it('gives no exposure while any part of it is unknown', () => {
    const unknown = row({ state: 'unreachable', lagRecords: null, lagSeconds: null })
    const partly = flowOverview(FLOW, [behind(30, 1), unknown])
    assert.deepEqual(partly.exposure, { records: null, seconds: null })
    assert.deepEqual([partly.totals.lagRecords, partly.totals.unknownPartitions], [30, 1])
    assert.deepEqual(flowOverview(FLOW, [behind(30, null)]).exposure, { records: 30, seconds: null })
    assert.deepEqual(flowOverview({ ...FLOW, problems: [WEST_GONE] }, []).exposure, { records: null, seconds: null })
  })

  it('waits for the last one, and does not guess where one has no rate', () => {
    const eta = (...etas: (number | null)[]) =>
      flowOverview(FLOW, [row(), ...etas.map(etaSeconds => behind(10, 1, { etaSeconds }))]).totals.etaSeconds
    assert.equal(eta(3, 8), 8)
    assert.equal(eta(3, null), null)
    assert.equal(eta(), 0)
  })

  it('puts first what needs somebody, then what is most behind', () => {
    const rows = [
      row({ topic: 'b' }),
      row({ topic: 'a', partition: 10 }),
      row({ topic: 'a', partition: 2 }),
      behind(5, 1),
      behind(50, 1),
      row({ state: 'gap', lagRecords: 1 }),
      row({ state: 'missing', lagRecords: 1 }),
      row({ state: 'diverged', lagRecords: null })
    ]
    const order = flowOverview(FLOW, rows).partitions.map(({ state, topic, partition, lagRecords }) =>
      state === 'mirrored' ? `${topic}-${partition}` : `${state} ${lagRecords}`
    )
    assert.deepEqual(order, ['diverged null', 'gap 1', 'missing 1', 'behind 50', 'behind 5', 'a-2', 'a-10', 'b-0'])
  })
})

describe('isComplete', () => {
  it('is true unless something could not be asked', () => {
    const complete = (flow: ReturnType<typeof flowOverview>) => isComplete({ observedAt: '', flows: [flow] })
    assert.equal(complete(flowOverview(FLOW, [behind(5, 1), row({ state: 'gap' })])), true)
    assert.equal(complete(flowOverview(FLOW, [row({ state: 'unreachable' })])), false)
    assert.equal(complete(flowOverview({ ...FLOW, problems: [WEST_GONE] }, [])), false)
  })
})
