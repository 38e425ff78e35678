/**
 * Keeps consumer groups able to go on at the destination. In each pass the positions that the selected groups have committed at
 * the source are translated, exactly, and written down twice: as checkpoints (and offset syncs) in MirrorMaker 2's formats,
 * and as commits of the same group at the destination, where nobody of that group is at work.
 *
 * A pass is repeated, so what fails is left for the next one: one partition or group that is in trouble holds up no other.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { type ListedGroup, listGroups, readGroupOffsets } from '../cluster/group-list.ts'
import type { CommittedOffset } from '../cluster/group-member.ts'
import { commitGroupOffsets } from '../cluster/group-offsets.ts'
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { RecordsError } from '../records/errors.ts'
import type { CheckpointWriter } from './checkpoint-writer.ts'
import type { HomePositions } from './home-positions.ts'
import type { Checkpoint, OffsetSync } from './mm2-format.ts'
import type { OffsetTranslator } from './offset-translator.ts'

/** How a group is looked after, for the metrics. */
export interface GroupCheckpoint {
  readonly group: string
  /** When all its positions were last translated and written, by `performance.now()`; when it was first seen where they never were. */
  readonly checkpointedAtMs: number
  /** How many source records the group had gone past since the checkpoint before: read again after a failover just before this one. */
  readonly reprocessRecords: number
}

export interface CheckpointerOptions {
  readonly source: Cluster
  readonly destination: Cluster
  readonly translator: OffsetTranslator
  readonly writer: CheckpointWriter
  readonly isSelected: (groupId: string) => boolean
  /** Whether groups at the destination are brought along. */
  readonly syncsGroups: boolean
  /** Below this destination offset stands nothing that the source offset means. */
  firstDestinationOffset(partition: TopicPartition, sourceOffset: number): number
  /** Of records that were born at the destination, as they are at the beginning of a pass; `undefined` where none come from there. */
  readHomePositions(signal: AbortSignal): Promise<HomePositions | undefined>
  /** Hears of a group that could not be looked after in this pass, or not in all of its partitions. */
  leftOut(groupId: string, error: string): void
}

/** A position with its translation. */
interface Position {
  readonly group: string
  readonly source: CommittedOffset
  readonly copy: TopicPartition
}

interface Translated {
  readonly checkpoint: Checkpoint
  /** The copy that the translation stands on; `undefined` where there is none. */
  readonly sync: OffsetSync | undefined
}

/** Read, translated and written together, so that little time passes between the first and the last. */
const GROUPS_TOGETHER = 20
/** Positions translated at a time. */
const TRANSLATED_TOGETHER = 64
/** A process that was paused in between must not write what was true before. */
const READ_TO_WRITTEN_MAX_MS = 30_000
/** Only these have offsets that a consumer goes on from; a group that never had members has no type. */
const PROTOCOL_TYPES = new Set(['consumer', ''])

export class Checkpointer {
  readonly #options: CheckpointerOptions
  /** What was written last of each group and partition that is still there. */
  #written = new Map<string, Checkpoint>()
  /** The downstream offset that was written last of each partition. */
  readonly #synced = new Map<string, number>()
  readonly #groups = new Map<string, GroupCheckpoint>()
  /** Groups that this pass has left out, if only in one partition. */
  readonly #leftOut = new Set<string>()

  constructor(options: CheckpointerOptions) {
    this.#options = options
  }

