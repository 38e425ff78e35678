import type { FlowStatus, PartitionStatus } from '../../src/observe/status.ts'

/** What a topic's mirroring came to. */
export interface TopicSummary {
  readonly mirrored: number
  /** From the first write until the last copy, with all that came between. */
  readonly recordsPerSecond: number
  readonly peakLagRecords: number
}

/** Follows the mirroring of new topics over the workers that come and go, from what those say of themselves. */
export class MirrorWatch {
  readonly #topics: ReadonlyMap<string, TopicWatch>
  #flow: FlowStatus | undefined
  #startedAtMs: number | undefined
  #movedAtMs: number
  #peakLagRecords = 0
  #peakRecordsPerSecond = 0

  constructor(topics: readonly { readonly name: string; readonly partitions: number }[], nowMs: number) {
    this.#topics = new Map(topics.map(({ name, partitions }) => [name, new TopicWatch(partitions)]))
    this.#movedAtMs = nowMs
  }

  /** @param flow what the worker says; `undefined` while there is none that answers */
  see(flow: FlowStatus | undefined, nowMs: number): void {
    this.#flow = flow
    for (const partition of flow?.partitions ?? []) {
      if ((partition.sourceEndOffset ?? 0) > 0) this.#startedAtMs ??= nowMs
      if (this.#topics.get(partition.topic)?.see(partition, nowMs)) this.#movedAtMs = nowMs
    }
    for (const [name, watch] of this.#topics) watch.seeLag(this.#partitionsOf(name))
    this.#peakLagRecords = Math.max(this.#peakLagRecords, this.lagRecords ?? 0)
    this.#peakRecordsPerSecond = Math.max(this.#peakRecordsPerSecond, this.recordsPerSecond ?? 0)
  }

  /** Whether the worker has seen a record at the source. */
  get hasBegun(): boolean {
    return this.#startedAtMs !== undefined
  }

  get mirrored(): number {
    return sum([...this.#topics.values()].map(({ mirrored }) => mirrored))
  }

  /** When a record was last seen to have arrived. */
  get movedAtMs(): number {
    return this.#movedAtMs
  }

  /** Whether the worker has every partition and knows where each of them goes on. */
  get isMirroringAll(): boolean {
    return [...this.#topics].every(([name, { partitions }]) => {
      const mirroring = this.#partitionsOf(name).filter(({ state }) => state === 'mirroring')
      return mirroring.length === partitions
    })
  }

  /** `undefined` as long as there is a partition of which no worker knows it. */
  get lagRecords(): number | undefined {
    const lags = [...this.#topics].map(([name, { partitions }]) => lagOf(this.#partitionsOf(name), partitions))
    return lags.includes(undefined) ? undefined : sum(lags as number[])
  }

  get lagSeconds(): number | undefined {
    return this.lagRecords === undefined ? undefined : (this.#flow?.exposure.seconds ?? undefined)
  }

  get recordsPerSecond(): number | undefined {
    return this.#flow?.rates.recordsPerSecond
  }

  /** As the worker averages it, over five seconds. */
  get peakRecordsPerSecond(): number {
    return this.#peakRecordsPerSecond
  }

  /** Why partitions have been stopped, for people. */
  get halts(): string[] {
    return (this.#flow?.partitions ?? [])
      .filter(({ state }) => state === 'halted')
      .map(({ topic, partition, reason, detail }) => `${topic}-${partition} halted: ${detail ?? reason}`)
  }

  summary(name: string): TopicSummary {
    const { mirrored, peakLagRecords, movedAtMs } = this.#topics.get(name)!
    return { mirrored, peakLagRecords, recordsPerSecond: this.#ratePerSecond(mirrored, movedAtMs) }
  }

  get total(): TopicSummary {
    return {
      mirrored: this.mirrored,
      peakLagRecords: this.#peakLagRecords,
      recordsPerSecond: this.#ratePerSecond(this.mirrored, this.#movedAtMs)
    }
  }

  #ratePerSecond(records: number, untilMs: number | undefined): number {
    const seconds = ((untilMs ?? 0) - (this.#startedAtMs ?? 0)) / 1000
    return seconds > 0 ? records / seconds : 0
  }

  #partitionsOf(name: string): readonly PartitionStatus[] {
    return this.#flow?.partitions.filter(({ topic }) => topic === name) ?? []
  }
}

class TopicWatch {
  readonly partitions: number
  readonly #nextSourceOffsets = new Map<number, number>()
  movedAtMs: number | undefined
  peakLagRecords = 0

  constructor(partitions: number) {
    this.partitions = partitions
  }

  /** The topics are new, without transactions and compaction: there is a record for each offset. */
  get mirrored(): number {
    return sum([...this.#nextSourceOffsets.values()])
  }

  /** Returns whether it has moved. A worker that has just begun may not know yet what the one before it did. */
  see({ partition, nextSourceOffset }: PartitionStatus, nowMs: number): boolean {
    if (nextSourceOffset === null || nextSourceOffset <= (this.#nextSourceOffsets.get(partition) ?? 0)) return false
    this.#nextSourceOffsets.set(partition, nextSourceOffset)
    this.movedAtMs = nowMs
    return true
  }

  seeLag(partitions: readonly PartitionStatus[]): void {
    this.peakLagRecords = Math.max(this.peakLagRecords, lagOf(partitions, this.partitions) ?? 0)
  }
}

function lagOf(partitions: readonly PartitionStatus[], expected: number): number | undefined {
  const lags = partitions.map(({ lagRecords }) => lagRecords)
  return lags.length < expected || lags.includes(null) ? undefined : sum(lags as number[])
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
