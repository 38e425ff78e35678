/** The metrics of a worker: counters are fed as deltas, gauges are computed from the worker's status at each scrape. */
import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client'
import { registerComputedMetric } from './computed-metric.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import {
  type FlowLabels,
  METRICS,
  type MetricDeclaration,
  type SourceEventKind,
  type WatchdogStepName
} from './metric-table.ts'
import { PartitionCounters, type PartitionCounts, type PartitionLabels } from './partition-counters.ts'
import type { WorkerStatus } from './status.ts'
import { labelFlows, STATUS_GAUGES } from './status-gauges.ts'

export interface Metrics {
  /** Counts what happened to a partition since the last call. */
  countPartition(labels: PartitionLabels, deltas: Partial<PartitionCounts>): void
  /** Counts differences that verification in the background has found. */
  countVerifyDifferences(labels: PartitionLabels, differences: number): void
  countFenced(flow: FlowLabels): void
  countRebalance(flow: FlowLabels): void
  countSourceEvent(flow: FlowLabels, kind: SourceEventKind): void
  countWatchdogStep(flow: FlowLabels, step: WatchdogStepName): void
  /** `operation` is one of a fixed set of words, such as `fetch` or `produce`: each becomes a series. */
  countRetry(flow: FlowLabels, operation: string): void
  /** Counts for how long brokers of one side have held the flow back by a quota. */
  countThrottled(flow: FlowLabels, side: 'source' | 'destination', seconds: number): void
  /**
   * Adds a thread's latencies since its last call: `LATENCY_BUCKET_COUNT` counts, each of its own bucket alone, and the
   * sum of the latencies, those below 0 taken as 0.
   */
  addLatencies(flow: FlowLabels, bucketCounts: ArrayLike<number>, sumSeconds: number): void
  /** Where the gauges come from; without it they have no series. Called once per scrape. */
  useStatus(provider: () => WorkerStatus): void
  setBuildInfo(build: { readonly version: string; readonly node: string; readonly librdkafka: string }): void
}

/** Registers farlog's metrics and prom-client's defaults. `nowMs` is a monotonic clock. */
export function createMetrics(registry: Registry, nowMs: () => number = () => performance.now()): Metrics {
  collectDefaultMetrics({ register: registry })
  let provider: (() => WorkerStatus) | undefined
  const status = oncePerScrape(() => provider?.())

  const partitionCounters = new PartitionCounters(status, nowMs)
  registerPartitionCounters(registry, partitionCounters)
  const labelledFlows = oncePerScrape(() => {
    const current = status()
    return current === undefined ? [] : labelFlows(current)
  })
  for (const [key, samples] of Object.entries(STATUS_GAUGES)) {
    registerComputedMetric(registry, METRICS[key as keyof typeof STATUS_GAUGES], () => samples(labelledFlows()))
  }

  const latencies = new LatencyHistogram()
  const { name: latencyName } = METRICS.replicationLatency
  registerComputedMetric(registry, METRICS.replicationLatency, () => latencies.samples(latencyName))

  const fenced = flowCounter(registry, METRICS.fenced, status)
  const rebalances = flowCounter(registry, METRICS.rebalances, status)
  const sourceEvents = flowCounter(registry, METRICS.sourceEvents, status)
  const watchdogSteps = flowCounter(registry, METRICS.watchdogSteps, status)
  const retries = flowCounter(registry, METRICS.retries, status)
  const throttled = flowCounter(registry, METRICS.throttled, status)
  const buildInfo = new Gauge(configurationOf(registry, METRICS.buildInfo))

  return {
    countPartition: (labels, deltas) => partitionCounters.add(labels, deltas),
    countVerifyDifferences: (labels, differences) => partitionCounters.addVerifyDifferences(labels, differences),
    countFenced: flow => fenced.inc(labelsOf(flow)),
    countRebalance: flow => rebalances.inc(labelsOf(flow)),
    countSourceEvent: (flow, kind) => sourceEvents.inc({ ...labelsOf(flow), kind }),
    countWatchdogStep: (flow, step) => watchdogSteps.inc({ ...labelsOf(flow), step }),
    countRetry: (flow, operation) => retries.inc({ ...labelsOf(flow), operation }),
    countThrottled: (flow, side, seconds) => throttled.inc({ ...labelsOf(flow), side }, seconds),
    addLatencies: (flow, bucketCounts, sumSeconds) => latencies.add(flow, bucketCounts, sumSeconds),
    useStatus: given => {
      provider = given
    },
    setBuildInfo: ({ version, node, librdkafka }) => buildInfo.set({ version, node, librdkafka }, 1)
  }
}

/** The registry asks all metrics in one turn of the event loop, and a status of thousands of partitions is not free. */
function oncePerScrape<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    if (made === undefined) {
      made = { value: make() }
      queueMicrotask(() => {
        made = undefined
      })
    }
    return made.value
  }
}

function registerPartitionCounters(registry: Registry, counters: PartitionCounters): void {
  const refresh = oncePerScrape(() => counters.refresh())
  for (const key of ['records', 'bytes', 'gapRecords', 'duplicateRecords', 'loopedRecords'] as const) {
    registerComputedMetric(registry, METRICS[key], () => {
      refresh()
      return Array.from(counters.series(), ({ labels, counts }) => ({ labels, value: counts[key] }))
    })
  }
  registerComputedMetric(registry, METRICS.verifyDifferences, () => {
    refresh()
    return Array.from(counters.series()).flatMap(({ labels, verifyDifferences: value }) =>
      value === undefined ? [] : [{ labels, value }]
    )
  })
}

/**
 * A counter that begins at 0 for each flow there is, and each value of a label that is its own, so that `increase()` sees
 * the first event too: of a series that begins at 1 it sees nothing.
 */
function flowCounter(
  registry: Registry,
  declaration: MetricDeclaration,
  status: () => WorkerStatus | undefined
): Counter {
  const ownLabel = declaration.labels.at(-1)!
  const ownLabels = declaration.values?.map(value => ({ [ownLabel]: value })) ?? [{}]
  return new Counter({
    ...configurationOf(registry, declaration),
    collect() {
      for (const flow of status()?.flows ?? []) {
        for (const own of ownLabels) this.inc({ ...labelsOf(flow), ...own }, 0)
      }
    }
  })
}

function configurationOf(registry: Registry, { name, help, labels }: MetricDeclaration) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}

function labelsOf({ source, destination }: FlowLabels): { source: string; destination: string } {
  return { source, destination }
}
