import type { LoggedOrder, LogNews } from './event-log.ts'
import type { FlowOrder } from './flow-order.ts'

/** The orders of one flow, as one reader of the log knows them: the newest holds. */
export class FlowOrders {
  readonly #destination: string
  #newest: LoggedOrder | undefined

  /** @param destination alias; the log is the source's already */
  constructor(destination: string) {
    this.#destination = destination
  }

  /**
   * Takes note of what was read; orders of a log that is gone are gone with it.
   * @param isOvertaken an order was heard of while this was being read, which may be newer than what was read
   */
  note({ logId, orders }: Pick<LogNews, 'logId' | 'orders'>, isOvertaken = false): void {
    if (logId !== this.#newest?.logId && !isOvertaken) this.#newest = undefined
    for (const order of orders) this.hear(order)
  }

  /** Takes note of an order that somebody else has read, perhaps later than one that is known already. */
  hear(logged: LoggedOrder): void {
    if (logged.order.destination !== this.#destination) return
    if (logged.logId === this.#newest?.logId && logged.offset < this.#newest.offset) return
    this.#newest = logged
  }

  get newest(): LoggedOrder | undefined {
    return this.#newest
  }

  /** What the flow stands still by at once; `undefined` where it may be mirrored. */
  get stop(): FlowOrder | undefined {
    return this.#newest?.order.action === 'STOP' ? this.#newest.order : undefined
  }

  /** What the flow stands still by sooner or later; `undefined` where it may be mirrored on and on. */
  get standing(): FlowOrder | undefined {
    return this.#newest?.order.action === 'START' ? undefined : this.#newest?.order
  }
}
