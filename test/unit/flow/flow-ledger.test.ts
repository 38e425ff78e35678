import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FlowConfig } from '../../../src/config/types.ts'
import { FlowLedger } from '../../../src/flow/flow-ledger.ts'
import type { PartitionReport, Progress } from '../../../src/flow/messages.ts'
import type { Metrics } from '../../../src/observe/metrics.ts'
import { flowReport, partitionReport, progressAt } from './support/reports.ts'

const ORDERS_0 = { topic: 'orders', partition: 0 }
const ORDERS_1 = { topic: 'orders', partition: 1 }

describe('FlowLedger', () => {
  describe('status', () => {
    it('lists what is owned, as fencing and with nothing known until there is news', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      assert.deepEqual(ledger.status(0).partitions, [
        {
          ...ORDERS_0,
          destinationTopic: '',
          state: 'fencing',
          reason: null,
          detail: null,
          nextSourceOffset: null,
          sourceEndOffset: null,
          lagRecords: null,
          lagSeconds: null,
          retentionMarginSeconds: null,
          etaSeconds: null,
          verifiedOffset: null,
          verifyDifferences: 0
        }
      ])
    })

    it('leaves heartbeats out, of what is counted and summed too, but has their progress committed', () => {
      const { ledger, counted } = newLedger()
      const heartbeats = { topic: 'heartbeats', partition: 0 }
      ledger.own([heartbeats])
      ledger.receive(flowReport([partitionReport({ ...heartbeats, progress: progressAt(5), lagRecords: null })]), 0)
      const { partitions, exposure, rates } = ledger.status(0)
      assert.deepEqual(partitions, [])
      assert.deepEqual(exposure, { records: 0, seconds: 0 })
      assert.equal(rates.recordsPerSecond, 0)
      assert.deepEqual(
        counted.filter(([name]) => name === 'countPartition'),
        []
      )
      assert.deepEqual(
        ledger.takeUncommitted().map(({ topic }) => topic),
        ['heartbeats']
      )
    })

    it('shows the newest report of each', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(5) })]), 0)
      ledger.receive(
        flowReport([
          partitionReport({
            state: 'halted',
            reason: 'gap',
            detail: 'source offsets …',
            progress: progressAt(90),
            lagRecords: 10,
            lagSeconds: 2.5
          })
        ]),
        1
      )
      assert.deepEqual(ledger.status(1).partitions[0], {
        ...ORDERS_0,
        destinationTopic: 'east.orders',
        state: 'halted',
        reason: 'gap',
        detail: 'source offsets …',
        nextSourceOffset: 90,
        sourceEndOffset: 100,
        lagRecords: 10,
        lagSeconds: 2.5,
        retentionMarginSeconds: null,
        etaSeconds: null,
        verifiedOffset: null,
        verifyDifferences: 0
      })
      assert.equal(ledger.status(1).partitions[1]!.state, 'fencing')
    })

    it('tells how long the backlog will take, of each partition and as a whole, halted ones left out', () => {
      const { ledger } = newLedger()
      const etas = () => {
        const { etaSeconds, partitions } = ledger.status(0)
        return [etaSeconds, ...partitions.map(partition => partition.etaSeconds)]
      }
      const look = (nowMs: number, first: number | null, second: number | null, state: 'mirroring' | 'halted') =>
        ledger.receive(
          flowReport([
            partitionReport({ backlogRecords: first, lagRecords: 5_000 }),
            partitionReport({ ...ORDERS_1, backlogRecords: second, state })
          ]),
          nowMs
        )
      ledger.own([ORDERS_0, ORDERS_1])
      assert.deepEqual(etas(), [null, null, null])
      look(0, 1_000, 500, 'mirroring')
      assert.deepEqual(etas(), [null, null, null])
      look(2_000, 800, 400, 'mirroring')
      assert.deepEqual(etas(), [8, 8, 8])
      look(2_250, 0, 400, 'mirroring')
      assert.deepEqual(etas(), [8, 0, 8])
      look(4_000, 0, null, 'mirroring')
      assert.deepEqual(etas(), [null, 0, null])
      look(6_000, 0, 400, 'halted')
      assert.deepEqual(etas(), [0, 0, null])
    })

    it('forgets what is let go, and begins anew when it comes back', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(5) })]), 0)
      ledger.disown([ORDERS_0])
      assert.deepEqual([ledger.owns(ORDERS_0), ledger.owns(ORDERS_1)], [false, true])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(6) })]), 0)
      assert.deepEqual(
        ledger.status(0).partitions.map(({ partition }) => partition),
        [1]
      )
      ledger.own([ORDERS_0])
      assert.equal(ledger.status(0).partitions.find(({ partition }) => partition === 0)!.nextSourceOffset, null)
    })

    it('shows how far partitions are verified, for as long as they are owned and somebody verifies', () => {
      const { ledger } = newLedger()
      const verified = () => ledger.status(0).partitions.map(({ verifiedOffset }) => verifiedOffset)
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(5) })]), 0)
      assert.deepEqual([...ledger.mirrored()], [{ ...ORDERS_0, mirroredUpTo: 5 }])
      ledger.verified(ORDERS_0, 3)
      assert.deepEqual(verified(), [3, null])
      ledger.disown([ORDERS_0])
      ledger.verified(ORDERS_0, 4)
      ledger.own([ORDERS_0])
      assert.deepEqual(verified(), [null, null])
      ledger.verified(ORDERS_1, 7)
      ledger.forgetVerified()
      assert.deepEqual(verified(), [null, null])
    })

    it('counts the differences that were found in a partition, for as long as it is owned', () => {
      const { ledger, counted } = newLedger()
      const found = () => ledger.status(0).partitions.map(({ verifyDifferences }) => verifyDifferences)
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.foundDifferences(ORDERS_1, 2)
      ledger.foundDifferences(ORDERS_1, 3)
      assert.deepEqual(counted.at(-1), ['countVerifyDifferences', { ...ledger.labels, ...ORDERS_1 }, 3])
      // They are none the less there when nobody verifies any more.
      ledger.forgetVerified()
      assert.deepEqual(found(), [0, 5])
      ledger.disown([ORDERS_1])
      ledger.foundDifferences(ORDERS_1, 1)
      ledger.own([ORDERS_1])
      assert.deepEqual(found(), [0, 0])
    })

    it('tells partitions apart whose names and numbers run into each other', () => {
      const { ledger } = newLedger()
      const alike = [
        { topic: 'a', partition: 11 },
        { topic: 'a1', partition: 1 },
        { topic: '1a', partition: 1 }
      ]
      ledger.own(alike)
      ledger.disown([alike[0]!])
      assert.deepEqual(
        alike.map(each => ledger.owns(each)),
        [false, true, true]
      )
    })
  })

  describe('retention margin', () => {
    const DAY_MS = 86_400_000
    const marginOf = (changes: Partial<PartitionReport>, retentionMs: number | undefined) => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      ledger.receive(flowReport([partitionReport(changes)]), 0)
      return ledger.status(0, () => retentionMs).partitions[0]!.retentionMarginSeconds
    }

    it('is what is left of the retention for a record as old as the one that is next', () => {
      const margin = marginOf({ lagRecords: 3, reachedTimestampMs: Date.now() - DAY_MS / 4 }, DAY_MS)!
      assert.ok(margin > 64_700 && margin <= 64_800, String(margin))
      assert.equal(marginOf({ lagRecords: 3, reachedTimestampMs: Date.now() - 2 * DAY_MS }, DAY_MS), 0)
    })

    it('is all of the retention where nothing is behind', () => {
      assert.equal(marginOf({ lagRecords: 0, reachedTimestampMs: 5 }, DAY_MS), 86_400)
    })

    it('is unknown where the retention or the age is, or how far behind it is', () => {
      assert.equal(marginOf({ lagRecords: 3, reachedTimestampMs: Date.now() }, undefined), null)
      assert.equal(marginOf({ lagRecords: 3, reachedTimestampMs: null }, DAY_MS), null)
      assert.equal(marginOf({ lagRecords: 3, reachedTimestampMs: -1 }, DAY_MS), null)
      assert.equal(marginOf({ lagRecords: null, reachedTimestampMs: null }, DAY_MS), null)
    })

    it('is unknown of a quiet topic that lacked nothing when the source was last heard of', () => {
      const unheard = { lagRecords: null, lagSeconds: null, reachedTimestampMs: Date.now() - 9 * DAY_MS }
      const at = (nextSourceOffset: number) =>
        marginOf({ ...unheard, sourceEndOffset: 100, progress: progressAt(nextSourceOffset) }, DAY_MS)
      assert.equal(at(100), null)
      // Progress may be further than the end that was heard of last.
      assert.equal(at(101), null)
      assert.equal(at(99), 0)
      assert.equal(marginOf({ ...unheard, sourceEndOffset: null, progress: progressAt(100) }, DAY_MS), null)
    })
  })

  describe('exposure', () => {
    it('sums the records and takes the longest time', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0, ORDERS_1])
      const lags = [
        { ...ORDERS_0, lagRecords: 10, lagSeconds: 2.5 },
        { ...ORDERS_1, lagRecords: 7, lagSeconds: 4 }
      ]
      ledger.receive(flowReport(lags.map(partitionReport)), 0)
      assert.deepEqual(ledger.status(0).exposure, { records: 17, seconds: 4 })
    })

    it('is unknown as soon as one partition’s lag is', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.receive(flowReport([partitionReport({ ...ORDERS_0, lagRecords: 10, lagSeconds: 2.5 })]), 0)
      assert.deepEqual(ledger.status(0).exposure, { records: null, seconds: null })
      ledger.receive(flowReport([partitionReport({ ...ORDERS_1, lagRecords: 1, lagSeconds: 0.5 })]), 0)
      assert.deepEqual(ledger.status(0).exposure, { records: 11, seconds: 2.5 })
      ledger.receive(flowReport([partitionReport({ ...ORDERS_0, lagRecords: null, lagSeconds: null })]), 0)
      assert.deepEqual(ledger.status(0).exposure, { records: null, seconds: null })
      ledger.disown([ORDERS_0])
      assert.deepEqual(ledger.status(0).exposure, { records: 1, seconds: 0.5 })
    })
  })

  describe('rates', () => {
    it('are what was acknowledged in the last five seconds, per second', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      for (let nowMs = 0; nowMs <= 20_000; nowMs += 250) ledger.receive(acknowledging(100, 5_000), nowMs)
      const { recordsPerSecond, bytesPerSecond } = ledger.status(20_000).rates
      // Twenty or twenty-one reports lie in five seconds.
      assert.ok(recordsPerSecond >= 400 && recordsPerSecond <= 420, `${recordsPerSecond}`)
      assert.equal(bytesPerSecond, recordsPerSecond * 50)
    })

    it('fall to 0 when nothing more is acknowledged, also when no more news come', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      ledger.receive(acknowledging(100, 5_000), 1_000)
      assert.deepEqual(ledger.status(1_000).rates, { recordsPerSecond: 20, bytesPerSecond: 1_000 })
      assert.deepEqual(ledger.status(6_001).rates, { recordsPerSecond: 0, bytesPerSecond: 0 })
      ledger.receive(flowReport([]), 7_000)
      assert.deepEqual(ledger.status(7_000).rates, { recordsPerSecond: 0, bytesPerSecond: 0 })
    })
  })

  describe('metrics', () => {
    it('get what was counted, under the flow’s and the partition’s labels, also of what was just let go', () => {
      const { ledger, counted } = newLedger()
      const counts = { records: 3, bytes: 100, gapRecords: 2, duplicateRecords: 0, loopedRecords: 1 }
      const latencyCounts = Float64Array.from({ length: 18 }, (_, bucket) => bucket)
      const retries = { fetch: 2, produce: 1 }
      const report = flowReport([partitionReport({ counts })], {
        latencyCounts,
        latencySumSeconds: 7,
        fenced: 2,
        retries
      })
      ledger.receive(report, 0)
      const flow = { source: 'east', destination: 'west' }
      assert.deepEqual(counted, [
        ['countPartition', { ...flow, ...ORDERS_0 }, counts],
        ['addLatencies', flow, latencyCounts, 7],
        ['countFenced', flow],
        ['countFenced', flow],
        ['countRetry', flow, 'fetch'],
        ['countRetry', flow, 'fetch'],
        ['countRetry', flow, 'produce']
      ])
    })
  })

  describe('uncommitted progress', () => {
    it('is due once for each time it moves on', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      assert.deepEqual(ledger.takeUncommitted(), [])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(5) })]), 0)
      ledger.receive(flowReport([partitionReport({ progress: progressAt(8) })]), 0)
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: progressAt(8) }])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(8), lagSeconds: 1 })]), 0)
      assert.deepEqual(ledger.takeUncommitted(), [])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(9) })]), 0)
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: progressAt(9) }])
    })

    it('is due when the topic was made anew and begins at the same offset', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(0) })]), 0)
      ledger.takeUncommitted()
      const renewed = progressAt(0, { topicId: 'f'.repeat(32) })
      ledger.receive(flowReport([partitionReport({ progress: renewed })]), 0)
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: renewed }])
    })

    it('is due when only the source has moved on, and not while it stands still too', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      const seen = (offset: number, seenAtMs: number) =>
        progressAt(5, { sourceEnd: { offset, seenAtMs, lagSeconds: 1 } })
      const report = (progress: Progress) =>
        ledger.receive(flowReport([partitionReport({ state: 'halted', progress })]), 0)
      report(seen(9, 1_000))
      ledger.takeUncommitted()
      report(seen(9, 2_000))
      assert.deepEqual(ledger.takeUncommitted(), [])
      report(seen(12, 3_000))
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: seen(12, 3_000) }])
    })

    it('is urgent when it is the first of a partition, or says that the partition stands still by an order', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      const report = (progress: Progress) => ledger.receive(flowReport([partitionReport({ progress })]), 0)
      report(progressAt(5))
      assert.ok(ledger.hasUrgent)
      ledger.takeUncommitted()
      report(progressAt(6))
      assert.ok(!ledger.hasUrgent)
      report(progressAt(6, { stopped: 'an order' }))
      assert.ok(ledger.hasUrgent)
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: progressAt(6, { stopped: 'an order' }) }])
      report(progressAt(6))
      assert.ok(!ledger.hasUrgent)
      assert.equal(ledger.takeUncommitted().length, 1)
    })

    it('is not due while nothing is known, nor for what others own', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      ledger.receive(
        flowReport([partitionReport({ state: 'resuming' }), partitionReport({ ...ORDERS_1, progress: progressAt(5) })]),
        0
      )
      assert.deepEqual(ledger.takeUncommitted(), [])
    })

    it('stays due through a hand-over, until it is said to be done', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0, ORDERS_1])
      ledger.receive(
        flowReport([ORDERS_0, ORDERS_1].map(key => partitionReport({ ...key, progress: progressAt(5) }))),
        0
      )
      ledger.disown([ORDERS_0])
      ledger.forget([ORDERS_0])
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_1, progress: progressAt(5) }])
    })

    it('is not forgotten of what came back meanwhile', () => {
      const { ledger } = newLedger()
      ledger.own([ORDERS_0])
      ledger.disown([ORDERS_0])
      ledger.own([ORDERS_0])
      ledger.receive(flowReport([partitionReport({ progress: progressAt(5) })]), 0)
      ledger.forget([ORDERS_0])
      assert.deepEqual(ledger.takeUncommitted(), [{ ...ORDERS_0, progress: progressAt(5) }])
    })

    it('gets to the group in the end and never goes back there, whatever commits fail', () => {
      const aStep = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({
            kind: fc.constant('progress' as const),
            partition: fc.nat({ max: 2 }),
            by: fc.integer({ min: 1, max: 9 })
          })
        },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin-commit' as const) }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant('end-commit' as const), succeeds: fc.boolean() }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), partition: fc.nat({ max: 2 }) }) }
      )
      fc.assert(
        fc.property(fc.array(aStep, { maxLength: 60, size: 'max' }), steps => {
          const { ledger } = newLedger()
          const keyOf = (partition: number) => ({ topic: 'orders', partition })
          const acknowledged = new Map([0, 1, 2].map(partition => [partition, 0]))
          const committed = new Map<number, number>()
          ledger.own([0, 1, 2].map(keyOf))
          let inFlight: readonly { partition: number; progress: Progress }[] | undefined
          const commit = () => {
            for (const { partition, progress } of inFlight ?? []) {
              if (!acknowledged.has(partition)) continue
              assert.ok(progress.nextSourceOffset >= (committed.get(partition) ?? 0), 'never goes back')
              committed.set(partition, progress.nextSourceOffset)
            }
          }
          for (const step of steps) {
            switch (step.kind) {
              case 'progress': {
                const before = acknowledged.get(step.partition)
                if (before === undefined) break
                acknowledged.set(step.partition, before + step.by)
                ledger.receive(
                  flowReport([partitionReport({ ...keyOf(step.partition), progress: progressAt(before + step.by) })]),
                  0
                )
                break
              }
              case 'begin-commit':
                inFlight ??= ledger.takeUncommitted()
                break
              case 'end-commit':
                if (inFlight === undefined) break
                if (step.succeeds) commit()
                else ledger.putBack(inFlight as ReturnType<FlowLedger['takeUncommitted']>)
                inFlight = undefined
                break
              case 'lose':
                ledger.disown([keyOf(step.partition)])
                ledger.forget([keyOf(step.partition)])
                acknowledged.delete(step.partition)
                committed.delete(step.partition)
            }
          }
          if (inFlight !== undefined) ledger.putBack(inFlight as ReturnType<FlowLedger['takeUncommitted']>)
          inFlight = ledger.takeUncommitted()
          assert.ok(
            inFlight.every(({ partition }) => acknowledged.has(partition)),
            'nothing of what was lost'
          )
          commit()
          for (const [partition, offset] of acknowledged) assert.equal(committed.get(partition) ?? 0, offset)
        }),
        { numRuns: 300 }
      )
    })
  })
})

function acknowledging(records: number, bytes: number) {
  return flowReport([
    partitionReport({ counts: { records, bytes, gapRecords: 0, duplicateRecords: 0, loopedRecords: 0 } })
  ])
}

/** A ledger, and what it has its metrics count. */
function newLedger(): { ledger: FlowLedger; counted: unknown[][] } {
  const counted: unknown[][] = []
  const metrics = new Proxy({} as Metrics, {
    get:
      (_target, name) =>
      (...args: unknown[]) =>
        void counted.push([name, ...args])
  })
  const cluster = (alias: string) => ({ alias }) as FlowConfig['source']
  const flow: FlowConfig = { source: cluster('east'), destination: cluster('west'), groupId: 'farlog-east-west' }
  return { ledger: new FlowLedger(flow, metrics, topic => topic === 'heartbeats'), counted }
}
