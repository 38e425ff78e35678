/** Timers take no more. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Lets a loop sleep until there is something to do. A wake before the wait is not lost; many before it count as one. */
export class Wakeup {
  #isDue = false
  #resolve: (() => void) | undefined

  wake(): void {
    this.#isDue = true
    this.#resolve?.()
  }

  /** @param atMostMs ends the wait without a wake */
  async wait(atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (!this.#isDue) {
      const woken = Promise.withResolvers<void>()
      this.#resolve = woken.resolve
      const timer =
        atMostMs === Number.POSITIVE_INFINITY
          ? undefined
          : setTimeout(woken.resolve, Math.min(Math.ceil(atMostMs), TIMER_MS_MAX))
      await woken.promise
      clearTimeout(timer)
      this.#resolve = undefined
    }
    this.#isDue = false
  }
}
