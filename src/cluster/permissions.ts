/**
 * What a cluster lets us do, found out without doing it. Where a broker tells (authorized operations, KIP-430) it is asked;
 * otherwise a request is sent that can't do anything: brokers look at ACLs first, so that the error tells whether one is
 * missing. None of these requests makes a topic of Kafka's own, as looking for a coordinator would.
 */
import {
  addPartitionsToTxnV3,
  createPartitionsV3,
  createTopicsV7,
  describeClusterV0,
  heartbeatV4,
  metadataV12
} from '@platformatic/kafka'
import { type AclOperation, operationsIn } from './acl.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, type ClusterError, despiteErrors, errorName } from './errors.ts'
import type { NewTopic } from './topic-admin.ts'

const PURPOSE = 'permissions'
const TOPICS_TOGETHER = 200
/** DescribeCluster asks of brokers, not of controllers; version 0 does not even send it. */
const BROKERS = 1
const BROKER_DEFAULT = -1
const REQUEST_TIMEOUT_MS = 20_000
/** Of a producer that there is not: no coordinator knows it. */
const NO_PRODUCER = { producerId: -1n, producerEpoch: -1 }

/** What we may do to each topic, or why the cluster does not tell (there is none, or it may not be described). */
export async function topicOperations(
  cluster: Cluster,
  topics: readonly string[]
): Promise<Map<string, ReadonlySet<AclOperation> | ClusterError>> {
  const operations = new Map<string, ReadonlySet<AclOperation> | ClusterError>()
  for (const part of parts(topics)) {
    const connection = await cluster.anyBroker(PURPOSE)
    const answer = await despiteErrors(connection.call(metadataV12.api, [...part], false, true))
    for (const { name, errorCode, topicAuthorizedOperations } of answer.topics) {
      const isKnown = errorCode === 0 || errorName(errorCode) === 'LEADER_NOT_AVAILABLE'
      operations.set(
        name!,
        isKnown ? operationsIn(topicAuthorizedOperations) : brokerError(errorCode, `${cluster.alias}: topic ${name}`)
      )
    }
  }
  return operations
}

/** What we may do to the cluster itself (resource type CLUSTER). */
export async function clusterOperations(cluster: Cluster): Promise<ReadonlySet<AclOperation>> {
  const connection = await cluster.anyBroker(PURPOSE)
  const { clusterAuthorizedOperations } = await connection.call(describeClusterV0.api, true, BROKERS)
  return operationsIn(clusterAuthorizedOperations)
}

/** Whether we may READ a consumer group: a heartbeat of a member that it does not have is refused one way or the other. */
export async function mayReadGroup(cluster: Cluster, groupId: string): Promise<boolean> {
  const connection = await cluster.anyBroker(PURPOSE)
  const { errorCode } = await despiteErrors(connection.call(heartbeatV4.api, groupId, 0, 'nobody', null))
  return errorName(errorCode) !== 'GROUP_AUTHORIZATION_FAILED'
}

/** Whether we may WRITE with a transactional id, and to a topic, which need not be there. */
export async function mayWriteInTransaction(
  cluster: Cluster,
  transactionalId: string,
  topic: string
): Promise<{ readonly withId: boolean; readonly toTopic: boolean }> {
  const connection = await cluster.anyBroker(PURPOSE)
  const transaction = { transactionalId, ...NO_PRODUCER, verifyOnly: false, topics: [{ name: topic, partitions: [0] }] }
  const answer = await despiteErrors(connection.call(addPartitionsToTxnV3.api, [transaction]))
  const [result] = answer.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition ?? []
  const error = errorName(result?.partitionErrorCode ?? 0)
  return {
    withId: error !== 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    toTopic: error !== 'TOPIC_AUTHORIZATION_FAILED'
  }
}

/** Why topics could not be created, of those that could not. */
export async function refusedCreations(
  cluster: Cluster,
  topics: readonly NewTopic[]
): Promise<Map<string, ClusterError>> {
  const refused = new Map<string, ClusterError>()
  for (const part of parts(topics)) {
    const connection = await cluster.anyBroker(PURPOSE)
    const asked = part.map(({ name, partitions, replicationFactor, configs }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: replicationFactor ?? BROKER_DEFAULT,
      assignments: [],
      configs: [...configs]
    }))
    const answer = await despiteErrors(connection.call(createTopicsV7.api, asked, REQUEST_TIMEOUT_MS, true))
    for (const { name, errorCode, errorMessage } of answer.topics) {
      const context = `${cluster.alias}: creating topic ${name}`
      if (errorCode !== 0) refused.set(name, brokerError(errorCode, context, { said: errorMessage }))
    }
  }
  return refused
}

/** Why topics could not be given so many partitions, of those that could not. */
export async function refusedGrowths(
  cluster: Cluster,
  topics: readonly Pick<NewTopic, 'name' | 'partitions'>[]
): Promise<Map<string, ClusterError>> {
  const refused = new Map<string, ClusterError>()
  for (const part of parts(topics)) {
    const connection = await cluster.anyBroker(PURPOSE)
    const asked = part.map(({ name, partitions }) => ({ name, count: partitions, assignments: null }))
    const answer = await despiteErrors(connection.call(createPartitionsV3.api, asked, REQUEST_TIMEOUT_MS, true))
    for (const { name, errorCode, errorMessage } of answer.results) {
      const context = `${cluster.alias}: adding partitions to topic ${name}`
      if (errorCode !== 0) refused.set(name, brokerError(errorCode, context, { said: errorMessage }))
    }
  }
  return refused
}

function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += TOPICS_TOGETHER) yield all.slice(from, from + TOPICS_TOGETHER)
}
