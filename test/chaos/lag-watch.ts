import type { FlowStatus } from '../../src/observe/status.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import type { Bed } from './bed.ts'
import type { WorkerLife, Workers } from './workers.ts'

const LOOK_EVERY_MS = 1_000

/**
 * Measures from outside how long records wait, since a worker that takes over knows nothing of the time before: once a
 * second it notes where the source ends, and what any worker has had acknowledged. While the source can't be asked, what
 * was seen before goes on waiting.
 */
export class LagWatch implements AsyncDisposable {
  longestLagMs = 0
  readonly #bed: Bed
  readonly #workers: Workers
  readonly #admin: KafkaAdmin
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #waiting = new Map<string, WaitingEnds>()
  #isAsking = false

  constructor(bed: Bed, workers: Workers) {
    this.#bed = bed
    this.#workers = workers
    this.#admin = new KafkaAdmin(bed.sites.source.bootstrap)
    this.#timers = [() => this.#lookAtSource(), () => this.#lookAtWorkers()].map(look =>
      setInterval(() => void look(), LOOK_EVERY_MS)
    )
  }

  /** Takes as long as it takes: a broker may be paused. */
  async #lookAtSource(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    for (const [topic, partitions] of this.#bed.partitionsByTopic) {
      const offsets = await this.#admin.offsets(topic, partitions).catch(() => [])
      for (const { partition, lastStableOffset } of offsets) {
        this.#waitingIn(topic, partition).seen(lastStableOffset, performance.now())
      }
    }
    this.#isAsking = false
  }

  async #lookAtWorkers(): Promise<void> {
    await Promise.all(this.#workers.awake.map(life => this.#lookAtWorker(life)))
    const nowMs = performance.now()
    for (const waiting of this.#waiting.values()) {
      this.longestLagMs = Math.max(this.longestLagMs, waiting.lagMs(nowMs))
    }
  }

  async #lookAtWorker(life: WorkerLife): Promise<void> {
    const flow = await flowOf(life).catch(() => undefined)
    for (const { topic, partition, nextSourceOffset } of flow?.partitions ?? []) {
      this.#waitingIn(topic, partition).acknowledged(nextSourceOffset ?? 0)
    }
  }

  #waitingIn(topic: string, partition: number): WaitingEnds {
    const name = `${topic}-${partition}`
    const known = this.#waiting.get(name)
    if (known) return known
    const waiting = new WaitingEnds()
    this.#waiting.set(name, waiting)
    return waiting
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#admin[Symbol.asyncDispose]()
  }
}

/** The one flow of a worker; fails where the worker does not answer. */
export async function flowOf({ process }: WorkerLife): Promise<FlowStatus> {
  return (await process.status()).flows[0]!
}

/** Ends of a source partition that are not acknowledged yet, and when each was first seen. */
class WaitingEnds {
  #ends: { readonly offset: number; readonly seenAtMs: number }[] = []
  #acknowledged = 0
  #newestEnd = 0

  seen(offset: number, seenAtMs: number): void {
    if (offset <= this.#newestEnd) return
    this.#newestEnd = offset
    if (offset > this.#acknowledged) this.#ends.push({ offset, seenAtMs })
  }

  acknowledged(nextSourceOffset: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, nextSourceOffset)
    this.#ends = this.#ends.filter(({ offset }) => offset > this.#acknowledged)
  }

  lagMs(nowMs: number): number {
    const [oldest] = this.#ends
    return oldest ? nowMs - oldest.seenAtMs : 0
  }
}
