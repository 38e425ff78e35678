/**
 * One fetch loop at one broker.
 *
 *     request ──▶ broker ──▶ response n ──▶ positions move on (batch headers only, microseconds)
 *        ▲                                        │
 *        └────────── request n+1 goes out ◀───────┤
 *                                                 └──▶ response n is rewritten while the broker works on n+1
 *
 * The naive loop (fetch, rewrite, fetch) leaves the broker idle while we work and us idle while the broker does.
 * A partition whose buffer is full leaves the request and comes back when there is room, so it stops only itself; and so does
 * one whose next records are not due yet, because the copy is kept behind.
 *
 * With thousands of partitions, nothing here looks at all of them for a request: only at those that were touched.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError, errorName } from '../cluster/errors.ts'
import { type FetchedPartition, type FetchResponse, fetch } from '../cluster/fetch.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { BudgetedAnswers } from './budgeted-answers.ts'
import type { ByteBudget } from './byte-budget.ts'
import { FetchSession } from './fetch-session.ts'
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
  /** Received, and not acknowledged by the destination. */
  readonly bufferedBytes: number
  /** False once its owner let go of it: nothing is handed to it any more. */
  readonly isOpen: boolean
  /** When what comes next is due, by `performance.now()`; 0: it is, or has to be read to be known. */
  readonly dueAtMs: number
  /** The most to ask for, where that is less than a loop would. */
  readonly fetchBytesMax: number
  /** It copies what is old, others what is new: kept by the reader. */
  isBacklog: boolean
  /**
   * News of the partition; must move `fetchOffset` behind the whole batches in it that are due, and do nothing that takes long.
   * @returns what of it is to be processed: the same, or with fewer records
   */
  received(fetched: FetchedPartition): FetchedPartition
  /**
   * Handles the records of what was `received`, in steps between which the loop may wait; they are gone after the last one. It is left
   * in between where the target has closed.
   */
  process(fetched: FetchedPartition): Iterable<void>
  /** The broker answered for this partition with an error that a new leader would not mend. */
  refused(error: string): void
}

export interface SourceReaderOptions {
  readonly cluster: Cluster
  readonly signal: AbortSignal
  /**
   * Whether the flow as a whole has room for another response.
   * @param areBoth whether there are partitions with new traffic as well as with backlog
   */
  hasRoom(isBacklog: boolean, areBoth: boolean): boolean
  /** How long the way is that acknowledgements come from: over a long one more is under way. */
  destinationRoundTripMs(): number
  /** Whether more of what is here already may come out of its compression. */
  hasRoomToRewrite(): boolean
  /** What may be fetched in a second; `undefined`: no limit. */
  readonly budget?: ByteBudget | undefined
  /** New traffic goes before backlog: each kind has fetch loops of its own. */
  readonly isOrdered?: boolean
  retrying(error: string): void
}

const FETCH_MAX_WAIT_MS = 500
/** While a partition waits for room, quiet ones must not keep the request open: it has to come back in soon. */
const FETCH_MAX_WAIT_CROWDED_MS = 10
/** Partitions that become due are waited for this precisely, so that many of them do not make many short requests. */
const DUE_STEP_MS = 50
/** New traffic that has not come near its end for so long is backlog. */
const BACKLOG_AFTER_MS = 5_000
const FAR_ROUND_TRIP_MS = 40
const MIB = 1024 * 1024
/**
 * How much one answer may hold, and how much of a partition it may (a single batch that is larger comes whole all the
 * same), the more the longer the round trip; and how much of a partition may be here unacknowledged before no more is
 * asked for, by the longer of the two ways: one slow leader at the destination can't take all the memory.
 */
const FETCH_WINDOWS = [
  { roundTripMsMin: 0, answerBytesMax: 4 * MIB, partitionBytesMax: MIB, bufferedBytesMax: 4 * MIB },
  { roundTripMsMin: 20, answerBytesMax: 8 * MIB, partitionBytesMax: 2 * MIB, bufferedBytesMax: 4 * MIB },
  {
    roundTripMsMin: FAR_ROUND_TRIP_MS,
    answerBytesMax: 8 * MIB,
    partitionBytesMax: 4 * MIB,
    bufferedBytesMax: 8 * MIB
  }
] as const
function windowAt(roundTripMs: number): (typeof FETCH_WINDOWS)[number] {
  return FETCH_WINDOWS.findLast(({ roundTripMsMin }) => roundTripMs >= roundTripMsMin)!
}

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

