import assert from 'node:assert/strict'
import { Registry } from 'prom-client'
import { LATENCY_BUCKET_COUNT, latencyBucket } from '../../../src/observe/latency-buckets.ts'
import { METRICS } from '../../../src/observe/metric-table.ts'
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts'
import { KEEP_UNOWNED_MS } from '../../../src/observe/partition-counters.ts'
import { PARTITION_STATES, type WorkerStatus } from '../../../src/observe/status.ts'
import { flowStatus, partitionStatus, workerStatus } from './worker-status.ts'

const FLOW = { source: 'east', destination: 'west' }
const ORDERS_0 = { ...FLOW, topic: 'orders', partition: 0 }

/** A registry with metrics, a worker to look at and a clock to turn. */
class Harness {
  readonly registry = new Registry()
  nowMs = 0
  status: WorkerStatus = workerStatus()
  statusCalls = 0
  readonly metrics: Metrics = createMetrics(this.registry, () => this.nowMs)

  constructor() {
    this.metrics.useStatus(() => {
      this.statusCalls++
      return this.status
    })
  }

  /** The value of each series, by its text: `name{label="value",…}`. */
  async scrape(): Promise<Map<string, number>> {
    return parse(await this.registry.metrics())
  }

  async valueOf(name: string, labels: Record<string, string | number>): Promise<number | undefined> {
    return (await this.scrape()).get(seriesName(name, labels))
  }
}

function seriesName(name: string, labels: Record<string, string | number>): string {
  const entries = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return `${name}{${entries.sort().join(',')}}`
}

/** Strict on purpose: a line it does not understand is a line Prometheus may not understand. */
function parse(text: string): Map<string, number> {
  const series = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name, labels, value] = /^([a-z_0-9]+)(?:\{(.*)\})? ([-+.e0-9]+|Nan|\+Inf)$/.exec(line) ?? []
    assert.ok(name !== undefined, line)
    const sorted = labels === undefined ? '' : [...labels.matchAll(/[a-z_]+="(?:[^"\\]|\\.)*"/g)].map(String).sort()
    const key = `${name}{${sorted === '' ? '' : sorted.join(',')}}`
    assert.ok(!series.has(key), `${key} is there twice`)
    series.set(key, Number(value))
  }
  return series
}

