import type { AclOperation } from '../../../src/cluster/acl.ts'
import { ClusterError } from '../../../src/cluster/errors.ts'
import type { ClusterConfig, FlowConfig } from '../../../src/config/types.ts'
import type { ClusterFacts, FlowFacts, PairFacts } from '../../../src/plan/facts.ts'
import type { PlanConfig } from '../../../src/plan/plan-flow.ts'

export const FLOW: FlowConfig = { source: cluster('east'), destination: cluster('west'), groupId: 'farlog-east-west' }

export const CONFIG: PlanConfig = {
  topics: { include: ['.*'], exclude: [] },
  replicationFactor: undefined,
  deleteTopicsAfterMs: 0,
  syncTopicConfigs: true
}

const EVERYTHING: ReadonlySet<AclOperation> = new Set<AclOperation>([
  ...(['READ', 'WRITE', 'CREATE', 'DELETE', 'ALTER', 'DESCRIBE'] as const),
  ...(['DESCRIBE_CONFIGS', 'ALTER_CONFIGS', 'CLUSTER_ACTION'] as const)
])

/** A flow of one topic that is as it should be, but for what is given. */
export function flowFacts({ pairs = [pair()], ...rest }: Partial<FlowFacts> = {}): FlowFacts {
  return {
    source: clusterFacts('east'),
    destination: clusterFacts('west'),
    pairs,
    refused: [],
    absent: new Map(),
    missingAcls: undefined,
    ownTopics: [],
    keepsOrders: true,
    groups: [],
    ...rest
  }
}

export function clusterFacts(alias: string, rest: Partial<ClusterFacts> = {}): ClusterFacts {
  return { alias, clusterId: `id-${alias}`, brokers: 3, operations: EVERYTHING, mayReadGroup: true, ...rest }
}

/** A topic that is there and alike, but for what is given. */
export function pair(rest: Partial<PairFacts> = {}): PairFacts {
  const topic = rest.topic ?? 'orders'
  return {
    topic,
    destinationTopic: `east.${topic}`,
    partitions: 3,
    destinationPartitions: 3,
    sourceOperations: EVERYTHING,
    destinationOperations: EVERYTHING,
    sourceConfig: new Map(),
    destinationConfig: new Map(),
    configChanges: [],
    configRefusal: undefined,
    topicRefusal: undefined,
    transaction: { withId: true, toTopic: true },
    ...rest
  }
}

/** Everything but these. */
export function without(...operations: readonly AclOperation[]): ReadonlySet<AclOperation> {
  return new Set([...EVERYTHING].filter(operation => !operations.includes(operation)))
}

export function failed(code: string): ClusterError {
  return new ClusterError(code, `west: ${code}`, false)
}

export const NOT_THERE = failed('UNKNOWN_TOPIC_OR_PARTITION')
export const NOT_ALLOWED = failed('TOPIC_AUTHORIZATION_FAILED')

function cluster(alias: string): ClusterConfig {
  return { alias, bootstrapServers: [], securityProtocol: 'PLAINTEXT', tls: undefined, sasl: undefined }
}
