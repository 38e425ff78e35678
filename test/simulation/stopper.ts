/** Somebody who stops the flow from outside, as `farlog failover` does: the order, then the fence; and some time later the start. */
import { ClusterError } from '../../src/cluster/errors.ts'
import { Backoff, pause } from '../../src/cluster/retry.ts'
import { Fence } from '../../src/destination/fence.ts'
import type { FlowOrder } from '../../src/events/flow-order.ts'
import { shutOut } from '../../src/failover/shut-out.ts'
import type { Brokers, Network } from './network.ts'
import type { OrderLog } from './order-log.ts'
import { PARTITION } from './partition-brokers.ts'
import { Process, type Scheduler } from './scheduler.ts'
import { SimulatedCluster } from './simulated-cluster.ts'

export interface StopperOptions {
  readonly name: string
  readonly scheduler: Scheduler
  readonly network: Network
  readonly orders: OrderLog
  readonly source: Brokers & { readonly topic: string }
  readonly destination: Brokers & { readonly topic: string }
  readonly roundTripMs: number
  /** How long the flow stands still at most; also how long it may take until it does. */
  readonly stoppedMs: number
  /** The order stands in the log and the fence is made: from here on nobody writes. */
  closed(): void
  over(): void
}

const RETRY_FIRST_MS = 20
const RETRY_MAX_MS = 500

export class Stopper {
  readonly process: Process
  readonly #options: StopperOptions

  constructor(options: StopperOptions) {
    this.#options = options
    this.process = new Process(options.name)
  }

  start(): void {
    this.#options.scheduler.schedule(this.process, 0, () => void this.#run())
  }

  async #run(): Promise<void> {
    const { stoppedMs, closed, over } = this.#options
    const timeUp = new AbortController()
    setTimeout(() => timeUp.abort(), stoppedMs)
    await this.#write('STOP')
    try {
      await this.#fence(timeUp.signal)
      closed()
      await pause(stoppedMs, timeUp.signal)
    } catch (error) {
      // It could not be made in time; after hours passed at once, its own patience may be the first to end.
      if (!timeUp.signal.aborted && !(error instanceof ClusterError)) throw error
    }
    await this.#write('START')
    over()
  }

  async #write(action: FlowOrder['action']): Promise<void> {
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    for (;;) {
      try {
        await this.#options.orders.write(this.process, action)
        return
      } catch {
        // Twice in the log is as good as once.
        await pause(backoff.nextMs())
      }
    }
  }

  async #fence(signal: AbortSignal): Promise<void> {
    const { network, source, destination, roundTripMs, stoppedMs } = this.#options
    const cluster = new SimulatedCluster(network, this.process, destination, roundTripMs)
    await cluster.refresh([destination.topic]).catch(() => {})
    await shutOut(
      { topic: source.topic, partition: PARTITION, destinationTopic: destination.topic },
      { destination: cluster, fence: new Fence(cluster), source: source.alias, patienceMs: stoppedMs, signal }
    )
  }
}
