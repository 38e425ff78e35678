/**
 * Where a reader goes on at the destination who was at an offset of the source. The destination's log is its own index:
 * each copy names its source offset, and they grow along the partition, so the place is found by searching.
 *
 * The naive way keeps pairs of offsets that belong together and counts on from the last one. It is wrong by one for
 * each hole between the pair and the offset asked for (markers, aborted records and compaction at the source; markers,
 * other writers and compaction at the destination), and where both sides happen to have as many, the next pair
 * does not show it. Here nothing is answered but from copies that were read: the first one at or after the offset
 * asked for, and the one before it, with all between them.
 *
 * It never makes a reader miss a record. Where it can't be exact (see `#lookBack`), the reader reads some again.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffset, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { OriginReader } from '../records/origin-reader.ts'
import { PartitionLog } from './partition-log.ts'
import { ReadStretches } from './read-stretches.ts'
import type { Copy } from './stretch.ts'
import { TranslationSearch } from './translation-search.ts'

/** A source partition and where its copy is. */
export interface CopiedPartition {
  /** Source topic. */
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
  /**
   * Copies below this destination offset belong to what the source offset does not mean: an earlier topic of the name, or
   * what stood at these offsets before somebody had the partition go on further down (`Restarts` in `src/events` tells).
   */
  readonly firstDestinationOffset?: number | undefined
}

/** The place at the destination. */
export interface Translation {
  /** Where a reader who was at the source offset goes on at the destination. */
  readonly destinationOffset: number
  /**
   * `copy`: at this offset stands the first copy at or after the source offset. `end`: all copies there are lie before
   * it; it is one behind the newest copy, or, where there is none yet, where the partition ends: the first one will stand
   * there or behind it. Whether all below the source offset has been mirrored `end` does not say.
   */
  readonly kind: 'copy' | 'end'
  /** Source offset of that copy (`copy`), or of the newest one (`end`); `undefined` where there is none yet. */
  readonly sourceOffset: number | undefined
  /**
   * Before it stands no copy, but there are records that do not say where they come from. Under the identity policy
   * they may belong to the destination. They may also be copies that something else made, as MirrorMaker 2 before it
   * was replaced; then the reader's place is somewhere among them, and here he would miss those that he has not read.
   */
  readonly isBehindOthers: boolean
}

/** What is remembered of one partition, and of all of them, in runs and stretches; some hundred bytes each. */
const PARTITION_SIZE_MAX = 2_048
const TOTAL_SIZE_MAX = 65_536
/** Retention takes the start of the log away while it is searched. */
const SEARCHES_MAX = 3
/** Looking back, so much is read whole: more than late requests and what an owner holds in memory come to. */
const LOOK_BACK_FIRST_OFFSETS = 512
const LOOK_BACK_GROWTH = 4
const LOOK_BACK_WHOLE_OFFSETS = 32_768

/**
 * Translates offsets of source partitions at one destination. It relies on the cluster's metadata, which is for the caller
 * to refresh: after an error that may pass, and now and then, so that a topic made anew is known as such.
 */
export class OffsetTranslator {
  readonly #destination: Cluster
  readonly #originOf: (topic: string, partition: number) => OriginReader
  /** The one used last comes last. */
  readonly #remembered = new Map<string, { readonly read: ReadStretches; readonly size: number }>()
  /** Of all that is remembered. */
  #size = 0

  /** @param originOf how copies of a source partition are told from other records */
  constructor(destination: Cluster, originOf: (topic: string, partition: number) => OriginReader) {
    this.#destination = destination
    this.#originOf = originOf
  }

  /** @throws ClusterError; RecordsError where a batch at the destination is damaged */
  async translate(copy: CopiedPartition, sourceOffset: number, signal: AbortSignal): Promise<Translation> {
    for (let searches = 1; ; searches++) {
      try {
        return await this.#translate(copy, sourceOffset, signal)
      } catch (error) {
        const isDeleted = error instanceof ClusterError && error.code === 'OFFSET_OUT_OF_RANGE'
        if (!isDeleted || searches === SEARCHES_MAX) throw error
      }
    }
  }