/** A target as its loop keeps it. */
interface Reading {
  readonly key: string
  readonly target: FetchTarget
  readonly leaderEpoch: number
  /** Since when it has not come near its end. */
  behindSinceMs: number | undefined
}

/** What an answer holds of a target. */
interface Received {
  readonly reading: Reading
  readonly fetched: FetchedPartition
}

interface LoopListener {
  /** The loop has let go of it: somebody else may lead it. */
  leaderless(target: FetchTarget): void
  /** It has caught up, or fallen behind. Called while no answer is being processed. */
  turned(target: FetchTarget, leaderEpoch: number): void
  /** Whether there are partitions with new traffic as well as with backlog. */
  areBoth(): boolean
  /** The round trips are long. Called while no answer is being processed: the loop's targets may be taken from it. */
  isFar(): void
}

/** It ends when it has no partitions left and begins again with the next one. */
export class FetchLoop {
  /** It reads what is old. */
  readonly isBacklog: boolean
  readonly #nodeId: number
  readonly #purpose: string
  readonly #options: SourceReaderOptions
  /** `undefined`: without a budget. */
  readonly #budgeted: BudgetedAnswers | undefined
  readonly #listener: LoopListener
  readonly #readings = new Map<string, Reading>()
  /** Those whose position or room may have changed since the last request. */
  readonly #touched = new Set<Reading>()
  /** Those that wait for room. */
  readonly #crowded = new Set<Reading>()
  /** Those whose next records are not due yet, and when they are. */
  readonly #early = new Map<Reading, number>()
  /** The earliest of them; may be too early, never too late. */
  #nextDueAtMs = Number.POSITIVE_INFINITY
  /** Those that have caught up or fallen behind with the last answer. */
  readonly #turned = new Set<Reading>()
  readonly #session = new FetchSession()
  readonly #wakeup = new Wakeup()
  /** Ends the wait in the midst of an answer, while the next one may be waited for as well. */
  readonly #roomMade = new Wakeup()
  readonly #backoff = new Backoff(50, 5_000)
  #window: (typeof FETCH_WINDOWS)[number] = FETCH_WINDOWS[0]
  #bufferedBytesMax: number = FETCH_WINDOWS[0].bufferedBytesMax
  #isRunning = false
  /** A request is under way, or its answer is being looked at. */
  #isAsking = false
  #mustFindLeaders = false
  answeredAtMs: number | undefined

  /** @param name tells it from other loops at the same broker */
  constructor(nodeId: number, name: string, isBacklog: boolean, options: SourceReaderOptions, listener: LoopListener) {
    this.#nodeId = nodeId
    this.#purpose = name
    this.isBacklog = isBacklog
    this.#options = options
    this.#budgeted = options.budget === undefined ? undefined : new BudgetedAnswers(options.budget, isBacklog)
    this.#listener = listener
    options.signal.addEventListener('abort', () => this.wake(), { once: true })
  }

  get size(): number {
    return this.#readings.size
  }

