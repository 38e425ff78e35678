import { ClusterError } from '../cluster/errors.ts'
import { partitionKey } from '../cluster/offsets.ts'
import { pause, within } from '../cluster/retry.ts'
import type { GroupLooker, GroupSeen } from './group-look.ts'

/** What was seen last. */
export interface LastSeen extends GroupSeen {
  /** When the look began, by the monotonic clock. */
  readonly atMs: number
  /** The same in milliseconds of the epoch. */
  readonly wallAtMs: number
}

export interface GroupWatchOptions {
  /** Makes a looker with connections of its own. */
  newLooker(): GroupLooker
  /** What the worker that looks mirrors itself, as keys. */
  ownKeys(): ReadonlySet<string>
  seen(last: LastSeen): void
  /** From the beginning of one look to the next; 5 s unless said otherwise. */
  readonly intervalMs?: number
  /**
   * Nobody has wanted to see anything for so long: nobody looks any more. 30 s unless said otherwise, since a page in a hidden tab asks
   * every 10 s.
   */
  readonly wantedMs?: number
}

const INTERVAL_MS = 5_000
/** Looks take no more than a twentieth of the time, as long as what they tell does not become too old by that. */
const REST_PER_LOOK = 20
const REST_MAX_MS = 15_000
/** Ending a look that waits for a cluster takes no longer. */
const WIND_UP_MS = 1_000
const WANTED_MS = 30_000

/** Looks at the group for all who have the page open, and only while somebody has. */
export class GroupWatch {
  readonly #options: GroupWatchOptions
  readonly #closing = new AbortController()
  #wantedAtMs = Number.NEGATIVE_INFINITY
  #watching: Promise<void> | undefined
  #trouble: string | null = null

  constructor(options: GroupWatchOptions) {
    this.#options = options
  }

  /** Why the last look has failed; `null` where it has not. */
  get trouble(): string | null {
    return this.#trouble
  }

  /** Somebody looks at the page now. */
  want(): void {
    this.#wantedAtMs = performance.now()
    if (this.#closing.signal.aborted) return
    this.#watching ??= this.#watch().finally(() => {
      this.#watching = undefined
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    if (this.#watching !== undefined) await within(this.#watching, WIND_UP_MS)
  }

  async #watch(): Promise<void> {
    const { intervalMs = INTERVAL_MS, wantedMs = WANTED_MS } = this.#options
    const looker = this.#options.newLooker()
    const { signal } = this.#closing
    // Whoever ends the worker does not wait for a cluster that does not answer.
    const close = () => void looker.close().catch(() => {})
    signal.addEventListener('abort', close, { once: true })
    try {
      while (!signal.aborted && performance.now() - this.#wantedAtMs < wantedMs) {
        const tookMs = await this.#look(looker)
        await pause(Math.min(Math.max(intervalMs - tookMs, tookMs * REST_PER_LOOK), REST_MAX_MS), signal)
      }
    } finally {
      signal.removeEventListener('abort', close)
      await looker.close().catch(() => {})
    }
  }

  /** Resolves to how long it took, in milliseconds. */
  async #look(looker: GroupLooker): Promise<number> {
    const began = { atMs: performance.now(), wallAtMs: Date.now() }
    try {
      const own = this.#options.ownKeys()
      const seen = await looker.look(partition => own.has(partitionKey(partition)), this.#closing.signal)
      this.#trouble = null
      this.#options.seen({ ...seen, ...began })
    } catch (error) {
      if (this.#closing.signal.aborted) return 0
      this.#trouble = error instanceof Error ? error.message : String(error)
      // Anything else is a mistake of ours; the page says so, and mirroring goes on.
      if (!(error instanceof ClusterError)) this.#trouble = `unexpected: ${this.#trouble}`
    }
    return performance.now() - began.atMs
  }
}
