/** Lets a loop sleep until there is something to do. A wake before the wait is not lost; many before it count as one. */
export class Wakeup {
  #isDue = false
  #resolve: (() => void) | undefined

  wake(): void {
    this.#isDue = true
    this.#resolve?.()
  }

  async wait(): Promise<void> {
    if (!this.#isDue) {
      await new Promise<void>(resolve => {
        this.#resolve = resolve
      })
      this.#resolve = undefined
    }
    this.#isDue = false
  }
}
