/** A signal that SIGINT and SIGTERM raise. `afterwards`: what becomes of the work when its command is given again. */
export function interruptible(afterwards = '; the same command goes on where it was'): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Interrupted(afterwards)))
  return stop.signal
}

/** Somebody has ended the command. */
class Interrupted extends Error {
  constructor(afterwards: string) {
    super(`interrupted${afterwards}`)
    this.name = 'Interrupted'
  }
}
