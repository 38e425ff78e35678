import type { BatchConnection } from './batch-connection.ts'
import { errorName } from './errors.ts'
import { WireReader, WireWriter } from './wire.ts'

/** Produce (API 0) version 9: the newest one that needs no transactional flag and no topic ids. */
export const PRODUCE = { key: 0, version: 9 } as const

/** How long the leader may wait for its replicas before it answers REQUEST_TIMED_OUT. */
const REPLICATION_TIMEOUT_MS = 10_000
const ACKS_ALL = -1

/** At most one batch per partition in a request: the protocol allows no more. */
export interface ProducePartition {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

export interface ProducedPartition {
  readonly topic: string
  readonly partition: number
  /** Kafka's name of the error; `NONE` when there is none. */
  readonly error: string
  readonly errorMessage: string | null
  /** Destination offset of the batch's first record; -1 where the leader only knows that it has the batch already. */
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
}

export interface ProduceResponse {
  readonly throttleMs: number
  readonly partitions: readonly ProducedPartition[]
}

/** Sends batches with acks=all. */
export async function produce(
  connection: BatchConnection,
  partitions: readonly ProducePartition[]
): Promise<ProduceResponse> {
  const answer = await connection.request(PRODUCE, encodeProduce(partitions))
  try {
    const response = decodeProduce(answer.bytes)
    connection.throttled(response.throttleMs)
    return response
  } finally {
    answer.release()
  }
}

/** The request's body, batches as they are between the fields around them. */
export function encodeProduce(partitions: readonly ProducePartition[]): Buffer[] {
  const parts: Buffer[] = []
  const writer = new WireWriter().compactString(null).int16(ACKS_ALL).int32(REPLICATION_TIMEOUT_MS)
  const topics = Map.groupBy(partitions, partition => partition.topic)
  writer.compactArrayLength(topics.size)
  for (const [topic, batches] of topics) {
    writer.compactString(topic).compactArrayLength(batches.length)
    for (const { partition, batch } of batches) {
      writer.int32(partition).unsignedVarint(batch.length + 1)
      parts.push(writer.take(), batch)
      writer.noTags()
    }
    writer.noTags()
  }
  parts.push(writer.noTags().take())
  return parts
}

/** Reads the response's body. @throws ClusterError `BAD_RESPONSE` */
export function decodeProduce(bytes: Buffer): ProduceResponse {
  const reader = new WireReader(bytes)
  const partitions: ProducedPartition[] = []
  for (let topics = reader.compactArrayLength(); topics > 0; topics--) {
    const topic = reader.compactString() ?? ''
    for (let count = reader.compactArrayLength(); count > 0; count--) {
      const partition = reader.int32()
      const error = errorName(reader.int16())
      const baseOffset = reader.int64()
      const logAppendTimeMs = reader.int64()
      const logStartOffset = reader.int64()
      for (let errors = reader.compactArrayLength(); errors > 0; errors--) {
        reader.int32()
        reader.compactString()
        reader.tags()
      }
      const errorMessage = reader.compactString()
      reader.tags()
      partitions.push({ topic, partition, error, errorMessage, baseOffset, logAppendTimeMs, logStartOffset })
    }
    reader.tags()
  }
  const throttleMs = reader.int32()
  reader.tags()
  return { throttleMs, partitions }
}
