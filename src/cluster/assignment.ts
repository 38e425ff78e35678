import type { TopicPartition } from './offsets.ts'

/**
 * The partitions in a member's assignment, as the classic protocol's `ConsumerProtocolAssignment` has them: a version, then each
 * topic with its partitions, then whatever the assignor wanted its member to know.
 * @returns nothing for bytes that are something else: what the members of a group agree on is theirs
 */
export function assignedPartitions(assignment: Buffer): TopicPartition[] {
  try {
    return read(assignment)
  } catch (error) {
    // Reading behind the end of the bytes.
    if (error instanceof RangeError) return []
    throw error
  }
}

function read(bytes: Buffer): TopicPartition[] {
  const assigned: TopicPartition[] = []
  let at = 2
  const int32 = (): number => {
    at += 4
    return bytes.readInt32BE(at - 4)
  }
  for (let topics = int32(); topics > 0; topics--) {
    const length = bytes.readUInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, at + 2 + length)
    at += 2 + length
    for (let partitions = int32(); partitions > 0; partitions--) assigned.push({ topic, partition: int32() })
  }
  return assigned
}