  async #translate(
    { topic, partition, destinationTopic, firstDestinationOffset = 0 }: CopiedPartition,
    sourceOffset: number,
    signal: AbortSignal
  ): Promise<Translation> {
    const destination = { topic: destinationTopic, partition }
    const [logStart, logEnd] = await Promise.all([
      listOffset(this.#destination, destination, EARLIEST, 'read_uncommitted'),
      listOffset(this.#destination, destination, LATEST, 'read_uncommitted')
    ])
    // Two sources may write to one topic, under the identity policy.
    const key = `${partitionKey({ topic, partition })}/${destinationTopic}`
    const read = this.#recall(key, destination, logStart, logEnd)
    const log = new PartitionLog(this.#destination, destination, this.#originOf(topic, partition), read, signal)
    try {
      // What ends before that was made anew since, and all in it counts.
      let start = firstDestinationOffset > logEnd ? logStart : Math.max(firstDestinationOffset, logStart)
      let found = await searchLog(log, sourceOffset, start, logEnd)
      if (start > logStart && (await isWithoutStep(log, found, logStart, start))) {
        start = logStart
        found = await searchLog(log, sourceOffset, start, logEnd)
      }
      return translationOf(found, log, start, logEnd)
    } finally {
      this.#remember(key, read)
    }
  }

  #recall(key: string, { topic, partition }: TopicPartition, logStart: number, logEnd: number): ReadStretches {
    const topicId = this.#destination.topic(topic)?.topicId ?? ''
    const leaderEpoch = this.#destination.leaderOf(topic, partition)?.leaderEpoch ?? -1
    const read = this.#remembered.get(key)?.read
    const isSame = read?.identity.topicId === topicId && read.identity.leaderEpoch === leaderEpoch
    if (read === undefined || !isSame || read.end > logEnd) return new ReadStretches({ topicId, leaderEpoch })
    read.dropBelow(logStart)
    return read
  }

  #remember(key: string, read: ReadStretches): void {
    read.shrinkTo(PARTITION_SIZE_MAX)
    this.#forget(key)
    this.#remembered.set(key, { read, size: read.size })
    this.#size += read.size
    for (const oldest of this.#remembered.keys()) {
      if (this.#size <= TOTAL_SIZE_MAX) return
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#size -= this.#remembered.get(key)?.size ?? 0
    this.#remembered.delete(key)
  }
}

async function searchLog(
  log: PartitionLog,
  sourceOffset: number,
  start: number,
  end: number
): Promise<TranslationSearch> {
  const search = new TranslationSearch(sourceOffset, start, end)
  for (;;) {
    for (const stretch of log.known) search.learn(stretch)
    while (!search.isDone) search.learn(await log.untilCopy(search.nextProbe(), search.high))
    const earlier = search.isUnsure ? await lookBack(log, search, start) : undefined
    if (earlier === undefined) return search
    search.goBelow(earlier)
  }
}

/**
 * A copy at or after the source offset that stands before the one that was taken to show that all before it are lower.
 *
 * Without a fence copies may be repeated behind newer ones, by requests that come late and by an owner that was paused
 * and wakes up:
 *
 *      … 58 59 60 61 62 63 64 65 66   60 61 62   67 68 …      looking for 64
 *                                            ▲ ▲
 *                                       before at: whoever begins here misses 64, 65 and 66
 *
 * Where a repetition goes on to the newest copy, any of the places will do. Which one this is the place itself does not
 * tell, so what lies before it is read: some ten thousand offsets whole, and beyond that at distances that grow. It is
 * found unless the repetition is longer than that and also takes up more of the way from the right place to this one
 * than what stands before it.
 */
async function lookBack(
  log: PartitionLog,
  { sourceOffset, before }: TranslationSearch,
  start: number
): Promise<Copy | undefined> {
  const newest = before!.destinationOffset
  let windowEnd = newest
  let windowOffsets = LOOK_BACK_FIRST_OFFSETS
  while (windowEnd > start) {
    const isWhole = newest - windowEnd < LOOK_BACK_WHOLE_OFFSETS
    // In steps of its own size, so that the next time it is the same offset that is looked at.
    const lower = windowEnd - windowOffsets
    const windowStart = Math.max(isWhole ? lower : lower - (lower % windowOffsets), start)
    const stretch = isWhole ? await log.whole(windowStart, windowEnd) : await log.untilCopy(windowStart, windowEnd)
    const found = stretch.within(start, windowEnd).firstFrom(sourceOffset)
    if (found !== undefined) return found.copy
    windowEnd = windowStart
    windowOffsets *= LOOK_BACK_GROWTH
  }
  return undefined
}

/**
 * Whether the copies before a start from which on the source offset counts are lower than those behind it. The start was
 * written down for another topic then, one that has been deleted and made anew since; or it makes no difference.
 */
async function isWithoutStep(
  log: PartitionLog,
  found: TranslationSearch,
  logStart: number,
  start: number
): Promise<boolean> {
  if (found.before !== undefined || found.isExact) return false
  const below = await searchLog(log, Number.POSITIVE_INFINITY, logStart, start)
  return below.before !== undefined && below.before.sourceOffset < (found.at?.sourceOffset ?? found.sourceOffset)
}

function translationOf(
  { at, before, isExact }: TranslationSearch,
  log: PartitionLog,
  start: number,
  end: number
): Translation {
  // With no copy before it all from the start up to the place has been read.
  const isBehindOthers = before === undefined && !isExact && log.hasOthers(start, at?.destinationOffset ?? end)
  if (at !== undefined) {
    return { destinationOffset: at.destinationOffset, kind: 'copy', sourceOffset: at.sourceOffset, isBehindOthers }
  }
  const destinationOffset = before === undefined ? end : before.destinationOffset + 1
  return { destinationOffset, kind: 'end', sourceOffset: before?.sourceOffset, isBehindOthers }
}
