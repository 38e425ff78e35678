/**
 * Splicing: record bytes of a source batch become record bytes of a destination batch, with one more header each.
 *
 * The plain way decodes each record to an object, adds a header and encodes it again: six allocations a record, ten
 * times the work of everything else farlog does. But a record is a run of length-prefixed fields, and all that
 * changes is the length in front, the two deltas, the header count, and the new header at the end:
 *
 *     source       length | attrs | Δtimestamp | Δoffset | key, value | n headers   | headers
 *     destination  length'| attrs | Δtimestamp'| Δoffset'| key, value | n+1 headers | headers | new header
 *
 * So the fields in front are read as numbers and written anew, and the two long runs are copied as bytes.
 */
import { BATCH_OVERHEAD_BYTES, type BatchView } from './batch.ts'
import type { BatchBuilder } from './batch-builder.ts'
import { Codec } from './codecs.ts'
import { inflateTraced, type TracedPlain } from './inflate.ts'
import { MatchCarrier } from './known-matches.ts'
import { RecordCursor } from './record-cursor.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

/** The header to append: same key and same value for every record but for the source offset the value ends in. */
export interface OffsetHeader {
  /** The encoded header for this offset: key length, key, value length, value. Valid until the next call. */
  encode(sourceOffset: number): Buffer
}

/** Where spliced records go; asked for a builder whenever the last one can't take the next record. */
export interface BatchSink {
  /**
   * A builder of that codec with room for `recordBytes` more bytes within the destination's batch limit.
   * @param expectedBytes what may still follow: a hint for how much memory to take
   */
  builderFor(codec: Codec, recordBytes: number, expectedBytes: number): BatchBuilder
}

export interface SpliceOptions {
  /** Codec of the destination batch. */
  readonly codec: Codec
  /** Records before this source offset are left out: a fetch position may lie inside a batch. */
  readonly fromOffset: number
  /** What was fetched behind this batch and will probably go into the same destination batch: memory for it is taken at once. */
  readonly bytesBehind: number
  readonly header: OffsetHeader
  /** Whether this record's headers say that it has been at the destination already. */
  isLooped(bytes: Uint8Array, headersStart: number, headersEnd: number, headerCount: number): boolean
}

export interface SpliceResult {
  readonly copiedRecords: number
  readonly loopedRecords: number
  /** What the copied records take in the sink, which has not compressed them yet. */
  readonly plainBytes: number
}

/** Copies below this many bytes go byte by byte: a bulk copy's call costs more than the loop. */
const BULK_COPY_BYTES = 40

/**
 * Appends the records of an intact data batch to the sink's builders.
 * @throws RecordsError `UNKNOWN_CODEC`, `UNDECODABLE_RECORDS` or `MALFORMED_BATCH`; the sink may then hold records of
 *   this batch, so the caller must give up the partition's unsent work
 */
export function spliceBatch(batch: BatchView, options: SpliceOptions, sink: BatchSink): SpliceResult {
  const appendTimestamp = batch.isLogAppendTime ? batch.maxTimestamp : undefined
  const traced = tracedPlain(batch, options.codec)
  const carrier = traced && new MatchCarrier(traced.matches)
  const record = new RecordCursor(batch, traced?.plain)
  const bytes = record.bytes
  let copiedRecords = 0
  let loopedRecords = 0
  let plainBytes = 0
  while (record.next()) {
    if (record.offset < options.fromOffset) continue
    const { headersStart, headersEnd, headerCount } = record
    if (headerCount > 0 && options.isLooped(bytes, headersStart, headersEnd, headerCount)) {
      loopedRecords++
      continue
    }

    const header = options.header.encode(record.offset)
    const payloadBytes = record.payloadEnd - record.payloadStart
    const headersBytes = headersEnd - headersStart
    const bytesMax = FRAMING_BYTES_MAX + payloadBytes + headersBytes + header.length
    const expectedBytes =
      bytesMax + record.remainingBytes + record.remainingRecords * (header.length + 4) + options.bytesBehind
    const builder = sink.builderFor(options.codec, bytesMax, expectedBytes)

    const timestamp = appendTimestamp ?? record.timestamp
    if (builder.recordCount === 0) builder.baseTimestamp = timestamp
    const timestampDelta = timestamp - builder.baseTimestamp
    const offsetDelta = builder.recordCount
    const length =
      1 +
      sizeOfVarlong(timestampDelta) +
      sizeOfVarint(offsetDelta) +
      payloadBytes +
      sizeOfVarint(headerCount + 1) +
      headersBytes +
      header.length

    const out = builder.bytes
    let at = writeVarint(out, length, builder.length)
    out[at++] = record.attributes
    at = writeVarlong(out, timestampDelta, at)
    at = writeVarint(out, offsetDelta, at)
    const payloadAt = at
    at = copy(bytes, record.payloadStart, record.payloadEnd, out, at)
    const countAt = at
    at = writeVarint(out, headerCount + 1, at)
    const headersAt = at
    at = copy(bytes, headersStart, headersEnd, out, at)
    const headerAt = at
    at = copy(header, 0, header.length, out, at)
    plainBytes += at - builder.length
    builder.added(record.offset, timestamp, at)
    if (builder.matches !== undefined) {
      if (carrier === undefined) {
        builder.addedUnknown(payloadBytes + headersBytes)
      } else {
        carrier.carry(record.payloadStart, record.payloadEnd, payloadAt, out, builder.matches)
        carrier.carry(headersStart, headersEnd, headersAt, out, builder.matches)
      }
      builder.matches?.addHeader(out, headersBytes === 0 ? countAt : headerAt, headerAt, at)
    }
    copiedRecords++
  }
  return { copiedRecords, loopedRecords, plainBytes }
}

/**
 * Below this, a gzip batch is compressed better together with others, for which what repeats has to be looked for anew.
 */
const TRACED_BYTES_MIN = 8 * 1024

function tracedPlain(batch: BatchView, codec: Codec): TracedPlain | undefined {
  if (codec !== Codec.gzip || batch.codec !== Codec.gzip || batch.end - batch.start < TRACED_BYTES_MIN) return undefined
  return inflateTraced(batch.words, batch.start + BATCH_OVERHEAD_BYTES, batch.end)
}

/** The most that length (5), attributes (1), timestamp delta (10), offset delta (5) and header count (5) take. */
const FRAMING_BYTES_MAX = 26

function copy(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  const length = end - start
  if (length < BULK_COPY_BYTES) {
    for (let i = start; i < end; i++) into[at++] = from[i]!
    return at
  }
  // Not `set` of a `subarray`: that is an object for each copy.
  return at + from.copy(into, at, start, end)
}
