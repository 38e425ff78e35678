/**
 * Fails the test in which a promise was rejected that nobody waits for: mocha passes over those, where a worker would end.
 * Loaded before all tests (`.mocharc.json`).
 */

/** Ours and mocha's. Where there is one more, somebody takes them for what they are (a simulated world). */
const USUAL_LISTENERS = 2

const unhandled: unknown[] = []
/** mocha passes each on to all listeners once more. */
const seen = new WeakSet<Promise<unknown>>()

process.on('unhandledRejection', (reason, promise) => {
  if (seen.has(promise)) return
  seen.add(promise)
  if (process.listenerCount('unhandledRejection') <= USUAL_LISTENERS) unhandled.push(reason)
})

export const mochaHooks = {
  async afterEach(): Promise<void> {
    // They are told of after the promises that were to be settled.
    await new Promise(resolve => setImmediate(resolve))
    const [first] = unhandled.splice(0)
    if (first !== undefined) throw new Error('A promise was rejected that nobody waits for', { cause: first })
  }
}
