/**
 * Reads one partition record by record, for the second pair of eyes: nothing here is shared with the copying side,
 * which sees batches as bytes and never a record.
 *
 * The records are decoded by @platformatic/kafka. The other candidate, kafka-javascript's consumer, shows a header
 * whose value is null as an empty one and takes header names through UTF-8, so it could not tell some wrong copies
 * from right ones; and on the same machine (100-byte records, one partition, two shared cores) it took 10 µs of CPU
 * for a record where this takes 1.8, or 3.8 with lz4. Of the library only the record decoder is used:
 * - its response parser would decode everything fetched at once; here one batch at a time is in memory as records;
 * - it decodes from the list of chunks as they came off the socket, twice as slow as from one buffer;
 * - its consumer keeps a single range per producer when it drops aborted transactions, and takes no notice of
 *   LogAppendTime, where the batch and not the record holds the time.
 *
 * Memory for a partition: the response being read, the next one already asked for, and one batch of records.
 */
import { fetchV13, type KafkaRecord, Reader, readRecordsBatch } from '@platformatic/kafka'
import type { BatchConnection } from './batch-connection.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, ClusterError, toClusterError } from './errors.ts'
import { EARLIEST, type Isolation, listOffset } from './offsets.ts'
import { Backoff, pause } from './retry.ts'

/** A header as it stands in the record: names repeat, order counts, a value may be null. */
export type RecordHeader = readonly [name: Buffer, value: Buffer | null]

/** One data record. */
export interface ReadRecord {
  readonly offset: number
  /** Milliseconds; of the append where the topic's time stamps are the broker's. */
  readonly timestamp: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

/** Records that follow one another, and what the partition looked like when they were fetched. */
export interface RecordChunk {
  readonly records: readonly ReadRecord[]
  /** Everything before this offset has been read or passed. */
  readonly nextOffset: number
  readonly logStartOffset: number
  /** Records between the chunk before and this one were deleted before they could be read. */
  readonly isAfterGap: boolean
}

/** What to read. */
export interface ReadRange {
  readonly topic: string
  /** As in the metadata at the start: a topic made anew under the name must not be read on as if it were the same. */
  readonly topicId: string
  readonly partition: number
  readonly fromOffset: number
  /** The first offset not to be read; at most the last stable offset (the high watermark uncommitted), or the reading waits for it. */
  readonly endOffset: number
}

export interface ReadOptions {
  /** Names the connection; two readings at the same time need two purposes or they wait for each other. */
  readonly purpose: string
  /** How much to fetch at once, before decompression; a larger batch is fetched nevertheless. */
  readonly fetchBytes?: number
  /** For how long trouble that may pass is retried without anything having been read meanwhile. */
  readonly patienceMs?: number
  /** `read_committed` unless said otherwise; `read_uncommitted` also reads what was or may be aborted. */
  readonly isolation?: Isolation
  /** Slows the reading down; nothing is fetched ahead then. */
  readonly pace?: ReadPace | undefined
  readonly signal?: AbortSignal
}

/** Decides when the next fetch may be sent, by what the fetches before have brought. */
export interface ReadPace {
  wait(signal: AbortSignal | undefined): Promise<void>
  fetched(bytes: number): void
}

const FETCH_BYTES = 1 * 1024 * 1024
const PATIENCE_MS = 30_000

/**
 * The partition's records in chunks of at most a batch. Control records, aborted transactions (of which an uncommitted reading
 * does not know) and holes do not appear. Without a pace the next fetch is on its way while a response is being read; there is
 * never more than one.
 * @throws ClusterError once patience is over, or at once for what does not pass
 */
export async function* readRecords(
  cluster: Cluster,
  range: ReadRange,
  options: ReadOptions
): AsyncGenerator<RecordChunk, void, undefined> {
  const fetcher = new PartitionFetcher(cluster, range, options)
  const fetchFrom = (offset: number) => (offset < range.endOffset ? fetcher.fetch(offset) : undefined)
  let isAfterGap = false
  let next = fetchFrom(range.fromOffset)
  while (next !== undefined) {
    const fetched: Fetched = await next
    next = options.pace === undefined ? fetchFrom(fetched.nextOffset) : undefined
    // A rejection while the chunks below are being read is for the next turn to meet, not for the process to die of.
    next?.catch(() => {})
    isAfterGap ||= fetched.isAfterGap
    const { logStartOffset } = fetched
    const aborts = new AbortedTransactions(fetched.abortedTransactions)
    for (const batch of fetched.batches) {
      const nextOffset = batch.lastOffset + 1
      const records = decode(batch, aborts, range, fetched.fromOffset)
      if (records.length === 0) continue
      yield { records, nextOffset, logStartOffset, isAfterGap }
      isAfterGap = false
    }
    // Also where there was no record: the log start and the position are news.
    yield { records: [], nextOffset: fetched.nextOffset, logStartOffset, isAfterGap }
    isAfterGap = false
    if (options.pace !== undefined) next = fetchFrom(fetched.nextOffset)
  }
}

interface Fetched {
  readonly fromOffset: number
  readonly nextOffset: number
  readonly logStartOffset: number
  readonly isAfterGap: boolean
  readonly abortedTransactions: readonly AbortedTransaction[]
  readonly batches: readonly Batch[]
}

/** Fetches from wherever the partition's leader is, for as long as patience lasts. */
class PartitionFetcher {
  readonly #cluster: Cluster
  readonly #range: ReadRange
  readonly #purpose: string
  readonly #fetchBytes: number
  readonly #patienceMs: number
  readonly #isolation: Isolation
  readonly #pace: ReadPace | undefined
  readonly #signal: AbortSignal | undefined

