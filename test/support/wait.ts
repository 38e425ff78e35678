import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import { within } from '../../src/cluster/retry.ts'

export interface UntilOptions {
  /** 30 s unless said otherwise. */
  readonly timeoutMs?: number
  /** Between two attempts. */
  readonly pauseMs?: number
  /** What is waited for, as it ends the sentence "Waited 30 s for …". */
  readonly describe: string
}

/** The last look at a condition may take so long. */
const LAST_LOOK_MS = 10_000

/** What of a type is left when it is known to be truthy. */
type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>

/**
 * Asks again and again until the condition gives something truthy, and gives that back. A condition that throws counts
 * as not yet true. The error at the end tells the last value or error seen.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, pauseMs = 100, describe }: UntilOptions
): Promise<Truthy<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let last: string
    try {
      // It may wait for something itself.
      const leftMs = Math.max(deadline - performance.now(), LAST_LOOK_MS)
      const value = await giveUpAfter(leftMs, Promise.resolve(condition()), 'an answer')
      if (value) return value as Truthy<T>
      last = `last value: ${inspect(value, { depth: 6 })}`
    } catch (error) {
      if (error instanceof GiveUp) throw error
      last = `last error: ${error instanceof Error ? messageOf(error) : inspect(error)}`
    }
    if (performance.now() >= deadline) throw new Error(`Waited ${timeoutMs / 1000} s for ${describe}; ${last}`)
    await pause(pauseMs)
  }
}

/** `fetch` says why it failed in the cause alone. */
function messageOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message} (${messageOf(cause)})` : message
}

/** What the promise gives, or an error when it takes longer. @param describe as in `UntilOptions` */
export function giveUpAfter<T>(timeoutMs: number, promise: Promise<T>, describe: string): Promise<T> {
  return within(promise, timeoutMs, () => {
    throw new Error(`Waited ${timeoutMs / 1000} s for ${describe}`)
  })
}

/** Thrown by a condition of `until` that can no longer become true: the waiting ends at once. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp'
}
