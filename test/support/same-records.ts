import assert from 'node:assert/strict'
import { digest, type PartitionDigest } from './digest.ts'

/**
 * Asserts, by Kafka's own Java clients, that each topic's copy holds the same records in the same order, each once and
 * with one provenance header. Resolves to how many there are.
 *
 * @param topics source topic and its copy
 */
export async function assertSameRecords(
  source: string,
  destination: string,
  topics: Readonly<Record<string, string>>
): Promise<number> {
  const [originals, copies] = await Promise.all([
    digest({ bootstrap: source, topics: Object.keys(topics) }),
    digest({ bootstrap: destination, topics: Object.values(topics) })
  ])
  return assertSameDigests(originals, copies, topics)
}

/** The same for digests that were made before; those of topics that are not asked for are left alone. */
export function assertSameDigests(
  originals: readonly PartitionDigest[],
  copies: readonly PartitionDigest[],
  topics: Readonly<Record<string, string>>
): number {
  const expected = originals
    .filter(({ topic }) => topic in topics)
    .map(({ topic, partition, records, digest }) => ({
      topic: topics[topic],
      partition,
      records,
      digest,
      ...NO_FAULTS
    }))
  const names = Object.values(topics)
  const found = copies.filter(({ topic }) => names.includes(topic)).map(({ sequenceBreaks: _, ...copy }) => copy)
  assert.deepEqual(new Set(found), new Set(expected))
  assert.equal(new Set(expected.map(({ topic }) => topic)).size, names.length)
  return expected.reduce((sum, { records }) => sum + records, 0)
}

const NO_FAULTS = { notExactlyOneOrigin: 0, originNotIncreasing: 0, duplicates: 0, aborted: 0 }
