/** Which ACLs are missing, one by one, as docs/operations.md lists them. Pure. */
import type { AclOperation } from '../cluster/acl.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { transactionalIdPrefix } from '../destination/fence.ts'
import { missingTopicAcl } from '../destination/missing-acl.ts'
import { eventTopic } from '../events/event-log.ts'
import type { ClusterFacts, FlowFacts, PairFacts, Told } from './facts.ts'
import type { Blocker } from './plan.ts'

type PermissionConfig = Pick<Config, 'syncTopicConfigs' | 'deleteTopicsAfterMs'>

/** ACLs without which something that is asked for would not be done. */
export function permissionBlockers(config: PermissionConfig, flow: FlowConfig, facts: FlowFacts): Blocker[] {
  const { source, destination, absent, pairs } = facts
  const undescribed = [...absent].filter(([, { code }]) => code === 'TOPIC_AUTHORIZATION_FAILED')
  return [
    ...undescribed.map(([topic]) => missing(missingTopicAcl('DESCRIBE', topic, source.alias), topic)),
    ...[source, destination].flatMap(cluster => groupBlockers(cluster, flow.groupId)),
    ...pairs.flatMap(pair => pairBlockers(config, facts, pair)),
    ...transactionBlockers(facts),
    ...aclBlockers(facts)
  ]
}

/** ACLs that are missing and not needed yet, and what can't be found out without trying. */
export function permissionNotes(config: PermissionConfig, facts: FlowFacts): string[] {
  const { destination, pairs, source } = facts
  const lacking = (operation: AclOperation) =>
    pairs.filter(pair => lacks(pair.destinationOperations, operation) && !needsNow(pair, operation))
  const later: [AclOperation, string][] = [
    ['ALTER', 'partitions added at the source could not be added there'],
    ...(config.syncTopicConfigs
      ? ([['ALTER_CONFIGS', 'configurations that change could not be changed there']] as [AclOperation, string][])
      : []),
    ...(config.deleteTopicsAfterMs > 0
      ? ([['DELETE', 'copies of topics that are deleted at the source would stay']] as [AclOperation, string][])
      : [])
  ]
  const notes = later.flatMap(([operation, consequence]) => {
    const topics = lacking(operation).map(({ destinationTopic }) => destinationTopic)
    return topics.length === 0
      ? []
      : [`${destination.alias} does not grant ${operation} on ${listed(topics)}: ${consequence}`]
  })
  if (!config.syncTopicConfigs) {
    const unread = pairs.filter(({ destinationConfig }) => isRefused(destinationConfig))
    if (unread.length > 0) {
      const topics = listed(unread.map(({ destinationTopic }) => destinationTopic))
      notes.push(
        `${destination.alias} does not grant DESCRIBE_CONFIGS on ${topics}: Kafka’s default is taken for max.message.bytes`
      )
    }
  }
  const toCreate = pairs.filter(({ destinationPartitions }) => destinationPartitions === 0)
  // Whoever may act as a broker may do anything, and so may everybody where there is no authorizer.
  const isUnrestricted = ({ operations }: ClusterFacts) => operations.has('CLUSTER_ACTION')
  if (toCreate.length > 0 && !isUnrestricted(destination)) {
    const isAsked = toCreate.every(({ transaction }) => transaction?.withId === true)
    notes.push(
      `whether ${destination.alias} grants ${isAsked ? 'READ' : 'READ and WRITE'} on topics that are to be created ` +
        'shows once they are there'
    )
  }
  if (!isUnrestricted(source)) {
    notes.push(`${source.alias} tells only of topics and groups that may be described: others are left out silently`)
  }
  for (const { alias, topic, lacking, consequence } of facts.ownTopics) {
    notes.push(...lacking.map(operation => `${missingTopicAcl(operation, topic, alias)}: ${consequence}`))
  }
  if (!facts.keepsOrders) {
    const acl = missingTopicAcl('ALTER_CONFIGS', eventTopic(source.alias), destination.alias)
    notes.push(`${acl}: farlog failover can’t have its order kept for good`)
  }
  if (!destination.operations.has('DESCRIBE')) {
    const { alias } = destination
    notes.push(`missing ACL at ${alias}: DESCRIBE on the cluster: farlog failover can’t list the groups there`)
  }
  const unread = (facts.groups ?? []).filter(({ mayReadAtDestination }) => !mayReadAtDestination)
  if (unread.length > 0) {
    const names = listed(unread.map(({ groupId }) => groupId))
    notes.push(`${destination.alias} does not grant READ on the groups ${names}: their offsets are not brought there`)
  }
  return notes
}

