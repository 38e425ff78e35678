import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { eventStatus, type SourceEvent } from '../events/source-event.ts'
import type { EventStatus } from '../observe/status.ts'

/** Shown by the worker. */
const RECENT_MAX = 20

/** What is known of a flow's events: the last ones, and how each partition stands by them. */
export class KnownEvents {
  readonly #newest = new Map<string, SourceEvent>()
  #recent: SourceEvent[] = []

  /** One more, in the order in which they were written. */
  note(event: SourceEvent): void {
    this.#newest.set(partitionKey(event), event)
    this.#recent = [...this.#recent, event].slice(-RECENT_MAX)
  }

  newestOf(partition: TopicPartition): SourceEvent | undefined {
    return this.#newest.get(partitionKey(partition))
  }

  /** The newest first. */
  get recent(): EventStatus[] {
    return this.#recent.toReversed().map(eventStatus)
  }

  /** The newest event of each partition whose newest says that it stands still, however many came after it. */
  get halts(): EventStatus[] {
    return [...this.#newest.values()].filter(({ action }) => action === 'HALTED').map(eventStatus)
  }
}
