import { readInt64, writeInt64 } from '../records/batch.ts'

/**
 * MirrorMaker 2's records, byte for byte (org.apache.kafka.connect.mirror: Checkpoint, OffsetSync, Heartbeat), so that its
 * tools read what farlog writes and farlog reads what MirrorMaker 2 left behind.
 *
 *                   key                                value
 *     Checkpoint    group, topic, INT32 partition      INT16 0, INT64 upstream, INT64 downstream, metadata
 *     OffsetSync    topic, INT32 partition             INT64 upstream, INT64 downstream
 *     Heartbeat     source alias, target alias         INT16 0, INT64 milliseconds
 *
 * Numbers are big-endian; a string is an INT16 length and its UTF-8 bytes, never null. *Upstream* is the source's offset,
 * *downstream* the destination's: the words of these formats are kept here, since tools print them.
 */

/** How far a group has got at the source, and where that is at the destination: written to {@link checkpointsTopic}. */
export interface Checkpoint {
  readonly group: string
  /** The **destination's** name of the topic. */
  readonly topic: string
  readonly partition: number
  readonly upstreamOffset: number
  readonly downstreamOffset: number
  /** What the group committed beside its offset; empty for nothing. */
  readonly metadata: string
}

/** One pair of offsets that belong to the same record: written to {@link offsetSyncsTopic}. */
export interface OffsetSync {
  /** The **source's** name of the topic. */
  readonly topic: string
  readonly partition: number
  readonly upstreamOffset: number
  readonly downstreamOffset: number
}

/** Emitted on the source, and mirrored as any record: where it arrives, the flow is alive. */
export interface Heartbeat {
  /** Alias of the cluster it is emitted on. */
  readonly source: string
  /** Alias of the cluster it is on its way to. */
  readonly target: string
  readonly timestampMs: number
}

/** A record as a client sends it. */
export interface EncodedRecord {
  readonly key: Buffer
  readonly value: Buffer
}

/** The only version there is, of checkpoints and of heartbeats. Offset syncs have none. */
const VERSION = 0
const STRING_BYTES_MAX = 0x7fff

/**
 * The checkpoints of groups at `sourceAlias`, as they lie at the destination. The same under MirrorMaker 2's default and identity
 * policy (DefaultReplicationPolicy.checkpointsTopic, which IdentityReplicationPolicy inherits).
 *
 * @param separator MirrorMaker 2's `replication.policy.separator`, unless its `replication.policy.internal.topic.separator.enabled` is false
 */
export function checkpointsTopic(sourceAlias: string, separator = '.'): string {
  return `${sourceAlias}${separator}checkpoints${separator}internal`
}

/**
 * The offset syncs of a flow as they lie at the destination (MirrorMaker 2's `offset-syncs.topic.location=target`), where they are
 * called after `sourceAlias`. With its default location, `source`, they lie at the source and are called after the destination:
 * `offsetSyncsTopic(destinationAlias)` (DefaultReplicationPolicy.offsetSyncsTopic, MirrorSourceConfig.offsetSyncsTopic).
 *
 * @param separator as in {@link checkpointsTopic}
 */
export function offsetSyncsTopic(sourceAlias: string, separator = '.'): string {
  return `mm2-offset-syncs${separator}${sourceAlias}${separator}internal`
}

/** @throws RangeError where a string has more than 32767 bytes, which the format can't hold */
export function encodeCheckpoint(checkpoint: Checkpoint): EncodedRecord {
  const { group, topic, partition, upstreamOffset, downstreamOffset, metadata } = checkpoint
  return {
    key: Buffer.concat([string(group), string(topic), int32(partition)]),
    value: Buffer.concat([int16(VERSION), int64(upstreamOffset), int64(downstreamOffset), string(metadata)])
  }
}

