import type { Load } from '../support/load.ts'

/** A backlog to copy. */
export interface Work extends Load {
  readonly name: string
  /** As the table says it. */
  readonly description: string
  readonly records: number
  /** Of the records' values, uncompressed. */
  readonly valueBytes: number
  readonly partitions: number
  /** Interleaved repeats; the figures are medians. */
  readonly rounds: number
}

const JSON_BYTES = 620
const LINGERING = { isBatched: true, partitions: 4 } as const

export const WORKS: readonly Work[] = [
  {
    ...LINGERING,
    name: '1kb',
    description: '1 kB random, uncompressed',
    value: 1_000,
    valueBytes: 1_000,
    compression: 'none',
    records: 2_000_000,
    rounds: 2
  },
  {
    ...LINGERING,
    name: '100b',
    description: '100 B random, uncompressed',
    value: 100,
    valueBytes: 100,
    compression: 'none',
    records: 5_000_000,
    rounds: 1
  },
  { ...LINGERING, ...json('lz4'), records: 3_000_000, rounds: 2 },
  { ...LINGERING, ...json('zstd'), records: 3_000_000, rounds: 1 },
  { ...LINGERING, ...json('snappy'), records: 3_000_000, rounds: 1 },
  { ...LINGERING, ...json('gzip'), records: 1_500_000, rounds: 1 },
  {
    ...json('lz4'),
    name: 'single',
    description: `${JSON_BYTES} B JSON lz4, one-record batches`,
    isBatched: false,
    partitions: 16,
    records: 1_500_000,
    rounds: 1
  }
]

function json(compression: Load['compression']) {
  return {
    name: compression,
    description: `${JSON_BYTES} B JSON ${compression}`,
    value: 'json',
    valueBytes: JSON_BYTES,
    compression
  } as const
}
