import type { Sample } from './computed-metric.ts'
import { LATENCY_BUCKET_COUNT, LATENCY_BUCKETS_SECONDS } from './latency-buckets.ts'
import type { FlowLabels } from './metric-table.ts'

interface FlowLatencies {
  readonly labels: Readonly<Record<keyof FlowLabels, string>>
  readonly counts: Float64Array
  sumSeconds: number
}

/**
 * Latencies per flow, taken in bulk: the data plane's threads count into buckets of their own and hand over what was
 * added. prom-client's histogram takes one observation at a time, which would be one call per record.
 */
export class LatencyHistogram {
  readonly #flows = new Map<string, FlowLatencies>()

  /** Adds what a thread counted since its last call. */
  add({ source, destination }: FlowLabels, bucketCounts: ArrayLike<number>, sumSeconds: number): void {
    if (bucketCounts.length !== LATENCY_BUCKET_COUNT) {
      throw new RangeError(`${bucketCounts.length} latency buckets were handed over, there are ${LATENCY_BUCKET_COUNT}`)
    }
    const key = `${source}/${destination}`
    let flow = this.#flows.get(key)
    if (flow === undefined) {
      flow = { labels: { source, destination }, counts: new Float64Array(LATENCY_BUCKET_COUNT), sumSeconds: 0 }
      this.#flows.set(key, flow)
    }
    for (let bucket = 0; bucket < LATENCY_BUCKET_COUNT; bucket++) {
      flow.counts[bucket]! += bucketCounts[bucket]!
    }
    flow.sumSeconds += sumSeconds
  }

  /** The lines of a Prometheus histogram: buckets count everything up to their bound. */
  *samples(name: string): Iterable<Sample> {
    for (const { labels, counts, sumSeconds } of this.#flows.values()) {
      let count = 0
      for (let bucket = 0; bucket < LATENCY_BUCKET_COUNT; bucket++) {
        count += counts[bucket]!
        const le = LATENCY_BUCKETS_SECONDS[bucket] ?? '+Inf'
        yield { metricName: `${name}_bucket`, labels, ownLabels: { le }, value: count }
      }
      yield { metricName: `${name}_sum`, labels, value: sumSeconds }
      yield { metricName: `${name}_count`, labels, value: count }
    }
  }
}
