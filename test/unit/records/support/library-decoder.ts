/** A second witness: the record decoder of @platformatic/kafka, and its CRC. */
import assert from 'node:assert/strict'
import { crc32c, Reader, readRecordsBatch } from '@platformatic/kafka'
import type { PlainRecord } from './records.ts'

/** The records of a batch as the library's consumer sees them. */
export function libraryDecode(bytes: Buffer): PlainRecord[] {
  const batch = readRecordsBatch(Reader.from(bytes))
  assert.equal(batch.length, bytes.length - 12, 'batch length')
  assert.equal(batch.crc >>> 0, crc32c(bytes.subarray(21)) >>> 0, 'CRC')
  return batch.records.map(record => ({
    attributes: record.attributes,
    timestamp: batch.firstTimestamp + record.timestampDelta,
    offset: Number(batch.firstOffset) + record.offsetDelta,
    key: record.key,
    value: record.value,
    headers: record.headers.map(([key, value]) => ({ key: key?.toString() ?? '', value }))
  }))
}
