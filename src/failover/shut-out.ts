import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { type Fence, transactionalId } from '../destination/fence.ts'
import { untilServed } from '../destination/until-served.ts'

/** A source partition, and the topic that its copy is in. */
export interface CopiedPartition {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
}

export interface ShutOutOptions {
  readonly destination: Cluster
  readonly fence: Fence
  /** Alias of the source. */
  readonly source: string
  /** For how long trouble is tried again, unless it is a missing right. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

/**
 * Shuts every worker out of a partition: whatever its log shows from here on is all that has been written, unless somebody fences
 * anew, who then reads that the flow is stopped.
 * @throws ClusterError what is in the way still when patience is over, or a missing right
 */
export async function shutOut(
  { topic, partition, destinationTopic }: CopiedPartition,
  { destination, fence, source, patienceMs, signal }: ShutOutOptions
): Promise<void> {
  const id = transactionalId(source, destination.alias, topic, partition)
  const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    signal.throwIfAborted()
    try {
      await untilServed(destination, { topic: destinationTopic, partition }, signal)
      await fence.raise(id, destinationTopic, partition, signal)
      return
    } catch (error) {
      signal.throwIfAborted()
      const isForbidden = error instanceof ClusterError && error.code.endsWith('_AUTHORIZATION_FAILED')
      if (!(error instanceof ClusterError) || isForbidden || performance.now() > deadlineMs) throw error
    }
    await pause(backoff.nextMs(), signal)
    await destination.refreshTogether(destinationTopic)
  }
}
