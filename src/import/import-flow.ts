/**
 * `farlog import-mm2` for one flow: finds out where MirrorMaker 2 stopped in each partition, and commits that as farlog's own progress.
 *
 *     MirrorMaker 2 stopped? ─▶ what it left behind ─▶ each partition: follow its copies ─▶ still nothing has moved? ─▶ commit
 *
 * It is committed where farlog looks for its progress, in the group at the source and in its second copy at the destination. The
 * metadata says that all of the destination partition is spoken for: MirrorMaker 2's copies do not say where they came from, and
 * a worker would search all of them for one that does.
 */
import { Cluster } from '../cluster/cluster.ts'
import type { CommittedOffset } from '../cluster/group-member.ts'
import { commitGroupOffsets } from '../cluster/group-offsets.ts'
import { readGroup } from '../cluster/group-state.ts'
import { partitionKey } from '../cluster/offsets.ts'
import { pause } from '../cluster/retry.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { fromCommit, toCommit } from '../flow/progress-metadata.ts'
import { mm2OffsetsTopic } from '../offsets/mm2-positions.ts'
import { concurrently } from '../status/concurrently.ts'
import { type PartitionPair, TopicPairs } from '../status/topic-pairs.ts'
import { findPlace, type Place } from './find-place.ts'
import { type LeftBehind, readMirrorMakerState } from './mirror-maker-state.ts'
import { Watch, workersInGroup } from './still-running.ts'

/** Nothing can be taken over at present; the message says why, and what to do. */
export class ImportRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ImportRefused'
  }
}

export interface ImportOptions {
  /** Patterns that narrow the configured topics down; all of them when `undefined`. */
  readonly topics: readonly string[] | undefined
  /** Where MirrorMaker 2 keeps its positions; its dedicated mode's topic when `undefined`. */
  readonly offsetsTopic: string | undefined
  /** Commit nothing. */
  readonly isDryRun: boolean
  /** Also partitions that farlog has progress of. */
  readonly overwrites: boolean
  /** Take MirrorMaker 2's position where the logs do not tell the exact place. */
  readonly takesPositions: boolean
  /** Pass over its group and its heartbeats. That nothing is written to the copies is looked at all the same. */
  readonly assumesStopped: boolean
  /** Hears of how many partitions the place has been looked for. */
  readonly onLooked?: (partitions: number, ofPartitions: number) => void
}

/** What becomes of one partition. */
export interface ImportedPartition {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  /** The source offset that MirrorMaker 2 itself would go on from; `null` where it has no position. */
  readonly mirrorMakerNextOffset: number | null
  /** The source offset that farlog is to go on from; `null` where that is not told. */
  readonly nextSourceOffset: number | null
  readonly destinationEndOffset: number | null
  /**
   * `exact`: the logs say so; `position`: MirrorMaker 2's, which may be behind; `untouched`: it has copied nothing;
   * `kept`: farlog has progress already; `refused`: the place could not be told.
   */
  readonly result: 'exact' | 'position' | 'untouched' | 'kept' | 'refused'
  /** What was found; empty where there is nothing to say. */
  readonly detail: string
}

export interface ImportReport {
  readonly source: string
  readonly destination: string
  readonly groupId: string
  readonly isCommitted: boolean
  readonly partitions: readonly ImportedPartition[]
}

/** Each has two connections, and a few responses in memory. */
const PARTITIONS_AT_A_TIME = 4
const CLIENT_ID = 'farlog-import-mm2'
/** MirrorMaker 2 emits a heartbeat each second. */
const WATCH_MS_MIN = 3_000

/** @throws ImportRefused; ClusterError where a cluster does not answer */
export async function importFlow(config: Config, flow: FlowConfig, options: ImportOptions): Promise<ImportReport> {
  const signal = new AbortController().signal
  await using source = new Cluster(flow.source, CLIENT_ID)
  await using destination = new Cluster(flow.destination, CLIENT_ID)
  await Promise.all([source.refresh(), destination.refresh()])
  const progress = await readProgress(source, destination, config, flow, signal)
  if (!options.assumesStopped) refuse(await workersInGroup(source, destination, signal))
  const pairs = new TopicPairs(config, flow, options.topics).fromSource(source.topics())
  const watch = await Watch.start(source, destination, pairs)
  const startedAtMs = performance.now()
  const offsetsTopic = options.offsetsTopic ?? mm2OffsetsTopic(source.alias)
  const state = await readMirrorMakerState(source, destination, offsetsTopic, config.replicationPolicySeparator, signal)
  if (!state.hasPositions) {
    throw new ImportRefused(
      `${destination.alias} has no topic ${offsetsTopic}: name MirrorMaker 2’s offsets topic by --offsets-topic, ` +
        'and check that the aliases are the ones it used'
    )
  }
  const slots = Array.from({ length: PARTITIONS_AT_A_TIME }, (_, slot) => slot)
  let looked = 0
  const partitions = await concurrently(pairs, PARTITIONS_AT_A_TIME, async pair => {
    const left = state.of(pair)
    if (progress.has(pair) && !options.overwrites) {
      options.onLooked?.(++looked, pairs.length)
      return kept(pair, left, progress.of(pair))
    }
    const slot = slots.pop()!
    try {
      const place = await findPlace(pair, left, { source, destination, slot, signal })
      return decide(pair, left, place, options.takesPositions)
    } finally {
      slots.push(slot)
      options.onLooked?.(++looked, pairs.length)
    }
  })
  await pause(WATCH_MS_MIN - (performance.now() - startedAtMs))
  refuse(await watch.whatGrew())
  if (!options.assumesStopped) refuse(await watch.heartbeatSince(signal))

  const taken = partitions.filter(({ result }) => result === 'exact' || result === 'position')
  const isCommitted = !options.isDryRun && taken.length > 0
  if (isCommitted) {
    await readProgress(source, destination, config, flow, signal)
    const commits = taken.map(partition => commitOf(partition, source.topic(partition.topic)?.topicId))
    const copies = commits.map((commit, index) => ({ ...commit, topic: taken[index]!.destinationTopic }))
    await commitGroupOffsets(destination, flow.groupId, copies, signal)
    await commitGroupOffsets(source, flow.groupId, commits, signal)
  }
  return { source: source.alias, destination: destination.alias, groupId: flow.groupId, isCommitted, partitions }
}

