/** Offsets committed for a consumer group from outside, without joining it. */
import { offsetCommitV8 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { assertNoError, ClusterError, despiteErrors } from './errors.ts'
import type { CommittedOffset } from './group-member.ts'
import { atCoordinator } from './group-state.ts'

/** The coordinator writes what comes in one request as one batch, which `max.message.bytes` of its own topic limits. */
const COMMITTED_AT_ONCE_MAX = 1_000
/** How a request says that it comes from no member: the coordinator takes that only while the group has none. */
const NO_GENERATION = -1
const NO_MEMBER = ''
const UNKNOWN_EPOCH = -1

/**
 * Commits offsets for a group that nobody is a member of. Whether that is so is for the caller to look at before, so that it can
 * say who is in the way; a member that joins meanwhile makes the coordinator refuse (`UNKNOWN_MEMBER_ID`), never overwrite.
 * @throws ClusterError where the coordinator can't be asked or refuses; up to a thousand offsets are refused or committed together
 */
export async function commitGroupOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly CommittedOffset[],
  signal: AbortSignal
): Promise<void> {
  for (let from = 0; from < offsets.length; from += COMMITTED_AT_ONCE_MAX) {
    await commitTogether(cluster, groupId, offsets.slice(from, from + COMMITTED_AT_ONCE_MAX), signal)
  }
}

async function commitTogether(
  cluster: Cluster,
  groupId: string,
  offsets: readonly CommittedOffset[],
  signal: AbortSignal
): Promise<void> {
  const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, committed]) => ({
    name,
    partitions: committed.map(({ partition, offset, metadata }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: UNKNOWN_EPOCH,
      committedMetadata: metadata
    }))
  }))
  await atCoordinator(cluster, groupId, signal, async coordinator => {
    const answer = await despiteErrors(
      coordinator.call(offsetCommitV8.api, groupId, NO_GENERATION, NO_MEMBER, null, topics)
    )
    let answered = 0
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        assertNoError(errorCode, `${cluster.alias}: committing ${name}-${partitionIndex} for group ${groupId}`)
        answered++
      }
    }
    if (answered < offsets.length) {
      throw new ClusterError(
        'BAD_RESPONSE',
        `${cluster.alias}: group ${groupId} answers to ${answered} commits only`,
        true
      )
    }
  })
}
