/** Lets what befalls the same target happen one after the other, in the order of asking, and everything else at once. */
export class Turns {
  readonly #lastByTarget = new Map<string, Promise<void>>()

  /** Begins the task when everything that was asked for before on any of its targets has ended, well or not. */
  take(targets: readonly string[], task: () => Promise<void>): Promise<void> {
    const done = Promise.all(targets.map(target => this.#lastByTarget.get(target))).then(task)
    const ended = done.catch(() => {})
    for (const target of targets) this.#lastByTarget.set(target, ended)
    return done
  }
}
