/** What `farlog status` knows of a flow at one moment: the shape of its JSON, and the sums over the rows. */

import type { EventStatus, StopStatus } from '../observe/status.ts'

/** The states of a partition, those that need somebody first. */
export const MIRROR_STATES = [
  /** One side's log was cut back or made anew below what was mirrored. */
  'diverged',
  /** The source topic was deleted and made again. */
  'recreated',
  /** The source has deleted records that were not mirrored yet. */
  'gap',
  /** The destination topic or partition is not there. */
  'missing',
  /** One side can't be asked. */
  'unreachable',
  /** Nothing is mirrored and no progress is committed yet. */
  'not started',
  'behind',
  /** Caught up. */
  'mirrored'
] as const
export type MirrorState = (typeof MIRROR_STATES)[number]

/** One partition. `null` means that it is not known. */
export interface PartitionRow {
  /** Source topic name. */
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  readonly state: MirrorState
  /** One sentence for a person, where the state needs one. */
  readonly detail: string | null
  /** The source's last stable offset. */
  readonly sourceEndOffset: number | null
  /** Next source offset to be mirrored: all below it is at the destination, or is nothing that goes there. */
  readonly nextSourceOffset: number | null
  readonly lagRecords: number | null
  /** How old the oldest record is that is not mirrored yet, by its timestamp; 0 when caught up. */
  readonly lagSeconds: number | null
  /** Until it has caught up, at the rate seen so far. */
  readonly etaSeconds: number | null
  /** By how many offsets the source's end has moved in a second, between this look and the one before. */
  readonly sourceRecordsPerSecond: number | null
  /** The same of what is mirrored. */
  readonly mirroredRecordsPerSecond: number | null
}

/** What kept a cluster from being asked. */
export interface Problem {
  /** Alias. */
  readonly cluster: string
  readonly code: string
  readonly message: string
}

/** Sums over the partitions; what is not known of one is left out and counted in `unknownPartitions`. */
export interface Totals {
  readonly partitions: number
  readonly states: Readonly<Record<MirrorState, number>>
  readonly lagRecords: number
  /** Of the partition that is behind longest. */
  readonly lagSeconds: number
  /** Of the partition that takes longest; `null` where one that is behind has none. */
  readonly etaSeconds: number | null
  /** Of all partitions that were seen before; `null` at the first look. */
  readonly sourceRecordsPerSecond: number | null
  readonly mirroredRecordsPerSecond: number | null
  /** Those whose lag in records is not known. */
  readonly unknownPartitions: number
}

export interface FlowOverview {
  readonly source: string
  readonly destination: string
  readonly groupId: string
  /** The order that the flow stands still by; `null` where there is none, or the destination does not tell. */
  readonly stopped: StopStatus | null
  /** Members of the group at present; `null` where the source does not tell. */
  readonly workers: number | null
  readonly problems: readonly Problem[]
  readonly totals: Totals
  /** What would be lost if the source were lost now; `null` while it is unknown of any partition. */
  readonly exposure: { readonly records: number | null; readonly seconds: number | null }
  /** Those that need somebody first. */
  readonly partitions: readonly PartitionRow[]
  /** What happened to source partitions lately, the newest first; `null` where the destination does not tell. */
  readonly events: readonly EventStatus[] | null
}

/** All flows at one moment. */
export interface Overview {
  /** ISO 8601. */
  readonly observedAt: string
  readonly flows: readonly FlowOverview[]
}

/** Puts a flow together from its rows. */
export function flowOverview(
  flow: Pick<FlowOverview, 'source' | 'destination' | 'groupId' | 'stopped' | 'workers' | 'problems' | 'events'>,
  rows: readonly PartitionRow[]
): FlowOverview {
  const totals = sum(rows)
  const isAllKnown = totals.unknownPartitions === 0 && flow.problems.length === 0
  const isAgeKnown = isAllKnown && rows.every(({ lagSeconds }) => lagSeconds !== null)
  return {
    ...flow,
    totals,
    exposure: {
      records: isAllKnown ? totals.lagRecords : null,
      seconds: isAgeKnown ? totals.lagSeconds : null
    },
    partitions: rows.toSorted(byNeed)
  }
}

/** Whether everything could be asked: what the exit code says. */
export function isComplete({ flows }: Overview): boolean {
  return flows.every(({ problems, totals }) => problems.length === 0 && totals.states.unreachable === 0)
}

function sum(rows: readonly PartitionRow[]): Totals {
  const states = Object.fromEntries(MIRROR_STATES.map(state => [state, 0])) as Record<MirrorState, number>
  let lagRecords = 0
  let lagSeconds = 0
  let etaSeconds: number | null = 0
  let unknownPartitions = 0
  for (const row of rows) {
    states[row.state]++
    lagRecords += row.lagRecords ?? 0
    lagSeconds = Math.max(lagSeconds, row.lagSeconds ?? 0)
    if (row.lagRecords === null) unknownPartitions++
    if (row.lagRecords !== 0) {
      etaSeconds = etaSeconds === null || row.etaSeconds === null ? null : Math.max(etaSeconds, row.etaSeconds)
    }
  }
  return {
    partitions: rows.length,
    states,
    lagRecords,
    lagSeconds,
    etaSeconds,
    sourceRecordsPerSecond: sumOfKnown(rows.map(row => row.sourceRecordsPerSecond)),
    mirroredRecordsPerSecond: sumOfKnown(rows.map(row => row.mirroredRecordsPerSecond)),
    unknownPartitions
  }
}

function sumOfKnown(rates: readonly (number | null)[]): number | null {
  return rates.reduce((sum, rate) => (rate === null ? sum : (sum ?? 0) + rate), null)
}

const NEED = new Map(MIRROR_STATES.map((state, index) => [state, index]))

function byNeed(a: PartitionRow, b: PartitionRow): number {
  return (
    NEED.get(a.state)! - NEED.get(b.state)! ||
    (b.lagRecords ?? 0) - (a.lagRecords ?? 0) ||
    compareText(a.topic, b.topic) ||
    a.partition - b.partition
  )
}

/** By code unit: the collation of a locale would make ten thousand names slow and put them in no order Kafka knows. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
