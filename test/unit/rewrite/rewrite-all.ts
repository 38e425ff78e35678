import type { BatchSink } from '../../../src/records/splice.ts'
import type { AbortedTransaction, Rewriter, RewriteStep } from '../../../src/rewrite/rewriter.ts'

/** All steps of a rewrite without a pause between them, summed up. */
export function rewriteAll(
  rewriter: Rewriter,
  bytes: Buffer,
  fetchOffset: number,
  abortedTransactions: readonly AbortedTransaction[],
  sink: BatchSink
): RewriteStep {
  let [copiedRecords, loopedRecords, nextOffset] = [0, 0, fetchOffset]
  for (const step of rewriter.rewrite(bytes, fetchOffset, abortedTransactions, sink)) {
    copiedRecords += step.copiedRecords
    loopedRecords += step.loopedRecords
    nextOffset = step.nextOffset
  }
  return { copiedRecords, loopedRecords, nextOffset }
}
