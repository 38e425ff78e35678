import type { CommittedOffset } from '../cluster/group-member.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import type { Progress, SourceEnd } from './messages.ts'

/**
 * Progress as an offset commit: the offset any lag exporter understands, and a line of JSON beside it that tells a
 * later owner whether that offset still means the same records.
 *
 *     {"v":1,"topicId":"9c0e…","leaderEpoch":4,"destinationOffset":81234,"resumed":"41d2…/7",
 *      "sourceEnd":81301,"sourceSeenAt":1790000000000,"lagSeconds":0.4}
 */
export function toCommit({ topic, partition }: TopicPartition, progress: Progress): CommittedOffset {
  const { topicId, leaderEpoch, destinationOffset, resumed, stopped, sourceEnd } = progress
  const { offset, seenAtMs, lagSeconds } = sourceEnd ?? {}
  const seen = { sourceEnd: offset, sourceSeenAt: seenAtMs, lagSeconds }
  return {
    topic,
    partition,
    offset: progress.nextSourceOffset,
    metadata: JSON.stringify({ v: 1, topicId, leaderEpoch, destinationOffset, resumed, stopped, ...seen })
  }
}

/** Reads a commit back. Metadata of other tools (offsets set by hand) leaves only the offset, which then stands alone. */
export function fromCommit({ offset, metadata }: CommittedOffset): Progress {
  const found = parse(metadata)
  return {
    nextSourceOffset: offset,
    topicId: typeof found.topicId === 'string' ? found.topicId : undefined,
    leaderEpoch: typeof found.leaderEpoch === 'number' ? found.leaderEpoch : -1,
    destinationOffset: typeof found.destinationOffset === 'number' ? found.destinationOffset : undefined,
    resumed: typeof found.resumed === 'string' ? found.resumed : undefined,
    stopped: typeof found.stopped === 'string' ? found.stopped : undefined,
    sourceEnd: sourceEndIn(found)
  }
}

function sourceEndIn({ sourceEnd, sourceSeenAt, lagSeconds }: Record<string, unknown>): SourceEnd | undefined {
  if (typeof sourceEnd !== 'number' || typeof sourceSeenAt !== 'number' || typeof lagSeconds !== 'number')
    return undefined
  return { offset: sourceEnd, seenAtMs: sourceSeenAt, lagSeconds }
}

function parse(metadata: string): Record<string, unknown> {
  try {
    // The client library ends the string with a zero byte, as C does.
    const parsed: unknown = JSON.parse(metadata.replace(/\0+$/, ''))
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
