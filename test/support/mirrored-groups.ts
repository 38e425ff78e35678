import assert from 'node:assert/strict'
import { type Checkpoint, checkpointsTopic, decodeCheckpoint } from '../../src/offsets/mm2-format.ts'
import { GroupConsumer } from './group-consumer.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { readRecords, sourceOffsets } from './read-records.ts'

/** All checkpoints of a flow, in the order in which they were written. */
export async function readCheckpoints(bootstrap: string, source: string): Promise<Checkpoint[]> {
  const groupId = `checkpoints-${performance.now()}`
  await using consumer = await GroupConsumer.join(bootstrap, groupId, [checkpointsTopic(source)])
  return (await consumer.readToEnd()).map(({ key, bytes }) => decodeCheckpoint(key!, bytes!)!)
}

/** Neither side of any group's checkpoints goes back. Resolves to how many there are. */
export async function assertMonotonicCheckpoints(
  bootstrap: string,
  source: string,
  isMeant: (group: string) => boolean
): Promise<number> {
  const newest = new Map<string, Checkpoint>()
  const checkpoints = (await readCheckpoints(bootstrap, source)).filter(({ group }) => isMeant(group))
  for (const checkpoint of checkpoints) {
    const key = `${checkpoint.group} ${checkpoint.topic}-${checkpoint.partition}`
    const before = newest.get(key)
    const seen = `${JSON.stringify(checkpoint)} behind ${JSON.stringify(before)}`
    assert.ok(checkpoint.upstreamOffset >= (before?.upstreamOffset ?? 0), seen)
    assert.ok(checkpoint.downstreamOffset >= (before?.downstreamOffset ?? 0), seen)
    newest.set(key, checkpoint)
  }
  return checkpoints.length
}

/** Where a reader goes on at the destination who was at a source offset, by reading all of the copy. */
export async function placeOf(
  destination: { readonly bootstrap: string; readonly admin: KafkaAdmin },
  copy: string,
  partition: number,
  sourceOffset: number
): Promise<number> {
  const copies = await readRecords(destination.bootstrap, copy, partition)
  const index = sourceOffsets(copies).findIndex(offset => offset >= sourceOffset)
  if (index >= 0) return copies[index]!.offset
  const newest = copies.at(-1)
  if (newest !== undefined) return newest.offset + 1
  return (await destination.admin.offsets(copy, partition + 1))[partition]!.highWatermark
}
