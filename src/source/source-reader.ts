/**
 * Reads many source partitions: one fetch loop per broker that leads any of them.
 *
 *     request ──▶ broker ──▶ response n ──▶ positions move on (batch headers only, microseconds)
 *        ▲                                        │
 *        └────────── request n+1 goes out ◀───────┤
 *                                                 └──▶ response n is rewritten while the broker works on n+1
 *
 * The naive loop (fetch, rewrite, fetch) leaves the broker idle while we work and us idle while the broker does.
 * A partition whose buffer is full leaves the request and comes back when there is room, so it stops only itself.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError, errorName } from '../cluster/errors.ts'
import { type FetchedPartition, type FetchResponse, fetch } from '../cluster/fetch.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { FetchSession, type SessionPartition } from './fetch-session.ts'
import { Wakeup } from './wakeup.ts'

/** A source partition that wants to be read. Its callbacks are called from the fetch loop, one after the other. */
export interface FetchTarget {
  readonly topic: string
  readonly partition: number
  /** 32 hexadecimal digits. */
  readonly topicId: string
  /** Next offset to fetch. */
  readonly fetchOffset: number
  /** Leader epoch of the last batch that was fetched; -1 while unknown. */
  readonly lastFetchedEpoch: number
  /** Whether there is room for more. */
  readonly hasRoom: boolean
  /** False once its owner let go of it: nothing is handed to it any more. */
  readonly isOpen: boolean
  /** News of the partition; must move `fetchOffset` behind the whole batches in it, and do nothing that takes long. */
  received(fetched: FetchedPartition): void
  /** Handles the records of what was `received`; they are gone after it returns. */
  process(fetched: FetchedPartition): void
  /** The broker answered for this partition with an error that a new leader would not mend. */
  refused(error: string): void
}

export interface SourceReaderOptions {
  readonly cluster: Cluster
  readonly signal: AbortSignal
  /** Whether the flow as a whole has room for another response. */
  hasRoom(): boolean
  retrying(error: string): void
}

const FETCH_MAX_WAIT_MS = 500
/** While a partition waits for room, quiet ones must not keep the request open: it has to come back in soon. */
const FETCH_MAX_WAIT_CROWDED_MS = 10
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const FETCH_PARTITION_BYTES_MAX = 1024 * 1024
/** After this many bytes of rewriting, answers and acknowledgements get a turn. */
const PROCESS_BYTES_PER_TURN = 1024 * 1024

/** Errors that say: ask for the metadata again, somebody else leads this partition or will soon. */
const LEADERSHIP_ERRORS = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
  'UNKNOWN_SERVER_ERROR'
])

export class SourceReader {
  readonly #options: SourceReaderOptions
  readonly #loops = new Map<number, FetchLoop>()
  /** Targets between two leaders, and the pauses they take. */
  readonly #searching = new Map<FetchTarget, Backoff>()

  constructor(options: SourceReaderOptions) {
    this.#options = options
  }

