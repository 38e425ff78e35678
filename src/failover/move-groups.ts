/**
 * Brings consumer groups to the place at the destination where they go on without missing anything. Only groups that nobody of is
 * at work there, and only forwards: what a group has done at the destination itself is its own business.
 */
import { ClusterError } from '../cluster/errors.ts'
import { listGroups, readGroupOffsets } from '../cluster/group-list.ts'
import { commitGroupOffsets } from '../cluster/group-offsets.ts'
import { EARLIEST, listOffset, partitionKey } from '../cluster/offsets.ts'
import { RecordsError } from '../records/errors.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowTranslator } from '../status/flow-translator.ts'
import type { FlowSides } from './flow-sides.ts'
import type { GroupPosition } from './group-positions.ts'
import type { HomeOfGroups } from './home-of-groups.ts'

/** One partition of a group. */
export interface MovedOffset {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  /** Where the group was at the source. */
  readonly sourceOffset: number
  /** Where that is at the destination. */
  readonly destinationOffset: number
  /**
   * `copy`: there stands the first record it has not read. `end`: behind the newest copy. `start`: before all that may be a copy.
   * `home`: the first record it has not read was born at the destination.
   */
  readonly kind: 'copy' | 'end' | 'start' | 'home'
  /** What the group had committed at the destination before; `null` for nothing. */
  readonly committedOffset: number | null
}

/** What became of a group. */
export interface GroupOutcome {
  readonly group: string
  /**
   * `moved`: it has the offsets now (in a dry run: it would). `there`: it had them, or further ones, before. `in use`: somebody
   * consumes in it at the destination, so it was left alone. `failed`: see the detail.
   */
  readonly outcome: 'moved' | 'there' | 'in use' | 'failed'
  /** One sentence, where it needs one. */
  readonly detail: string | null
  readonly offsets: readonly MovedOffset[]
}

const TRANSLATIONS_AT_A_TIME = 16
const GROUPS_AT_A_TIME = 8
/** What a coordinator says when somebody is at work in the group. */
const IN_USE = new Set(['UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'STALE_MEMBER_EPOCH'])

/** What tells where a reader goes on. */
export interface Places {
  readonly translator: FlowTranslator
  /** Of records that were born at the destination; where it is not given, none count. */
  readonly home?: HomeOfGroups | undefined
}

/** @throws ClusterError where the destination can't be asked for its groups */
export async function moveGroups(
  sides: FlowSides,
  places: Places,
  positions: ReadonlyMap<string, readonly GroupPosition[]>,
  isDryRun: boolean,
  signal: AbortSignal
): Promise<GroupOutcome[]> {
  const { destination } = sides
  const states = new Map((await listGroups(destination)).map(({ groupId, state }) => [groupId, state]))
  const unknown = new Map<string, string>()
  const committed = new Map(
    (await readGroupOffsets(destination, [...positions.keys()], (group, error) => unknown.set(group, error))).map(
      ({ groupId, committed }) => [groupId, new Map(committed.map(each => [partitionKey(each), each.offset]))]
    )
  )
  const groups = [...positions].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return concurrently(groups, GROUPS_AT_A_TIME, async ([group, own]): Promise<GroupOutcome> => {
    const there = committed.get(group)
    if (there === undefined) return failed(group, unknown.get(group) ?? 'the destination leaves it out')
    try {
      const offsets = await translateAll(sides, places, own, there, signal)
      const state = states.get(group)
      if (!isIdle(state))
        return { group, outcome: 'in use', detail: `its state at ${destination.alias} is ${state}`, offsets }
      const ahead = offsets.filter(
        ({ destinationOffset, committedOffset }) => destinationOffset > (committedOffset ?? -1)
      )
      if (ahead.length === 0) return { group, outcome: 'there', detail: null, offsets }
      if (!isDryRun) await commit(sides, group, own, ahead, signal)
      return { group, outcome: 'moved', detail: null, offsets }
    } catch (error) {
      if (error instanceof ClusterError && IN_USE.has(error.code)) {
        return { group, outcome: 'in use', detail: `${destination.alias} refused with ${error.code}`, offsets: [] }
      }
      if (!(error instanceof ClusterError || error instanceof RecordsError)) throw error
      return failed(group, error.message)
    }
  })
}

/** Of those partitions that are at the destination. */
async function translateAll(
  { destination }: FlowSides,
  { translator, home }: Places,
  positions: readonly GroupPosition[],
  committed: ReadonlyMap<string, number>,
  signal: AbortSignal
): Promise<MovedOffset[]> {
  const copied = positions.filter(
    ({ destinationTopic, partition }) => destination.topic(destinationTopic)?.partitions[partition] !== undefined
  )
  return concurrently(copied, TRANSLATIONS_AT_A_TIME, async position => {
    const { topic, partition, destinationTopic, sourceOffset } = position
    const copy = { topic: destinationTopic, partition }
    const moved = { topic, partition, destinationTopic, sourceOffset }
    const committedOffset = committed.get(partitionKey(copy)) ?? null
    const [found, homeOffset] = await Promise.all([
      translator.place(position, sourceOffset, signal),
      home?.lowest(position, sourceOffset, signal)
    ])
    const isHomeKnown = homeOffset !== undefined && home?.knows(position) === true
    if (found.isBehindOthers && !isHomeKnown) {
      // Somewhere among what others have copied.
      const destinationOffset = await listOffset(destination, copy, EARLIEST, 'read_uncommitted')
      return { ...moved, kind: 'start', destinationOffset, committedOffset }
    }
    if (homeOffset !== undefined && homeOffset < found.destinationOffset) {
      return { ...moved, kind: 'home', destinationOffset: homeOffset, committedOffset }
    }
    const kind = found.sourceOffset === undefined && !isHomeKnown ? 'start' : found.kind
    return { ...moved, kind, destinationOffset: found.destinationOffset, committedOffset }
  })
}

function commit(
  { destination }: FlowSides,
  group: string,
  positions: readonly GroupPosition[],
  ahead: readonly MovedOffset[],
  signal: AbortSignal
): Promise<void> {
  const metadata = new Map(positions.map(position => [partitionKey(position), position.metadata]))
  const commits = ahead.map(({ topic, partition, destinationTopic, destinationOffset: offset }) => ({
    ...{ topic: destinationTopic, partition, offset },
    metadata: metadata.get(partitionKey({ topic, partition })) ?? ''
  }))
  return commitGroupOffsets(destination, group, commits, signal)
}

/** A group that is not listed does not exist. */
function isIdle(state: string | undefined): boolean {
  return state === undefined || state === 'Empty' || state === 'Dead'
}

function failed(group: string, detail: string): GroupOutcome {
  return { group, outcome: 'failed', detail, offsets: [] }
}
