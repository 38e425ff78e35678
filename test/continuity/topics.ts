import type { Compression } from '../support/produce.ts'

/** A topic of the source, and what makes offsets differ between the two sides. */
export interface ContinuityTopic {
  readonly name: string
  readonly partitions: number
  readonly compression: Compression
  readonly isCompacted: boolean
  /** Committed and aborted by turns; else each record is a batch of its own, which farlog joins on the way. */
  readonly isTransactional: boolean
}

export const TOPICS: readonly ContinuityTopic[] = [
  { name: 'continuity-compacted', partitions: 2, compression: 'lz4', isCompacted: true, isTransactional: false },
  { name: 'continuity-transactions', partitions: 2, compression: 'none', isCompacted: false, isTransactional: true },
  { name: 'continuity-both', partitions: 1, compression: 'zstd', isCompacted: true, isTransactional: true },
  { name: 'continuity-single', partitions: 1, compression: 'none', isCompacted: false, isTransactional: false }
]

/** A segment is closed by the first append after half a second, and the cleaner takes closed ones. */
export const COMPACTED: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'segment.ms': '500',
  'min.cleanable.dirty.ratio': '0.001'
}

export interface ContinuityPartition {
  readonly topic: string
  readonly partition: number
}

export const PARTITIONS: readonly ContinuityPartition[] = TOPICS.flatMap(({ name, partitions }) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
)

/** How a partition is called in maps and sentences. */
export function nameOf({ topic, partition }: ContinuityPartition): string {
  return `${topic}-${partition}`
}
