import type { ReadRecord, RecordHeader } from '../../../src/cluster/record-reader.ts'
import {
  type ComparedPartition,
  PartitionComparison,
  type PartitionResult
} from '../../../src/verify/partition-comparison.ts'
import { RecordQueue } from '../../../src/verify/record-queue.ts'

/** A record of the source; everything but the offset has a default. */
export function record(offset: number, fields: Partial<ReadRecord> = {}): ReadRecord {
  return {
    offset,
    timestamp: 1_700_000_000_000n + BigInt(offset),
    key: Buffer.from(`key ${offset}`),
    value: Buffer.from(`value ${offset}`),
    headers: [header('trace', `t${offset}`)],
    ...fields
  }
}

export function header(name: string, value: string | null): RecordHeader {
  return [Buffer.from(name), value === null ? null : Buffer.from(value)]
}

/** The right copy of a record of east/orders/0. */
export function copyOf(source: ReadRecord, offset: number, fields: Partial<ReadRecord> = {}): ReadRecord {
  const headers = [...source.headers, header('farlog.origin', `east/orders/0/${source.offset}`)]
  return { ...source, headers, ...fields, offset }
}

/** Compares east/orders/0 with its copy at west; each side comes in chunks of these sizes, again and again. */
export function compare(
  source: readonly ReadRecord[],
  destination: readonly ReadRecord[],
  partition: Partial<ComparedPartition> = {},
  chunkSizes: readonly [source: number, destination: number] = [3, 2]
): PartitionResult {
  const comparison = startComparison(source, partition)
  const sides = {
    source: { queue: new RecordQueue(), rest: [...source], chunkSize: chunkSizes[0] },
    destination: { queue: new RecordQueue(), rest: [...destination], chunkSize: chunkSizes[1] }
  }
  for (;;) {
    const needed = comparison.walk(sides.source.queue, sides.destination.queue)
    if (needed === 'none') return comparison.finish()
    const side = sides[needed]
    if (side.rest.length === 0) side.queue.end()
    side.queue.fill(side.rest.splice(0, side.chunkSize))
  }
}

/** A comparison of east/orders/0 with its copy at west that has read nothing yet. */
export function startComparison(
  source: readonly ReadRecord[],
  partition: Partial<ComparedPartition> = {}
): PartitionComparison {
  const sourceEndOffset = partition.sourceEndOffset ?? (source.at(-1)?.offset ?? -1) + 1
  return new PartitionComparison({
    sourceAlias: 'east',
    destinationAlias: 'west',
    topic: 'orders',
    partition: 0,
    isDestinationThere: true,
    sourceEndOffset,
    sourceEndOffsetAfter: sourceEndOffset,
    sourceLogStartOffset: 0,
    destinationEndOffset: partition.destinationEndOffset ?? 0,
    destinationLogStartOffset: 0,
    startsAtLatest: false,
    isSourceCompacted: false,
    isDestinationCompacted: false,
    differencesMax: 1_000,
    ...partition
  })
}

/** The counts that are not zero. */
export function nonZero({ counts }: PartitionResult): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
}

/** Each difference as one line, a range as `first-last`. */
export function lines({ differences }: PartitionResult): string[] {
  return differences.map(({ kind, sourceOffsets: { first, last }, fields }) => {
    const range = first === last ? String(first) : `${first}-${last}`
    return fields === undefined ? `${kind} ${range}` : `${kind} ${range} ${fields.join(' ')}`
  })
}
