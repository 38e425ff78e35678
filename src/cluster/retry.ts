import { setTimeout as sleep } from 'node:timers/promises'

/** A pause that doubles from try to try, with jitter so that many that failed together do not come back together. */
export class Backoff {
  readonly #firstMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #tries = 0

  constructor(firstMs: number, maxMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
    this.#random = random
  }

  /** The next pause in milliseconds: between half and all of the doubled step. */
  nextMs(): number {
    const step = Math.min(this.#firstMs * 2 ** this.#tries, this.#maxMs)
    if (step < this.#maxMs) this.#tries++
    return step * (0.5 + this.#random() / 2)
  }

  reset(): void {
    this.#tries = 0
  }
}

/** Waits, or returns early (without an error) when the signal says that nobody needs the wait any more. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return
  try {
    await sleep(ms, undefined, signal ? { signal } : {})
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

/**
 * Waits for the promise, but no longer than this: what comes of it later is for nobody.
 * @param late what is given, or thrown, in its place
 */
export async function within<T, Late = undefined>(
  promise: Promise<T>,
  timeoutMs: number,
  late: () => Late = () => undefined as Late
): Promise<T | Late> {
  const timeUp = Promise.withResolvers<void>()
  const timer = setTimeout(timeUp.resolve, timeoutMs)
  try {
    return await Promise.race([promise, timeUp.promise.then(late)])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Tries several ways to the same end, the first one first. Where a try takes longer than the head start, the next one is begun beside
 * it, and where it fails, at once; who succeeds first is taken (as RFC 8305 has it for addresses).
 * @param headStartMs what each try has before the next one is begun
 * @throws what the last try to fail threw
 */
export async function firstToSucceed<Way, T>(
  ways: readonly Way[],
  headStartMs: number,
  attempt: (way: Way) => Promise<T>
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let next = 0
  let failed = 0
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const begin = () => {
    clearTimeout(timer)
    if (isOver || next === ways.length) return
    attempt(ways[next++]!).then(
      result => {
        isOver = true
        clearTimeout(timer)
        resolve(result)
      },
      (error: unknown) => {
        failed++
        if (failed === ways.length) reject(error)
        else begin()
      }
    )
    if (next < ways.length) timer = setTimeout(begin, headStartMs)
  }
  if (ways.length === 0) throw new RangeError('there is nothing to try')
  begin()
  return promise
}
