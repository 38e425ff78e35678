import type { FetchPartition, FetchRequest, FetchResponse } from '../cluster/fetch.ts'

/** What a fetch is asked for, for one partition. */
export type SessionPartition = FetchPartition

/** The part of a Fetch request that a session decides. */
export type SessionDelta = Pick<FetchRequest, 'sessionId' | 'sessionEpoch' | 'partitions' | 'forgotten'>

const NO_SESSION = 0
const FIRST_EPOCH = 0
const EPOCH_MAX = 2 ** 31 - 1

/**
 * One incremental fetch session with one broker (KIP-227): the broker remembers which partitions it was asked for and
 * where, so that a request names only those that changed, and an answer only those with news. With thousands of quiet
 * partitions that is the difference between a few bytes and a few hundred kilobytes per round.
 */
export class FetchSession {
  #id = NO_SESSION
  #epoch = FIRST_EPOCH
  /** What is to be read. */
  readonly #wanted = new Map<string, SessionPartition>()
  /** What the broker has in mind. */
  readonly #known = new Map<string, SessionPartition>()
  /** Where the two may differ: looking at all partitions for each request would cost more than the requests. */
  readonly #changed = new Set<string>()

  /** How many partitions are wanted. */
  get size(): number {
    return this.#wanted.size
  }

  /** Have this read, from there on. */
  want(key: string, partition: SessionPartition): void {
    this.#wanted.set(key, partition)
    this.#changed.add(key)
  }

  /** Do not have this read any more. */
  leave(key: string): void {
    if (this.#wanted.delete(key)) this.#changed.add(key)
  }

  /** What the last request asked for, or one before it that the broker remembers. */
  asked(key: string): SessionPartition | undefined {
    return this.#known.get(key)
  }

  /** What to send so that the broker has exactly what is wanted in mind. */
  next(): SessionDelta {
    const partitions: SessionPartition[] = []
    const forgotten: SessionPartition[] = []
    const isFull = this.#epoch === FIRST_EPOCH
    if (isFull) this.#known.clear()
    for (const key of isFull ? this.#wanted.keys() : this.#changed) {
      const wanted = this.#wanted.get(key)
      const known = this.#known.get(key)
      if (wanted === undefined) {
        this.#known.delete(key)
        if (known !== undefined) forgotten.push(known)
      } else if (!isSame(known, wanted)) {
        this.#known.set(key, wanted)
        partitions.push(wanted)
      }
    }
    this.#changed.clear()
    return { sessionId: this.#id, sessionEpoch: this.#epoch, partitions, forgotten }
  }

  /** An answer without error came: the broker has in mind what `next` said. */
  answered({ sessionId }: Pick<FetchResponse, 'sessionId'>): void {
    if (sessionId === NO_SESSION) {
      // No room for a session on that broker: each request names everything.
      this.#id = NO_SESSION
      this.reset()
      return
    }
    this.#id = sessionId
    this.#epoch = this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1
  }

  /** Nothing is known of what the broker has in mind: begin anew with a full request, which also ends the old session. */
  reset(): void {
    this.#epoch = FIRST_EPOCH
  }
}

function isSame(a: SessionPartition | undefined, b: SessionPartition): boolean {
  return (
    a !== undefined &&
    a.topicId === b.topicId &&
    a.fetchOffset === b.fetchOffset &&
    a.leaderEpoch === b.leaderEpoch &&
    a.lastFetchedEpoch === b.lastFetchedEpoch &&
    a.maxBytes === b.maxBytes
  )
}
