import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { within } from '../cluster/retry.ts'
import type { ClusterConfig } from '../config/types.ts'
import type { Problem } from './overview.ts'

/** A person waits. */
const FIRST_ANSWER_TIMEOUT_MS = 10_000

/** Asks for all topics. `undefined` when the cluster answered. A wrong address should not look like long work. */
export async function readMetadata(cluster: Cluster): Promise<Problem | undefined> {
  try {
    const answer = await within(cluster.refresh(), FIRST_ANSWER_TIMEOUT_MS, () => 'late')
    if (answer !== 'late') return undefined
    const reason = `no answer within ${FIRST_ANSWER_TIMEOUT_MS / 1000} s`
    return { cluster: cluster.alias, code: 'TIMED_OUT', message: cannotBeReached(cluster.config, reason) }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return { cluster: cluster.alias, code: error.code, message: cannotBeReached(cluster.config, error.message) }
  }
}

function cannotBeReached({ alias, bootstrapServers }: ClusterConfig, reason: string): string {
  const servers = bootstrapServers.map(({ host, port }) => `${host}:${port}`).join(',')
  return `${alias} (${servers}) cannot be reached: ${reason}`
}
