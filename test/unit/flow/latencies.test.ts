import assert from 'node:assert/strict'
import { Latencies } from '../../../src/flow/latencies.ts'
import { LATENCY_BUCKET_COUNT, latencyBucket } from '../../../src/observe/latency-buckets.ts'

describe('Latencies', () => {
  it('counts each run of timestamps into its bucket, by how long ago it was', () => {
    const latencies = new Latencies()
    const nowMs = Date.now()
    // Each in the middle of its bucket, so that the clock may go on meanwhile.
    latencies.observe([nowMs - 7_500, nowMs - 750, nowMs - 7_500, nowMs - 900_000], [3, 2, 4, 1])
    const { latencyCounts, latencySumSeconds } = latencies.take()
    assert.deepEqual(
      [...latencyCounts],
      countsOf([
        [7.5, 7],
        [0.75, 2],
        [900, 1]
      ])
    )
    assert.ok(Math.abs(latencySumSeconds - (7 * 7.5 + 2 * 0.75 + 900)) < 2)
  })

  it('counts nothing for records without a timestamp', () => {
    const latencies = new Latencies()
    latencies.observe([-1], [5])
    const { latencyCounts, latencySumSeconds } = latencies.take()
    assert.deepEqual([...latencyCounts], countsOf([]))
    assert.equal(latencySumSeconds, 0)
  })

  it('counts a record from the future as the fastest, and takes nothing off the sum for it', () => {
    const latencies = new Latencies()
    latencies.observe([Date.now() + 3_600_000], [2])
    const { latencyCounts, latencySumSeconds } = latencies.take()
    assert.deepEqual([...latencyCounts], countsOf([[0, 2]]))
    assert.equal(latencySumSeconds, 0)
  })

  it('hands over what is new since the last time, and leaves alone what it handed over', () => {
    const latencies = new Latencies()
    latencies.observe([Date.now() - 7_500], [1])
    const first = latencies.take()
    latencies.observe([Date.now() - 7_500], [2])
    const second = latencies.take()
    assert.deepEqual([...first.latencyCounts], countsOf([[7.5, 1]]))
    assert.deepEqual([...second.latencyCounts], countsOf([[7.5, 2]]))
    assert.deepEqual([...latencies.take().latencyCounts], countsOf([]))
  })
})

function countsOf(latencies: readonly (readonly [seconds: number, count: number])[]): number[] {
  const counts = Array<number>(LATENCY_BUCKET_COUNT).fill(0)
  for (const [seconds, count] of latencies) counts[latencyBucket(seconds)]! += count
  return counts
}
