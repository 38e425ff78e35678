/**
 * Verifies the partitions of one flow for as long as it runs, one after the other, each for a short turn, at a bounded
 * rate. A turn goes on where the turn before ended, and reads only what has a copy: what is still being mirrored is no
 * difference. A difference is told once; what stands behind it is read on, but the place up to which all is equal
 * stays before it.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { LATEST, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { Config } from '../config/types.ts'
import type { BytePace } from './byte-pace.ts'
import { comparePartition, type PartitionOutcome } from './compare-partition.ts'
import { VerifyError } from './errors.ts'
import { faultsOf, type LocatedDifference } from './flow-report.ts'
import { CompactedTopics, choosePartitions } from './partition-pairs.ts'
import type { VerifiedPartition } from './verified-partition.ts'
import { VerifiedReader } from './verified-reader.ts'
import { WatchedPartition } from './watched-partition.ts'

export interface ContinuousOptions {
  readonly config: Config
  readonly source: Cluster
  readonly destination: Cluster
  /** Patterns that narrow the configured topics down. */
  readonly only: readonly string[] | undefined
  readonly bytesPerSecond: number
  /** May be shared by several flows. */
  readonly pace: BytePace
  /** Whom to name with what is remembered; nobody else has this name. */
  readonly verifiedBy: string
  readonly isRemembering: boolean
  /** By `partitionKey`, the source offset below which all is mirrored; `undefined`: all selected partitions, as far as there are copies. */
  readonly mirrored: () => ReadonlyMap<string, number> | undefined
  readonly listener: ContinuousListener
}

export interface ContinuousListener {
  /** All records of the partition below this source offset are equal to their copies. */
  verified(partition: TopicPartition, sourceOffset: number): void
  /** @param faults how many there are; the differences are the first of them */
  found(partition: TopicPartition, faults: number, differences: readonly LocatedDifference[]): void
  /** So many records of either side were read. */
  read(records: number): void
  /** @throws ClusterError where it cannot be remembered */
  remember(verified: VerifiedPartition): Promise<void>
  troubled(message: string, fields: Readonly<Record<string, unknown>>): void
}

const INTERRUPTED = 'verification is interrupted, trying again'
const NOT_READ = 'what was verified before cannot be read'
const NOT_REMEMBERED = 'what was verified cannot be remembered, trying again'
const REMEMBER_INTERVAL_MS = 30_000
const IDLE_PAUSE_MS = 1_000
const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
const DIFFERENCES_TOLD_MAX = 20
/** A turn reads about what four seconds allow, within these bounds. */
const TURN_SECONDS = 4
/** Others wait meanwhile, and it is tried again. */
const TURN_PATIENCE_MS = 5_000
const TURN_BYTES_MIN = 256 * 1024
const TURN_BYTES_MAX = 16 * 1024 * 1024
const FETCH_BYTES_MIN = 16 * 1024
const FETCH_BYTES_MAX = 1024 * 1024

export class ContinuousVerifier {
  readonly #options: ContinuousOptions
  readonly #reader: VerifiedReader
  readonly #compacted = new CompactedTopics()
  readonly #partitions = new Map<string, WatchedPartition>()
  #pairsDueAtMs = 0
  #pairs: Awaited<ReturnType<typeof choosePartitions>> = []
  #heedDueAtMs = 0
  /** The code of each trouble that lasts. */
  readonly #told = new Map<string, string>()

  constructor(options: ContinuousOptions) {
    this.#options = options
    this.#reader = new VerifiedReader(options.destination, options.source.alias)
  }