  add(target: FetchTarget, leaderEpoch: number): void {
    const reading = { key: keyOf(target), target, leaderEpoch, behindSinceMs: undefined }
    this.#drop(reading.key)
    this.#readings.set(reading.key, reading)
    this.#touched.add(reading)
    this.#wakeup.wake()
    if (!this.#isRunning) void this.#run()
  }

  remove(target: FetchTarget): void {
    const reading = this.#readingOf(target)
    if (reading !== undefined) this.#drop(reading.key)
    this.wake()
  }

  /** Lets go of so many targets, for another loop. What is under way for them is not taken any more. */
  handOver(count: number): Reading[] {
    const handed = [...this.#readings.values()].slice(0, count)
    for (const { key } of handed) this.#drop(key)
    return handed
  }

  /** Looks at this target again before the next request. */
  touch(target: FetchTarget): void {
    const reading = this.#readingOf(target)
    if (reading !== undefined) this.#touched.add(reading)
  }

  wake(): void {
    this.#wakeup.wake()
    this.#roomMade.wake()
  }

  isAsking(target: FetchTarget): boolean {
    const reading = this.#readingOf(target)
    return reading !== undefined && this.#isAsking && this.#session.asked(reading.key) !== undefined
  }

  #readingOf(target: FetchTarget): Reading | undefined {
    const reading = this.#readings.get(keyOf(target))
    return reading?.target === target ? reading : undefined
  }

  #drop(key: string): void {
    const reading = this.#readings.get(key)
    if (reading === undefined) return
    this.#readings.delete(key)
    this.#touched.delete(reading)
    this.#crowded.delete(reading)
    this.#early.delete(reading)
    this.#turned.delete(reading)
    this.#session.leave(key)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#budgeted?.begin()
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
        for (const { target, leaderEpoch } of [...this.#turned]) this.#listener.turned(target, leaderEpoch)
        this.#turned.clear()
        if (this.#window.roundTripMsMin >= FAR_ROUND_TRIP_MS) this.#listener.isFar()
      }
      // Nobody wants what is still under way, but its memory has to come back, and its session must not be mixed up
      // with the next one's.
      const unwanted = await request
      unwanted?.release()
    } finally {
      this.#isRunning = false
      this.#isAsking = false
      this.#budgeted?.end()
      this.#session.reset()
    }
    if (this.#isWanted) void this.#run()
  }

  get #isWanted(): boolean {
    return this.#readings.size > 0 && !this.#options.signal.aborted
  }

  /** One answer, or `undefined` where there was none: the loop looks again at what is wanted. Never throws. */
  async #request(): Promise<FetchResponse | undefined> {
    while (this.#isWanted) {
      this.#touchDue()
      this.#lookAtTouched()
      const isWanted = this.#session.size > 0 && this.#options.hasRoom(this.isBacklog, this.#listener.areBoth())
      const waitMs = isWanted ? (this.#budgeted?.waitMs ?? 0) : this.#untilDueMs
      if (isWanted && waitMs === 0) return this.#fetch()
      // While it is only paid for what came last, the last answer still speaks for all.
      if (!isWanted) this.#isAsking = false
      await this.#wakeup.wait(waitMs)
    }
    return undefined
  }

  get #untilDueMs(): number {
    return Math.max(this.#nextDueAtMs - performance.now(), DUE_STEP_MS)
  }

  get #maxWaitMs(): number {
    return this.#crowded.size > 0 ? FETCH_MAX_WAIT_CROWDED_MS : Math.min(this.#untilDueMs, FETCH_MAX_WAIT_MS)
  }