  /** All groups that there is something to be looked after of, also those that nothing has come of yet. */
  get groups(): readonly GroupCheckpoint[] {
    return [...this.#groups.values()]
  }

  /**
   * Translates and writes once.
   * @param destinationTopicOf the copy's topic of a source topic, `undefined` where it is not mirrored
   * @throws ClusterError where a cluster does not answer
   */
  async pass(destinationTopicOf: (topic: string) => string | undefined, signal: AbortSignal): Promise<void> {
    const { source, destination, isSelected, syncsGroups } = this.#options
    const [groups, groupsThere] = await Promise.all([listGroups(source), syncsGroups ? listGroups(destination) : []])
    const groupIds = groups.filter(isConsumerGroup).flatMap(({ groupId }) => (isSelected(groupId) ? [groupId] : []))
    const states = new Map(groupsThere.map(({ groupId, state }) => [groupId, state]))
    const before = this.#written
    this.#written = new Map(before)
    this.#leftOut.clear()
    const checkpoints: Checkpoint[] = []
    for (let from = 0; from < groupIds.length; from += GROUPS_TOGETHER) {
      const together = groupIds.slice(from, from + GROUPS_TOGETHER)
      checkpoints.push(...(await this.#lookAfter(together, states, destinationTopicOf, signal)))
    }
    this.#conclude(checkpoints, before)
  }

  async #lookAfter(
    groupIds: readonly string[],
    states: ReadonlyMap<string, string>,
    destinationTopicOf: (topic: string) => string | undefined,
    signal: AbortSignal
  ): Promise<Checkpoint[]> {
    const { source, writer } = this.#options
    const deadlineMs = performance.now() + READ_TO_WRITTEN_MAX_MS
    const offsets = await readGroupOffsets(source, groupIds, this.#leaveOut)
    const positions = offsets.flatMap(({ groupId, committed }) =>
      committed.flatMap(position => {
        const topic = destinationTopicOf(position.topic)
        const copy = topic === undefined ? undefined : { topic, partition: position.partition }
        return copy === undefined ? [] : [{ group: groupId, source: position, copy }]
      })
    )
    for (const { group } of positions) this.#letAgeBegin(group)
    // After the positions: what has come from there since, they have before them.
    const home = await this.#options.readHomePositions(signal)
    const translated = await this.#translateAll(positions, home, deadlineMs, signal)
    const checkpoints = translated.map(({ checkpoint }) => checkpoint)
    const changed = checkpoints.filter(checkpoint => !isSame(this.#written.get(keyOf(checkpoint)), checkpoint))
    assertFresh(deadlineMs)
    const syncs = this.#newSyncs(translated.flatMap(({ sync }) => sync ?? []))
    await writer.write(changed, syncs)
    for (const checkpoint of changed) this.#written.set(keyOf(checkpoint), checkpoint)
    for (const sync of syncs) this.#synced.set(partitionKey(sync), sync.downstreamOffset)
    if (this.#options.syncsGroups) await this.#bringAlong(checkpoints, states, deadlineMs, signal)
    return checkpoints
  }

  async #translateAll(
    positions: readonly Position[],
    home: HomePositions | undefined,
    deadlineMs: number,
    signal: AbortSignal
  ): Promise<Translated[]> {
    const translated: Translated[] = []
    for (let from = 0; from < positions.length; from += TRANSLATED_TOGETHER) {
      assertFresh(deadlineMs)
      const together = positions.slice(from, from + TRANSLATED_TOGETHER)
      const found = await Promise.all(together.map(position => this.#tryToTranslate(position, home, signal)))
      translated.push(...found.filter(each => each !== undefined))
    }
    return translated
  }

  /** A partition without a leader, or with a damaged batch, is nothing to the others. */
  async #tryToTranslate(
    position: Position,
    home: HomePositions | undefined,
    signal: AbortSignal
  ): Promise<Translated | undefined> {
    const { destination } = this.#options
    try {
      return await this.#translate(position, home, signal)
    } catch (error) {
      if (!(error instanceof ClusterError || error instanceof RecordsError)) throw error
      this.#leaveOut(position.group, error.message)
      await destination.refreshTogether(position.copy.topic)
      return undefined
    }
  }

  /** `undefined` where it can't be told: a reader that finds no offset begins where its own configuration says. */
  async #translate(
    { group, source, copy }: Position,
    home: HomePositions | undefined,
    signal: AbortSignal
  ): Promise<Translated | undefined> {
    const { topic, partition, offset: upstreamOffset, metadata } = source
    const { translator, firstDestinationOffset } = this.#options
    const pair = {
      ...{ topic, partition, destinationTopic: copy.topic },
      firstDestinationOffset: firstDestinationOffset({ topic, partition }, upstreamOffset)
    }
    const [found, homeOffset] = await Promise.all([
      translator.translate(pair, upstreamOffset, signal),
      home === undefined ? Number.POSITIVE_INFINITY : home.lowest({ topic, partition }, upstreamOffset, signal)
    ])
    if (homeOffset === undefined) {
      // In the same words for all partitions, which come in any order: it is logged once, and not in every pass.
      this.#leaveOut(group, 'which records at home at the destination it has not read can’t be told yet')
      return undefined
    }
    // Where records are known to be at home there, the first that the reader has not read yet is known too.
    if (found.isBehindOthers && !Number.isFinite(homeOffset)) {
      this.#leaveOut(group, `${copy.topic}-${partition} begins with records that do not say where they come from`)
      return undefined
    }
    const downstreamOffset = Math.min(found.destinationOffset, homeOffset)
    const checkpoint = { group, ...copy, upstreamOffset, downstreamOffset, metadata }
    if (found.sourceOffset === undefined) return { checkpoint, sync: undefined }
    // At the end no copy stands at the offset itself; the newest one, right before it, does.
    const copyOffset = found.kind === 'copy' ? found.destinationOffset : found.destinationOffset - 1
    const sync = { topic, partition, upstreamOffset: found.sourceOffset, downstreamOffset: copyOffset }
    return { checkpoint, sync }
  }

  /** The furthest of each partition, where it has moved: to MirrorMaker 2 a sync that goes back makes all before it void. */
  #newSyncs(syncs: readonly OffsetSync[]): OffsetSync[] {
    const furthest = new Map<string, OffsetSync>()
    for (const sync of syncs) {
      const key = partitionKey(sync)
      const before = furthest.get(key)?.downstreamOffset ?? this.#synced.get(key) ?? -1
      if (sync.downstreamOffset > before) furthest.set(key, sync)
    }
    return [...furthest.values()]
  }

  /** Commits for groups that nobody of is at work at the destination, and only forwards. */
  async #bringAlong(
    checkpoints: readonly Checkpoint[],
    states: ReadonlyMap<string, string>,
    deadlineMs: number,
    signal: AbortSignal
  ): Promise<void> {
    const { destination } = this.#options
    const byGroup = Map.groupBy(checkpoints, ({ group }) => group)
    const idle = [...byGroup.keys()].filter(group => isIdle(states.get(group)))
    for (const { groupId, committed } of await readGroupOffsets(destination, idle, this.#leaveOut)) {
      assertFresh(deadlineMs)
      const there = new Map(committed.map(commit => [partitionKey(commit), commit.offset]))
      const ahead = byGroup
        .get(groupId)!
        .filter(checkpoint => checkpoint.downstreamOffset > (there.get(partitionKey(checkpoint)) ?? -1))
      if (ahead.length === 0) continue
      const commits = ahead.map(({ topic, partition, downstreamOffset: offset, metadata }) => ({
        ...{ topic, partition, offset, metadata }
      }))
      try {
        await commitGroupOffsets(destination, groupId, commits, signal)
      } catch (error) {
        // It may have come to life since it was looked at, or may not be written by us: the others go on.
        this.#leaveOut(groupId, error instanceof Error ? error.message : String(error))
      }
    }
  }

  readonly #leaveOut = (group: string, error: string): void => {
    this.#leftOut.add(group)
    this.#letAgeBegin(group)
    this.#options.leftOut(group, error)
  }

  /** From when it is seen, not from when something comes of it: else one in lasting trouble would be in no metric. */
  #letAgeBegin(group: string): void {
    if (this.#groups.has(group)) return
    this.#groups.set(group, { group, checkpointedAtMs: performance.now(), reprocessRecords: 0 })
  }

  /** What was left out grows older. @param before what had been written before this pass */
  #conclude(checkpoints: readonly Checkpoint[], before: ReadonlyMap<string, Checkpoint>): void {
    this.#written = new Map(checkpoints.map(checkpoint => [keyOf(checkpoint), checkpoint]))
    const checkpointedAtMs = performance.now()
    const byGroup = Map.groupBy(checkpoints, ({ group }) => group)
    for (const group of this.#groups.keys()) {
      if (!byGroup.has(group) && !this.#leftOut.has(group)) this.#groups.delete(group)
    }
    for (const [group, own] of byGroup) {
      if (this.#leftOut.has(group)) continue
      const passed = own.map(checkpoint => {
        const last = before.get(keyOf(checkpoint))?.upstreamOffset ?? checkpoint.upstreamOffset
        return Math.max(0, checkpoint.upstreamOffset - last)
      })
      const reprocessRecords = passed.reduce((sum, records) => sum + records, 0)
      this.#groups.set(group, { group, checkpointedAtMs, reprocessRecords })
    }
  }
}

/** Others commit no offsets that mean anything to a consumer elsewhere. */
export function isConsumerGroup({ protocolType }: ListedGroup): boolean {
  return PROTOCOL_TYPES.has(protocolType)
}

/** Nobody is at work in it. A group that is not listed does not exist. */
function isIdle(state: string | undefined): boolean {
  return state === undefined || state === 'Empty' || state === 'Dead'
}

function keyOf(checkpoint: Checkpoint): string {
  return `${partitionKey(checkpoint)}/${checkpoint.group}`
}

function isSame(a: Checkpoint | undefined, b: Checkpoint): boolean {
  return (
    a !== undefined &&
    a.upstreamOffset === b.upstreamOffset &&
    a.downstreamOffset === b.downstreamOffset &&
    a.metadata === b.metadata
  )
}

/** @throws ClusterError where it took too long to come here */
function assertFresh(deadlineMs: number): void {
  if (performance.now() <= deadlineMs) return
  throw new ClusterError(
    'TIMED_OUT',
    `what was read of the groups is older than ${READ_TO_WRITTEN_MAX_MS / 1000} s`,
    true
  )
}
