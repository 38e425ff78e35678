import { RecordsError, type RecordsErrorCode } from '../../../../src/records/errors.ts'

/** For `assert.throws`: whether it is that RecordsError, about the batch at that offset. */
export function isRecordsError(code: RecordsErrorCode, sourceOffset: number): (error: unknown) => boolean {
  return error => error instanceof RecordsError && error.code === code && error.sourceOffset === sourceOffset
}
