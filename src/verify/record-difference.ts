/** In what a copy differs from its record. */
import type { ReadRecord, RecordHeader } from '../cluster/record-reader.ts'

/** The parts of a record that must survive; partition and order are judged by where the copy stands. */
export type RecordField = 'key' | 'value' | 'headers' | 'timestamp'

const NONE: readonly RecordField[] = []

/** The fields that differ, once the origin header at `originIndex` is left out: it must be the last and the only addition. */
export function differingFields(record: ReadRecord, copy: ReadRecord, originIndex: number): readonly RecordField[] {
  const isKeyEqual = isEqual(record.key, copy.key)
  const isValueEqual = isEqual(record.value, copy.value)
  const areHeadersEqual = isCopiedBefore(originIndex, record.headers, copy.headers)
  const isTimestampEqual = record.timestamp === copy.timestamp
  if (isKeyEqual && isValueEqual && areHeadersEqual && isTimestampEqual) return NONE
  const fields: RecordField[] = []
  if (!isKeyEqual) fields.push('key')
  if (!isValueEqual) fields.push('value')
  if (!areHeadersEqual) fields.push('headers')
  if (!isTimestampEqual) fields.push('timestamp')
  return fields
}

/** What differs, for a person. Sizes and places only: keys and values may be nobody else's business. */
export function describeDifference(record: ReadRecord, copy: ReadRecord, fields: readonly RecordField[]): string {
  return fields.map(field => describeField(record, copy, field)).join('; ')
}

function describeField(record: ReadRecord, copy: ReadRecord, field: RecordField): string {
  switch (field) {
    case 'key':
    case 'value':
      return `${field}: ${describeBytes(record[field], copy[field])}`
    case 'headers':
      return `headers: ${describeHeaders(record.headers, copy.headers)}`
    case 'timestamp':
      return `timestamp: ${record.timestamp} became ${copy.timestamp}`
  }
}

function isEqual(a: Buffer | null, b: Buffer | null): boolean {
  if (a === null || b === null) return a === b
  return a.length === b.length && a.equals(b)
}

function isCopiedBefore(
  originIndex: number,
  headers: readonly RecordHeader[],
  copied: readonly RecordHeader[]
): boolean {
  if (originIndex !== headers.length || copied.length !== headers.length + 1) return false
  for (let i = 0; i < headers.length; i++) if (!isHeaderEqual(headers[i]!, copied[i]!)) return false
  return true
}

function isHeaderEqual(a: RecordHeader, b: RecordHeader): boolean {
  return isEqual(a[0], b[0]) && isEqual(a[1], b[1])
}

function describeBytes(a: Buffer | null, b: Buffer | null): string {
  if (a === null || b === null) return `${describeSize(a)} became ${describeSize(b)}`
  const place = `first difference at byte ${firstDifference(a, b)}`
  return a.length === b.length ? `${a.length} bytes, ${place}` : `${a.length} bytes became ${b.length}, ${place}`
}

function describeSize(bytes: Buffer | null): string {
  return bytes === null ? 'null' : `${bytes.length} bytes`
}

function firstDifference(a: Buffer, b: Buffer): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return i
  return shorter
}

function describeHeaders(headers: readonly RecordHeader[], copied: readonly RecordHeader[]): string {
  const at = headers.findIndex((header, i) => copied[i] === undefined || !isHeaderEqual(header, copied[i]))
  if (at !== -1) return `number ${at + 1} of ${headers.length} is not the same`
  return `${copied.length - headers.length} were added after the last, where only its origin belongs`
}
