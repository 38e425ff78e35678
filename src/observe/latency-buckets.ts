/** Apart from the metrics, so that the data plane's threads count latencies without loading a metrics library. */

/** Upper bounds of the latency buckets; one more bucket after the last takes all that is slower. */
export const LATENCY_BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300
] as const

/** How many counts a thread keeps: one per bound and one for all that is slower. */
export const LATENCY_BUCKET_COUNT = LATENCY_BUCKETS_SECONDS.length + 1

/** The bucket a latency is counted in. A record from the future (its clock was ahead) counts as the fastest. */
export function latencyBucket(latencySeconds: number): number {
  let low = 0
  let high: number = LATENCY_BUCKETS_SECONDS.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (latencySeconds <= LATENCY_BUCKETS_SECONDS[middle]!) high = middle
    else low = middle + 1
  }
  return low
}
