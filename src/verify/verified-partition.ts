/** What is remembered of a partition that was verified; the schema, `schemas/verified-partition.avsc`, describes the fields. */
import { AvroValue } from '../avro/avro-value.ts'
import type { VerifiedRange } from './verified-ranges.ts'

/** How far both sides were found equal. */
export interface VerifiedPlace {
  readonly nextSourceOffset: number
  readonly nextDestinationOffset: number
  readonly hasCopies: boolean
}

/** A partition up to where both sides were found equal, and what there was. */
export interface VerifiedPartition extends VerifiedPlace {
  readonly topic: string
  readonly partition: number
  readonly sourceTopicId: string
  readonly destinationTopicId: string
  readonly sourceLeaderEpoch: number
  readonly destinationLeaderEpoch: number
  readonly rangeSourceOffsets: number
  readonly ranges: readonly VerifiedRange[]
  readonly verifiedBy: string
  readonly verifiedAt: number
}

const VERIFIED = new AvroValue<VerifiedPartition>('verified-partition')

/** The compacted topic at the destination that remembers what was verified of all flows from this source. */
export function verifiedTopic(sourceAlias: string): string {
  return `farlog.verified.${sourceAlias}.internal`
}

/** The key of a partition's record, and of its entry in memory. */
export function verifiedKey({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}

/** As a record's value. */
export function encodeVerified(verified: VerifiedPartition): Buffer {
  return VERIFIED.encode(verified)
}

/** Reads a value back; `undefined` where it is none of these, for anybody may write to a topic. */
export function decodeVerified(value: Buffer): VerifiedPartition | undefined {
  return VERIFIED.decode(value)
}
