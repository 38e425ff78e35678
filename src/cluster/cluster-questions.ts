/** What a cluster tells of itself to those who ask; nothing of it changes anything. */
import {
  type ClientQuotaKey,
  ClientQuotaMatchTypes,
  ConfigResourceTypes,
  describeClientQuotasV1,
  describeConfigsV4,
  describeQuorumV1,
  metadataV12
} from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { assertNoError, brokerError, ClusterError, despiteErrors } from './errors.ts'

const PURPOSE = 'questions'
const TOPICS_TOGETHER = 200

/**
 * Values in force at a broker, by name; a name that it does not know is left out.
 * @throws ClusterError, `CLUSTER_AUTHORIZATION_FAILED` without DESCRIBE_CONFIGS on the cluster
 */
export async function brokerConfigs(
  cluster: Cluster,
  nodeId: number,
  names: readonly string[]
): Promise<Map<string, string>> {
  const connection = await cluster.broker(nodeId, PURPOSE)
  const resource = {
    resourceType: ConfigResourceTypes.BROKER,
    resourceName: String(nodeId),
    configurationKeys: [...names]
  }
  const { results } = await despiteErrors(connection.call(describeConfigsV4.api, [resource], false, false))
  const context = `${cluster.alias}: the configuration of broker ${nodeId}`
  const [described] = results
  if (described === undefined) throw new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true)
  if (described.errorCode !== 0) throw brokerError(described.errorCode, context, { said: described.errorMessage })
  return new Map(described.configs.flatMap(({ name, value }) => (value == null ? [] : [[name, value] as const])))
}

/** Limits of one kind of clients. `null` is Kafka's default for those that have no entry of their own. */
export interface QuotaEntry {
  /** `undefined`: whoever it is. */
  readonly user: string | null | undefined
  readonly clientId: string | null | undefined
  readonly values: ReadonlyMap<ClientQuotaKey, number>
}

/** All quotas of users and client ids. @throws ClusterError */
export async function clientQuotas(cluster: Cluster): Promise<QuotaEntry[]> {
  const connection = await cluster.anyBroker(PURPOSE)
  const answers = await Promise.all(
    (['user', 'client-id'] as const).map(entityType =>
      connection.call(describeClientQuotasV1.api, [{ entityType, matchType: ClientQuotaMatchTypes.ANY }], false)
    )
  )
  // What limits a user's client with a certain id is in both answers.
  const found = answers
    .flatMap(({ entries }) => entries ?? [])
    .map(({ entity, values }): QuotaEntry => {
      const nameOf = (type: 'user' | 'client-id') => entity.find(({ entityType }) => entityType === type)?.entityName
      return {
        user: nameOf('user'),
        clientId: nameOf('client-id'),
        values: new Map(values.map(({ key, value }) => [key, value]))
      }
    })
  return [
    ...new Map(found.map(entry => [JSON.stringify({ user: entry.user, clientId: entry.clientId }), entry])).values()
  ]
}

/** What a clock said, and between which two moments of ours it was read. */
export interface ClockReading {
  readonly theirsMs: number
  readonly askedAtMs: number
  readonly answeredAtMs: number
}

/**
 * The clock of the cluster's active controller. DescribeQuorum (KIP-836, Kafka 3.3) tells when each voter has last fetched, and
 * the leader says of itself: now (org.apache.kafka.raft.LeaderState, describeReplicaState). It is the only time of day
 * that a broker tells without being written to.
 * @returns `undefined` where the cluster does not tell. @throws ClusterError, without DESCRIBE on the cluster too
 */
export async function readControllerClock(cluster: Cluster): Promise<ClockReading | undefined> {
  const connection = await cluster.anyBroker(PURPOSE)
  const question = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  // The first one may have to find the controller.
  await connection.call(describeQuorumV1.api, question)
  const askedAtMs = Date.now()
  const { topics } = await connection.call(describeQuorumV1.api, question)
  const answeredAtMs = Date.now()
  const quorum = topics[0]?.partitions[0]
  if (quorum === undefined) return undefined
  assertNoError(quorum.errorCode, `${cluster.alias}: describing the quorum`)
  const leader = quorum.currentVoters.find(({ replicaId }) => replicaId === quorum.leaderId)
  const theirsMs = Number(leader?.lastFetchTimestamp ?? -1n)
  return theirsMs < 0 ? undefined : { theirsMs, askedAtMs, answeredAtMs }
}

/** The fewest replicas that any partition of a topic has, by topic; those that are not there are left out. @throws ClusterError */
export async function replicaCounts(cluster: Cluster, topics: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let from = 0; from < topics.length; from += TOPICS_TOGETHER) {
    const connection = await cluster.anyBroker(PURPOSE)
    const asked = topics.slice(from, from + TOPICS_TOGETHER)
    const answer = await despiteErrors(connection.call(metadataV12.api, asked, false, false))
    for (const { name, partitions } of answer.topics) {
      if (name == null || partitions.length === 0) continue
      counts.set(name, Math.min(...partitions.map(({ replicaNodes }) => replicaNodes.length)))
    }
  }
  return counts
}
