/** Reads the source offset from a record's encoded headers; -1 where the record is not a copy of this source partition. */
export interface OriginReader {
  sourceOffset(bytes: Uint8Array, headersStart: number, headersEnd: number, headerCount: number): number
}