  constructor(cluster: Cluster, range: ReadRange, options: ReadOptions) {
    this.#cluster = cluster
    this.#range = range
    this.#purpose = options.purpose
    this.#fetchBytes = options.fetchBytes ?? FETCH_BYTES
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#isolation = options.isolation ?? 'read_committed'
    this.#pace = options.pace
    this.#signal = options.signal
  }

  /** What stands at this offset or, where that has been deleted, at the first one that has not. */
  async fetch(offset: number): Promise<Fetched> {
    await this.#pace?.wait(this.#signal)
    this.#signal?.throwIfAborted()
    const startedAtMs = performance.now()
    const backoff = new Backoff(100, 2_000)
    let fromOffset = offset
    let isDeleted = false
    let emptyAnswers = 0
    for (;;) {
      try {
        if (isDeleted) {
          fromOffset = await this.#logStartAfter(fromOffset)
          if (fromOffset >= this.#range.endOffset) return this.#nothingLeft(fromOffset)
          isDeleted = false
        }
        const answer = await this.#ask(fromOffset)
        if (answer !== undefined) {
          const batches = [...batchesOf(answer.records)]
          if (batches.length > 0) return this.#fetched(answer, batches, offset, fromOffset)
          // The leader has all up to the end and nothing to show of it: compaction took the log's tail away.
          const readableEnd = this.#isolation === 'read_committed' ? answer.lastStableOffset : answer.highWatermark
          const isAllThere = answer.records.length === 0 && readableEnd >= this.#range.endOffset
          emptyAnswers = isAllThere ? emptyAnswers + 1 : 0
          if (emptyAnswers === EMPTY_ANSWERS_AT_END) return this.#fetched(answer, [], offset, fromOffset)
        }
        if (performance.now() - startedAtMs > this.#patienceMs) throw this.#nothingToRead(fromOffset)
      } catch (error) {
        this.#signal?.throwIfAborted()
        const failure = toClusterError(error, this.#name)
        if (failure.code === 'OFFSET_OUT_OF_RANGE' && !isDeleted) {
          isDeleted = true
          continue
        }
        const isPatienceOver = performance.now() - startedAtMs > this.#patienceMs
        if (isPatienceOver || !(failure.retriable || RETRIED_HERE.has(failure.code))) throw failure
        await pause(backoff.nextMs(), this.#signal)
        await this.#cluster.refreshTogether(this.#range.topic)
      }
    }
  }

  /** `undefined` where the broker left the partition out, as it does while it throttles. */
  async #ask(fromOffset: number): Promise<PartitionAnswer | undefined> {
    const { topic, topicId, partition } = this.#range
    const leader = this.#cluster.leaderOf(topic, partition)
    if (leader === undefined) throw new ClusterError('LEADER_NOT_AVAILABLE', `${this.#name} has no leader`, true)
    const connection = await this.#cluster.batchBroker(leader.nodeId, this.#purpose)
    const answer = await fetchOnce(connection, topicId, partition, fromOffset, this.#fetchBytes, this.#isolation)
    if (answer !== undefined && answer.errorCode !== 0) throw brokerError(answer.errorCode, this.#name)
    if (answer !== undefined) this.#pace?.fetched(answer.records.length)
    return answer
  }

  async #logStartAfter(offset: number): Promise<number> {
    const logStart = await listOffset(this.#cluster, this.#range, EARLIEST, 'read_committed')
    if (logStart > offset) return logStart
    throw new ClusterError(
      'LOG_CUT_BACK',
      `${this.#name}: offset ${offset} was there at the start and no longer is, though the log starts at ${logStart}: ` +
        'the log was cut back by an unclean leader election',
      false
    )
  }

  #fetched(answer: PartitionAnswer, batches: readonly Batch[], askedFor: number, fromOffset: number): Fetched {
    const { logStartOffset, abortedTransactions } = answer
    const last = batches.at(-1)
    const nextOffset = last === undefined ? this.#range.endOffset : Math.max(last.lastOffset + 1, fromOffset + 1)
    return { fromOffset, nextOffset, logStartOffset, isAfterGap: fromOffset > askedFor, abortedTransactions, batches }
  }

  #nothingLeft(logStartOffset: number): Fetched {
    return {
      fromOffset: logStartOffset,
      nextOffset: logStartOffset,
      logStartOffset,
      isAfterGap: true,
      abortedTransactions: [],
      batches: []
    }
  }

  #nothingToRead(offset: number): ClusterError {
    const seconds = this.#patienceMs / 1000
    return new ClusterError('READ_STALLED', `${this.#name}: offset ${offset} did not come within ${seconds} s`, false)
  }

  get #name(): string {
    return `${this.#cluster.alias} ${this.#range.topic}-${this.#range.partition}`
  }
}

/** A single one might be a follower's that has just become the leader. */
const EMPTY_ANSWERS_AT_END = 3

/** Brokers learn of a topic one after the other; Kafka does not call these retriable. */
const RETRIED_HERE = new Set(['UNKNOWN_TOPIC_ID', 'INCONSISTENT_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION'])

const FETCH = { key: 1, version: 13 } as const
const FETCH_WAIT_MS = 500
const ISOLATION_LEVELS = { read_uncommitted: 0, read_committed: 1 } as const
const NO_SESSION = 0
const NO_SESSION_EPOCH = -1
const ANY_EPOCH = -1

interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

interface PartitionAnswer {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  readonly records: Buffer
}

async function fetchOnce(
  connection: BatchConnection,
  topicId: string,
  partition: number,
  fetchOffset: number,
  fetchBytes: number,
  isolation: Isolation
): Promise<PartitionAnswer | undefined> {
  const wanted = {
    partition,
    currentLeaderEpoch: ANY_EPOCH,
    fetchOffset: BigInt(fetchOffset),
    lastFetchedEpoch: ANY_EPOCH,
    partitionMaxBytes: fetchBytes
  }
  const request = fetchV13.createRequest(
    FETCH_WAIT_MS,
    1,
    fetchBytes,
    ISOLATION_LEVELS[isolation],
    NO_SESSION,
    NO_SESSION_EPOCH,
    [{ topicId, partitions: [wanted] }],
    [],
    ''
  )
  // Not released: the records are views into it, and go with it.
  const answer = await connection.request(FETCH, [request.buffer])
  return parseFetch(answer.bytes)
}

/** The response's frame; the batches stay bytes. Only one partition was asked for. */
function parseFetch(bytes: Buffer): PartitionAnswer | undefined {
  const reader = Reader.from(bytes)
  reader.readInt32() // throttle time
  const errorCode = reader.readInt16()
  if (errorCode !== 0) throw brokerError(errorCode, 'fetch')
  reader.readInt32() // session id
  const topics = reader.readArray(topic => {
    topic.readUUID()
    return topic.readArray(parsePartition)
  })
  return topics[0]?.[0]
}

function parsePartition(reader: Reader): PartitionAnswer {
  reader.readInt32() // partition
  const errorCode = reader.readInt16()
  const highWatermark = Number(reader.readInt64())
  const lastStableOffset = Number(reader.readInt64())
  const logStartOffset = Number(reader.readInt64())
  const abortedTransactions =
    reader.readNullableArray(aborted => ({ producerId: aborted.readInt64(), firstOffset: aborted.readInt64() })) ?? []
  reader.readInt32() // preferred read replica: only offered to clients that name a rack
  const records = reader.readNullableBytes() ?? Buffer.alloc(0)
  return { errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions, records }
}

/** One batch: its bytes, and what its head says. */
interface Batch {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: bigint
  readonly isControl: boolean
  readonly isTransactional: boolean
  /** The time of all its records, where the topic's time stamps are the broker's. */
  readonly appendTime: bigint | undefined
}

/** Places in a RecordBatch v2. */
const LENGTH_AT = 8
const LENGTH_END = 12
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const HEAD_BYTES = 61
const LOG_APPEND_TIME = 1 << 3
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5

/** The whole batches; a part of one more may follow, since a broker cuts its answer off where the size is reached. */
function* batchesOf(records: Buffer): Generator<Batch> {
  for (let at = 0; records.length - at >= HEAD_BYTES; ) {
    const baseOffset = Number(records.readBigInt64BE(at))
    const magic = records.readInt8(at + MAGIC_AT)
    if (magic !== 2) {
      throw new ClusterError(
        'UNSUPPORTED_MAGIC',
        `the batch at offset ${baseOffset} has the old format ${magic}`,
        false
      )
    }
    const end = at + LENGTH_END + records.readInt32BE(at + LENGTH_AT)
    if (end > records.length) return
    if (end - at < HEAD_BYTES) throw new ClusterError('BAD_RESPONSE', 'a batch is shorter than its own head', false)
    const bytes = records.subarray(at, end)
    const attributes = bytes.readInt16BE(ATTRIBUTES_AT)
    yield {
      bytes,
      baseOffset,
      lastOffset: baseOffset + bytes.readInt32BE(LAST_OFFSET_DELTA_AT),
      producerId: bytes.readBigInt64BE(PRODUCER_ID_AT),
      isControl: (attributes & CONTROL) !== 0,
      isTransactional: (attributes & TRANSACTIONAL) !== 0,
      appendTime: (attributes & LOG_APPEND_TIME) !== 0 ? bytes.readBigInt64BE(MAX_TIMESTAMP_AT) : undefined
    }
    at = end
  }
}

function decode(
  batch: Batch,
  aborts: AbortedTransactions,
  range: ReadRange,
  fromOffset: number
): readonly ReadRecord[] {
  const isDropped = aborts.drops(batch)
  if (batch.isControl || isDropped || batch.lastOffset < fromOffset || batch.baseOffset >= range.endOffset) return []
  const { firstTimestamp, records } = decodeBatch(batch, range)
  const { appendTime, baseOffset } = batch
  const decoded: ReadRecord[] = []
  for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
    const offset = baseOffset + offsetDelta
    if (offset < fromOffset || offset >= range.endOffset) continue
    const timestamp = appendTime ?? firstTimestamp + timestampDelta
    decoded.push({ offset, timestamp, key, value, headers: headers as unknown as RecordHeader[] })
  }
  return decoded
}

function decodeBatch(batch: Batch, range: ReadRange): { firstTimestamp: bigint; records: readonly KafkaRecord[] } {
  try {
    return readRecordsBatch(Reader.from(batch.bytes))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ClusterError(
      'CORRUPT_BATCH',
      `${range.topic}-${range.partition}: the batch at offset ${batch.baseOffset} cannot be decoded: ${reason}`,
      false,
      { cause: error }
    )
  }
}

/**
 * Which batches belong to transactions that were aborted: of a producer, from the transaction's first offset to the
 * next abort marker. A producer may have aborted several within one response.
 */
class AbortedTransactions {
  readonly #waiting: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#waiting = transactions.toSorted((a, b) => Number(b.firstOffset - a.firstOffset))
  }

  /** To be asked for every batch, in order. */
  drops(batch: Batch): boolean {
    for (;;) {
      const next = this.#waiting.at(-1)
      if (next === undefined || Number(next.firstOffset) > batch.lastOffset) break
      this.#open.add(next.producerId)
      this.#waiting.pop()
    }
    // A commit marker cannot stand within an aborted transaction of the same producer.
    if (batch.isControl) this.#open.delete(batch.producerId)
    return batch.isTransactional && this.#open.has(batch.producerId)
  }
}
