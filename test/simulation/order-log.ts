/** The flow's orders at the destination, as far as workers can tell: a log that is read as it is somewhere between question and answer. */
import { ClusterError } from '../../src/cluster/errors.ts'
import type { LoggedOrder } from '../../src/events/event-log.ts'
import type { FlowOrder } from '../../src/events/flow-order.ts'
import type { Process, Scheduler } from './scheduler.ts'

export interface OrderLogOptions {
  readonly scheduler: Scheduler
  readonly source: string
  readonly destination: string
  delayMs(): number
  /** Whether a question, or its answer, is lost. */
  isLost(): boolean
  appended(order: FlowOrder): void
  /** A process has been told what stands in the log at this moment. */
  read(process: Process): void
}

const LOG_ID = 'orders'

export class OrderLog {
  readonly #options: OrderLogOptions
  #orders: LoggedOrder[] = []

  constructor(options: OrderLogOptions) {
    this.#options = options
  }

  get newest(): LoggedOrder | undefined {
    return this.#orders.at(-1)
  }

  /** Resolves once it stands in the log; rejects where that is not known. */
  write(process: Process, action: FlowOrder['action']): Promise<void> {
    const { source, destination, appended } = this.#options
    return this.#ask(process, () => {
      const offset = this.#orders.length
      const order: FlowOrder = {
        ...{ action, id: `${offset}`, source, destination, reason: '', orderedBy: '', orderedAt: 0, stopAt: null }
      }
      this.#orders.push({ logId: LOG_ID, offset, order })
      appended(order)
    })
  }

  /** Resolves to all there are. */
  read(process: Process): Promise<{ logId: string; orders: readonly LoggedOrder[] }> {
    return this.#ask(process, () => {
      this.#options.read(process)
      return { logId: LOG_ID, orders: [...this.#orders] }
    })
  }

  #ask<T>(process: Process, serve: () => T): Promise<T> {
    const { scheduler, delayMs, isLost } = this.#options
    const lost = isLost() ? (['question', 'answer'] as const)[this.#orders.length % 2] : undefined
    return new Promise((resolve, reject) => {
      scheduler.schedule(undefined, delayMs(), () => {
        const answer = lost === 'question' ? undefined : serve()
        scheduler.schedule(process, delayMs(), () => {
          if (lost === undefined) resolve(answer as T)
          else reject(new ClusterError('UNREACHABLE', 'the order log does not answer', true))
        })
      })
    })
  }
}
