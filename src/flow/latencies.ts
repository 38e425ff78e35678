import { LATENCY_BUCKET_COUNT, latencyBucket } from '../observe/latency-buckets.ts'

/** Counts record timestamp → acknowledgement into buckets, for one flow in one thread. */
export class Latencies {
  #counts = new Float64Array(LATENCY_BUCKET_COUNT)
  #sumSeconds = 0

  /** Records with these timestamps (milliseconds since 1970, runs of equal ones with their counts) are acknowledged now. */
  observe(timestamps: readonly number[], counts: readonly number[]): void {
    const nowMs = Date.now()
    for (let i = 0; i < timestamps.length; i++) {
      const timestampMs = timestamps[i]!
      // -1 is Kafka's "no timestamp".
      if (timestampMs < 0) continue
      const seconds = Math.max(nowMs - timestampMs, 0) / 1000
      this.#counts[latencyBucket(seconds)]! += counts[i]!
      this.#sumSeconds += seconds * counts[i]!
    }
  }

  /** What was counted since the last call. */
  take(): { latencyCounts: Float64Array; latencySumSeconds: number } {
    const taken = { latencyCounts: this.#counts, latencySumSeconds: this.#sumSeconds }
    this.#counts = new Float64Array(LATENCY_BUCKET_COUNT)
    this.#sumSeconds = 0
    return taken
  }
}
