import type { PartitionLoss } from '../events/partition-loss.ts'

/** Where a partition's two sides part. */
export interface Divergence {
  readonly topic: string
  readonly partition: number
  /** Of the source topic as it is now. */
  readonly topicId: string
  readonly destinationTopic: string
  /** All below it has crossed, or is nothing that goes there. */
  readonly divergenceOffset: number
  /** Last stable offset of the old source. */
  readonly endOffset: number
  /** As the loss report has it, made anew where it has no row of the partition. */
  readonly reported: PartitionLoss
  /** What is not as the report says, or as it should be, in a sentence; `null` where all is well. */
  readonly problem: string | null
}

/** What the old source says of a partition. */
export interface OldSource {
  readonly topicId: string
  readonly logStartOffset: number
  /** Last stable offset. */
  readonly endOffset: number
}

/**
 * Where the two sides of a partition part.
 * @param now what the copies say now
 * @param reported the row of the loss report
 */
export function divergenceOf(
  now: PartitionLoss,
  reported: PartitionLoss,
  { topicId, logStartOffset, endOffset }: OldSource
): Divergence {
  const isRecreated = reported.topicId !== null && reported.topicId !== topicId
  // What was committed since may have been moved by hand; the report and the copies were not.
  const crossedOffset = Math.max(reported.nextSourceOffset ?? 0, (now.lastSourceOffset ?? -1) + 1)
  return {
    ...{ topic: now.topic, partition: now.partition, topicId, destinationTopic: now.destinationTopic },
    divergenceOffset: isRecreated ? logStartOffset : Math.max(crossedOffset, logStartOffset),
    ...{ endOffset, reported },
    problem: isRecreated
      ? 'the topic was made again at the source: all of it counts as new'
      : problemOf(now, reported, { crossedOffset, logStartOffset, endOffset })
  }
}

interface Offsets {
  readonly crossedOffset: number
  readonly logStartOffset: number
  readonly endOffset: number
}

function problemOf(
  now: PartitionLoss,
  reported: PartitionLoss,
  { crossedOffset, logStartOffset, endOffset }: Offsets
): string | null {
  const { source, destination } = now
  if (endOffset < crossedOffset) {
    return (
      `${source} came back with less than had crossed: offsets ${endOffset} to ${crossedOffset - 1} exist only at ${destination}, ` +
      'and do not come back by themselves'
    )
  }
  if (logStartOffset > crossedOffset) {
    return `${source} has deleted offsets ${crossedOffset} to ${logStartOffset - 1}: what of them had not crossed is gone`
  }
  if (now.lastSourceOffset !== null && (reported.lastSourceOffset ?? -1) < now.lastSourceOffset) {
    return `copies up to source offset ${now.lastSourceOffset} are there, and the loss report ends at ${reported.lastSourceOffset ?? 'nothing'}`
  }
  return null
}
