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
  /** What the broker has in mind. */
  #known = new Map<string, SessionPartition>()

  /** What to send so that the broker has exactly these partitions in mind. */
  next(wanted: ReadonlyMap<string, SessionPartition>): SessionDelta {
    const isFull = this.#epoch === FIRST_EPOCH
    const partitions: SessionPartition[] = []
    for (const [key, partition] of wanted) {
      if (isFull || !isSame(this.#known.get(key), partition)) partitions.push(partition)
    }
    const forgotten = isFull
      ? []
      : [...this.#known].filter(([key]) => !wanted.has(key)).map(([, partition]) => partition)
    this.#known = new Map(wanted)
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
    this.#known = new Map()
  }
}

function isSame(a: SessionPartition | undefined, b: SessionPartition): boolean {
  return (
    a !== undefined &&
    a.topicId === b.topicId &&
    a.fetchOffset === b.fetchOffset &&
    a.leaderEpoch === b.leaderEpoch &&
    a.lastFetchedEpoch === b.lastFetchedEpoch
  )
}