function groupBlockers({ alias, mayReadGroup }: ClusterFacts, groupId: string): Blocker[] {
  return mayReadGroup ? [] : [missing(`missing ACL at ${alias}: READ on group ${groupId}`)]
}

function pairBlockers(config: PermissionConfig, facts: FlowFacts, pair: PairFacts): Blocker[] {
  const { topic, destinationTopic } = pair
  const atSource: AclOperation[] = [
    ...(lacks(pair.sourceOperations, 'READ') ? (['READ'] as const) : []),
    ...(config.syncTopicConfigs && isRefused(pair.sourceConfig) ? (['DESCRIBE_CONFIGS'] as const) : [])
  ]
  const atDestination = destinationNeeds(config, pair)
  return [
    ...atSource.map(operation => missing(missingTopicAcl(operation, topic, facts.source.alias), topic)),
    ...atDestination.map(operation =>
      missing(missingTopicAcl(operation, destinationTopic, facts.destination.alias), topic)
    )
  ]
}

function destinationNeeds(config: PermissionConfig, pair: PairFacts): AclOperation[] {
  const { destinationOperations, destinationConfig, topicRefusal, transaction } = pair
  const lacksWrite = lacks(destinationOperations, 'WRITE') || (transaction?.withId && !transaction.toTopic)
  const isThere = pair.destinationPartitions > 0
  const needed: [AclOperation, boolean][] = [
    ['DESCRIBE', isRefused(destinationOperations)],
    ['CREATE', !isThere && isRefused(topicRefusal)],
    ['ALTER', isThere && isRefused(topicRefusal)],
    ['WRITE', lacksWrite === true],
    ['READ', lacks(destinationOperations, 'READ')],
    ['DESCRIBE_CONFIGS', config.syncTopicConfigs && isRefused(destinationConfig)],
    ['ALTER_CONFIGS', isRefused(pair.configRefusal)]
  ]
  return needed.filter(([, isMissing]) => isMissing).map(([operation]) => operation)
}

/** One for all, where none may be used: that is how it is granted. */
function transactionBlockers({ source, destination, pairs }: FlowFacts): Blocker[] {
  const refused = pairs.filter(({ transaction }) => transaction?.withId === false)
  const granted = (prefix: string) =>
    `missing ACL at ${destination.alias}: WRITE on transactional ids that begin with ${prefix}`
  if (refused.length > 1 && refused.length === pairs.length) {
    return [missing(granted(transactionalIdPrefix(source.alias, destination.alias)))]
  }
  return refused.map(({ topic }) =>
    missing(granted(transactionalIdPrefix(source.alias, destination.alias, topic)), topic)
  )
}

function aclBlockers({ source, destination, missingAcls }: FlowFacts): Blocker[] {
  if (missingAcls === undefined) return []
  const onCluster = (operation: AclOperation, { alias }: ClusterFacts) =>
    missing(`missing ACL at ${alias}: ${operation} on the cluster, which FARLOG_SYNC_TOPIC_ACLS needs`)
  if (missingAcls instanceof ClusterError) {
    if (!isRefused(missingAcls)) {
      const isOff = missingAcls.code === 'SECURITY_DISABLED'
      return isOff ? [] : [{ code: 'CANNOT_ASK', topic: null, message: missingAcls.message }]
    }
    return [source, destination]
      .filter(({ operations }) => !operations.has('DESCRIBE'))
      .map(cluster => onCluster('DESCRIBE', cluster))
  }
  return missingAcls.length > 0 && !destination.operations.has('ALTER') ? [onCluster('ALTER', destination)] : []
}

function missing(message: string, topic: string | null = null): Blocker {
  return { code: 'MISSING_ACL', topic, message }
}

/** Of a topic that is there. */
function lacks(told: Told<ReadonlySet<AclOperation>>, operation: AclOperation): boolean {
  return !(told instanceof ClusterError) && !told.has(operation)
}

function needsNow(pair: PairFacts, operation: AclOperation): boolean {
  return isRefused(operation === 'ALTER' ? pair.topicRefusal : pair.configRefusal)
}

function isRefused(told: unknown): boolean {
  return told instanceof ClusterError && told.code.endsWith('_AUTHORIZATION_FAILED')
}

const LISTED_MAX = 5

function listed(names: readonly string[]): string {
  const more = names.length - LISTED_MAX
  return names.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
