/**
 * Puts a scheduler in the place of everything by which the code under test knows time or chance: global timers,
 * `node:timers/promises`, `performance.now`, `Date.now` and `Math.random`. Nothing in `src` has to know.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { ScheduledEvent, Scheduler } from './scheduler.ts'

const timersPromises = createRequire(import.meta.url)('node:timers/promises') as Record<string, unknown>
/** Any time would do. */
const EPOCH_MS = 1_790_000_000_000

let scheduler: Scheduler
let random: SeededRandom

const VIRTUAL_GLOBALS = {
  setTimeout: (run: () => void, delayMs = 0) => scheduler.schedule(scheduler.current, delayMs, run),
  clearTimeout: cancel,
  setImmediate: (run: () => void) => scheduler.schedule(scheduler.current, 0, run),
  clearImmediate: cancel
}

/** What the virtual clock of the schedules to come follows. */
export function followScheduler(next: Scheduler, nextRandom: SeededRandom): void {
  scheduler = next
  random = nextRandom
}

/** What the wall clock says at this moment of virtual time. */
export function wallClockMs(nowMs: number): number {
  return EPOCH_MS + Math.floor(nowMs)
}

/** Installs the virtual clock; disposing of it brings real time back. */
export function installVirtualClock(): Disposable {
  const before = {
    globals: Object.fromEntries(Object.keys(VIRTUAL_GLOBALS).map(name => [name, Reflect.get(globalThis, name)])),
    sleep: timersPromises.setTimeout,
    dateNow: Date.now,
    mathRandom: Math.random
  }
  Object.assign(globalThis, VIRTUAL_GLOBALS)
  timersPromises.setTimeout = sleep
  syncBuiltinESMExports()
  Date.now = () => wallClockMs(scheduler.nowMs)
  Math.random = () => random.next()
  Object.defineProperty(performance, 'now', { configurable: true, value: () => scheduler.nowMs })
  return {
    [Symbol.dispose]() {
      Object.assign(globalThis, before.globals)
      timersPromises.setTimeout = before.sleep
      syncBuiltinESMExports()
      Date.now = before.dateNow
      Math.random = before.mathRandom
      // The prototype's shows again.
      Reflect.deleteProperty(performance, 'now')
    }
  }
}

function cancel(event: ScheduledEvent | undefined): void {
  if (event !== undefined) event.isCancelled = true
}

/** As the one in `node:timers/promises`. */
function sleep<T>(delayMs: number, value: T, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const event = scheduler.schedule(scheduler.current, delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve(value)
    })
    const abort = () => {
      event.isCancelled = true
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}