  /** Runs until the signal says stop. Trouble with a cluster or a partition is told and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    while (!signal.aborted) {
      let pauseMs = 0
      try {
        const hasRead = await this.#round(signal)
        backoff.reset()
        this.#told.delete(INTERRUPTED)
        if (!hasRead) pauseMs = IDLE_PAUSE_MS
      } catch (error) {
        if (signal.aborted) return
        this.#tell(INTERRUPTED, error)
        this.#pairsDueAtMs = 0
        pauseMs = backoff.nextMs()
      }
      await pause(pauseMs, signal)
    }
  }

  /** A turn for each partition that has something new. @returns whether there was any */
  async #round(signal: AbortSignal): Promise<boolean> {
    await this.#choose(signal)
    const due = await this.#due()
    for (const { partition, seen, mirroredUpTo } of due) {
      if (signal.aborted) return false
      await this.#turn(partition, seen, mirroredUpTo, signal)
      await this.#remember(signal)
    }
    await this.#remember(signal)
    return due.length > 0
  }

  /** Keeps the list of partitions true. */
  async #choose(signal: AbortSignal): Promise<void> {
    const { source, destination, config, only, mirrored } = this.#options
    if (performance.now() >= this.#pairsDueAtMs) {
      await Promise.all([source.refresh(), destination.refresh()])
      this.#pairs = await choosePartitions(source, destination, config, only, this.#compacted).catch(noneSelected)
      this.#pairsDueAtMs = performance.now() + config.refreshIntervalMs
    }
    const watched = mirrored()
    const wanted = this.#pairs.filter(
      pair => pair.destinationTopicId !== undefined && (watched?.has(partitionKey(pair)) ?? true)
    )
    const keys = new Set(wanted.map(partitionKey))
    for (const key of this.#partitions.keys()) if (!keys.has(key)) this.#partitions.delete(key)
    if (wanted.every(pair => this.#partitions.has(partitionKey(pair)))) {
      for (const pair of wanted) this.#partitions.get(partitionKey(pair))!.pair = pair
      return
    }
    // Whoever had a partition before us may have got further since we last looked.
    await this.#refreshMemory(signal)
    for (const pair of wanted) {
      const known = this.#partitions.get(partitionKey(pair))
      if (known !== undefined) known.pair = pair
      else this.#partitions.set(partitionKey(pair), new WatchedPartition(pair, this.#reader.newest(pair)))
    }
  }

  async #due(): Promise<{ partition: WatchedPartition; seen: string; mirroredUpTo: number | undefined }[]> {
    const { destination, mirrored } = this.#options
    const watched = mirrored()
    const nowMs = performance.now()
    const candidates = [...this.#partitions.values()].filter(partition => !partition.isPaused(nowMs))
    const copies = candidates.map(({ pair }) => ({ topic: pair.destinationTopic, partition: pair.partition }))
    const ends = new Map(
      (await listOffsets(destination, copies, LATEST, 'read_committed')).map(listed => [partitionKey(listed), listed])
    )
    return candidates.flatMap(partition => {
      const { pair } = partition
      const mirroredUpTo = watched?.get(partitionKey(pair))
      const end = ends.get(partitionKey({ topic: pair.destinationTopic, partition: pair.partition }))
      if (end?.error !== 'NONE') {
        // Its leader is away: the others need not wait for it.
        void destination.refreshTogether(pair.destinationTopic)
        return []
      }
      const seen = `${end.offset}/${mirroredUpTo}`
      return seen === partition.seen ? [] : [{ partition, seen, mirroredUpTo }]
    })
  }

  async #turn(
    partition: WatchedPartition,
    seen: string,
    mirroredUpTo: number | undefined,
    signal: AbortSignal
  ): Promise<void> {
    const { source, destination, config, pace, bytesPerSecond, verifiedBy, listener } = this.#options
    const { pair } = partition
    const turnBytes = clamp(bytesPerSecond * TURN_SECONDS, TURN_BYTES_MIN, TURN_BYTES_MAX)
    let bytes = 0
    let isCutShort = false
    try {
      const outcome = await comparePartition(pair, {
        ...{ source, destination, signal, verifiedBy },
        startsAtLatest: config.start === 'latest',
        differencesMax: DIFFERENCES_TOLD_MAX,
        slot: 0,
        remembered: partition.next,
        isFull: false,
        turn: {
          pace: {
            wait: waiting => pace.wait(waiting),
            fetched: fetched => {
              bytes += fetched
              pace.fetched(fetched)
            }
          },
          fetchBytes: clamp(Math.round(bytesPerSecond / 2), FETCH_BYTES_MIN, FETCH_BYTES_MAX),
          isOver: () => {
            isCutShort = bytes >= turnBytes
            return isCutShort
          },
          patienceMs: TURN_PATIENCE_MS,
          mirroredUpTo,
          missingBefore: partition.missing
        },
        onRead: ({ records }) => listener.read(records)
      })
      partition.seen = isCutShort ? undefined : seen
      this.#take(partition, outcome)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof ClusterError)) throw error
      this.#pairsDueAtMs = 0
      if (!partition.failed(error.code, performance.now())) return
      const { topic, partition: number } = pair
      listener.troubled('a partition could not be verified, trying again', {
        topic,
        partition: number,
        error: error.message
      })
    }
  }

  #take(partition: WatchedPartition, outcome: PartitionOutcome): void {
    const { listener } = this.#options
    const { pair } = partition
    const place = { topic: pair.topic, partition: pair.partition }
    const { beginning } = outcome
    const wasBegun = partition.next !== undefined
    const verdict = partition.take(outcome)
    if (verdict === 'look again') {
      partition.seen = undefined
      this.#compacted.forget(pair)
      this.#pairsDueAtMs = 0
      return
    }
    if (wasBegun && beginning.kind === 'anew') {
      listener.troubled('a partition is verified from its beginning', { ...place, because: beginning.because })
    }
    if (verdict === 'different') {
      const located = outcome.differences.map(difference => ({ ...place, ...difference }))
      listener.found(place, faultsOf(outcome.counts), located)
    }
    if (partition.equal !== undefined) listener.verified(place, partition.equal.nextSourceOffset)
  }

  /** Leaves what is new to whoever comes after us, and heeds what others have left. */
  async #remember(signal: AbortSignal): Promise<void> {
    const { isRemembering, verifiedBy, listener } = this.#options
    const nowMs = performance.now()
    const due = [...this.#partitions.values()].flatMap(partition => {
      const verified = partition.toRemember(nowMs, REMEMBER_INTERVAL_MS)
      return verified === undefined || !isRemembering ? [] : [partition]
    })
    if (due.length === 0 && nowMs < this.#heedDueAtMs) return
    await this.#refreshMemory(signal)
    this.#heedDueAtMs = nowMs + REMEMBER_INTERVAL_MS
    for (const partition of this.#partitions.values()) {
      const newest = this.#reader.newest(partition.pair)
      if (newest?.verifiedBy !== verifiedBy) partition.heed(newest)
    }
    for (const partition of due) {
      const verified = partition.toRemember(nowMs, REMEMBER_INTERVAL_MS)
      if (verified === undefined) continue
      try {
        await listener.remember(verified)
        partition.remembered(verified, nowMs)
        this.#told.delete(NOT_REMEMBERED)
      } catch (error) {
        partition.remembered(undefined, nowMs)
        this.#tell(NOT_REMEMBERED, error)
      }
    }
  }

  /** Who may not read it begins at the beginning. */
  async #refreshMemory(signal: AbortSignal): Promise<void> {
    if (!this.#options.isRemembering) return
    try {
      await this.#reader.refresh(signal)
    } catch (error) {
      if (!(error instanceof ClusterError) || !error.code.endsWith('AUTHORIZATION_FAILED')) throw error
      this.#tell(NOT_READ, error)
    }
  }

  /** Once for each code, until it has passed. */
  #tell(message: string, error: unknown): void {
    if (!(error instanceof ClusterError)) throw error
    if (this.#told.get(message) !== error.code) this.#options.listener.troubled(message, { error: error.message })
    this.#told.set(message, error.code)
  }
}

/** There may be none yet. */
function noneSelected(error: unknown): [] {
  if (error instanceof VerifyError) return []
  throw error
}

function clamp(value: number, minimum: number, maximum: number): number {
  return Math.min(Math.max(value, minimum), maximum)
}
