import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LoggedOrder } from '../events/event-log.ts'
import { sharedBudget } from '../source/byte-budget.ts'
import type { LogSink } from './flow-context.ts'
import type { Assignment, DataPlaneData, FlowReport, FromThread, PartitionKey, Progress, ToThread } from './messages.ts'

/** How far each released partition got. */
export type Released = (PartitionKey & { readonly progress: Progress | undefined })[]

/** A thread that has not reported for this long is stuck. */
const SILENT_THREAD_MS = 15_000
const STOP_TIMEOUT_MS = 5_000

/** The data-plane threads of a worker, seen from the main thread. */
export class DataPlane {
  readonly #threads: Worker[] = []
  readonly #heardAtMs: number[] = []
  readonly #releases = new Map<number, (released: Released) => void>()
  readonly #onReport: (report: FlowReport) => void
  readonly #log: LogSink
  readonly #onCrash: (error: Error) => void
  #stalled: string | undefined
  #nextReleaseId = 0
  #isStopping = false

  /**
   * @param flows how many there are
   * @param onReport called for each flow several times a second
   * @param onCrash a thread ended by itself: partitions stand still, so the worker should end and be started again
   */
  constructor(
    threads: number,
    flows: number,
    clientId: string,
    log: LogSink,
    onReport: (report: FlowReport) => void,
    onCrash: (error: Error) => void
  ) {
    this.#log = log
    this.#onCrash = onCrash
    this.#onReport = onReport
    const data: DataPlaneData = { clientId, budgets: Array.from({ length: flows }, sharedBudget) }
    for (let index = 0; index < threads; index++) {
      const thread = new Worker(new URL('./data-plane-thread.ts', import.meta.url), {
        workerData: data,
        name: `data-plane-${index}`,
        resourceLimits: { maxYoungGenerationSizeMb: 16 }
      })
      thread.on('message', (message: FromThread) => this.#receive(index, message))
      thread.on('error', onCrash)
      thread.on('exit', code => {
        if (!this.#isStopping) onCrash(new Error(`data-plane thread ${index} ended with code ${code}`))
      })
      this.#threads.push(thread)
      this.#heardAtMs.push(performance.now())
    }
  }

  /** Whether every thread turns. */
  get live(): { readonly ok: boolean; readonly reason: string | null } {
    if (this.#stalled !== undefined) return { ok: false, reason: this.#stalled }
    const nowMs = performance.now()
    const silent = this.#heardAtMs.findIndex(heardAtMs => nowMs - heardAtMs > SILENT_THREAD_MS)
    return silent < 0
      ? { ok: true, reason: null }
      : { ok: false, reason: `data-plane thread ${silent} has been silent for over ${SILENT_THREAD_MS / 1000} s` }
  }

  assign(flow: number, assignments: readonly Assignment[]): void {
    for (const [thread, own] of Map.groupBy(assignments, assignment => this.#threadOf(assignment))) {
      this.#send(thread, { kind: 'assign', flow, assignments: own })
    }
  }

  /** Drains and lets go; resolves to how far each partition got. */
  async release(flow: number, partitions: readonly PartitionKey[], drainMs: number): Promise<Released> {
    const released = await Promise.all(
      [...Map.groupBy(partitions, partition => this.#threadOf(partition))].map(([thread, own]) => {
        const id = this.#nextReleaseId++
        const { promise, resolve } = Promise.withResolvers<Released>()
        this.#releases.set(id, resolve)
        this.#send(thread, { kind: 'release', flow, id, partitions: own, drainMs })
        return promise
      })
    )
    return released.flat()
  }

  /** Has a partition go on from there. */
  resume(flow: number, partition: PartitionKey, progress: Progress): void {
    this.#send(this.#threadOf(partition), { kind: 'resume', flow, partition, progress })
  }

  /** Tells every thread of the flow's newest order. */
  order(flow: number, order: LoggedOrder | undefined): void {
    for (const thread of this.#threads.keys()) this.#send(thread, { kind: 'order', flow, order })
  }

  setBatchLimit(flow: number, destinationTopic: string, bytes: number): void {
    for (const thread of this.#threads.keys())
      this.#send(thread, { kind: 'batch-limit', flow, destinationTopic, bytes })
  }

  /** Ends the threads after they have let go of everything; those that do not in time are ended all the same. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const index of this.#threads.keys()) this.#send(index, { kind: 'stop' })
    const deadline = AbortSignal.timeout(STOP_TIMEOUT_MS)
    await Promise.all(
      this.#threads.map(async thread => {
        await Promise.race([once(thread, 'exit'), once(deadline, 'abort')])
        await thread.terminate()
      })
    )
  }

  /** A partition always goes to the same thread. */
  #threadOf({ topic, partition }: PartitionKey): number {
    let hash = partition
    for (let i = 0; i < topic.length; i++) hash = (hash * 31 + topic.charCodeAt(i)) | 0
    return Math.abs(hash % this.#threads.length)
  }

  #send(thread: number, message: ToThread): void {
    this.#threads[thread]!.postMessage(message)
  }

  #receive(thread: number, message: FromThread): void {
    this.#heardAtMs[thread] = performance.now()
    switch (message.kind) {
      case 'report':
        for (const report of message.flows) this.#onReport(report)
        return
      case 'released':
        this.#releases.get(message.id)?.([...message.progress])
        this.#releases.delete(message.id)
        return
      case 'stalled':
        this.#stalled = message.detail
        this.#onCrash(new Error(message.detail))
        return
      case 'log':
        this.#log(message.level, message.message, message.fields)
    }
  }
}
