/**
 * Virtual time: everything that happens is an event with a due time, and the clock jumps from one to the next. Between
 * two events all promises settle, so what a process does is cut into steps that no other process comes between, and the
 * same seed takes the same steps.
 *
 * An event belongs to the process whose code set it off, without that code knowing of it: whatever is scheduled while an
 * event and its promises run is that event's process's. So the timers of a worker stand still while it is paused, and are
 * gone when it is dead, with the production code as it is.
 */

/** Something that can be stopped by itself, as an operating system's process can. */
export class Process {
  readonly name: string
  state: 'running' | 'paused' | 'dead' = 'running'
  /** What came due while it was paused, oldest first. */
  readonly backlog: ScheduledEvent[] = []

  constructor(name: string) {
    this.name = name
  }
}

export interface ScheduledEvent {
  readonly atMs: number
  /** Events due at the same time happen in the order in which they were scheduled. */
  readonly order: number
  readonly process: Process | undefined
  readonly run: () => void
  isCancelled: boolean
}

/** Kept before the simulation puts its own in their place. */
const realSetImmediate = setImmediate
const STEPS_PER_LOOP_TURN = 256

export class Scheduler {
  nowMs = 0
  /** Whose event is running; `undefined`: the world's, that is a broker's or the network's. */
  current: Process | undefined
  /** A binary heap, the next event first. */
  readonly #heap: ScheduledEvent[] = []
  #order = 0
  steps = 0

  /** @param process who it belongs to; `undefined`: the world, which never stops */
  schedule(process: Process | undefined, delayMs: number, run: () => void): ScheduledEvent {
    const event = {
      atMs: this.nowMs + Math.max(delayMs, 0),
      order: this.#order++,
      process,
      run,
      isCancelled: false
    }
    this.#push(event)
    return event
  }

  pause(process: Process): void {
    if (process.state === 'running') process.state = 'paused'
  }

  wake(process: Process): void {
    if (process.state !== 'paused') return
    process.state = 'running'
    for (const event of process.backlog.splice(0)) {
      if (!event.isCancelled) this.schedule(process, 0, event.run)
    }
  }

  kill(process: Process): void {
    process.state = 'dead'
    process.backlog.length = 0
  }

  /** The clock jumps: whatever was due in between comes at its end. */
  leap(ms: number): void {
    this.nowMs += ms
  }

  /**
   * Takes event after event until there is none left or `isOver` says so, which is asked whenever an event and all that it
   * set off is done.
   * @throws what `isOver` or an event throws
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          if (isOver() || !this.#step()) {
            this.current = undefined
            // Rejections that nobody handles are told of by then.
            realSetImmediate(resolve)
            return
          }
        } catch (error) {
          this.current = undefined
          realSetImmediate(() => reject(error))
          return
        }
        // Node turns to the next tick when no promise is left to be settled. That is twice as fast as a turn of its event loop,
        // which is due only now and then.
        if (this.steps % STEPS_PER_LOOP_TURN === 0) realSetImmediate(turn)
        else queueMicrotask(() => process.nextTick(turn))
      }
      turn()
    })
  }

  #step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.isCancelled || event.process?.state === 'dead') continue
      this.nowMs = Math.max(this.nowMs, event.atMs)
      if (event.process?.state === 'paused') {
        event.process.backlog.push(event)
        continue
      }
      this.steps++
      this.current = event.process
      event.run()
      return true
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): ScheduledEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
