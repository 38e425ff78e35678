import { ClusterError } from '../cluster/errors.ts'
import type { LoggedOrder, LogNews } from '../events/event-log.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { FlowOrders } from '../events/flow-orders.ts'
import { FreshAnswer } from './fresh-answer.ts'

export interface StandingOrdersOptions {
  /** Alias. */
  readonly destination: string
  /** What is new in the log; never called before the call before it has settled. */
  readLog(): Promise<Pick<LogNews, 'logId' | 'orders'>>
  /** The log may not be read; called once. */
  refused(error: ClusterError): void
}

/**
 * Whether the flow may be mirrored, for the partitions of one thread. Each of them asks after its fence and before it mirrors:
 *
 *     who stops the flow   writes STOP, then fences
 *     a worker             fences, then reads
 *
 * Of the two fences one is the later one. If it is the worker's, STOP stands in the log by then and is read; if it is not, the
 * worker is shut out. Were the order read first, a worker that is paused behind it would fence last and write.
 */
export class StandingOrders {
  readonly #options: StandingOrdersOptions
  readonly #orders: FlowOrders
  readonly #reading: FreshAnswer<void>
  #isRefused = false

  constructor(options: StandingOrdersOptions) {
    this.#options = options
    this.#orders = new FlowOrders(options.destination)
    this.#reading = new FreshAnswer(async () => {
      const known = this.#orders.newest
      const news = await options.readLog()
      this.#orders.note(news, this.#orders.newest !== known)
    })
  }

  /** What the flow stands still by at once, as far as is known. */
  get stop(): FlowOrder | undefined {
    return this.#orders.stop
  }

  /** The same, and what it will stand still by when it has copied what came to the source until then. */
  get standing(): FlowOrder | undefined {
    return this.#orders.standing
  }

  /** Somebody else has read this order. */
  hear(order: LoggedOrder): void {
    this.#orders.hear(order)
  }

  /**
   * Reads the log after this call; resolves to what the flow stands still by at once. Who may not read it mirrors all the same.
   * @throws ClusterError, always worth another try
   */
  async ask(): Promise<FlowOrder | undefined> {
    try {
      await this.#reading.get()
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.code !== 'TOPIC_AUTHORIZATION_FAILED')
        throw new ClusterError(error.code, error.message, true, { cause: error })
      if (!this.#isRefused) this.#options.refused(error)
      this.#isRefused = true
    }
    return this.#orders.stop
  }
}