  async #fetch(): Promise<FetchResponse | undefined> {
    this.#isAsking = true
    try {
      const connection = await this.#options.cluster.batchBroker(this.#nodeId, this.#purpose)
      this.#setWindows(connection.roundTripMs)
      const maxBytes = this.#answerBytesMax
      const response = await fetch(connection, {
        maxWaitMs: Math.ceil(this.#maxWaitMs),
        minBytes: 1,
        maxBytes,
        readCommitted: true,
        ...this.#session.next()
      })
      this.#budgeted?.received(response, maxBytes)
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

  get #answerBytesMax(): number {
    const { answerBytesMax, roundTripMsMin } = this.#window
    if (this.#budgeted === undefined) return answerBytesMax
    return Math.min(answerBytesMax, this.#budgeted.bytesMax(roundTripMsMin >= FAR_ROUND_TRIP_MS))
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
    for (const { key, target } of [...this.#readings.values()]) {
      this.#drop(key)
      this.#listener.leaderless(target)
    }
  }

  /** Those whose time has come. */
  #touchDue(): void {
    if (this.#early.size === 0) return
    const nowMs = performance.now()
    if (nowMs < this.#nextDueAtMs) return
    this.#nextDueAtMs = Number.POSITIVE_INFINITY
    for (const [reading, dueAtMs] of this.#early) {
      if (dueAtMs > nowMs) {
        this.#nextDueAtMs = Math.min(this.#nextDueAtMs, dueAtMs)
        continue
      }
      this.#early.delete(reading)
      this.#touched.add(reading)
    }
  }

  /** Brings what is asked for up to date with what was touched. */
  #lookAtTouched(): void {
    for (const reading of this.#touched) {
      const { key, target, leaderEpoch } = reading
      if (!target.isOpen || target.bufferedBytes >= this.#bufferedBytesMax) {
        this.#crowded.add(reading)
        this.#session.leave(key)
        continue
      }
      this.#crowded.delete(reading)
      if (this.#isEarly(reading)) {
        this.#session.leave(key)
        continue
      }
      this.#session.want(key, {
        topicId: target.topicId,
        partition: target.partition,
        leaderEpoch,
        fetchOffset: target.fetchOffset,
        lastFetchedEpoch: target.lastFetchedEpoch,
        maxBytes: Math.min(this.#window.partitionBytesMax, target.fetchBytesMax)
      })
    }
    this.#touched.clear()
  }

  /** Whether its next records are not due yet: then it waits for them. */
  #isEarly(reading: Reading): boolean {
    const { dueAtMs } = reading.target
    if (dueAtMs === 0 || dueAtMs <= performance.now()) {
      this.#early.delete(reading)
      return false
    }
    this.#early.set(reading, dueAtMs)
    this.#nextDueAtMs = Math.min(this.#nextDueAtMs, dueAtMs)
    return true
  }

  #setWindows(roundTripMs: number): void {
    const window = windowAt(roundTripMs)
    const bufferedBytesMax = windowAt(Math.max(roundTripMs, this.#options.destinationRoundTripMs())).bufferedBytesMax
    if (window === this.#window && bufferedBytesMax === this.#bufferedBytesMax) return
    this.#window = window
    this.#bufferedBytesMax = bufferedBytesMax
    for (const reading of this.#readings.values()) this.#touched.add(reading)
    this.#lookAtTouched()
  }

  /** Moves positions on; returns what has records to be processed. */
  #receive(response: FetchResponse): Received[] {
    const withRecords: Received[] = []
    for (const fetched of response.partitions) {
      const key = keyOf(fetched)
      const reading = this.#readings.get(key)
      const target = reading?.target
      // Removed meanwhile, or replaced by its successor at another position: this answer is not for it.
      if (reading === undefined || target === undefined || !target.isOpen) continue
      if (this.#session.asked(key)?.fetchOffset !== target.fetchOffset) continue
      if (fetched.errorCode !== 0) {
        this.#refuse(reading, errorName(fetched.errorCode))
        continue
      }
      const { fetchOffset } = target
      const taken = target.received(fetched)
      if (!target.isOpen) continue
      this.#touched.add(reading)
      this.#classify(reading, target.fetchOffset - fetchOffset, fetched.lastStableOffset - target.fetchOffset)
      if (taken.records.length > 0) withRecords.push({ reading, fetched: taken })
    }
    return withRecords
  }

  /**
   * Near its end, with nothing left but what is not due yet or no more than another answer may bring, a partition copies new
   * traffic. It begins as backlog, and becomes it again when it has not come near its end for a while.
   */
  #classify(reading: Reading, takenRecords: number, leftRecords: number): void {
    const { target } = reading
    const isNearEnd = leftRecords <= takenRecords || target.dueAtMs > performance.now()
    if (isNearEnd) reading.behindSinceMs = undefined
    else reading.behindSinceMs ??= performance.now()
    const isTurned = target.isBacklog
      ? isNearEnd
      : !isNearEnd && performance.now() - reading.behindSinceMs! >= BACKLOG_AFTER_MS
    if (isTurned) this.#turned.add(reading)
    else this.#turned.delete(reading)
  }

  #refuse({ key, target }: Reading, error: string): void {
    this.#drop(key)
    if (LEADERSHIP_ERRORS.has(error) || error === 'UNKNOWN_TOPIC_ID') {
      this.#options.retrying(error)
      this.#listener.leaderless(target)
    } else {
      target.refused(error)
    }
  }

  async #process(all: readonly Received[]): Promise<void> {
    let bytesThisTurn = 0
    for (const { reading, fetched } of all) {
      const { target } = reading
      if (!(await this.#roomToRewrite(target))) continue
      for (const _ of target.process(fetched)) {
        // It may have grown: records come out of their compression here.
        this.touch(target)
        if (!(await this.#roomToRewrite(target))) break
      }
      bytesThisTurn += fetched.records.length
      if (bytesThisTurn >= PROCESS_BYTES_PER_TURN) {
        bytesThisTurn = 0
        await new Promise(resolve => setImmediate(resolve))
      }
    }
  }

  /** Waits until there is room, and tells whether the target still wants what it was waited for. */
  async #roomToRewrite(target: FetchTarget): Promise<boolean> {
    while (target.isOpen && !this.#options.signal.aborted && !this.#options.hasRoomToRewrite()) {
      await this.#roomMade.wait()
    }
    return target.isOpen && !this.#options.signal.aborted
  }
}

function keyOf({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string {
  return `${topicId}/${partition}`
}
