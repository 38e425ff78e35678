import type { Metric, Registry } from 'prom-client'
import type { MetricDeclaration } from './metric-table.ts'

/** One line of a metric. */
export interface Sample {
  /** Who it is about. Written as text once per object, so that the samples of a partition should share one. */
  readonly labels: Labels
  /** What tells it from the other samples with these labels. */
  readonly ownLabels?: Labels
  readonly value: number
  /** Only where it is not the metric's name: `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string
}

/** Names and values of labels. */
export type Labels = Readonly<Record<string, string | number>>

/**
 * Registers a metric whose samples are made when they are asked for. prom-client's own gauges keep a series for every
 * label set ever used and hash the labels at each update; with thousands of partitions, computing at the scrape is
 * cheaper, and a partition no longer owned leaves nothing behind.
 */
export function registerComputedMetric(
  registry: Registry,
  { name, help, type }: MetricDeclaration,
  samples: () => Iterable<Sample>
): void {
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: async () => ({ name, help, type, aggregator: 'sum', values: Array.from(samples(), promClientValue) }),
    reset: () => {}
  }
  // The registry asks no more of a metric than this; its types name only prom-client's own classes.
  registry.registerMetric(metric as unknown as Metric)
}

/** prom-client calls labels shared whose text it keeps; as its own histogram does, for the sake of speed. */
function promClientValue({ labels, ownLabels = {}, value, metricName }: Sample) {
  return { labels: ownLabels, sharedLabels: labels, value, ...(metricName === undefined ? {} : { metricName }) }
}
