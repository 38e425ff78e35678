import type { DestinationEnd } from '../destination/find-end.ts'
import { diverged, gap, recreated } from '../flow/halt.ts'
import type { Progress } from '../flow/messages.ts'
import type { MirrorState } from './overview.ts'

/** A source partition as its leader told. */
export interface SourceFacts {
  readonly topicId: string
  readonly logStartOffset: number
  readonly lastStableOffset: number
  /** High watermark. */
  readonly logEndOffset: number
}

/** All that was observed of one partition. A side that can't be asked is `undefined`. */
export interface PartitionFacts {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  readonly source: SourceFacts | undefined
  readonly destination: 'no topic' | 'no partition' | { readonly logEndOffset: number } | undefined
  /** Progress in the source group; `undefined` where there is none, or the group can't be asked. */
  readonly committed: Progress | undefined
  readonly isGroupKnown: boolean
  /** The newest mirrored record at the destination. */
  readonly mirroredEnd: DestinationEnd | undefined
  /** Why a side can't be asked. */
  readonly trouble: string | undefined
}

export interface Judgement {
  readonly state: MirrorState
  readonly detail: string | null
  readonly sourceEndOffset: number | null
  readonly nextSourceOffset: number | null
  readonly lagRecords: number | null
}

/**
 * What the observations mean: the same conclusions a worker comes to when it is given the partition, so that what is
 * shown is what it would do.
 * @param start where a partition without progress starts
 */
export function judge(facts: PartitionFacts, start: 'earliest' | 'latest'): Judgement {
  const { source, destination, committed, mirroredEnd } = facts
  const nextSourceOffset = mirroredUpTo(committed, mirroredEnd)
  if (source === undefined || destination === undefined || !facts.isGroupKnown) {
    return unreachable(facts, nextSourceOffset)
  }
  const { logStartOffset, lastStableOffset, logEndOffset } = source
  const name = `${facts.topic}-${facts.partition}`
  const nothingMirrored = (state: MirrorState, detail: string | null): Judgement => ({
    state,
    detail,
    sourceEndOffset: lastStableOffset,
    nextSourceOffset: null,
    lagRecords: lastStableOffset - logStartOffset
  })
  if (committed?.topicId !== undefined && committed.topicId !== source.topicId) {
    return nothingMirrored('recreated', recreated(facts.topic, committed.nextSourceOffset, logStartOffset).detail)
  }
  if (destination === 'no topic' || destination === 'no partition') {
    const copy = destination === 'no topic' ? facts.destinationTopic : `${facts.destinationTopic}-${facts.partition}`
    return nothingMirrored('missing', `${copy} is not at the destination: a running worker makes it`)
  }
  if (nextSourceOffset === null) {
    const judgement = nothingMirrored('not started', null)
    // Whatever is written before a worker starts at the end is left out on purpose; how much that will be nobody knows.
    return start === 'latest' && judgement.lagRecords !== 0 ? { ...judgement, lagRecords: null } : judgement
  }

  const sourceEndOffset = Math.max(lastStableOffset, Math.min(nextSourceOffset, logEndOffset))
  const known = { sourceEndOffset, nextSourceOffset }
  const lagRecords = Math.max(sourceEndOffset - nextSourceOffset, 0)
  if (nextSourceOffset > logEndOffset) {
    return {
      ...known,
      state: 'diverged',
      detail: diverged(name, logEndOffset, nextSourceOffset).detail,
      lagRecords: null
    }
  }
  const lastWritten = committed?.destinationOffset
  if (lastWritten !== undefined && lastWritten >= destination.logEndOffset) {
    const detail =
      `${facts.destinationTopic}-${facts.partition} ends at offset ${destination.logEndOffset}, but offset ${lastWritten} ` +
      'had been written: it was deleted and made again, or cut back, and what was mirrored before is gone'
    return { ...known, state: 'diverged', detail, lagRecords: null }
  }
  if (nextSourceOffset < logStartOffset) {
    return { ...known, state: 'gap', detail: gap(name, nextSourceOffset, logStartOffset).detail, lagRecords }
  }
  return { ...known, state: lagRecords === 0 ? 'mirrored' : 'behind', detail: null, lagRecords }
}

/** The further of what was committed and what the destination holds; `null` where there is neither. */
function mirroredUpTo(committed: Progress | undefined, end: DestinationEnd | undefined): number | null {
  if (committed === undefined && end === undefined) return null
  return Math.max(committed?.nextSourceOffset ?? 0, (end?.sourceOffset ?? -1) + 1)
}

/** What is known is shown all the same: committed progress is true whether the destination answers or not. */
function unreachable({ source, trouble }: PartitionFacts, nextSourceOffset: number | null): Judgement {
  const sourceEndOffset = source?.lastStableOffset ?? null
  const isBothKnown = sourceEndOffset !== null && nextSourceOffset !== null
  return {
    state: 'unreachable',
    detail: trouble ?? null,
    sourceEndOffset,
    nextSourceOffset,
    lagRecords: isBothKnown ? Math.max(sourceEndOffset - nextSourceOffset, 0) : null
  }
}
