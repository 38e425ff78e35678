/**
 * A broker's cache of incremental fetch sessions (KIP-227; Kafka's FetchManager and FetchSession): what a request means
 * depends on what earlier ones said, and the broker forgets sessions as it likes.
 */
import type { SessionDelta, SessionPartition } from '../../../../src/source/fetch-session.ts'

/** What the broker takes a request to ask for, or the error it answers. */
export type Understood =
  | { readonly sessionId: number; readonly partitions: ReadonlyMap<string, SessionPartition> }
  | { readonly error: string }

interface CachedSession {
  epoch: number
  readonly partitions: Map<string, SessionPartition>
}

const FINAL_EPOCH = -1
const INITIAL_EPOCH = 0

export class SessionCache {
  readonly #sessions = new Map<number, CachedSession>()
  #lastId = 1_000
  /** Whether there is a slot for a new session. */
  hasRoom = true

  get sessions(): number {
    return this.#sessions.size
  }

  /** Other clients' sessions took the slots. */
  evictAll(): void {
    this.#sessions.clear()
  }

  receive({ sessionId, sessionEpoch, partitions, forgotten }: SessionDelta): Understood {
    const asked = new Map(partitions.map(partition => [keyOf(partition), partition]))
    if (sessionEpoch === FINAL_EPOCH || sessionEpoch === INITIAL_EPOCH) {
      // A full request ends the session that it names.
      this.#sessions.delete(sessionId)
      if (sessionEpoch === FINAL_EPOCH || asked.size === 0 || !this.hasRoom) return { sessionId: 0, partitions: asked }
      const id = ++this.#lastId
      this.#sessions.set(id, { epoch: 1, partitions: new Map(asked) })
      return { sessionId: id, partitions: asked }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return { error: 'FETCH_SESSION_ID_NOT_FOUND' }
    if (session.epoch !== sessionEpoch) return { error: 'INVALID_FETCH_SESSION_EPOCH' }
    for (const [key, partition] of asked) session.partitions.set(key, partition)
    for (const partition of forgotten) session.partitions.delete(keyOf(partition))
    if (session.partitions.size === 0) {
      this.#sessions.delete(sessionId)
      return { sessionId: 0, partitions: asked }
    }
    session.epoch++
    return { sessionId, partitions: new Map(session.partitions) }
  }
}

export function keyOf({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string {
  return `${topicId}/${partition}`
}