/** `undefined` for what is no checkpoint: another version, bytes missing or left over, a tombstone, no key. */
export function decodeCheckpoint(key: Buffer | null, value: Buffer | null): Checkpoint | undefined {
  return decode(key, value, (key, value) => {
    if (value.int16() !== VERSION) return undefined
    return {
      group: key.string(),
      topic: key.string(),
      partition: key.int32(),
      upstreamOffset: value.int64(),
      downstreamOffset: value.int64(),
      metadata: value.string()
    }
  })
}

/** @throws RangeError where the topic's name has more than 32767 bytes */
export function encodeOffsetSync({ topic, partition, upstreamOffset, downstreamOffset }: OffsetSync): EncodedRecord {
  return {
    key: Buffer.concat([string(topic), int32(partition)]),
    value: Buffer.concat([int64(upstreamOffset), int64(downstreamOffset)])
  }
}

/** `undefined` for what is no offset sync: bytes missing or left over, a tombstone, no key. */
export function decodeOffsetSync(key: Buffer | null, value: Buffer | null): OffsetSync | undefined {
  return decode(key, value, (key, value) => ({
    topic: key.string(),
    partition: key.int32(),
    upstreamOffset: value.int64(),
    downstreamOffset: value.int64()
  }))
}

/** @throws RangeError where an alias has more than 32767 bytes */
export function encodeHeartbeat({ source, target, timestampMs }: Heartbeat): EncodedRecord {
  return {
    key: Buffer.concat([string(source), string(target)]),
    value: Buffer.concat([int16(VERSION), int64(timestampMs)])
  }
}

/** `undefined` for what is no heartbeat: another version, bytes missing or left over, a tombstone, no key. */
export function decodeHeartbeat(key: Buffer | null, value: Buffer | null): Heartbeat | undefined {
  return decode(key, value, (key, value) => {
    if (value.int16() !== VERSION) return undefined
    return { source: key.string(), target: key.string(), timestampMs: value.int64() }
  })
}

function decode<T>(
  key: Buffer | null,
  value: Buffer | null,
  read: (key: FieldReader, value: FieldReader) => T | undefined
): T | undefined {
  if (key === null || value === null) return undefined
  const keyFields = new FieldReader(key)
  const valueFields = new FieldReader(value)
  const decoded = read(keyFields, valueFields)
  return keyFields.isReadWhole && valueFields.isReadWhole ? decoded : undefined
}

/** Reads one field after the other. Bytes that don't hold the next field make everything read from then on worthless: `isReadWhole` tells. */
class FieldReader {
  readonly #bytes: Buffer
  #at = 0
  #isBroken = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Whether every field was there, and nothing else. */
  get isReadWhole(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.length
  }

  int16(): number {
    const at = this.#advance(2)
    return at < 0 ? 0 : this.#bytes.readInt16BE(at)
  }

  int32(): number {
    const at = this.#advance(4)
    return at < 0 ? 0 : this.#bytes.readInt32BE(at)
  }

  /** Offsets and times are exact below 2^53, and nothing real is beyond. */
  int64(): number {
    const at = this.#advance(8)
    const read = at < 0 ? 0 : readInt64(this.#bytes, at)
    if (!Number.isSafeInteger(read)) this.#isBroken = true
    return read
  }

  string(): string {
    const length = this.int16()
    const at = this.#advance(length)
    return at < 0 ? '' : this.#bytes.toString('utf8', at, at + length)
  }

  /** Where the next `bytes` are, or -1 where they aren't. */
  #advance(bytes: number): number {
    const at = this.#at
    if (this.#isBroken || bytes < 0 || at + bytes > this.#bytes.length) {
      this.#isBroken = true
      return -1
    }
    this.#at = at + bytes
    return at
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  writeInt64(bytes, value, 0)
  return bytes
}

function string(value: string): Buffer {
  const utf8 = Buffer.from(value, 'utf8')
  if (utf8.length > STRING_BYTES_MAX) {
    throw new RangeError(`a string of ${utf8.length} bytes: MirrorMaker 2’s formats hold at most ${STRING_BYTES_MAX}`)
  }
  return Buffer.concat([int16(utf8.length), utf8])
}
