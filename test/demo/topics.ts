import type { Compression } from '../support/produce.ts'

/** One of the topics that the demo mirrors. */
export interface DemoTopic {
  readonly name: string
  readonly partitions: number
  readonly compression: Compression
}

/** Every codec that Kafka has; a topic's share of the records is its share of the partitions. */
export const DEMO_TOPICS: readonly DemoTopic[] = [
  { name: 'orders', partitions: 4, compression: 'lz4' },
  { name: 'payments', partitions: 3, compression: 'zstd' },
  { name: 'clicks', partitions: 6, compression: 'snappy' },
  { name: 'inventory', partitions: 2, compression: 'gzip' },
  { name: 'audit', partitions: 1, compression: 'none' }
]
