import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { fetchBatches } from '../cluster/fetch-batches.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import { batchesIn } from '../records/batch.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { RecordCursor } from '../records/record-cursor.ts'
import type { ReadStretches } from './read-stretches.ts'
import { type OffsetSpan, RunList, Stretch } from './stretch.ts'

/** One batch or a few: the first copy mostly stands in what comes first. */
const PROBE_BYTES = 16 * 1024
const PROBE_GROWTH = 4
const FETCH_BYTES_MAX = 1024 * 1024
const PURPOSE = 'translate'

/** A destination partition as it is read for translation. What was read once is not read again. */
export class PartitionLog {
  readonly #destination: Cluster
  readonly #partition: TopicPartition
  readonly #origin: OriginReader
  readonly #read: ReadStretches
  readonly #signal: AbortSignal

  constructor(
    destination: Cluster,
    partition: TopicPartition,
    origin: OriginReader,
    read: ReadStretches,
    signal: AbortSignal
  ) {
    this.#destination = destination
    this.#partition = partition
    this.#origin = origin
    this.#read = read
    this.#signal = signal
  }

  get known(): readonly Stretch[] {
    return this.#read.all
  }

  /** What stands around an offset, read on to the first copy at or behind it, or to the end. */
  async untilCopy(offset: number, end: number): Promise<Stretch> {
    for (let bytes = PROBE_BYTES; ; bytes = Math.min(bytes * PROBE_GROWTH, FETCH_BYTES_MAX)) {
      const read = this.#read.around(offset)
      if (read !== undefined && (read.end >= end || read.within(offset, end).newest !== undefined)) return read
      await this.#fetch(read?.end ?? offset, end, bytes)
    }
  }

  /** All that stands in a range. */
  async whole(start: number, end: number): Promise<Stretch> {
    for (;;) {
      const read = this.#read.around(start)
      if (read !== undefined && read.end >= end) return read.within(start, end)
      await this.#fetch(read?.end ?? start, end, FETCH_BYTES_MAX)
    }
  }

  /** Whether anybody else's records stand in a range that has been read. */
  hasOthers(start: number, end: number): boolean {
    return start < end && this.#read.around(start)?.within(start, end).others !== undefined
  }

  async #fetch(position: number, end: number, maxBytes: number): Promise<void> {
    this.#signal.throwIfAborted()
    const fetched = await fetchBatches(this.#destination, this.#partition, position, {
      purpose: PURPOSE,
      maxBytes,
      doing: 'translating offsets of'
    })
    try {
      this.#read.add(stretchOf(fetched.records, this.#origin, position) ?? this.#nothing(position, end, fetched))
    } finally {
      fetched.release()
    }
  }

  /** Compaction may have left nothing up to the end. A leader that has just been elected may not know the end yet. */
  #nothing(position: number, end: number, { highWatermark }: { readonly highWatermark: number }): Stretch {
    if (highWatermark >= end) return new Stretch(position, end, [])
    const { topic, partition } = this.#partition
    const where = `${this.#destination.alias}: ${topic}-${partition}`
    throw new ClusterError('OFFSET_NOT_AVAILABLE', `${where} ends at ${highWatermark} now and ended at ${end}`, true)
  }
}

/** The copies in a Fetch answer; `undefined` where it holds no whole batch. @throws RecordsError */
function stretchOf(records: Buffer, origin: OriginReader, position: number): Stretch | undefined {
  const runs = new RunList()
  let others: OffsetSpan | undefined
  let start = position
  let end = -1
  for (const batch of batchesIn(records)) {
    // First of all: what is damaged may be what says that the batch can be passed over.
    batch.assertIntact()
    if (batch.lastOffset < position) continue
    if (end < 0) start = Math.min(start, batch.baseOffset)
    end = batch.lastOffset + 1
    if (batch.isControl) continue
    // Epoch 0 is that of a producer without transactional id; a fence ends with a higher one, but for once in 32,700 times.
    const isFenced = batch.producerEpoch > 0
    const record = new RecordCursor(batch)
    while (record.next()) {
      const { bytes, headersStart, headersEnd, headerCount, offset } = record
      const sourceOffset = headerCount > 0 ? origin.sourceOffset(bytes, headersStart, headersEnd, headerCount) : -1
      if (sourceOffset >= 0) runs.add({ sourceOffset, destinationOffset: offset, count: 1, isFenced })
      else others = { first: others?.first ?? offset, last: offset }
    }
  }
  return end < 0 ? undefined : new Stretch(start, end, runs.runs, others)
}
