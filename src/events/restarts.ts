/**
 * Where the source offsets of a copy start over, as the events say. They mostly grow along a destination partition, for a
 * source only appends; but a topic that is made anew counts from 0 again, and a person may have a partition go on further
 * down. From there on a source offset means what stands behind that place, and not the copy of the same number before.
 */
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { SourceEvent } from './source-event.ts'

interface History {
  /** The source topic it is about. */
  readonly topicId: string
  /** Where the copies of this topic begin; 0 where it is the first one known of. */
  readonly topicStart: number
  /** Somebody had it go on at this source offset, and its copies begin at this destination offset. */
  readonly resumed: { readonly sourceOffset: number; readonly destinationOffset: number } | undefined
  /** It is known to have been made anew, and where its copies begin is for the next event to say. */
  readonly isWaiting: boolean
}

/** What the events of one flow say about its partitions. */
export class Restarts {
  readonly #destinationAlias: string
  readonly #histories = new Map<string, History>()

  /** @param destinationAlias events of flows to other destinations are passed over */
  constructor(destinationAlias: string) {
    this.#destinationAlias = destinationAlias
  }

  /** Takes note of an event. Call it in the log's order. */
  note(event: SourceEvent): void {
    if (event.destination !== this.#destinationAlias) return
    const key = partitionKey(event)
    this.#histories.set(key, next(this.#histories.get(key), event))
  }

  /** The lowest destination offset that copies from this source offset on can be at; 0 where nothing is known. */
  firstDestinationOffset(partition: TopicPartition, sourceOffset: number): number {
    const history = this.#histories.get(partitionKey(partition))
    if (history === undefined) return 0
    const { topicStart, resumed } = history
    return resumed !== undefined && sourceOffset >= resumed.sourceOffset ? resumed.destinationOffset : topicStart
  }
}

/**
 * Of several requests to go on only the newest counts. The ones before may never have been obeyed, and then nothing was
 * copied from there; without them a reader is sent further back at most, and reads again what it would not have to.
 */
function next(history: History | undefined, event: SourceEvent): History {
  const { kind, action, topicId, firstOffset, destinationOffset } = event
  const known = history?.topicId === topicId ? history : undefined
  switch (kind) {
    case 'RECREATED':
      if (action === 'CONTINUED') return begun(topicId, destinationOffset ?? 0)
      return known ?? { ...begun(topicId, 0), isWaiting: true }
    case 'RESUME': {
      if (known?.isWaiting) return begun(topicId, destinationOffset ?? 0)
      const resumed = { sourceOffset: firstOffset, destinationOffset: destinationOffset ?? 0 }
      return { ...(known ?? begun(topicId, 0)), resumed }
    }
    // Both are of a topic that is being mirrored. Source offsets go on growing behind a gap; what becomes of a partition
    // that diverged the next request says.
    case 'GAP':
    case 'DIVERGED':
      return known === undefined || known.isWaiting ? begun(topicId, 0) : known
  }
}

function begun(topicId: string, topicStart: number): History {
  return { topicId, topicStart, resumed: undefined, isWaiting: false }
}
