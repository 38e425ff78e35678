import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'

export interface InsistOptions {
  /** For how long trouble is tried again, unless it is a missing right. */
  readonly patienceMs: number
  /** Called before each further try: a leader may have moved. */
  refresh(): Promise<void>
  readonly signal: AbortSignal
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

/**
 * Does something with a cluster, again while it is in trouble: a command that is given in an emergency should not end because a
 * leader has just moved.
 * @throws ClusterError what is in the way still when patience is over, or a missing right; anything else at once
 */
export async function insist<Result>(
  work: () => Promise<Result>,
  { patienceMs, refresh, signal }: InsistOptions
): Promise<Result> {
  const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      const isForbidden = error instanceof ClusterError && error.code.endsWith('_AUTHORIZATION_FAILED')
      if (!(error instanceof ClusterError) || isForbidden || performance.now() > deadlineMs) throw error
    }
    await pause(backoff.nextMs(), signal)
    await refresh()
  }
}
