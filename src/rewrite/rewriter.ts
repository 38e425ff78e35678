import { type BatchView, batchesIn } from '../records/batch.ts'
import type { Codec } from '../records/codecs.ts'
import { IntactRuns } from '../records/intact-runs.ts'
import { type BatchSink, spliceBatch } from '../records/splice.ts'
import { HopDetector, ProvenanceHeader } from './provenance.ts'

/** A transaction that was aborted, as a Fetch response under read_committed lists it. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface RewriteOptions {
  readonly sourceAlias: string
  readonly destinationAlias: string
  readonly topic: string
  readonly partition: number
  /** Codec of what is written; `undefined` keeps each batch's own. */
  readonly codec: Codec | undefined
  /** How much a step writes, and the rest of a batch; 4 MiB unless said otherwise. */
  readonly stepPlainBytes?: number
}

/** What one step of a rewrite did. */
export interface RewriteStep {
  readonly copiedRecords: number
  readonly loopedRecords: number
  /** Behind the last whole batch: where the next fetch begins. */
  readonly nextOffset: number
}

/** A few bytes may expand to a thousand times as many: after so many, whoever asks decides when to go on. */
const STEP_PLAIN_BYTES = 4 * 1024 * 1024

/**
 * Turns what was fetched of one source partition into destination batches: markers and aborted transactions are left
 * out, every other record goes to the sink with its provenance.
 */
export class Rewriter {
  readonly #header: ProvenanceHeader
  readonly #hops: HopDetector
  readonly #codec: Codec | undefined
  readonly #stepPlainBytes: number

  constructor(options: RewriteOptions) {
    this.#header = new ProvenanceHeader(options.sourceAlias, options.topic, options.partition)
    this.#hops = new HopDetector(options.destinationAlias)
    this.#codec = options.codec
    this.#stepPlainBytes = options.stepPlainBytes ?? STEP_PLAIN_BYTES
  }

  /**
   * Rewrites all of it, mostly in one step.
   * @param fetchOffset the position these bytes were fetched from: records before it have been handled already
   * @throws RecordsError where a batch can't be mirrored; the sink then holds unfinished work
   */
  *rewrite(
    bytes: Buffer,
    fetchOffset: number,
    abortedTransactions: readonly AbortedTransaction[],
    sink: BatchSink
  ): Generator<RewriteStep, void, undefined> {
    const isLooped = this.#hops.hasHop.bind(this.#hops)
    const aborted = new AbortedProducers(abortedTransactions)
    let copiedRecords = 0
    let loopedRecords = 0
    let plainBytes = 0
    let nextOffset = fetchOffset
    const intact = new IntactRuns()
    for (const batch of batchesIn(bytes)) {
      // First of all: the offset that says what may be skipped is among what may be damaged.
      intact.assertIntact(batch)
      if (batch.lastOffset < fetchOffset) continue
      nextOffset = batch.lastOffset + 1
      if (aborted.covers(batch) || batch.isControl || batch.recordCount === 0) continue
      const result = spliceBatch(
        batch,
        {
          codec: this.#codec ?? batch.codec,
          fromOffset: fetchOffset,
          bytesBehind: bytes.length - batch.end,
          header: this.#header,
          isLooped
        },
        sink
      )
      copiedRecords += result.copiedRecords
      loopedRecords += result.loopedRecords
      plainBytes += result.plainBytes
      if (plainBytes < this.#stepPlainBytes) continue
      yield { copiedRecords, loopedRecords, nextOffset }
      copiedRecords = loopedRecords = plainBytes = 0
    }
    yield { copiedRecords, loopedRecords, nextOffset }
  }
}

/**
 * Which producers are inside an aborted transaction at the current batch: one enters at its transaction's first
 * offset and leaves at its abort marker (as Kafka's CompletedFetch reads the same list).
 */
class AbortedProducers {
  readonly #upcoming: AbortedTransaction[]
  readonly #inside = new Set<number>()

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#upcoming = transactions.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Whether the batch is part of an aborted transaction. Call it for every batch, in order. */
  covers(batch: BatchView): boolean {
    if (this.#upcoming.length === 0 && this.#inside.size === 0) return false
    const lastOffset = batch.lastOffset
    while (this.#upcoming.length > 0 && this.#upcoming.at(-1)!.firstOffset <= lastOffset) {
      this.#inside.add(this.#upcoming.pop()!.producerId)
    }
    if (!this.#inside.has(batch.producerId)) return false
    if (batch.isControl) {
      if (batch.controlType === ABORT_MARKER) this.#inside.delete(batch.producerId)
      return false
    }
    return batch.isTransactional
  }
}

const ABORT_MARKER = 0