function refuse(reason: string | undefined): void {
  if (reason !== undefined) throw new ImportRefused(reason)
}

interface KnownProgress {
  has(pair: PartitionPair): boolean
  of(pair: PartitionPair): number
}

/** What farlog has committed before, in either place. @throws ImportRefused where workers of it are running */
async function readProgress(
  source: Cluster,
  destination: Cluster,
  config: Config,
  { groupId }: FlowConfig,
  signal: AbortSignal
): Promise<KnownProgress> {
  const [atSource, atDestination] = await Promise.all(
    [source, destination].map(async cluster => {
      const { committed, members } = await readGroup(cluster, groupId, config.groupProtocol, signal)
      if (members === undefined) {
        throw new ImportRefused(
          `${cluster.alias} does not tell whether farlog’s group ${groupId} has members; allow DESCRIBE on the group`
        )
      }
      if (members > 0) {
        throw new ImportRefused(
          `farlog’s group ${groupId} at ${cluster.alias} has ${members} member${members === 1 ? '' : 's'}: ` +
            'stop its workers first'
        )
      }
      return new Map(committed.map(commit => [partitionKey(commit), fromCommit(commit).nextSourceOffset]))
    })
  )
  const find = ({ topic, destinationTopic, partition }: PartitionPair) =>
    atSource!.get(partitionKey({ topic, partition })) ??
    atDestination!.get(partitionKey({ topic: destinationTopic, partition }))
  return { has: pair => find(pair) !== undefined, of: pair => find(pair)! }
}

function kept(pair: PartitionPair, left: LeftBehind, nextSourceOffset: number): ImportedPartition {
  return {
    ...facts(pair, left),
    nextSourceOffset,
    destinationEndOffset: null,
    result: 'kept',
    detail: 'farlog has progress of it already; --overwrite replaces that'
  }
}

function decide(pair: PartitionPair, left: LeftBehind, place: Place, takesPositions: boolean): ImportedPartition {
  const known = facts(pair, left)
  if (place.kind === 'untouched') {
    return { ...known, nextSourceOffset: null, destinationEndOffset: null, result: 'untouched', detail: '' }
  }
  const destinationEndOffset = place.logs?.destinationEndOffset ?? null
  if (place.kind === 'found') {
    const beyond = place.nextSourceOffset - (known.mirrorMakerNextOffset ?? place.nextSourceOffset)
    const notes = [
      ...(known.mirrorMakerNextOffset === null ? ['MirrorMaker 2 has no position of it'] : []),
      ...(beyond > 0 ? [`${beyond} beyond its position`] : []),
      ...(place.repeated > 0 ? [`${place.repeated} of its last copies are second ones`] : [])
    ]
    const { nextSourceOffset } = place
    return { ...known, nextSourceOffset, destinationEndOffset, result: 'exact', detail: notes.join('; ') }
  }
  const nextSourceOffset = known.mirrorMakerNextOffset
  if (takesPositions && nextSourceOffset !== null && destinationEndOffset !== null) {
    const detail = `what was copied beyond it is copied again: ${place.found}`
    return { ...known, nextSourceOffset, destinationEndOffset, result: 'position', detail }
  }
  return { ...known, nextSourceOffset: null, destinationEndOffset, result: 'refused', detail: place.found }
}

function facts({ topic, partition, destinationTopic }: PartitionPair, { lastWrittenOffset }: LeftBehind) {
  const mirrorMakerNextOffset = lastWrittenOffset === undefined ? null : lastWrittenOffset + 1
  return { topic, partition, destinationTopic, mirrorMakerNextOffset }
}

function commitOf(taken: ImportedPartition, topicId: string | undefined): CommittedOffset {
  const { topic, partition, nextSourceOffset, destinationEndOffset } = taken
  return toCommit(
    { topic, partition },
    {
      nextSourceOffset: nextSourceOffset!,
      topicId,
      leaderEpoch: -1,
      destinationOffset: destinationEndOffset! > 0 ? destinationEndOffset! - 1 : undefined
    }
  )
}
