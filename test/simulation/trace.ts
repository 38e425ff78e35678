import type { Scheduler } from './scheduler.ts'

/** What happened, a line each, for people; costs nothing unless somebody reads it. */
export class Trace {
  readonly lines: string[] = []
  readonly #scheduler: Scheduler
  readonly #isKept: boolean

  constructor(scheduler: Scheduler, isKept: boolean) {
    this.#scheduler = scheduler
    this.#isKept = isKept
  }

  note(who: string, what: () => string): void {
    if (!this.#isKept) return
    this.lines.push(`${this.#scheduler.nowMs.toFixed(1).padStart(9)} ms  ${who.padEnd(14)} ${what()}`)
  }
}
