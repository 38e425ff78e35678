/** From what is known of two clusters to what would be done, and what stands in its way. Pure. */
import { ClusterError } from '../cluster/errors.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { aclText } from '../destination/acl-rules.ts'
import type { FlowFacts, PairFacts } from './facts.ts'
import { permissionBlockers, permissionNotes } from './permissions.ts'
import type { Blocker, FlowPlan, PlannedTopic, TopicState } from './plan.ts'

export type PlanConfig = Pick<Config, 'topics' | 'replicationFactor' | 'syncTopicConfigs' | 'deleteTopicsAfterMs'>

/** Names the flow, and nothing else yet. */
export function emptyPlan({ source, destination, groupId }: FlowConfig): FlowPlan {
  const nothing = { blockers: [], notes: [], topics: [], leftOut: [], groups: null }
  return { source: source.alias, destination: destination.alias, groupId, ...nothing }
}

/** The plan of a flow whose clusters could both be asked. */
export function planFlow(config: PlanConfig, flow: FlowConfig, facts: FlowFacts): FlowPlan {
  const blockers = [
    ...selectionBlockers(config, facts),
    ...replicationBlockers(config, facts),
    ...permissionBlockers(config, flow, facts),
    ...facts.pairs.flatMap(pair => refusalBlockers(config, facts, pair))
  ]
  const held = new Set(blockers.map(({ topic }) => topic))
  return {
    ...emptyPlan(flow),
    blockers,
    notes: [...topicNotes(facts), ...permissionNotes(config, facts)],
    topics: facts.pairs.map(pair => plannedTopic(facts, pair, held.has(pair.topic))),
    leftOut: facts.refused.map(({ topic, reason }) => ({ topic, reason })),
    groups: facts.groups?.map(({ groupId }) => groupId) ?? null
  }
}

/** A pattern that takes everything does not ask for any topic in particular. */
const CATCH_ALL = '.*'

function selectionBlockers({ topics }: PlanConfig, { refused }: FlowFacts): Blocker[] {
  const isAskedFor = !topics.include.includes(CATCH_ALL)
  return refused.flatMap(({ topic, kind, reason }): Blocker[] => {
    if (kind === 'same-name') {
      const message = `${topic}: ${reason}; leave one of them out by FARLOG_TOPICS_EXCLUDE`
      return [{ code: 'SAME_NAME', topic, message }]
    }
    if (kind !== 'cycle' || !isAskedFor) return []
    return [{ code: 'CYCLE', topic, message: `${topic}: ${reason}; leave it out by FARLOG_TOPICS_EXCLUDE` }]
  })
}

function replicationBlockers({ replicationFactor }: PlanConfig, { destination }: FlowFacts): Blocker[] {
  if (replicationFactor === undefined || replicationFactor <= destination.brokers) return []
  const message =
    `FARLOG_REPLICATION_FACTOR is ${replicationFactor}, but ${destination.alias} has ` +
    `${destination.brokers} ${destination.brokers === 1 ? 'broker' : 'brokers'}`
  return [{ code: 'REPLICATION_FACTOR', topic: null, message }]
}

/** What the destination would refuse for another reason than an ACL. */
function refusalBlockers(config: PlanConfig, { destination }: FlowFacts, pair: PairFacts): Blocker[] {
  const { topic, topicRefusal, configRefusal, destinationPartitions } = pair
  const code = destinationPartitions === 0 ? 'CANNOT_CREATE' : 'CANNOT_GROW'
  const isSaid =
    topicRefusal?.code === 'INVALID_REPLICATION_FACTOR' && (config.replicationFactor ?? 0) > destination.brokers
  return [...(isSaid ? [] : refusal(code, topic, topicRefusal)), ...refusal('CANNOT_CONFIGURE', topic, configRefusal)]
}

function refusal(code: Blocker['code'], topic: string, error: ClusterError | undefined): Blocker[] {
  if (error === undefined || error.code.endsWith('_AUTHORIZATION_FAILED')) return []
  return [{ code, topic, message: error.message }]
}

function topicNotes({ pairs, absent, source, missingAcls }: FlowFacts): string[] {
  const wider = pairs.filter(({ partitions, destinationPartitions }) => destinationPartitions > partitions)
  const unknown = [...absent].filter(([, { code }]) => code !== 'TOPIC_AUTHORIZATION_FAILED')
  return [
    ...unknown.map(([topic]) => `${source.alias} has no topic ${topic}, which FARLOG_TOPICS names`),
    ...wider.map(
      ({ topic, destinationTopic, partitions, destinationPartitions }) =>
        `${destinationTopic} has ${destinationPartitions} partitions and ${topic} ${partitions}: ` +
        'the further ones stay as they are'
    ),
    ...(missingAcls instanceof ClusterError && missingAcls.code === 'SECURITY_DISABLED'
      ? [`no ACLs are copied: ${missingAcls.message}`]
      : [])
  ]
}

function plannedTopic({ missingAcls }: FlowFacts, pair: PairFacts, isHeld: boolean): PlannedTopic {
  const { topic, destinationTopic, partitions, destinationPartitions, destinationConfig } = pair
  const there = destinationConfig instanceof ClusterError ? undefined : destinationConfig
  const acls = missingAcls === undefined || missingAcls instanceof ClusterError ? [] : missingAcls
  return {
    topic,
    destinationTopic,
    state: isHeld ? 'blocked' : stateOf(pair),
    partitions,
    destinationPartitions,
    partitionsToCreate: Math.max(partitions - destinationPartitions, 0),
    configs: pair.configChanges.map(({ name, value }) => ({ name, from: there?.get(name)?.value ?? null, to: value })),
    acls: acls.filter(binding => binding.topic === destinationTopic).map(aclText)
  }
}

function stateOf({ partitions, destinationPartitions }: PairFacts): TopicState {
  if (destinationPartitions === 0) return 'to create'
  return destinationPartitions < partitions ? 'short of partitions' : 'there'
}
