import type { Cluster } from '../../../../src/cluster/cluster.ts'
import { produceResponse } from '../../cluster/support/produce-response.ts'

/** One batch of a Produce request. The partition is told by the producer's id: each has one of its own. */
export interface ProducedBatch {
  readonly partition: number
  readonly baseSequence: number
  readonly recordCount: number
  readonly bytes: number
}

/** A Produce request. */
export interface HeldRequest {
  readonly batches: readonly ProducedBatch[]
  /** Of all batches together. */
  readonly bytes: number
  /** What was unanswered when it came. */
  readonly before: { readonly requests: number; readonly bytes: number }
  /** Says that all batches were appended. */
  answer(): void
}

/** The one broker of a destination: keeps every Produce request until the test has it answer. */
export class FakeLeader {
  readonly topic = 'orders'
  /** Unanswered requests, oldest first. */
  readonly held: HeldRequest[] = []
  /** All there ever were. */
  readonly received: HeldRequest[] = []

  get heldBytes(): number {
    return this.held.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** What of a Cluster the dispatcher needs. */
  get cluster(): Cluster {
    const fake = {
      leaderOf: () => ({ nodeId: 1, leaderEpoch: 5 }),
      batchBroker: async () => ({
        throttled: () => {},
        request: (_api: unknown, body: readonly Buffer[]) => this.#hold(body)
      })
    }
    return fake as unknown as Cluster
  }

  #hold(body: readonly Buffer[]): Promise<{ bytes: Buffer; release(): void }> {
    // The batches stand between the fields around them.
    const batches = body
      .filter((_, i) => i % 2 === 1)
      .map(batch => ({
        partition: Number(batch.readBigInt64BE(43)),
        baseSequence: batch.readInt32BE(53),
        recordCount: batch.readInt32BE(57),
        bytes: batch.length
      }))
    return new Promise(resolve => {
      const request = {
        batches,
        bytes: batches.reduce((sum, { bytes }) => sum + bytes, 0),
        before: { requests: this.held.length, bytes: this.heldBytes },
        answer: () => {
          this.held.splice(this.held.indexOf(request), 1)
          resolve({ bytes: this.#appended(batches), release: () => {} })
        }
      }
      this.received.push(request)
      this.held.push(request)
    })
  }

  #appended(batches: readonly ProducedBatch[]): Buffer {
    const partitions = batches.map(({ partition, baseSequence }) => ({
      partition,
      errorCode: 0,
      baseOffset: baseSequence,
      logAppendTimeMs: -1,
      logStartOffset: 0,
      recordErrors: [],
      errorMessage: null
    }))
    return produceResponse({ throttleMs: 0, topics: [{ name: this.topic, partitions }] })
  }
}
