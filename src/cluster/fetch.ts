import type { BatchConnection } from './batch-connection.ts'
import { WireReader, WireWriter } from './wire.ts'

/**
 * Fetch (API 1) version 13: topics by id, so that a topic made anew under the same name is refused instead of being
 * read on as if nothing had happened (KIP-516); truncation detected by epoch (KIP-595); incremental sessions (KIP-227).
 */
export const FETCH = { key: 1, version: 13 } as const

export interface FetchPartition {
  /** 32 hexadecimal digits. */
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly fetchOffset: number
  /** Epoch of the last batch read, or -1: with it the leader can tell that its log was cut back since. */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
}

export interface FetchRequest {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly readCommitted: boolean
  /** 0 to open a session. */
  readonly sessionId: number
  /** 0 to open a session, then counted up; -1 for none at all. */
  readonly sessionEpoch: number
  readonly partitions: readonly FetchPartition[]
  readonly forgotten: readonly { readonly topicId: string; readonly partition: number }[]
}

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[]
  /** Where the leader's log leaves the epoch we read last, when that lies below the fetch offset: it was cut back. */
  readonly divergingEndOffset: number | undefined
  /** A view into the response. */
  readonly records: Buffer
}

export interface FetchResponse {
  readonly throttleMs: number
  readonly errorCode: number
  readonly sessionId: number
  readonly partitions: readonly FetchedPartition[]
  /** Of the whole answer, as it came over the network. */
  readonly bytes: number
  /** Gives the response's memory back; no view into `records` may be used after it. */
  release(): void
}

/** Sends one Fetch; the response's bytes stay until `release`. */
export async function fetch(connection: BatchConnection, request: FetchRequest): Promise<FetchResponse> {
  const answer = await connection.request(FETCH, [encodeFetch(request)])
  try {
    const response = decodeFetch(answer.bytes, answer.release)
    connection.throttled(response.throttleMs)
    return response
  } catch (error) {
    answer.release()
    throw error
  }
}

/** The request's body. */
export function encodeFetch(request: FetchRequest): Buffer {
  const writer = new WireWriter()
    .int32(-1)
    .int32(request.maxWaitMs)
    .int32(request.minBytes)
    .int32(request.maxBytes)
    .int8(request.readCommitted ? 1 : 0)
    .int32(request.sessionId)
    .int32(request.sessionEpoch)
  const topics = Map.groupBy(request.partitions, partition => partition.topicId)
  writer.compactArrayLength(topics.size)
  for (const [topicId, partitions] of topics) {
    writer.uuid(Buffer.from(topicId, 'hex')).compactArrayLength(partitions.length)
    for (const partition of partitions) {
      writer
        .int32(partition.partition)
        .int32(partition.leaderEpoch)
        .int64(partition.fetchOffset)
        .int32(partition.lastFetchedEpoch)
        .int64(-1)
        .int32(partition.maxBytes)
        .noTags()
    }
    writer.noTags()
  }
  const forgotten = Map.groupBy(request.forgotten, partition => partition.topicId)
  writer.compactArrayLength(forgotten.size)
  for (const [topicId, partitions] of forgotten) {
    writer.uuid(Buffer.from(topicId, 'hex')).compactArrayLength(partitions.length)
    for (const { partition } of partitions) writer.int32(partition)
    writer.noTags()
  }
  return writer.compactString('').noTags().take()
}

/** Reads the response's body. @throws ClusterError `BAD_RESPONSE` */
export function decodeFetch(bytes: Buffer, release: () => void): FetchResponse {
  const reader = new WireReader(bytes)
  const throttleMs = reader.int32()
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const partitions: FetchedPartition[] = []
  for (let topics = reader.compactArrayLength(); topics > 0; topics--) {
    const topicId = reader.uuid()
    for (let count = reader.compactArrayLength(); count > 0; count--) partitions.push(decodePartition(reader, topicId))
    reader.tags()
  }
  reader.tags()
  return { throttleMs, errorCode, sessionId, partitions, bytes: bytes.length, release }
}

function decodePartition(reader: WireReader, topicId: string): FetchedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const abortedTransactions: { producerId: number; firstOffset: number }[] = []
  for (let count = reader.compactArrayLength(); count > 0; count--) {
    abortedTransactions.push({ producerId: reader.int64(), firstOffset: reader.int64() })
    reader.tags()
  }
  reader.int32() // preferred read replica: only offered to clients that name a rack
  const records = reader.compactBytes()
  let divergingEndOffset: number | undefined
  reader.tags((tag, value) => {
    if (tag !== DIVERGING_EPOCH_TAG) return
    value.int32()
    divergingEndOffset = value.int64()
  })
  return {
    topicId,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    divergingEndOffset,
    records
  }
}

const DIVERGING_EPOCH_TAG = 0
