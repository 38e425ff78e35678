import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, endOfEpoch, LATEST, listOffset, type TopicPartition } from '../cluster/offsets.ts'
import { findEnd } from '../destination/find-end.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import type { FlowContext } from './flow-context.ts'
import { diverged, gap, type Halt, HaltError, recreated } from './halt.ts'
import type { Assignment, Progress } from './messages.ts'

/** Progress that says which generation of the topic it is about. */
export type ResumedProgress = Progress & { readonly topicId: string }

/** Where a partition goes on. */
export interface ResumePoint {
  readonly progress: ResumedProgress
  /** What would have been a reason to halt, and is passed as the configuration says. */
  readonly passed: Halt | undefined
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
  const isOther = committed?.topicId !== undefined && committed.topicId !== topicId
  const startAt = (
    nextSourceOffset: number,
    destinationOffset = committed?.destinationOffset,
    passed?: Halt
  ): ResumePoint => {
    // Only of what was committed, of this same topic, is it known in which epoch the last record was written.
    const isCommitted = committed?.nextSourceOffset === nextSourceOffset && !isOther
    const leaderEpoch = isCommitted ? committed.leaderEpoch : -1
    return { progress: { ...committed, nextSourceOffset, topicId, leaderEpoch, destinationOffset }, passed }
  }
  if (isOther) {
    const halt = recreated(topic, committed.nextSourceOffset, logStart)
    if (flow.onGap === 'halt') throw new HaltError(halt)
    // Whatever the destination holds so far came from the generation before: it says nothing about this one.
    const destinationEnd = await listOffset(flow.destination, destination, LATEST, 'read_uncommitted')
    return startAt(logStart, destinationEnd - 1, halt)
  }

  const origin = new ProvenanceReader(flow.source.alias, topic, partition)
  const end = await findEnd(flow.destination, destination, origin, committed?.destinationOffset ?? -1, signal)
  if (end === undefined && committed === undefined) {
    if (flow.start === 'earliest') return startAt(logStart)
    return startAt(await listOffset(flow.source, source, LATEST, 'read_committed'))
  }

  const nextSourceOffset = Math.max((end?.sourceOffset ?? -1) + 1, committed?.nextSourceOffset ?? 0)
  const logEnd = await listOffset(flow.source, source, LATEST, 'read_uncommitted')
  const keptEnd = Math.min(logEnd, await endOfCommittedEpoch(flow, source, committed))
  if (keptEnd < (committed?.nextSourceOffset ?? 0) || logEnd < nextSourceOffset) {
    throw new HaltError(diverged(`${topic}-${partition}`, keptEnd, nextSourceOffset))
  }
  if (nextSourceOffset < logStart) {
    const halt = gap(`${topic}-${partition}`, nextSourceOffset, logStart)
    if (flow.onGap === 'halt') throw new HaltError(halt)
    return startAt(logStart, end?.destinationOffset, halt)
  }
  return startAt(nextSourceOffset, end?.destinationOffset)
}

/**
 * Where the records end that committed progress was about: a log that was cut back and has grown again since is as long as
 * before, but in another epoch.
 */
async function endOfCommittedEpoch(
  flow: FlowContext,
  source: TopicPartition,
  committed: Progress | undefined
): Promise<number> {
  if (committed === undefined || committed.leaderEpoch < 0) return Number.POSITIVE_INFINITY
  return (await endOfEpoch(flow.source, source, committed.leaderEpoch)) ?? Number.POSITIVE_INFINITY
}
