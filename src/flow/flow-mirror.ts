import { Cluster } from '../cluster/cluster.ts'
import { LATEST, listOffsets, partitionKey } from '../cluster/offsets.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { Dispatcher } from '../destination/dispatcher.ts'
import { Fence } from '../destination/fence.ts'
import { EventReader, type LoggedOrder } from '../events/event-log.ts'
import { BufferPool } from '../records/buffer-pool.ts'
import { Codec } from '../records/codecs.ts'
import { BufferedBytes } from '../source/buffered-bytes.ts'
import { ByteBudget } from '../source/byte-budget.ts'
import { SourceReader } from '../source/source-reader.ts'
import type { FlowContext, LogSink } from './flow-context.ts'
import { Latencies } from './latencies.ts'
import type { Assignment, FlowReport, PartitionKey, PartitionReport, Progress, TroubleReport } from './messages.ts'
import { PartitionMirror } from './partition-mirror.ts'
import { Permits } from './permits.ts'
import { StandingOrders } from './standing-orders.ts'
import { Watchdog, type WatchdogStep } from './watchdog.ts'

/** What all partitions of a flow may hold, fetched and not acknowledged, before fetching stops. */
const BUFFERED_BYTES_MAX = 40 * 1024 * 1024
const POOL_BYTES_MAX = 32 * 1024 * 1024
const ESTABLISHING_MAX = 64
/** What is in flight gets this long when the flow is stopped. */
const DRAIN_MS = 5_000
/** How often the source's end is asked for where no fetch tells it. */
const SOURCE_END_INTERVAL_MS = 1_000
/** A fetch loop that answered within this time speaks for all partitions it asks for. */
const FETCH_NEWS_MAX_AGE_MS = 2_000
/** How often quiet partitions are looked at too: what they have to tell is at most that nothing is heard of the source. */
const SWEEP_INTERVAL_MS = 2_000
/** The same kind of trouble is logged once in this time. */
const RETRY_LOG_INTERVAL_MS = 10_000
const THROTTLE_LOG_INTERVAL_MS = 60_000

/** What the watchdog asks for when new connections do not help. */
export interface OnStall {
  /** Begin this flow anew. */
  restart(): void
  /** Only a new process might help. */
  giveUp(detail: string): void
}

const STALL_REMEDIES: Record<WatchdogStep, string> = {
  reconnect: 'making new connections',
  'restart-flow': 'beginning the flow anew',
  exit: 'ending'
}

/** The part of a flow that lives in one data-plane thread: its connections, and the partitions given to it. */
export class FlowMirror {
  readonly #context: FlowContext
  readonly #index: number
  readonly #partitions = new Map<string, PartitionMirror>()
  readonly #buffered: BufferedBytes
  readonly #budget: ByteBudget | undefined
  readonly #closing = new AbortController()
  readonly #sourceEndTimer: NodeJS.Timeout
  #isAskingEnds = false
  #nextSweepAtMs = 0
  #retries: Record<string, number> = {}
  readonly #throttleLoggedAtMs = new Map<Cluster, number>()
  #fenced = 0
  #troubles: TroubleReport[] = []
  #watchdogSteps: WatchdogStep[] = []
  #watchdog: Watchdog
  readonly #onStall: OnStall
  readonly #retryLoggedAtMs = new Map<string, number>()

