import type { Cluster } from '../cluster/cluster.ts'
import { readGroup } from '../cluster/group-state.ts'
import { LATEST, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { defaultGroupId } from '../config/load.ts'
import { fromCommit } from '../flow/progress-metadata.ts'
import { HomePositions, type ReverseProgress } from '../offsets/home-positions.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowSides } from './flow-sides.ts'
import type { GroupPosition } from './group-positions.ts'
import { firstOwnOffset, READS_AT_A_TIME } from './own-records.ts'
import { readProgress } from './reverse-flow.ts'

/** What was born at the destination, for groups that come there: as `HomePositions` has it. */
export interface HomeOfGroups {
  knows(partition: TopicPartition): boolean
  lowest(position: GroupPosition, sourceOffset: number, signal: AbortSignal): Promise<number | undefined>
}

/**
 * What was born at the destination, for groups that come over now. Behind the reverse flow's progress there may be nothing but copies
 * of the source's records, which a group has read where it comes from; so it is read where the first other one stands, and not
 * taken for what the reverse flow has not seen.
 * @returns `undefined` where nothing was ever mirrored the other way
 * @throws ClusterError where a cluster can't be read
 */
export async function readHomePositions(
  { source, destination }: FlowSides,
  reverse: FlowSides,
  signal: AbortSignal
): Promise<HomePositions | undefined> {
  const progress = await readProgress(reverse, signal)
  if (progress.size === 0) return undefined
  const known = (await reverse.partitions(signal)).filter(({ topic, partition }) => {
    return progress.has(partitionKey({ topic, partition })) && destination.topic(topic)?.partitions[partition]
  })
  const found = known.map(({ topic, partition }) => {
    const { nextSourceOffset, destinationOffset } = progress.get(partitionKey({ topic, partition }))!
    return { topic, partition, nextOffset: nextSourceOffset, newestCopyOffset: destinationOffset }
  })
  const passed = await passCopies(destination, source.alias, found, signal)
  const originOf = (topic: string, partition: number) => new ProvenanceReader(destination.alias, topic, partition)
  return new HomePositions(source, originOf, passed, Number.POSITIVE_INFINITY)
}

/**
 * The same where the source may be gone. What the reverse flow has brought there can't be looked through then; a group that had not
 * read all of it goes on no further than where its checkpoint put it, which had it looked through.
 * @returns `undefined` where nothing was ever mirrored the other way into the same topics
 * @throws ClusterError where the destination can't be read
 */
export async function readHomeAtDestination(
  { config, source, destination }: FlowSides,
  signal: AbortSignal
): Promise<HomeOfGroups | undefined> {
  if (config.replicationPolicy !== 'identity') return undefined
  const groupId = defaultGroupId(destination.alias, source.alias)
  const { committed } = await readGroup(destination, groupId, config.groupProtocol, signal)
  const there = committed.filter(({ topic, partition }) => destination.topic(topic)?.partitions[partition])
  if (there.length === 0) return undefined
  const progress = there.map(commit => {
    const { nextSourceOffset, destinationOffset } = fromCommit(commit)
    const { topic, partition } = commit
    return { topic, partition, nextOffset: nextSourceOffset, newestCopyOffset: destinationOffset }
  })
  return new CheckpointedHome(await passCopies(destination, source.alias, progress, signal))
}

class CheckpointedHome implements HomeOfGroups {
  readonly #progress: ReadonlyMap<string, ReverseProgress>
  readonly #topics: ReadonlySet<string>

  constructor(progress: readonly ReverseProgress[]) {
    this.#progress = new Map(progress.map(each => [partitionKey(each), each]))
    this.#topics = new Set(progress.map(({ topic }) => topic))
  }

  knows(partition: TopicPartition): boolean {
    return this.#progress.has(partitionKey(partition))
  }

  async lowest(position: GroupPosition, sourceOffset: number): Promise<number> {
    const progress = this.#progress.get(partitionKey(position))
    if (progress === undefined && !this.#topics.has(position.topic)) return Number.POSITIVE_INFINITY
    const hasReadAll = progress !== undefined && sourceOffset > (progress.newestCopyOffset ?? -1)
    return hasReadAll ? progress.nextOffset : (position.checkpointOffset ?? 0)
  }
}

/**
 * The reverse flow's next record is the first one from there on that was born where it reads.
 * @throws ClusterError
 */
async function passCopies(
  destination: Cluster,
  sourceAlias: string,
  progress: readonly ReverseProgress[],
  signal: AbortSignal
): Promise<ReverseProgress[]> {
  const ends = await listOffsets(destination, progress, LATEST, 'read_committed')
  const endOf = new Map(ends.map(end => [partitionKey(end), end]))
  return concurrently(progress, READS_AT_A_TIME, async (each): Promise<ReverseProgress> => {
    const { topic, partition, nextOffset: fromOffset } = each
    const end = endOf.get(partitionKey(each))
    // Where it can't be asked, all behind progress counts as its own: a group then reads again, and misses nothing.
    if (end?.error !== 'NONE') return each
    const range = { topic, partition, fromOffset, endOffset: end.offset }
    const first = await firstOwnOffset(destination, range, sourceAlias, signal)
    return { ...each, nextOffset: first ?? Number.POSITIVE_INFINITY }
  })
}
