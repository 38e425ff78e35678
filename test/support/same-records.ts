import assert from 'node:assert/strict'
import { digest } from './digest.ts'

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
  const byName = new Map(copies.map(copy => [`${copy.topic}-${copy.partition}`, copy]))
  let records = 0
  for (const original of originals) {
    const name = `${topics[original.topic]}-${original.partition}`
    const copy = byName.get(name)
    const faults = copy && {
      notExactlyOneOrigin: copy.notExactlyOneOrigin,
      originNotIncreasing: copy.originNotIncreasing,
      duplicates: copy.duplicates,
      aborted: copy.aborted
    }
    const none = { notExactlyOneOrigin: 0, originNotIncreasing: 0, duplicates: 0, aborted: 0 }
    const expected = { records: original.records, digest: original.digest, ...none }
    assert.deepEqual({ records: copy?.records, digest: copy?.digest, ...faults }, expected, name)
    records += original.records
  }
  return records
}