  /** @param budget what the threads of this flow have in common */
  constructor(
    index: number,
    flow: FlowConfig,
    config: Config,
    clientId: string,
    budget: SharedArrayBuffer,
    onStall: OnStall,
    log: LogSink
  ) {
    this.#index = index
    this.#onStall = onStall
    this.#watchdog = new Watchdog(config.stallTimeoutMs)
    const signal = this.#closing.signal
    const pool = new BufferPool(POOL_BYTES_MAX)
    const source = new Cluster(flow.source, clientId, pool)
    const destination = new Cluster(flow.destination, clientId, pool)
    const eventReader = new EventReader(destination, flow.source.alias)
    const backlogShare = config.backlogSharePercent / 100
    this.#buffered = new BufferedBytes(BUFFERED_BYTES_MAX, backlogShare)
    const { maxBytesPerSecond: bytesPerSecond } = config
    this.#budget = bytesPerSecond > 0 ? new ByteBudget({ bytesPerSecond, backlogShare, shared: budget }) : undefined
    const retrying = (operation: string, error: string) => this.#retrying(operation, error)
    const dispatcher = new Dispatcher(
      destination,
      { retrying: (writer, error) => retrying('produce', `${writer.topic}-${writer.partition}: ${error}`) },
      signal
    )
    const flowFields = { source: flow.source.alias, destination: flow.destination.alias }
    this.#context = {
      source,
      destination,
      delivery: config.delivery,
      start: config.start,
      onGap: config.onGap,
      codec: config.compression === 'source' ? undefined : Codec[config.compression],
      pool,
      reader: new SourceReader({
        cluster: source,
        signal,
        hasRoom: (isBacklog, areBoth) => this.#buffered.hasRoom(isBacklog, areBoth),
        destinationRoundTripMs: () => dispatcher.roundTripMs,
        hasRoomToRewrite: () => this.#buffered.hasRoomToRewrite,
        budget: this.#budget,
        isOrdered: backlogShare < 1,
        retrying: error => retrying('fetch', error)
      }),
      dispatcher,
      buffered: this.#buffered,
      delayMs: config.delayMs,
      fence: new Fence(destination),
      orders: new StandingOrders({
        destination: flow.destination.alias,
        readLog: () => eventReader.read(signal),
        refused: error =>
          this.#context.log('warn', 'the event log can’t be read: orders to stop are not heard of', {
            error: error.message
          })
      }),
      establishing: new Permits(ESTABLISHING_MAX),
      latencies: new Latencies(),
      fenced: () => {
        this.#fenced++
      },
      troubled: report => {
        this.#troubles.push(report)
      },
      retrying,
      log: (level, message, fields) => log(level, message, { ...flowFields, ...fields })
    }
    this.#sourceEndTimer = setInterval(() => void this.#askSourceEnds(), SOURCE_END_INTERVAL_MS)
  }

  /** Begins to mirror partitions. */
  async assign(assignments: readonly Assignment[]): Promise<void> {
    const { source, destination } = this.#context
    const mirrors = assignments.map(assignment => new PartitionMirror(this.#context, assignment))
    for (const mirror of mirrors) {
      const key = partitionKey(mirror)
      // Never two of one partition: the group hands a partition out again only after it was revoked.
      void this.#partitions.get(key)?.release(0)
      this.#partitions.set(key, mirror)
    }
    await Promise.all([
      source.refresh([...new Set(mirrors.map(mirror => mirror.topic))]).catch(() => {}),
      destination.refresh([...new Set(mirrors.map(mirror => mirror.destinationTopic))]).catch(() => {})
    ])
    for (const mirror of mirrors) void mirror.run()
  }

  /** Lets go of partitions; resolves to how far each one got. */
  async release(
    partitions: readonly PartitionKey[],
    drainMs: number
  ): Promise<(PartitionKey & { progress: Progress | undefined })[]> {
    return Promise.all(
      partitions.map(async ({ topic, partition }) => {
        const key = partitionKey({ topic, partition })
        const mirror = this.#partitions.get(key)
        const progress = await mirror?.release(drainMs)
        if (this.#partitions.get(key) === mirror) this.#partitions.delete(key)
        return { topic, partition, progress }
      })
    )
  }

  /** Has a partition go on from there, whatever it did until now. */
  resume(partition: PartitionKey, progress: Progress): void {
    this.#partitions.get(partitionKey(partition))?.resumeAt(progress)
  }

  /** The flow's newest order: what is under way stops in order, what stands still by an order looks again. */
  order(newest: LoggedOrder | undefined): void {
    const { orders } = this.#context
    if (newest !== undefined) orders.hear(newest)
    const { stop, standing } = newest === undefined ? {} : orders
    for (const mirror of this.#partitions.values()) {
      if (stop !== undefined) void mirror.stop(stop, DRAIN_MS)
      else mirror.goOn(standing)
    }
  }

  setBatchLimit(destinationTopic: string, bytes: number): void {
    for (const mirror of this.#partitions.values()) {
      if (mirror.destinationTopic === destinationTopic) mirror.setBatchLimit(bytes)
    }
  }

  /** Takes over the partitions of one that is stuck, from where they are. */
  inherit(stuck: FlowMirror): void {
    // The watchdog counts on: a new beginning is one of its steps.
    this.#watchdog = stuck.#watchdog
    this.#watchdogSteps = stuck.#watchdogSteps
    const staying = [...stuck.#partitions.values()].filter(({ isLeaving }) => !isLeaving)
    void this.assign(staying.map(mirror => mirror.assignmentNow))
  }

  /** What is new since the last report. */
  takeReport(): FlowReport {
    const nowMs = performance.now()
    const partitions: PartitionReport[] = []
    const isSweep = nowMs >= this.#nextSweepAtMs
    if (isSweep) this.#nextSweepAtMs = nowMs + SWEEP_INTERVAL_MS
    for (const mirror of this.#partitions.values()) {
      if (!mirror.hasNews && !isSweep) continue
      const answeredAtMs = mirror.answeredAtMs
      if (answeredAtMs !== undefined) mirror.lag.sourceHeard(answeredAtMs)
      const report = mirror.takeReport(nowMs)
      if (report !== undefined) partitions.push(report)
    }
    if (isSweep) this.#watch(nowMs)
    const told = {
      throttledMs: this.#takeThrottled(nowMs),
      retries: this.#retries,
      fenced: this.#fenced,
      troubles: this.#troubles,
      watchdogSteps: this.#watchdogSteps
    }
    this.#retries = {}
    this.#fenced = 0
    this.#troubles = []
    this.#watchdogSteps = []
    return { flow: this.#index, partitions, ...this.#context.latencies.take(), ...told }
  }

  async close(): Promise<void> {
    clearInterval(this.#sourceEndTimer)
    await Promise.all([...this.#partitions.values()].map(mirror => mirror.release(0)))
    this.#closing.abort()
    await Promise.all([this.#context.source.close(), this.#context.destination.close()])
  }

  /** Fetch answers tell where a partition ends; those that are not being fetched are asked for here, so lag stays true. */
  async #askSourceEnds(): Promise<void> {
    if (this.#isAskingEnds) return
    this.#isAskingEnds = true
    try {
      const newsSinceMs = performance.now() - FETCH_NEWS_MAX_AGE_MS
      const silent = [...this.#partitions.values()].filter(
        mirror => (mirror.answeredAtMs ?? 0) < newsSinceMs || mirror.lag.sourceEndOffset === undefined
      )
      if (silent.length === 0) return
      const listed = await listOffsets(this.#context.source, silent, LATEST, 'read_committed')
      const nowMs = performance.now()
      for (const { topic, partition, offset, error } of listed) {
        if (error === 'NONE') this.#partitions.get(partitionKey({ topic, partition }))?.sourceEndSeen(offset, nowMs)
        else void this.#context.source.refreshTogether(topic)
      }
    } finally {
      this.#isAskingEnds = false
    }
  }

  #watch(nowMs: number): void {
    const watched = [...this.#partitions.values()].map(mirror => ({
      topic: mirror.topic,
      partition: mirror.partition,
      isActive: mirror.isActive,
      lagRecords: mirror.lag.at(nowMs)?.records,
      nextSourceOffset: mirror.progress?.nextSourceOffset
    }))
    // Whoever waits for the budget may wait for as long as the others need to have their turn.
    if (this.#budget?.takeHeldUp() === true) this.#watchdog.trouble(nowMs)
    const action = this.#watchdog.look(watched, this.#context.reader.isFull, nowMs)
    if (action === undefined) return
    const { step, stalled } = action
    const [first, ...others] = stalled.map(({ topic, partition }) => `${topic}-${partition}`)
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    const detail = `${first}${more}: lag, no progress, and no error that says why`
    this.#context.log('error', `stalled, ${STALL_REMEDIES[step]}`, { step, detail })
    this.#watchdogSteps.push(step)
    if (step === 'reconnect') for (const partition of stalled) this.#reconnect(partition)
    else if (step === 'restart-flow') this.#onStall.restart()
    else this.#onStall.giveUp(detail)
  }

  /** The partition's way from the source to the destination, from scratch. */
  #reconnect(partition: PartitionKey): void {
    const mirror = this.#partitions.get(partitionKey(partition))
    if (mirror === undefined) return
    const { source, destination } = this.#context
    source.dropConnections(source.leaderOf(mirror.topic, mirror.partition)?.nodeId)
    destination.dropConnections(destination.leaderOf(mirror.destinationTopic, mirror.partition)?.nodeId)
    mirror.restart('STALLED')
  }

  /** A quota is no trouble: what it holds back comes later. But whoever wonders about the lag should find it named. */
  #takeThrottled(nowMs: number): FlowReport['throttledMs'] {
    const { source, destination } = this.#context
    const throttledMs = { source: source.takeThrottledMs(), destination: destination.takeThrottledMs() }
    for (const [cluster, ms] of [
      [source, throttledMs.source],
      [destination, throttledMs.destination]
    ] as const) {
      if (
        ms === 0 ||
        nowMs - (this.#throttleLoggedAtMs.get(cluster) ?? Number.NEGATIVE_INFINITY) < THROTTLE_LOG_INTERVAL_MS
      )
        continue
      this.#throttleLoggedAtMs.set(cluster, nowMs)
      this.#context.log('warn', `a quota at ${cluster.alias} holds the flow back`, { throttledMs: ms })
    }
    return throttledMs
  }

  #retrying(operation: string, error: string): void {
    this.#watchdog.trouble(performance.now())
    this.#retries[operation] = (this.#retries[operation] ?? 0) + 1
    const nowMs = performance.now()
    if (nowMs - (this.#retryLoggedAtMs.get(operation) ?? Number.NEGATIVE_INFINITY) < RETRY_LOG_INTERVAL_MS) return
    this.#retryLoggedAtMs.set(operation, nowMs)
    this.#context.log('warn', `${operation} failed, trying again`, { operation, error })
  }
}