describe('metrics', () => {
  let harness: Harness
  beforeEach(() => {
    harness = new Harness()
  })

  it('gives every metric of ours its help and type', async () => {
    const text = await harness.registry.metrics()
    for (const { name, type, help } of Object.values(METRICS)) {
      assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`), name)
    }
  })

  it('gives every metric the labels it declares', async () => {
    const { metrics } = harness
    metrics.setBuildInfo({ version: '1', node: '2', librdkafka: '3' })
    metrics.countRetry(FLOW, 'fetch')
    metrics.countSourceEvent(FLOW, 'GAP')
    metrics.countWatchdogStep(FLOW, 'reconnect')
    metrics.addLatencies(FLOW, new Uint32Array(LATENCY_BUCKET_COUNT), 0)
    harness.status = workerStatus({
      flows: [
        flowStatus({
          partitions: [partitionStatus({ state: 'halted', reason: 'gap' })],
          groups: [{ group: 'billing', checkpointAgeSeconds: 2, reprocessRecords: 7 }],
          heartbeatAgeSeconds: 0.4
        })
      ]
    })
    const names = [...(await harness.scrape()).keys()]
    for (const { name, type, labels } of Object.values(METRICS)) {
      const line = names.find(series => series.startsWith(type === 'histogram' ? `${name}_count{` : `${name}{`))
      const shown = [...(line ?? '').matchAll(/([a-z_]+)="/g)].map(([, label]) => label)
      assert.deepEqual(shown, [...labels].sort(), name)
    }
  })

  it("has prom-client's defaults", async () => {
    const names = [...(await harness.scrape()).keys()]
    assert.ok(names.includes('process_start_time_seconds{}'))
    assert.ok(names.some(name => name.startsWith('nodejs_eventloop_lag')))
  })

  it('has no gauge of ours before there is a status', async () => {
    const registry = new Registry()
    createMetrics(registry)
    const names = [...parse(await registry.metrics()).keys()]
    assert.deepEqual(
      names.filter(name => name.startsWith('farlog_')),
      []
    )
  })

  it('asks for the status once per scrape, and again for the next', async () => {
    await harness.scrape()
    assert.equal(harness.statusCalls, 1)
    await harness.scrape()
    assert.equal(harness.statusCalls, 2)
  })

  it('tells what runs', async () => {
    const build = { version: '1.2.3', node: 'v24', librdkafka: '2.13.0' }
    harness.metrics.setBuildInfo(build)
    assert.equal(await harness.valueOf('farlog_build_info', build), 1)
  })

  describe('counters of partitions', () => {
    it('add up', async () => {
      harness.metrics.countPartition(ORDERS_0, { records: 3, bytes: 300 })
      harness.metrics.countPartition(ORDERS_0, { records: 4, bytes: 400, gapRecords: 5 })
      harness.metrics.countPartition(ORDERS_0, { duplicateRecords: 6, loopedRecords: 7 })
      const series = await harness.scrape()
      const counted = (name: string) => series.get(seriesName(name, ORDERS_0))
      assert.equal(counted('farlog_records_total'), 7)
      assert.equal(counted('farlog_bytes_total'), 700)
      assert.equal(counted('farlog_gap_records_total'), 5)
      assert.equal(counted('farlog_duplicate_records_total'), 6)
      assert.equal(counted('farlog_looped_records_total'), 7)
    })

    it('begin at 0 for a partition that is owned', async () => {
      assert.equal(await harness.valueOf('farlog_gap_records_total', ORDERS_0), 0)
    })

    it('of differences begin where a partition is verified, and are absent where nobody looks', async () => {
      const name = 'farlog_verify_differences_total'
      assert.equal(await harness.valueOf(name, ORDERS_0), 0)
      harness.metrics.countVerifyDifferences(ORDERS_0, 2)
      harness.metrics.countVerifyDifferences(ORDERS_0, 3)
      const other = { ...ORDERS_0, partition: 1 }
      harness.status = workerStatus({
        flows: [
          flowStatus({ partitions: [0, 1].map(partition => partitionStatus({ partition, verifiedOffset: null })) })
        ]
      })
      assert.equal(await harness.valueOf(name, ORDERS_0), 5)
      assert.equal(await harness.valueOf(name, other), undefined)
      assert.equal(await harness.valueOf('farlog_records_total', other), 0)
    })

    it('outlive ownership until they have been scraped for sure, then disappear', async () => {
      harness.metrics.countPartition(ORDERS_0, { records: 3 })
      await harness.scrape()
      harness.status = workerStatus({ flows: [flowStatus({ partitions: [] })] })
      harness.nowMs += KEEP_UNOWNED_MS
      assert.equal(await harness.valueOf('farlog_records_total', ORDERS_0), 3)
      harness.nowMs += 1
      assert.equal(await harness.valueOf('farlog_records_total', ORDERS_0), undefined)
    })

    it('stay while the partition is owned, even if nobody scrapes', async () => {
      harness.metrics.countPartition(ORDERS_0, { records: 3 })
      harness.nowMs += 10 * KEEP_UNOWNED_MS
      harness.metrics.countPartition({ ...ORDERS_0, partition: 1 }, { records: 1 })
      assert.equal(await harness.valueOf('farlog_records_total', ORDERS_0), 3)
    })
  })

  describe('gauges', () => {
    it('follow the status', async () => {
      const series = await harness.scrape()
      assert.equal(series.get(seriesName('farlog_lag_records', ORDERS_0)), 10)
      assert.equal(series.get(seriesName('farlog_lag_seconds', ORDERS_0)), 1.5)
      assert.equal(series.get(seriesName('farlog_verified_offset', ORDERS_0)), 80)
      assert.equal(series.get(seriesName('farlog_loss_exposure_records', FLOW)), 10)
      assert.equal(series.get(seriesName('farlog_loss_exposure_seconds', FLOW)), 1.5)
    })

    it('are absent, not 0, while unknown', async () => {
      await harness.scrape()
      const partitions = [partitionStatus({ lagRecords: null, lagSeconds: null, verifiedOffset: null })]
      harness.status = workerStatus({
        flows: [flowStatus({ partitions, exposure: { records: null, seconds: null }, etaSeconds: null })]
      })
      const names = [...(await harness.scrape()).keys()]
      assert.deepEqual(
        names.filter(name => /^farlog_(lag|loss|backlog|verified)_/.test(name)),
        []
      )
    })

    it('are 0 when caught up', async () => {
      harness.status = workerStatus({
        flows: [flowStatus({ partitions: [partitionStatus({ lagRecords: 0, lagSeconds: 0 })] })]
      })
      assert.equal(await harness.valueOf('farlog_lag_seconds', ORDERS_0), 0)
      assert.equal(await harness.valueOf('farlog_backlog_eta_seconds', FLOW), 0)
    })

    it('disappear with the partition', async () => {
      await harness.scrape()
      harness.status = workerStatus({ flows: [flowStatus({ partitions: [partitionStatus({ partition: 1 })] })] })
      const names = [...(await harness.scrape()).keys()].filter(name => /^farlog_(lag|partition_state)/.test(name))
      assert.ok(names.length > 0)
      assert.ok(names.every(name => name.includes('partition="1"')))
    })

    it('show 1 for the state a partition is in and 0 for the others', async () => {
      harness.status = workerStatus({
        flows: [flowStatus({ partitions: [partitionStatus({ state: 'halted', reason: 'gap' })] })]
      })
      const series = await harness.scrape()
      const shown = PARTITION_STATES.map(state =>
        series.get(seriesName('farlog_partition_state', { ...ORDERS_0, state }))
      )
      assert.deepEqual(shown, [0, 0, 0, 0, 1])
    })

    it('count halted partitions by reason', async () => {
      const halted = (partition: number, reason: string | null) =>
        partitionStatus({ partition, state: 'halted', reason })
      harness.status = workerStatus({
        flows: [
          flowStatus({ partitions: [halted(0, 'gap'), halted(1, 'gap'), halted(2, 'recreated'), halted(3, null)] })
        ]
      })
      const series = await harness.scrape()
      const count = (reason: string) => series.get(seriesName('farlog_halted_partitions', { ...FLOW, reason }))
      assert.deepEqual([count('gap'), count('recreated'), count('unknown')], [2, 1, 1])
    })

    it('show that a flow stands still by an order, also where no partition is owned any more', async () => {
      const stop = { id: 'a', stoppedBy: 'ops', stoppedAt: '2026-01-01T00:00:00.000Z', stopAt: null, reason: 'drill' }
      const stopAt = { ...stop, stopAt: '2026-01-02T00:00:00.000Z' }
      const mirroring = partitionStatus()
      const standing = partitionStatus({ partition: 1, state: 'halted', reason: 'stopped' })
      const cases = [
        [flowStatus(), 0],
        [flowStatus({ stopped: stop, partitions: [], exposure: { records: null, seconds: null } }), 1],
        [flowStatus({ stopped: stop, partitions: [mirroring] }), 1],
        // Up to that time it is to be mirrored as before.
        [flowStatus({ stopped: stopAt, partitions: [mirroring] }), 0],
        [flowStatus({ stopped: stopAt, partitions: [mirroring, standing] }), 1]
      ] as const
      for (const [flow, expected] of cases) {
        harness.status = workerStatus({ flows: [flow] })
        assert.equal(await harness.valueOf('farlog_flow_stopped', FLOW), expected, JSON.stringify(flow.stopped))
      }
    })

    it('escape what a label may not hold', async () => {
      const reason = 'a "quoted"\\ reason\nin two lines'
      harness.status = workerStatus({
        flows: [flowStatus({ partitions: [partitionStatus({ state: 'halted', reason })] })]
      })
      const escaped = 'a \\"quoted\\"\\\\ reason\\nin two lines'
      assert.equal(await harness.valueOf('farlog_halted_partitions', { ...FLOW, reason: escaped }), 1)
    })
  })

  it('counts events of flows from 0', async () => {
    let series = await harness.scrape()
    assert.equal(series.get(seriesName('farlog_fenced_total', FLOW)), 0)
    assert.equal(series.get(seriesName('farlog_rebalances_total', FLOW)), 0)
    const own: [string, string, readonly string[]][] = [
      ['farlog_source_events_total', 'kind', METRICS.sourceEvents.values],
      ['farlog_watchdog_steps_total', 'step', METRICS.watchdogSteps.values],
      ['farlog_retries_total', 'operation', METRICS.retries.values]
    ]
    for (const [name, label, values] of own) {
      for (const value of values) assert.equal(series.get(seriesName(name, { ...FLOW, [label]: value })), 0, value)
    }
    harness.metrics.countFenced(FLOW)
    harness.metrics.countSourceEvent(FLOW, 'GAP')
    harness.metrics.countWatchdogStep(FLOW, 'exit')
    harness.metrics.countRebalance(FLOW)
    harness.metrics.countRebalance(FLOW)
    harness.metrics.countRetry(FLOW, 'fetch')
    harness.metrics.countRetry(ORDERS_0, 'produce')
    series = await harness.scrape()
    assert.equal(series.get(seriesName('farlog_fenced_total', FLOW)), 1)
    assert.equal(series.get(seriesName('farlog_rebalances_total', FLOW)), 2)
    assert.equal(series.get(seriesName('farlog_source_events_total', { ...FLOW, kind: 'GAP' })), 1)
    assert.equal(series.get(seriesName('farlog_source_events_total', { ...FLOW, kind: 'DIVERGED' })), 0)
    assert.equal(series.get(seriesName('farlog_watchdog_steps_total', { ...FLOW, step: 'exit' })), 1)
    assert.equal(series.get(seriesName('farlog_retries_total', { ...FLOW, operation: 'fetch' })), 1)
    assert.equal(series.get(seriesName('farlog_retries_total', { ...FLOW, operation: 'produce' })), 1)
  })

  describe('latency histogram', () => {
    const countsOf = (...latenciesSeconds: number[]): Uint32Array => {
      const counts = new Uint32Array(LATENCY_BUCKET_COUNT)
      for (const latency of latenciesSeconds) counts[latencyBucket(latency)]!++
      return counts
    }

    it('puts a latency into the bucket whose bound it does not exceed', () => {
      const bucketOf = (latency: number) => latencyBucket(latency)
      assert.deepEqual([-5, 0, 0.001].map(bucketOf), [0, 0, 0])
      assert.deepEqual([0.0011, 0.0025, 60, 61, 300].map(bucketOf), [1, 1, 14, 15, 16])
      assert.deepEqual([300.1, 1e9].map(bucketOf), [LATENCY_BUCKET_COUNT - 1, LATENCY_BUCKET_COUNT - 1])
    })

    it('adds up what threads hand over, cumulatively, per flow', async () => {
      const name = 'farlog_replication_latency_seconds'
      harness.metrics.addLatencies(FLOW, countsOf(0.0005, 0.03, 0.03), 0.0605)
      harness.metrics.addLatencies(FLOW, countsOf(0.03, 1_000), 1_000.03)
      harness.metrics.addLatencies({ source: 'east', destination: 'south' }, countsOf(2), 2)
      const series = await harness.scrape()
      const bucket = (le: string) => series.get(seriesName(`${name}_bucket`, { ...FLOW, le }))
      assert.deepEqual(['0.001', '0.025', '0.05', '300', '+Inf'].map(bucket), [1, 1, 4, 4, 5])
      assert.equal(series.get(seriesName(`${name}_count`, FLOW)), 5)
      assert.ok(Math.abs(series.get(seriesName(`${name}_sum`, FLOW))! - 1_000.0905) < 1e-9)
      assert.equal(series.get(seriesName(`${name}_count`, { source: 'east', destination: 'south' })), 1)
    })

    it('refuses buckets of another layout', () => {
      assert.throws(() => harness.metrics.addLatencies(FLOW, [1, 2, 3], 1), /3 latency buckets/)
    })
  })
})
