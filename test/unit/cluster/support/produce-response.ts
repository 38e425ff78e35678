/** Lays out Produce responses as a broker does (version 9). */
import { compactArray, compactString, int16, int32, int64, NO_TAGS } from './wire-bytes.ts'

export interface AnsweredBatch {
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  readonly recordErrors: readonly { readonly batchIndex: number; readonly message: string | null }[]
  readonly errorMessage: string | null
}

export interface AnsweredProduce {
  readonly throttleMs: number
  readonly topics: readonly { readonly name: string; readonly partitions: readonly AnsweredBatch[] }[]
}

/** The response's body, behind the response header. */
export function produceResponse({ throttleMs, topics }: AnsweredProduce): Buffer {
  return Buffer.concat([
    compactArray(topics, ({ name, partitions }) => [
      compactString(name),
      compactArray(partitions, batchParts),
      NO_TAGS
    ]),
    int32(throttleMs),
    NO_TAGS
  ])
}

function batchParts(answered: AnsweredBatch): Buffer[] {
  return [
    int32(answered.partition),
    int16(answered.errorCode),
    int64(answered.baseOffset),
    int64(answered.logAppendTimeMs),
    int64(answered.logStartOffset),
    compactArray(answered.recordErrors, ({ batchIndex, message }) => [
      int32(batchIndex),
      compactString(message),
      NO_TAGS
    ]),
    compactString(answered.errorMessage),
    NO_TAGS
  ]
}
