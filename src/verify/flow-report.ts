import type { ClusterError } from '../cluster/errors.ts'
import type { PartitionOutcome, PartitionPair, ReadAmount } from './compare-partition.ts'
import { DIFFERENCE_KINDS, type Difference } from './differences.ts'
import { noCounts, type PartitionCounts } from './partition-comparison.ts'
import type { MemoryUse, VerifyOptions } from './verify-options.ts'

export type Verdict = 'identical' | 'DIFFERENT' | 'could not compare'

/** What one topic came to, over its partitions. */
export interface TopicReport extends PartitionCounts {
  readonly topic: string
  readonly destinationTopic: string
  partitions: number
}

/** A difference and where it was found. */
export interface LocatedDifference extends Difference {
  readonly topic: string
  readonly partition: number
}

/** A partition that could not be compared. */
export interface PartitionFailure {
  readonly topic: string
  readonly partition: number
  readonly code: string
  readonly message: string
}

/** What was known of a partition before, and what is known now. */
export interface PartitionMemory {
  readonly topic: string
  readonly partition: number
  /** The source offset from which on was read, since all below was found equal before; `null` where all was read. */
  readonly fromSourceOffset: number | null
  /** Why all was read, though it was not asked for; `null` where it was not so. */
  readonly anewBecause: string | null
  /** All below these offsets is equal; `null` where the destination has no such partition. */
  readonly verifiedSourceOffset: number | null
  readonly verifiedDestinationOffset: number | null
}

/** What was remembered of earlier runs, and is for later ones. */
export interface MemoryReport {
  readonly use: MemoryUse
  /** Why nothing is remembered, though it should be. */
  readonly problem: string | null
  readonly partitions: readonly PartitionMemory[]
}

/** What one flow came to: the body of `--json` for it. */
export interface FlowReport {
  readonly source: string
  readonly destination: string
  readonly verdict: Verdict
  readonly totals: Readonly<PartitionCounts>
  readonly topics: readonly Readonly<TopicReport>[]
  readonly differences: readonly LocatedDifference[]
  /** There are more differences than those above. */
  readonly areMoreDifferences: boolean
  readonly failures: readonly PartitionFailure[]
  /** How many records were read on each side. */
  readonly recordsRead: { readonly source: number; readonly destination: number }
  readonly memory: MemoryReport
}

/** Gathers the results of partitions as they come, in whatever order. */
export class FlowReportBuilder {
  readonly #source: string
  readonly #destination: string
  readonly #options: VerifyOptions
  readonly #topics = new Map<string, TopicReport>()
  readonly #failures: PartitionFailure[] = []
  readonly #remembered: PartitionMemory[] = []
  readonly #recordsRead = { source: 0, destination: 0 }
  #differences: LocatedDifference[] = []
  #faults = 0

  constructor(source: string, destination: string, options: VerifyOptions) {
    this.#source = source
    this.#destination = destination
    this.#options = options
  }

  addTopic(topic: string, destinationTopic: string): void {
    if (!this.#topics.has(topic)) {
      this.#topics.set(topic, { topic, destinationTopic, partitions: 0, ...noCounts() })
    }
  }

  /** Adds a partition's result; returns how many faults there are so far. */
  add({ topic, partition }: PartitionPair, outcome: PartitionOutcome): number {
    const { counts, differences } = outcome
    this.#remembered.push({ topic, partition, ...this.#memoryOf(outcome) })
    const report = this.#topics.get(topic)!
    report.partitions++
    addCounts(report, counts)
    // Those of the first topics are shown, though partitions end in no particular order.
    this.#differences = [...this.#differences, ...differences.map(difference => ({ topic, partition, ...difference }))]
      .sort(byPlace)
      .slice(0, this.#options.differencesMax)
    this.#faults += faultsOf(counts)
    return this.#faults
  }

  read({ side, records }: ReadAmount): void {
    this.#recordsRead[side] += records
  }

  fail({ topic, partition }: PartitionPair, { code, message }: ClusterError): void {
    this.#failures.push({ topic, partition, code, message })
  }

  /** @param memoryProblem why nothing is remembered, though it should be */
  build(memoryProblem: string | undefined): FlowReport {
    const totals = this.#totals()
    return {
      source: this.#source,
      destination: this.#destination,
      verdict: this.#verdict(totals),
      totals,
      topics: [...this.#topics.values()],
      differences: this.#differences,
      areMoreDifferences: this.#faults > shownFaults(this.#differences),
      failures: this.#failures.toSorted(byPartition),
      recordsRead: this.#recordsRead,
      memory: {
        use: this.#options.memory,
        problem: memoryProblem ?? null,
        partitions: this.#remembered.toSorted(byPartition)
      }
    }
  }

  #memoryOf({ beginning, verified }: PartitionOutcome): Omit<PartitionMemory, 'topic' | 'partition'> {
    const isFull = this.#options.memory !== 'incremental'
    return {
      fromSourceOffset: beginning.kind === 'go-on' && !isFull ? beginning.from.nextSourceOffset : null,
      anewBecause: beginning.kind === 'anew' && !isFull ? beginning.because : null,
      verifiedSourceOffset: verified?.nextSourceOffset ?? null,
      verifiedDestinationOffset: verified?.nextDestinationOffset ?? null
    }
  }

  #totals(): PartitionCounts {
    const totals = noCounts()
    for (const topic of this.#topics.values()) addCounts(totals, topic)
    return totals
  }

  #verdict(totals: PartitionCounts): Verdict {
    if (this.#failures.length > 0) return 'could not compare'
    const isBehind = totals.pending > 0 && !this.#options.isLagAllowed
    return this.#faults > 0 || isBehind ? 'DIFFERENT' : 'identical'
  }
}

/** How many differences there are, of all kinds. */
export function faultsOf(counts: PartitionCounts): number {
  return DIFFERENCE_KINDS.reduce((sum, kind) => sum + counts[kind], 0)
}

function addCounts(sum: PartitionCounts, counts: PartitionCounts): void {
  for (const name of Object.keys(noCounts()) as (keyof PartitionCounts)[]) sum[name] += counts[name]
}

function shownFaults(differences: readonly LocatedDifference[]): number {
  return differences.reduce((sum, { kind, sourceOffsets, destinationOffsets }) => {
    // A range counts as one, however many copies are in it.
    if (kind === 'changed') return sum + 1
    const { first, last } = destinationOffsets ?? sourceOffsets
    return sum + last - first + 1
  }, 0)
}

type Place = Pick<PartitionFailure, 'topic' | 'partition'>

function byPartition(a: Place, b: Place): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}

function byPlace(a: LocatedDifference, b: LocatedDifference): number {
  return byPartition(a, b) || a.sourceOffsets.first - b.sourceOffsets.first
}
