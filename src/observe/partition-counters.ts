import type { FlowLabels } from './metric-table.ts'
import type { WorkerStatus } from './status.ts'

/** What can be counted per partition. */
export interface PartitionCounts {
  readonly records: number
  readonly bytes: number
  readonly gapRecords: number
  readonly duplicateRecords: number
  readonly loopedRecords: number
}

/** Which partition of which flow a number is about. */
export interface PartitionLabels extends FlowLabels {
  readonly topic: string
  readonly partition: number
}

/** The counters of one partition. */
export interface PartitionSeries {
  readonly labels: Readonly<Record<keyof PartitionLabels, string | number>>
  readonly counts: { -readonly [Counter in keyof PartitionCounts]: number }
  /** `undefined` where nobody verifies: 0 would look like good news. */
  verifyDifferences: number | undefined
  lastOwnedMs: number
}

/**
 * How long the counters of a partition outlive its ownership. Were they dropped with it, what was counted between the
 * last scrape and the hand-over would never be seen; were they kept, rebalances would fill the memory.
 */
export const KEEP_UNOWNED_MS = 5 * 60_000

/** The counters of the partitions owned now or until lately. */
export class PartitionCounters {
  readonly #series = new Map<string, PartitionSeries>()
  readonly #status: () => WorkerStatus | undefined
  readonly #nowMs: () => number
  #refreshedMs: number

  constructor(status: () => WorkerStatus | undefined, nowMs: () => number) {
    this.#status = status
    this.#nowMs = nowMs
    this.#refreshedMs = nowMs()
  }

  /** Counts what happened since the last call. */
  add(labels: PartitionLabels, deltas: Partial<PartitionCounts>): void {
    const { counts } = this.#seriesOf(labels)
    counts.records += deltas.records ?? 0
    counts.bytes += deltas.bytes ?? 0
    counts.gapRecords += deltas.gapRecords ?? 0
    counts.duplicateRecords += deltas.duplicateRecords ?? 0
    counts.loopedRecords += deltas.loopedRecords ?? 0
  }

  /** Counts differences that verification has found. */
  addVerifyDifferences(labels: PartitionLabels, differences: number): void {
    const series = this.#seriesOf(labels)
    series.verifyDifferences = (series.verifyDifferences ?? 0) + differences
  }

  /** Owned partitions begin at 0, so that `increase()` sees their first count; those let go long since disappear. */
  refresh(): void {
    const nowMs = this.#nowMs()
    this.#refreshedMs = nowMs
    for (const { source, destination, partitions } of this.#status()?.flows ?? []) {
      for (const { topic, partition, verifiedOffset } of partitions) {
        const series = this.#seriesOf({ source, destination, topic, partition })
        series.lastOwnedMs = nowMs
        if (verifiedOffset !== null) series.verifyDifferences ??= 0
      }
    }
    for (const [key, { lastOwnedMs }] of this.#series) {
      if (nowMs - lastOwnedMs > KEEP_UNOWNED_MS) this.#series.delete(key)
    }
  }

  /** Every series there is now. */
  series(): Iterable<PartitionSeries> {
    return this.#series.values()
  }

  #seriesOf({ source, destination, topic, partition }: PartitionLabels): PartitionSeries {
    // Neither an alias nor a topic name can hold a slash.
    const key = `${source}/${destination}/${topic}/${partition}`
    const existing = this.#series.get(key)
    if (existing !== undefined) return existing
    const nowMs = this.#nowMs()
    const added: PartitionSeries = {
      labels: { source, destination, topic, partition },
      counts: { records: 0, bytes: 0, gapRecords: 0, duplicateRecords: 0, loopedRecords: 0 },
      verifyDifferences: undefined,
      lastOwnedMs: nowMs
    }
    this.#series.set(key, added)
    // Scrapes refresh, but nobody may be scraping.
    if (nowMs - this.#refreshedMs > KEEP_UNOWNED_MS) this.refresh()
    return added
  }
}