  /** Begins to read a partition. */
  add(target: FetchTarget): void {
    const leader = this.#options.cluster.leaderOf(target.topic, target.partition)
    if (leader === undefined) {
      void this.#findLeader(target)
      return
    }
    let loop = this.#loops.get(leader.nodeId)
    if (loop === undefined) {
      loop = new FetchLoop(leader.nodeId, this.#options, leaderless => void this.#findLeader(leaderless))
      this.#loops.set(leader.nodeId, loop)
    }
    loop.add(target, leader.leaderEpoch)
  }

  /** Stops reading a partition, whose owner has closed it. */
  remove(target: FetchTarget): void {
    this.#searching.delete(target)
    for (const loop of this.#loops.values()) loop.remove(target)
  }

  /** Room was made: loops that wait for it go on. */
  wake(): void {
    for (const loop of this.#loops.values()) loop.wake()
  }

  /** When the loop that reads this partition last had an answer from its broker; `undefined` while it is not read. */
  answeredAtMs(target: FetchTarget): number | undefined {
    for (const loop of this.#loops.values()) if (loop.isAsking(target)) return loop.answeredAtMs
    return undefined
  }

  async #findLeader(target: FetchTarget): Promise<void> {
    if (this.#searching.has(target)) return
    const backoff = new Backoff(50, 5_000)
    this.#searching.set(target, backoff)
    do {
      await pause(backoff.nextMs(), this.#options.signal)
      await this.#options.cluster.refreshTogether(target.topic)
      if (this.#options.signal.aborted || !target.isOpen) return
      const topic = this.#options.cluster.topic(target.topic)
      if (topic !== undefined && topic.topicId !== target.topicId) {
        this.#searching.delete(target)
        target.refused('INCONSISTENT_TOPIC_ID')
        return
      }
    } while (this.#options.cluster.leaderOf(target.topic, target.partition) === undefined)
    this.#searching.delete(target)
    this.add(target)
  }
}

/** The fetch loop of one broker. It ends when it has no partitions left and begins again with the next one. */
class FetchLoop {
  readonly #nodeId: number
  readonly #options: SourceReaderOptions
  readonly #giveBack: (target: FetchTarget) => void
  readonly #targets = new Map<string, { target: FetchTarget; leaderEpoch: number }>()
  readonly #session = new FetchSession()
  readonly #wakeup = new Wakeup()
  readonly #backoff = new Backoff(50, 5_000)
  /** What the request under way asks for. */
  #asked: ReadonlyMap<string, SessionPartition> = new Map()
  #isRunning = false
  #mustFindLeaders = false
  answeredAtMs: number | undefined

  constructor(nodeId: number, options: SourceReaderOptions, giveBack: (target: FetchTarget) => void) {
    this.#nodeId = nodeId
    this.#options = options
    this.#giveBack = giveBack
    options.signal.addEventListener('abort', () => this.#wakeup.wake(), { once: true })
  }

  add(target: FetchTarget, leaderEpoch: number): void {
    this.#targets.set(keyOf(target), { target, leaderEpoch })
    this.#wakeup.wake()
    if (!this.#isRunning) void this.#run()
  }

  remove(target: FetchTarget): void {
    const key = keyOf(target)
    if (this.#targets.get(key)?.target === target) this.#targets.delete(key)
    this.#wakeup.wake()
  }

  wake(): void {
    this.#wakeup.wake()
  }

  isAsking(target: FetchTarget): boolean {
    const key = keyOf(target)
    return this.#targets.get(key)?.target === target && this.#asked.has(key)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      let request = this.#request()
      while (this.#isWanted) {
        const response = await request
        if (response === undefined) {
          if (this.#mustFindLeaders) this.#giveBackAll()
          request = this.#request()
          continue
        }
        const fetched = this.#receive(response)
        request = this.#request()
        await this.#process(fetched)
        response.release()
      }
      // Nobody wants what is still under way, but its memory has to come back, and its session must not be mixed up
      // with the next one's.
      const unwanted = await request
      unwanted?.release()
    } finally {
      this.#isRunning = false
      this.#asked = new Map()
      this.#session.reset()
    }
    if (this.#isWanted) void this.#run()
  }

  get #isWanted(): boolean {
    return this.#targets.size > 0 && !this.#options.signal.aborted
  }

  /** One answer, or `undefined` where there was none: the loop looks again at what is wanted. Never throws. */
  async #request(): Promise<FetchResponse | undefined> {
    while (this.#isWanted) {
      const { wanted, isCrowded } = this.#wanted()
      if (wanted.size > 0 && this.#options.hasRoom()) return this.#fetch(wanted, isCrowded)
      this.#asked = new Map()
      await this.#wakeup.wait()
    }
    return undefined
  }

  async #fetch(wanted: ReadonlyMap<string, SessionPartition>, isCrowded: boolean): Promise<FetchResponse | undefined> {
    this.#asked = wanted
    try {
      const connection = await this.#options.cluster.batchBroker(this.#nodeId, 'fetch')
      const response = await fetch(connection, {
        maxWaitMs: isCrowded ? FETCH_MAX_WAIT_CROWDED_MS : FETCH_MAX_WAIT_MS,
        minBytes: 1,
        maxBytes: FETCH_BYTES_MAX,
        readCommitted: true,
        ...this.#session.next(wanted)
      })
      if (response.errorCode !== 0) {
        response.release()
        throw new ClusterError(errorName(response.errorCode), 'fetch refused', true)
      }
      this.#session.answered(response)
      this.#backoff.reset()
      this.answeredAtMs = performance.now()
      return response
    } catch (error) {
      await this.#recover(error)
      return undefined
    }
  }

  async #recover(error: unknown): Promise<void> {
    this.#session.reset()
    if (this.#options.signal.aborted) return
    const code = error instanceof ClusterError ? error.code : 'UNREACHABLE'
    this.#options.retrying(code)
    // The broker has dropped an idle session for another client's: a full request begins the next one.
    if (code === 'FETCH_SESSION_ID_NOT_FOUND' || code === 'INVALID_FETCH_SESSION_EPOCH') return
    await pause(this.#backoff.nextMs(), this.#options.signal)
    // Perhaps this broker is gone for good, or one topic made anew spoils the session for all: let every partition look
    // for its leader again. Not here: records of the answer before may still be waiting to be processed, and the next
    // loop must not overtake them.
    this.#mustFindLeaders = true
  }

  #giveBackAll(): void {
    this.#mustFindLeaders = false
    const targets = [...this.#targets.values()]
    this.#targets.clear()
    for (const { target } of targets) this.#giveBack(target)
  }

  #wanted(): { wanted: Map<string, SessionPartition>; isCrowded: boolean } {
    const wanted = new Map<string, SessionPartition>()
    let isCrowded = false
    for (const [key, { target, leaderEpoch }] of this.#targets) {
      if (!target.hasRoom) {
        isCrowded = true
        continue
      }
      wanted.set(key, {
        topicId: target.topicId,
        partition: target.partition,
        leaderEpoch,
        fetchOffset: target.fetchOffset,
        lastFetchedEpoch: target.lastFetchedEpoch,
        maxBytes: FETCH_PARTITION_BYTES_MAX
      })
    }
    return { wanted, isCrowded }
  }

  /** Moves positions on; returns what has records to be processed. */
  #receive(response: FetchResponse): { target: FetchTarget; fetched: FetchedPartition }[] {
    const withRecords: { target: FetchTarget; fetched: FetchedPartition }[] = []
    for (const fetched of response.partitions) {
      const key = keyOf(fetched)
      const target = this.#targets.get(key)?.target
      // Removed meanwhile, or replaced by its successor at another position: this answer is not for it.
      if (target === undefined || !target.isOpen || this.#asked.get(key)?.fetchOffset !== target.fetchOffset) continue
      if (fetched.errorCode !== 0) {
        this.#refuse(key, target, errorName(fetched.errorCode))
        continue
      }
      target.received(fetched)
      if (fetched.records.length > 0) withRecords.push({ target, fetched })
    }
    return withRecords
  }

  #refuse(key: string, target: FetchTarget, error: string): void {
    this.#targets.delete(key)
    if (LEADERSHIP_ERRORS.has(error) || error === 'UNKNOWN_TOPIC_ID') {
      this.#options.retrying(error)
      this.#giveBack(target)
    } else {
      target.refused(error)
    }
  }

  async #process(all: readonly { target: FetchTarget; fetched: FetchedPartition }[]): Promise<void> {
    let bytesThisTurn = 0
    for (const { target, fetched } of all) {
      if (!target.isOpen) continue
      target.process(fetched)
      bytesThisTurn += fetched.records.length
      if (bytesThisTurn >= PROCESS_BYTES_PER_TURN) {
        bytesThisTurn = 0
        await new Promise(resolve => setImmediate(resolve))
      }
    }
  }
}

function keyOf({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string {
  return `${topicId}/${partition}`
}
