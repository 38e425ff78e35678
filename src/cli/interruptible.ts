/** A signal that SIGINT and SIGTERM raise, for work that goes on where it was when its command is given again. */
export function interruptible(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Interrupted()))
  return stop.signal
}

/** Somebody has ended the command. */
class Interrupted extends Error {
  constructor() {
    super('interrupted; the same command goes on where it was')
    this.name = 'Interrupted'
  }
}
