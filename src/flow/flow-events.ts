import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause, within } from '../cluster/retry.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import type { FlowConfig } from '../config/types.ts'
import { EventReader, type LoggedEvent } from '../events/event-log.ts'
import { EventWriter } from '../events/event-writer.ts'
import { FlowOrders } from '../events/flow-orders.ts'
import { Restarts } from '../events/restarts.ts'
import type { SourceEvent } from '../events/source-event.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { EventStatus } from '../observe/status.ts'
import type { LogSink } from './flow-context.ts'
import { KnownEvents } from './known-events.ts'
import type { TroubleReport } from './messages.ts'
import { ResumeRequests } from './resume-requests.ts'

/** A destination that takes no events must not fill the memory: the newest are left out, the log has them as lines. */
const WAITING_MAX = 1_000
const RETRY_FIRST_MS = 200
const RETRY_MAX_MS = 10_000
const WIND_UP_MS = 5_000

export interface FlowEventsOptions {
  readonly flow: FlowConfig
  readonly destination: Cluster
  readonly admin: TopicAdmin
  readonly replicationFactor: number | undefined
  readonly clientId: string
  readonly metrics: Metrics
  readonly log: LogSink
}

/** The events of one flow: those of all workers, as the log at the destination has them. */
export class FlowEvents {
  readonly requests = new ResumeRequests()
  readonly orders: FlowOrders
  /** Where source offsets start over. */
  readonly restarts: Restarts
  readonly #options: FlowEventsOptions
  readonly #reader: EventReader
  readonly #writer: EventWriter
  readonly #closing = new AbortController()
  readonly #known = new KnownEvents()
  #refreshing: Promise<void> | undefined
  #writing: Promise<void> = Promise.resolve()
  #waiting = 0
  #isClosed = false
  #isRefused = false

  constructor(options: FlowEventsOptions) {
    this.#options = options
    const { flow, destination, admin, replicationFactor, clientId } = options
    this.orders = new FlowOrders(flow.destination.alias)
    this.restarts = new Restarts(flow.destination.alias)
    this.#reader = new EventReader(destination, flow.source.alias)
    this.#writer = new EventWriter(destination, admin, flow.source.alias, replicationFactor, clientId)
  }

  /** The newest first. */
  get recent(): EventStatus[] {
    return this.#known.recent
  }

  /** The newest of each partition that stands still by it. */
  get halts(): EventStatus[] {
    return this.#known.halts
  }

  /**
   * Reads what has been written since. Who may not read the log hears of no requests, but mirrors all the same.
   * @throws ClusterError where the destination does not answer
   */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#read()
    try {
      await this.#refreshing
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'TOPIC_AUTHORIZATION_FAILED') throw error
      if (!this.#isRefused)
        this.#options.log('warn', 'the event log can’t be read: requests to go on and orders are not heard of', {
          error: error.message
        })
      this.#isRefused = true
    }
  }

  /** Writes an event, in the background, for as long as it takes. */
  tell(report: TroubleReport): void {
    const { flow, clientId, metrics, log } = this.#options
    const labels = { source: flow.source.alias, destination: flow.destination.alias }
    const { topic, partition, topicId, action, detail, trouble, destinationOffset } = report
    const event: SourceEvent = {
      ...{ ...labels, topic, partition, topicId, action, detail, ...trouble },
      ...{ destinationOffset, observer: clientId, observedAt: Date.now() }
    }
    metrics.countSourceEvent(labels, trouble.kind)
    if (this.#waiting >= WAITING_MAX) {
      log('error', 'too many events wait to be written; this one is left out', { topic, partition, detail })
      return
    }
    this.#waiting++
    this.#writing = this.#writing.then(() => this.#write(event)).finally(() => this.#waiting--)
  }

  /** What waits is tried once more, for as long as a worker that ends may take. */
  async close(): Promise<void> {
    this.#closing.abort()
    await within(this.#writing, WIND_UP_MS)
    this.#isClosed = true
    await this.#writer.close()
  }

  async #read(): Promise<void> {
    try {
      const news = await this.#reader.read(this.#closing.signal)
      for (const logged of news.events) this.#note(logged)
      this.orders.note(news)
    } finally {
      this.#refreshing = undefined
    }
  }

  #note(logged: LoggedEvent): void {
    const { event } = logged
    if (event.destination !== this.#options.flow.destination.alias) return
    this.requests.note(logged)
    this.restarts.note(event)
    this.#known.note(event)
  }

  async #write(event: SourceEvent): Promise<void> {
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    const { log } = this.#options
    do {
      if (this.#isClosed) return
      try {
        // Another worker, or this one before it was started anew, may have said the same.
        await this.refresh()
        if (isSame(this.#known.newestOf(event), event)) return
        await this.#writer.write(event)
        return
      } catch (error) {
        log('warn', 'writing an event failed, trying again', { error: error instanceof Error ? error.message : error })
      }
      await pause(backoff.nextMs(), this.#closing.signal)
    } while (!this.#closing.signal.aborted)
  }
}

function isSame(a: SourceEvent | undefined, b: SourceEvent): boolean {
  return (
    a !== undefined &&
    a.kind === b.kind &&
    a.action === b.action &&
    a.topicId === b.topicId &&
    a.firstOffset === b.firstOffset &&
    a.nextOffset === b.nextOffset &&
    a.destinationOffset === b.destinationOffset
  )
}
