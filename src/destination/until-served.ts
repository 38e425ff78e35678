import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { LATEST, listOffset, type TopicPartition } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'

/** A broker takes this long, and longer with thousands of them, to make the logs of a topic that was just created. */
const QUIET_MS = 10_000
const RETRY_FIRST_MS = 20
const RETRY_MAX_MS = 500

/**
 * Waits until a destination partition's leader serves it.
 *
 * A created topic is in the metadata before its leader has made the logs. A fence begun in between can hang for half a minute:
 * a leader that is sent markers for several partitions and has the logs of some only may never answer
 * (Kafka's KafkaApis.handleWriteTxnMarkersRequest: the last append is counted before the last marker is left out), and the
 * coordinator sends no others to it until its request has timed out.
 * @throws ClusterError what the leader says, where it does not serve the partition after a while
 */
export async function untilServed(destination: Cluster, partition: TopicPartition, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
  const deadlineMs = performance.now() + QUIET_MS
  while (!signal.aborted) {
    try {
      await listOffset(destination, partition, LATEST, 'read_uncommitted')
      return
    } catch (error) {
      const isOver = performance.now() > deadlineMs
      if (isOver || !(error instanceof ClusterError) || !error.retriable) throw error
    }
    await pause(backoff.nextMs(), signal)
    await destination.refreshTogether(partition.topic)
  }
}
