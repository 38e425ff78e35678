import type { Cluster } from '../cluster/cluster.ts'
import { type Fence, transactionalId } from '../destination/fence.ts'
import { untilServed } from '../destination/until-served.ts'
import { insist } from './insist.ts'

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
  /** For how long trouble is tried again. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

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
  const refresh = () => destination.refreshTogether(destinationTopic)
  await insist(
    async () => {
      await untilServed(destination, { topic: destinationTopic, partition }, signal)
      await fence.raise(id, destinationTopic, partition, signal)
    },
    { patienceMs, refresh, signal }
  )
}
