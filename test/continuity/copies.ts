import { checkpointsTopic, decodeCheckpoint } from '../../src/offsets/mm2-format.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { type ReadRecord, readRecords, sourceOffsets } from '../support/read-records.ts'
import type { CopiedRecord } from './judge.ts'
import { nameOf, PARTITIONS } from './topics.ts'

/** All copies by source partition, in their order. */
export type Copies = ReadonlyMap<string, readonly CopiedRecord[]>

/** Source offsets by what is in a record, by source partition. */
type OffsetsByContent = ReadonlyMap<string, ReadonlyMap<string, number>>

/** farlog's copies say which records they are of. */
export async function readFarlogCopies(
  bootstrap: string,
  alias: string
): Promise<{ readonly copies: Copies; readonly offsets: OffsetsByContent }> {
  const copies = new Map<string, CopiedRecord[]>()
  const offsets = new Map<string, Map<string, number>>()
  for (const partition of PARTITIONS) {
    const records = await readRecords(bootstrap, `${alias}.${partition.topic}`, partition.partition)
    const origins = sourceOffsets(records)
    const copied = records.map(({ offset }, i) => ({ destinationOffset: offset, sourceOffset: origins[i]! }))
    copies.set(nameOf(partition), copied)
    offsets.set(nameOf(partition), new Map(records.map((record, i) => [contentOf(record), origins[i]!])))
  }
  return { copies, offsets }
}

/** Another mirror's copies say nothing; what is in them tells which records they are of. */
export async function readOtherCopies(bootstrap: string, alias: string, offsets: OffsetsByContent): Promise<Copies> {
  const copies = new Map<string, CopiedRecord[]>()
  for (const partition of PARTITIONS) {
    const known = offsets.get(nameOf(partition))!
    let sourceOffset = 0
    const copied = (await readRecords(bootstrap, `${alias}.${partition.topic}`, partition.partition)).map(record => {
      // The cleaner may have been between the two mirrors: what farlog never saw stands behind the one before it.
      sourceOffset = known.get(contentOf(record)) ?? Math.floor(sourceOffset) + 0.5
      return { destinationOffset: record.offset, sourceOffset }
    })
    copies.set(nameOf(partition), copied)
  }
  return copies
}

function contentOf({ key, value, timestamp }: ReadRecord): string {
  return JSON.stringify([key, value, timestamp])
}

/** A checkpoint, and where it stands in its topic. */
export interface LoggedCheckpoint {
  readonly offset: number
  /** Of the source partition. */
  readonly partition: string
  readonly upstreamOffset: number
}

/** All of a group's checkpoints, in the order in which they were written. */
export async function readCheckpointLog(bootstrap: string, alias: string, group: string): Promise<LoggedCheckpoint[]> {
  await using consumer = await GroupConsumer.join(bootstrap, `judge-${alias}`, [checkpointsTopic(alias)])
  return (await consumer.readToEnd()).flatMap(({ offset, key, bytes }) => {
    const checkpoint = decodeCheckpoint(key!, bytes!)
    if (checkpoint?.group !== group) return []
    const topic = checkpoint.topic.slice(`${alias}.`.length)
    const partition = nameOf({ topic, partition: checkpoint.partition })
    return [{ offset, partition, upstreamOffset: checkpoint.upstreamOffset }]
  })
}
