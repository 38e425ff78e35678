import { listGroups, readGroupOffsets } from '../cluster/group-list.ts'
import { EARLIEST, LATEST, listOffset, partitionKey } from '../cluster/offsets.ts'
import { readRecords } from '../cluster/record-reader.ts'
import { checkpointsTopic, decodeCheckpoint } from '../offsets/mm2-format.ts'
import type { FlowSides } from './flow-sides.ts'
import type { CopiedPartition } from './shut-out.ts'

/** How far a consumer group had got in one source partition. */
export interface GroupPosition extends CopiedPartition {
  readonly sourceOffset: number
  /** What the group had committed beside it. */
  readonly metadata: string
  /** Where its newest checkpoint put it at the destination; `undefined` where there is none, or it has been sent back since. */
  readonly checkpointOffset: number | undefined
}

/** MirrorMaker 2 reads one partition too. */
const CHECKPOINTS_PARTITION = 0

/**
 * The newest known position of each selected group: from the source itself where it answers, and from the checkpoints at the
 * destination where it does not, or does not know the group any more.
 * @param isSelected by the group's name
 * @param leftOut hears of groups that the source would not tell about
 * @throws ClusterError where the destination can't be asked
 */
export async function readGroupPositions(
  sides: FlowSides,
  isSelected: (group: string) => boolean,
  leftOut: (group: string, error: string) => void
): Promise<Map<string, GroupPosition[]>> {
  const found = new Map<string, Map<string, GroupPosition>>()
  const note = (group: string, position: GroupPosition) => {
    const positions = found.get(group) ?? new Map<string, GroupPosition>()
    const known = positions.get(partitionKey(position))
    const isFurther = known !== undefined && known.sourceOffset <= position.sourceOffset
    const checkpointOffset = position.checkpointOffset ?? (isFurther ? known.checkpointOffset : undefined)
    found.set(group, positions.set(partitionKey(position), { ...position, checkpointOffset }))
  }
  for await (const { group, position } of readCheckpoints(sides)) if (isSelected(group)) note(group, position)
  for (const { group, position } of await readSource(sides, isSelected, leftOut)) note(group, position)
  return new Map([...found].map(([group, positions]) => [group, [...positions.values()]]))
}

interface Found {
  readonly group: string
  readonly position: GroupPosition
}

/** In the order in which they were written. */
async function* readCheckpoints({ destination, flow, config, pairs }: FlowSides): AsyncGenerator<Found> {
  const name = checkpointsTopic(flow.source.alias, config.replicationPolicySeparator)
  const topicId = destination.topic(name)?.topicId
  if (topicId === undefined) return
  const partition = { topic: name, partition: CHECKPOINTS_PARTITION }
  const [fromOffset, endOffset] = await Promise.all([
    listOffset(destination, partition, EARLIEST, 'read_committed'),
    listOffset(destination, partition, LATEST, 'read_committed')
  ])
  const range = { ...partition, topicId, fromOffset, endOffset }
  for await (const { records } of readRecords(destination, range, { purpose: 'checkpoints' })) {
    for (const { key, value } of records) {
      const checkpoint = decodeCheckpoint(key, value)
      const topic = checkpoint && pairs.sourceTopicOf(checkpoint.topic)
      if (checkpoint === undefined || topic === undefined) continue
      const { group, topic: destinationTopic, partition, metadata } = checkpoint
      const { upstreamOffset: sourceOffset, downstreamOffset: checkpointOffset } = checkpoint
      yield { group, position: { topic, partition, destinationTopic, sourceOffset, metadata, checkpointOffset } }
    }
  }
}

/** A source that goes away meanwhile has checkpoints all the same. */
async function readSource(
  sides: FlowSides,
  isSelected: (group: string) => boolean,
  leftOut: (group: string, error: string) => void
): Promise<Found[]> {
  const { source, pairs } = sides
  const offsets = await sides.askSource(async () => {
    const groups = (await listGroups(source)).map(({ groupId }) => groupId).filter(isSelected)
    return readGroupOffsets(source, groups, leftOut)
  })
  return (offsets ?? []).flatMap(({ groupId: group, committed }) =>
    committed.map(({ topic, partition, offset: sourceOffset, metadata }) => ({
      group,
      position: {
        ...{ topic, partition, destinationTopic: pairs.destinationTopicOf(topic) },
        ...{ sourceOffset, metadata, checkpointOffset: undefined }
      }
    }))
  )
}
