/** What can be wrong with a batch's bytes. None of these heals by trying again: the bytes at that offset stay as they are. */
export type RecordsErrorCode =
  /** CRC-32C does not match: the bytes changed after the producer sealed them. */
  | 'CORRUPT_BATCH'
  /** A length or count contradicts the bytes around it although the CRC matches. */
  | 'MALFORMED_BATCH'
  /** Magic 0 or 1 (message sets from before Kafka 0.11), or one not known yet. */
  | 'UNSUPPORTED_MAGIC'
  /** Codec bits that name no codec. */
  | 'UNKNOWN_CODEC'
  /** A timestamp beyond 2^52 milliseconds (some hundred and forty thousand years from now): it could not be kept exactly. */
  | 'TIMESTAMP_OUT_OF_RANGE'
  /** The compressed records do not decompress, or to more than the limit. */
  | 'UNDECODABLE_RECORDS'

/** A batch that can't be mirrored; `sourceOffset` is its base offset. */
export class RecordsError extends Error {
  readonly code: RecordsErrorCode
  readonly sourceOffset: number

  constructor(code: RecordsErrorCode, message: string, sourceOffset: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RecordsError'
    this.code = code
    this.sourceOffset = sourceOffset
  }
}
