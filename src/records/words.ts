/**
 * The same bytes, to read and write numbers of several bytes: V8 does so with one instruction each, where Buffer's methods
 * put them together byte by byte.
 */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
