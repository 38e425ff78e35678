import { BatchBuilder } from '../../../../src/records/batch-builder.ts'
import { BufferPool } from '../../../../src/records/buffer-pool.ts'
import type { Codec } from '../../../../src/records/codecs.ts'
import type { BatchSink } from '../../../../src/records/splice.ts'

/** Collects spliced records in builders of limited size, one for each run of records with the same codec. */
export class LimitedSink implements BatchSink {
  readonly builders: BatchBuilder[] = []
  readonly #pool = new BufferPool(1 << 20)
  readonly #bytesMax: number

  /** @param bytesMax uncompressed; a record larger than that gets a batch of its own */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  builderFor(codec: Codec, recordBytes: number): BatchBuilder {
    const last = this.builders.at(-1)
    if (last !== undefined && last.codec === codec && last.length + recordBytes <= this.#bytesMax) {
      last.ensure(recordBytes)
      return last
    }
    // No more room than is asked for, so that a record which takes more than it said writes over the end.
    const builder = new BatchBuilder(this.#pool, codec, 61 + recordBytes)
    this.builders.push(builder)
    return builder
  }

  /** The finished batches in order. */
  seal(): Buffer[] {
    let baseSequence = 0
    return this.builders.map(builder => {
      const { bytes } = builder.seal({ producerId: 4_000, producerEpoch: 1, baseSequence })
      baseSequence += builder.recordCount
      return bytes
    })
  }
}
