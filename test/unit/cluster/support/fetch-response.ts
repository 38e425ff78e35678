/** Lays out Fetch responses as a broker does (version 13), byte by byte from the protocol's description. */
import { compactArray, int16, int32, int64, NO_TAGS, unsignedVarint } from './wire-bytes.ts'

export interface AnsweredPartition {
  readonly partition: number
  readonly errorCode?: number
  readonly highWatermark?: number
  readonly lastStableOffset?: number
  readonly logStartOffset?: number
  /** `null`, as brokers have it without read_committed, unless given. */
  readonly abortedTransactions?: readonly { readonly producerId: number; readonly firstOffset: number }[] | null
  readonly preferredReadReplica?: number
  /** `null` unless given. */
  readonly records?: Buffer | null
  readonly divergingEpoch?: { readonly epoch: number; readonly endOffset: number }
  /** A tagged field that is younger than us. */
  readonly currentLeader?: { readonly leaderId: number; readonly leaderEpoch: number }
}

export interface AnsweredFetch {
  readonly throttleMs?: number
  readonly errorCode?: number
  readonly sessionId?: number
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly AnsweredPartition[] }[]
}

/** The response's body, behind the response header. */
export function fetchResponse({ throttleMs = 0, errorCode = 0, sessionId = 0, topics }: AnsweredFetch): Buffer {
  return Buffer.concat([
    int32(throttleMs),
    int16(errorCode),
    int32(sessionId),
    compactArray(topics, ({ topicId, partitions }) => [
      Buffer.from(topicId, 'hex'),
      compactArray(partitions, partitionParts),
      NO_TAGS
    ]),
    NO_TAGS
  ])
}

function partitionParts(answered: AnsweredPartition): Buffer[] {
  const { abortedTransactions = null, records = null, divergingEpoch, currentLeader } = answered
  const tags: [tag: number, value: Buffer][] = []
  if (divergingEpoch !== undefined) {
    tags.push([0, Buffer.concat([int32(divergingEpoch.epoch), int64(divergingEpoch.endOffset), NO_TAGS])])
  }
  if (currentLeader !== undefined) {
    tags.push([1, Buffer.concat([int32(currentLeader.leaderId), int32(currentLeader.leaderEpoch), NO_TAGS])])
  }
  return [
    int32(answered.partition),
    int16(answered.errorCode ?? 0),
    int64(answered.highWatermark ?? 0),
    int64(answered.lastStableOffset ?? 0),
    int64(answered.logStartOffset ?? 0),
    abortedTransactions === null
      ? unsignedVarint(0)
      : compactArray(abortedTransactions, ({ producerId, firstOffset }) => [
          int64(producerId),
          int64(firstOffset),
          NO_TAGS
        ]),
    int32(answered.preferredReadReplica ?? -1),
    records === null ? unsignedVarint(0) : Buffer.concat([unsignedVarint(records.length + 1), records]),
    unsignedVarint(tags.length),
    ...tags.flatMap(([tag, value]) => [unsignedVarint(tag), unsignedVarint(value.length), value])
  ]
}
