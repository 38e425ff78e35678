import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffset } from '../cluster/offsets.ts'
import { findEnd } from '../destination/find-end.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import type { FlowContext } from './flow-context.ts'
import { diverged, gap, HaltError, recreated } from './halt.ts'
import type { Assignment, Progress } from './messages.ts'

/** Progress that says which generation of the topic it is about. */
export type ResumedProgress = Progress & { readonly topicId: string }

/** Where a partition goes on. */
export interface ResumePoint {
  readonly progress: ResumedProgress
  /** Source offsets skipped because they are gone: [first, next), empty when nothing is. */
  readonly gap: { readonly firstOffset: number; readonly nextOffset: number } | undefined
}

/**
 * Decides where to go on: behind the newest record that the destination holds of this partition, or where committed
 * progress says, whichever is further; and whether the source still has what comes next.
 *
 * Progress can be ahead of the log's newest record (markers and aborted transactions were passed since, or retention
 * emptied the destination) and behind it (it is committed every few seconds only), so both are asked.
 * @throws HaltError `gap`, `recreated` or `diverged`; ClusterError where a cluster does not answer
 */
export async function findResumePoint(
  flow: FlowContext,
  { topic, partition, destinationTopic }: Assignment,
  committed: Progress | undefined,
  signal: AbortSignal
): Promise<ResumePoint> {
  const source = { topic, partition }
  const destination = { topic: destinationTopic, partition }
  const topicId = flow.source.topic(topic)?.topicId
  if (topicId === undefined) {
    throw new ClusterError('UNKNOWN_TOPIC_OR_PARTITION', `${flow.source.alias} has no topic ${topic} at present`, true)
  }
  const logStart = await listOffset(flow.source, source, EARLIEST, 'read_uncommitted')
  const startAt = (nextSourceOffset: number, destinationOffset = committed?.destinationOffset): ResumePoint => ({
    progress: { nextSourceOffset, topicId, leaderEpoch: -1, destinationOffset },
    gap: undefined
  })
  if (committed?.topicId !== undefined && committed.topicId !== topicId) {
    const halt = recreated(topic)
    if (flow.onGap === 'halt') throw new HaltError(halt.reason, halt.detail)
    flow.log('warn', `${halt.detail}; starting its new generation`, { topic, partition, sourceOffset: logStart })
    // Whatever the destination holds so far came from the generation before: it says nothing about this one.
    const destinationEnd = await listOffset(flow.destination, destination, LATEST, 'read_uncommitted')
    return startAt(logStart, destinationEnd - 1)
  }

  const origin = new ProvenanceReader(flow.source.alias, topic, partition)
  const end = await findEnd(flow.destination, destination, origin, committed?.destinationOffset ?? -1, signal)
  if (end === undefined && committed === undefined) {
    if (flow.start === 'earliest') return startAt(logStart)
    return startAt(await listOffset(flow.source, source, LATEST, 'read_committed'))
  }

  const nextSourceOffset = Math.max((end?.sourceOffset ?? -1) + 1, committed?.nextSourceOffset ?? 0)
  const logEnd = await listOffset(flow.source, source, LATEST, 'read_uncommitted')
  if (nextSourceOffset > logEnd) {
    const halt = diverged(`${topic}-${partition}`, logEnd, nextSourceOffset)
    throw new HaltError(halt.reason, halt.detail)
  }
  if (nextSourceOffset < logStart) {
    const halt = gap(`${topic}-${partition}`, nextSourceOffset, logStart)
    if (flow.onGap === 'halt') throw new HaltError(halt.reason, halt.detail)
    return {
      ...startAt(logStart, end?.destinationOffset),
      gap: { firstOffset: nextSourceOffset, nextOffset: logStart }
    }
  }
  return startAt(nextSourceOffset, end?.destinationOffset)
}
