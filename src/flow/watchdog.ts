import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'

/** What the watchdog sees of a partition. */
export interface WatchedPartition extends TopicPartition {
  /** It is meant to make progress: neither halted nor being handed over. */
  readonly isActive: boolean
  /** `undefined` while unknown. */
  readonly lagRecords: number | undefined
  readonly nextSourceOffset: number | undefined
}

/** What is done about a stall, one after the other, each only when the one before has not helped. */
export const WATCHDOG_STEPS = ['reconnect', 'restart-flow', 'exit'] as const
export type WatchdogStep = (typeof WATCHDOG_STEPS)[number]

/** What to do now, and about which partitions. */
export interface WatchdogAction {
  readonly step: WatchdogStep
  readonly stalled: readonly TopicPartition[]
}

/**
 * Watches for what should never happen: a partition has lag, nothing says why, and it makes no progress. A broker that refuses,
 * or can't be reached, says why; it is retried, and restarting us would not help. What is left is a connection that
 * is dead without knowing it, or a fault of ours.
 */
export class Watchdog {
  readonly #stallMs: number
  /** Where each partition with lag stands, and since when. */
  readonly #standing = new Map<string, { readonly nextSourceOffset: number; readonly sinceMs: number }>()
  /** Those that the last step was about. */
  #suspects = new Map<string, number>()
  #stepsTaken = 0
  #actedAtMs = Number.NEGATIVE_INFINITY
  #troubleAtMs = Number.NEGATIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY

  /** @param stallMs how long is too long; also between two steps */
  constructor(stallMs: number) {
    this.#stallMs = stallMs
  }

  /** Something failed and is tried again: for as long as that goes on, it is known why nothing moves. */
  trouble(nowMs: number): void {
    this.#troubleAtMs = nowMs
  }

  /**
   * Looks at all partitions; call it every few seconds.
   * @param isFull nothing is read because of what is not acknowledged yet: while any partition makes progress, the others
   *   are waiting for it
   */
  look(partitions: Iterable<WatchedPartition>, isFull: boolean, nowMs: number): WatchdogAction | undefined {
    // It was us who stood still: a paused process, a suspended machine.
    if (nowMs - this.#lookedAtMs > this.#stallMs / 2) this.trouble(nowMs)
    this.#lookedAtMs = nowMs
    let hasProgress = false
    const seen = new Set<string>()
    const unknown = new Set<string>()
    const stalled: TopicPartition[] = []
    for (const { topic, partition, isActive, lagRecords, nextSourceOffset = -1 } of partitions) {
      const key = partitionKey({ topic, partition })
      if (isActive && lagRecords === undefined) unknown.add(key)
      if (!isActive || lagRecords === undefined || lagRecords <= 0) continue
      seen.add(key)
      if (this.#suspects.get(key) !== nextSourceOffset) this.#suspects.delete(key)
      const standing = this.#standing.get(key)
      if (standing?.nextSourceOffset !== nextSourceOffset) {
        hasProgress ||= standing !== undefined
        this.#standing.set(key, { nextSourceOffset, sinceMs: nowMs })
        continue
      }
      if (nowMs - Math.max(standing.sinceMs, this.#troubleAtMs) >= this.#stallMs) stalled.push({ topic, partition })
    }
    if (isFull && hasProgress) this.trouble(nowMs)
    for (const key of this.#standing.keys()) if (!seen.has(key)) this.#standing.delete(key)
    // Of one whose lag is not known it is not known either whether the step has helped.
    for (const key of this.#suspects.keys()) if (!seen.has(key) && !unknown.has(key)) this.#suspects.delete(key)
    if (this.#suspects.size === 0) this.#stepsTaken = 0
    if (stalled.length === 0 || nowMs - Math.max(this.#actedAtMs, this.#troubleAtMs) < this.#stallMs) return undefined

    const step = WATCHDOG_STEPS[Math.min(this.#stepsTaken, WATCHDOG_STEPS.length - 1)]!
    this.#stepsTaken++
    this.#actedAtMs = nowMs
    this.#suspects = new Map(stalled.map(partitionKey).map(key => [key, this.#standing.get(key)!.nextSourceOffset]))
    return { step, stalled }
  }
}
