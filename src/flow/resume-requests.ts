/**
 * Requests to go on somewhere, as a person wrote them to the event log, and which of them a partition has obeyed.
 *
 * A partition that halts because its source lost or changed records does not heal by itself: somebody decides where it goes on.
 * The decision stands in the log, so that whoever owns the partition, now or later, finds it; and progress says which
 * request was the last one obeyed (`resumed`), so that it is obeyed once. The request also says where the destination
 * partition ended when it was made. Copies before that belong to what was before the trouble; a copy behind it can
 * only come from an owner that had obeyed, so where progress was not committed any more, the log still tells how far it got.
 */
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { LoggedEvent } from '../events/event-log.ts'
import type { Progress } from './messages.ts'

export class ResumeRequests {
  /** The newest of each partition. */
  readonly #newest = new Map<string, LoggedEvent>()

  /** Takes note of what is in the log; other events are passed over. Call it in the log's order. */
  note(logged: LoggedEvent): void {
    if (logged.event.kind === 'RESUME') this.#newest.set(partitionKey(logged.event), logged)
  }

  /**
   * Where a partition has to go on in place of its progress; `undefined` where progress stands.
   * @param committed what is known of the partition
   */
  overruling(partition: TopicPartition, committed: Progress | undefined): Progress | undefined {
    const request = this.#newest.get(partitionKey(partition))
    if (request === undefined || hasObeyed(committed, request)) return undefined
    const { firstOffset, topicId, destinationOffset } = request.event
    return {
      nextSourceOffset: firstOffset,
      topicId,
      leaderEpoch: -1,
      destinationOffset: (destinationOffset ?? 0) - 1,
      resumed: requestId(request.logId, request.offset)
    }
  }
}

/** What progress names a request by. */
export function requestId(logId: string, offset: number): string {
  return `${logId}/${offset}`
}

/** A request in another log than the last one obeyed is a later one: the log was made anew since. */
function hasObeyed(progress: Progress | undefined, { logId, offset }: LoggedEvent): boolean {
  const [obeyedLogId, obeyedOffset] = progress?.resumed?.split('/') ?? []
  return obeyedLogId === logId && Number(obeyedOffset) >= offset
}
