import type { Compression } from '../support/produce.ts'

/** A topic of the source, and what its records are like. */
export interface ChaosTopic {
  readonly name: string
  /** At the beginning; faults add some. */
  readonly partitions: number
  /** Of its writers; a source batch's codec is kept by the copy. */
  readonly compression: Compression
  readonly writers: readonly ('plain' | 'transactional')[]
  /** How many different keys each of its partitions has, where it is compacted; 0 where it is not. */
  readonly compactedKeys: number
}

/** Every codec, transactions alone and beside plain records, and compaction. */
export const TOPICS: readonly ChaosTopic[] = [
  { name: 'chaos-none', partitions: 3, compression: 'none', writers: ['plain'], compactedKeys: 0 },
  { name: 'chaos-gzip', partitions: 2, compression: 'gzip', writers: ['plain'], compactedKeys: 0 },
  { name: 'chaos-snappy', partitions: 2, compression: 'snappy', writers: ['plain'], compactedKeys: 0 },
  { name: 'chaos-lz4', partitions: 4, compression: 'lz4', writers: ['plain'], compactedKeys: 0 },
  { name: 'chaos-zstd', partitions: 2, compression: 'zstd', writers: ['plain'], compactedKeys: 0 },
  { name: 'chaos-transactions', partitions: 3, compression: 'lz4', writers: ['transactional'], compactedKeys: 0 },
  { name: 'chaos-mixed', partitions: 2, compression: 'zstd', writers: ['plain', 'transactional'], compactedKeys: 0 },
  { name: 'chaos-compacted', partitions: 2, compression: 'none', writers: ['plain'], compactedKeys: 500 }
]

/**
 * Some records say that they are from 1970. One of them alone in a segment (the first one's, where the next batch comes in
 * another year) would be deleted by retention half a minute after its broker's start.
 */
export const KEPT_CONFIG: Readonly<Record<string, string>> = { 'retention.ms': '-1' }

/** Small segments, so that the cleaner has something to do within minutes: it never touches the newest one. */
export const COMPACTED_CONFIG: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'segment.bytes': '1048576',
  'min.cleanable.dirty.ratio': '0.01'
}
