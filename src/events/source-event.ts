/**
 * What happened to source partitions, as Avro: the schema is `schemas/source-event.avsc`. Each value is in Avro's single-object
 * encoding, so that a reader who has several schemas can tell which one it was written with:
 *
 *     C3 01 | fingerprint of the schema, 8 bytes little-endian (CRC-64-AVRO of its canonical form) | the record
 */
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import type { EventStatus } from '../observe/status.ts'

export type SourceEventKind = 'GAP' | 'RECREATED' | 'DIVERGED' | 'RESUME'
export type SourceEventAction = 'HALTED' | 'CONTINUED' | 'REQUESTED'

/** The fields are described in the schema. */
export interface SourceEvent {
  readonly kind: SourceEventKind
  readonly action: SourceEventAction
  readonly source: string
  readonly destination: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly firstOffset: number
  readonly nextOffset: number
  readonly destinationOffset: number | null
  readonly detail: string
  readonly observer: string
  readonly observedAt: number
}

const MARKER = Buffer.from([0xc3, 0x01])
const type = avro.Type.forSchema(
  JSON.parse(readFileSync(new URL('../../schemas/source-event.avsc', import.meta.url), 'utf8'))
)
const HEAD = Buffer.concat([MARKER, fingerprintOf(JSON.stringify(type.schema()))])

/** An event as it is shown. */
export function eventStatus(event: SourceEvent): EventStatus {
  const { observedAt, kind, action, topic, partition, firstOffset, nextOffset, detail } = event
  const at = new Date(observedAt).toISOString()
  return { observedAt: at, kind, action, topic, partition, firstOffset, nextOffset, detail }
}

/** The topic at the destination that the events of all flows from this source are in. */
export function eventTopic(sourceAlias: string): string {
  return `farlog.events.${sourceAlias}.internal`
}

/** An event as a record's value. */
export function encodeEvent(event: SourceEvent): Buffer {
  return Buffer.concat([HEAD, type.toBuffer(event)])
}

/** Reads a value back; `undefined` where it is none of these, for anybody may write to a topic. */
export function decodeEvent(value: Buffer): SourceEvent | undefined {
  if (value.length < HEAD.length || value.compare(HEAD, 0, HEAD.length, 0, HEAD.length) !== 0) return undefined
  try {
    return { ...(type.fromBuffer(value.subarray(HEAD.length)) as SourceEvent) }
  } catch {
    return undefined
  }
}

/** The Rabin fingerprint of the Avro specification. */
function fingerprintOf(canonicalSchema: string): Buffer {
  const empty = 0xc15d213aa4d7a795n
  let fingerprint = empty
  for (const byte of Buffer.from(canonicalSchema, 'utf8')) {
    let entry = (fingerprint ^ BigInt(byte)) & 0xffn
    for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (entry & 1n ? empty : 0n)
    fingerprint = (fingerprint >> 8n) ^ entry
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(fingerprint)
  return bytes
}
