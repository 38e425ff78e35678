/** Reads the two requests that carry batches as a broker does. */
import type { FetchPartition, FetchRequest } from '../../src/cluster/fetch.ts'
import { WireReader } from '../../src/cluster/wire.ts'
import type { KafkaError } from './kafka-errors.ts'

/** Numbers of Kafka's APIs (its class ApiKeys). */
export const API = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  findCoordinator: 10,
  initProducerId: 22,
  offsetForLeaderEpoch: 23,
  addPartitionsToTxn: 24,
  endTxn: 26
} as const

/** A request on its way to a broker. */
export interface Request {
  readonly apiKey: number
  /** What the client library would lay out; empty where `body` is used. */
  readonly args: readonly unknown[]
  /** The request's bytes as they were when it was sent, for Fetch and Produce. */
  readonly body: Buffer
}

/** What a broker answers: the response's fields or its bytes, or an error for the whole of it. */
export type Reply = { readonly value: unknown } | { readonly error: KafkaError }

/** The stamp on a produced batch. */
export interface ProducedStamp {
  readonly producerId: number
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly lastSequence: number
}

/** Reads a Fetch request of version 13. */
export function decodeFetchRequest(body: Buffer): FetchRequest {
  const reader = new WireReader(body)
  reader.int32()
  const maxWaitMs = reader.int32()
  const minBytes = reader.int32()
  const maxBytes = reader.int32()
  const readCommitted = reader.int8() === 1
  const sessionId = reader.int32()
  const sessionEpoch = reader.int32()
  const partitions: FetchPartition[] = []
  for (let topics = reader.compactArrayLength(); topics > 0; topics--) {
    const topicId = reader.uuid()
    for (let count = reader.compactArrayLength(); count > 0; count--) {
      const partition = reader.int32()
      const leaderEpoch = reader.int32()
      const fetchOffset = reader.int64()
      const lastFetchedEpoch = reader.int32()
      reader.int64()
      partitions.push({ topicId, partition, leaderEpoch, fetchOffset, lastFetchedEpoch, maxBytes: reader.int32() })
      reader.tags()
    }
    reader.tags()
  }
  const forgotten: { topicId: string; partition: number }[] = []
  for (let topics = reader.compactArrayLength(); topics > 0; topics--) {
    const topicId = reader.uuid()
    for (let count = reader.compactArrayLength(); count > 0; count--) {
      forgotten.push({ topicId, partition: reader.int32() })
    }
    reader.tags()
  }
  return { maxWaitMs, minBytes, maxBytes, readCommitted, sessionId, sessionEpoch, partitions, forgotten }
}

/** The one batch of a Produce request of version 9. */
export function batchInProduceRequest(body: Buffer): Buffer {
  const reader = new WireReader(body)
  reader.compactString()
  reader.int16()
  reader.int32()
  reader.compactArrayLength()
  reader.compactString()
  reader.compactArrayLength()
  reader.int32()
  return reader.compactBytes()
}

export function stampOf(batch: Buffer): ProducedStamp {
  const firstSequence = batch.readInt32BE(53)
  return {
    producerId: Number(batch.readBigInt64BE(43)),
    producerEpoch: batch.readInt16BE(51),
    firstSequence,
    lastSequence: firstSequence + batch.readInt32BE(57) - 1
  }
}
