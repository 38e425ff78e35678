/** What a plan is made from: everything of one flow that can be asked without changing anything. */
import type { AclBinding, AclOperation } from '../cluster/acl.ts'
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { listGroups } from '../cluster/group-list.ts'
import {
  clusterOperations,
  mayReadGroup,
  mayWriteInTransaction,
  refusedCreations,
  refusedGrowths,
  topicOperations
} from '../cluster/permissions.ts'
import { type ConfigChange, TopicAdmin, type TopicConfig } from '../cluster/topic-admin.ts'
import { compileNameFilter, compileTopicFilter, HEARTBEATS_TOPIC } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { missingAcls } from '../destination/acl-rules.ts'
import { configChanges, copiedConfigs } from '../destination/config-rules.ts'
import { transactionalId } from '../destination/fence.ts'
import type { KeptTopic } from '../destination/kept-topic.ts'
import { eventTopic } from '../events/event-log.ts'
import { type RefusedTopic, TopicSelection } from '../flow/topic-selection.ts'
import { isConsumerGroup } from '../offsets/checkpointer.ts'
import { checkpointsTopic, offsetSyncsTopic } from '../offsets/mm2-format.ts'
import { verifiedTopic } from '../verify/verified-partition.ts'

/** A value, or why the cluster does not tell it. */
export type Told<Value> = Value | ClusterError

export interface PairFacts extends KeptTopic {
  /** 0 where the topic is not there. */
  readonly destinationPartitions: number
  readonly sourceOperations: Told<ReadonlySet<AclOperation>>
  /** An error where the topic is not there, or may not be described. */
  readonly destinationOperations: Told<ReadonlySet<AclOperation>>
  readonly sourceConfig: Told<TopicConfig>
  readonly destinationConfig: Told<TopicConfig>
  /** What would have to change; nothing when configurations are not kept alike. */
  readonly configChanges: readonly ConfigChange[]
  /** Why that, creating or growing the topic would be refused. */
  readonly configRefusal: ClusterError | undefined
  readonly topicRefusal: ClusterError | undefined
  /** Whether we may write there with the id that fences a partition; not asked for `at-least-once`. */
  readonly transaction: { readonly withId: boolean; readonly toTopic: boolean } | undefined
}

export interface ClusterFacts {
  readonly alias: string
  readonly clusterId: string | undefined
  readonly brokers: number
  /** What we may do to the cluster itself. */
  readonly operations: ReadonlySet<AclOperation>
  readonly mayReadGroup: boolean
}

export interface FlowFacts {
  readonly source: ClusterFacts
  readonly destination: ClusterFacts
  /** By source topic. */
  readonly pairs: readonly PairFacts[]
  readonly refused: readonly RefusedTopic[]
  /** Topics that the configuration names, pattern or not, and that the source does not tell of. */
  readonly absent: ReadonlyMap<string, ClusterError>
  /** ACLs that would be created; `undefined` when ACLs are not copied. */
  readonly missingAcls: Told<readonly AclBinding[]> | undefined
  readonly ownTopics: readonly OwnTopicFacts[]
  /** Whether the topic of events, where it is there, may be told to delete nothing, as an order wants it. */
  readonly keepsOrders: boolean
  /** Consumer groups whose offsets would be translated; `undefined` when none are. */
  readonly groups: readonly GroupFacts[] | undefined
}

/** A topic of farlog's own that workers write to. */
export interface OwnTopicFacts {
  /** Of its cluster. */
  readonly alias: string
  readonly topic: string
  /** What workers need to do with it and may not. */
  readonly lacking: readonly AclOperation[]
  /** What is not done without. */
  readonly consequence: string
}

export interface GroupFacts {
  readonly groupId: string
  readonly mayReadAtDestination: boolean
}

/** Source and destination are one and the same: there is nothing more to be asked. */
export class SameCluster extends Error {
  readonly clusterId: string

  constructor(clusterId: string) {
    super(`both clusters are ${clusterId}`)
    this.name = 'SameCluster'
    this.clusterId = clusterId
  }
}

const CLIENT_ID = 'farlog-plan'
const QUESTIONS_TOGETHER = 50

/** @throws SameCluster; ClusterError where a cluster can't be asked */
export async function readFacts(config: Config, flow: FlowConfig): Promise<FlowFacts> {
  await using asking = new AsyncDisposableStack()
  const source = asking.use(new Cluster(flow.source, CLIENT_ID))
  const destination = asking.use(new Cluster(flow.destination, CLIENT_ID))
  const sourceAdmin = asking.adopt(new TopicAdmin(flow.source, CLIENT_ID), admin => admin.close())
  const destinationAdmin = asking.adopt(new TopicAdmin(flow.destination, CLIENT_ID), admin => admin.close())
  await Promise.all([source.refresh(), destination.refresh()])
  if (source.clusterId !== undefined && source.clusterId === destination.clusterId)
    throw new SameCluster(source.clusterId)

  const aliases = { source: source.alias, destination: destination.alias }
  const { selected, refused } = new TopicSelection(config, aliases).divide([...source.topics()].map(({ name }) => name))
  const pairs = selected.map(pair => ({ ...pair, partitions: source.topic(pair.topic)!.partitions.length }))
  const asker = new PairAsker(config, { source, destination, sourceAdmin, destinationAdmin })
  return {
    source: await readCluster(source, flow.groupId),
    destination: await readCluster(destination, flow.groupId),
    pairs: await asker.ask(pairs),
    refused,
    absent: await readAbsent(config, source),
    missingAcls: config.syncTopicAcls ? await readMissingAcls(sourceAdmin, destinationAdmin, pairs) : undefined,
    ownTopics: await readOwnTopics(config, source, destination),
    keepsOrders: await keepsOrders(destination, eventTopic(source.alias)),
    groups: config.syncGroupOffsets ? await readGroups(config, flow, source, destination) : undefined
  }
}

async function readCluster(cluster: Cluster, groupId: string): Promise<ClusterFacts> {
  return {
    alias: cluster.alias,
    clusterId: cluster.clusterId,
    brokers: cluster.brokerIds.length,
    operations: await clusterOperations(cluster),
    mayReadGroup: await mayReadGroup(cluster, groupId)
  }
}

/** Whoever names a topic wants to know why it is not mirrored; one that may not be described is not listed. */
async function readAbsent({ topics }: Config, source: Cluster): Promise<Map<string, ClusterError>> {
  const named = topics.include.map(pattern => pattern.replaceAll('\\', '')).filter(name => /^[\w.-]+$/.test(name))
  const told = await topicOperations(
    source,
    named.filter(name => source.topic(name) === undefined)
  )
  return new Map([...told].flatMap(([name, answer]) => (answer instanceof ClusterError ? [[name, answer]] : [])))
}

async function readMissingAcls(
  source: TopicAdmin,
  destination: TopicAdmin,
  pairs: readonly KeptTopic[]
): Promise<Told<readonly AclBinding[]>> {
  try {
    const [atSource, atDestination] = await Promise.all([source.topicAcls(), destination.topicAcls()])
    const names = new Map(pairs.map(({ topic, destinationTopic }) => [topic, destinationTopic]))
    return missingAcls(atSource, atDestination, names)
  } catch (error) {
    if (error instanceof ClusterError) return error
    throw error
  }
}

async function readGroups(
  config: Config,
  { groupId: ownGroup }: FlowConfig,
  source: Cluster,
  destination: Cluster
): Promise<GroupFacts[]> {
  const isSelected = compileNameFilter(config.groups)
  const groups = (await listGroups(source)).filter(isConsumerGroup).map(({ groupId }) => groupId)
  const selected = groups.filter(groupId => groupId !== ownGroup && isSelected(groupId)).sort()
  return together(selected, async groupId => ({
    groupId,
    mayReadAtDestination: await mayReadGroup(destination, groupId)
  }))
}

async function readOwnTopics(config: Config, source: Cluster, destination: Cluster): Promise<OwnTopicFacts[]> {
  const { replicationPolicySeparator: separator, syncGroupOffsets } = config
  const checkpoints = [checkpointsTopic(source.alias, separator), offsetSyncsTopic(source.alias, separator)]
  const isProbed = config.heartbeatIntervalMs > 0 && compileTopicFilter(config)(HEARTBEATS_TOPIC)
  const wanted: [Cluster, string, AclOperation[], string][] = [
    [
      destination,
      eventTopic(source.alias),
      ['WRITE', 'READ'],
      'events of the source are not written down, and farlog resume is not heard'
    ],
    [destination, verifiedTopic(source.alias), ['WRITE', 'READ'], 'farlog verify begins anew each time'],
    ...(syncGroupOffsets ? checkpoints : []).map((topic): [Cluster, string, AclOperation[], string] => [
      destination,
      topic,
      ['WRITE'],
      'the offsets of groups are not written down for MirrorMaker 2’s tools'
    ]),
    ...(isProbed
      ? [[source, HEARTBEATS_TOPIC, ['WRITE'], 'there are no heartbeats'] as [Cluster, string, AclOperation[], string]]
      : [])
  ]
  return together(wanted, async ([cluster, topic, needed, consequence]) => ({
    alias: cluster.alias,
    topic,
    lacking: await lackingOf(cluster, topic, needed),
    consequence
  }))
}

async function keepsOrders(destination: Cluster, topic: string): Promise<boolean> {
  const told = (await topicOperations(destination, [topic])).get(topic)
  return told === undefined || told instanceof ClusterError || told.has('ALTER_CONFIGS')
}

/** Of what is needed of a topic, or to make it where it is not there. */
async function lackingOf(cluster: Cluster, topic: string, needed: readonly AclOperation[]): Promise<AclOperation[]> {
  const told = (await topicOperations(cluster, [topic])).get(topic)
  if (told !== undefined && !(told instanceof ClusterError)) return needed.filter(operation => !told.has(operation))
  const wanted = { name: topic, partitions: 1, replicationFactor: undefined, configs: [] }
  const refusal = (await refusedCreations(cluster, [wanted])).get(topic)
  return [
    ...(refusal?.code === 'TOPIC_AUTHORIZATION_FAILED' ? (['CREATE'] as const) : []),
    // Whoever may do any of these may know that the topic is not there.
    ...(told?.code === 'TOPIC_AUTHORIZATION_FAILED' ? needed : [])
  ]
}

/** Asks of each, so many at a time. */
async function together<Item, Answer>(items: readonly Item[], ask: (item: Item) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let from = 0; from < items.length; from += QUESTIONS_TOGETHER) {
    answers.push(...(await Promise.all(items.slice(from, from + QUESTIONS_TOGETHER).map(ask))))
  }
  return answers
}

/** Asks both clusters about pairs of topics. */
class PairAsker {
  readonly #config: Config
  readonly #clusters: { source: Cluster; destination: Cluster; sourceAdmin: TopicAdmin; destinationAdmin: TopicAdmin }

  constructor(
    config: Config,
    clusters: { source: Cluster; destination: Cluster; sourceAdmin: TopicAdmin; destinationAdmin: TopicAdmin }
  ) {
    this.#config = config
    this.#clusters = clusters
  }

  async ask(pairs: readonly KeptTopic[]): Promise<PairFacts[]> {
    const { source, destination, sourceAdmin, destinationAdmin } = this.#clusters
    const topics = pairs.map(({ topic }) => topic)
    const copies = pairs.map(({ destinationTopic }) => destinationTopic)
    const [sourceOperations, destinationOperations, sourceConfigs, destinationConfigs] = await Promise.all([
      topicOperations(source, topics),
      topicOperations(destination, copies),
      sourceAdmin.describeConfigs(topics),
      destinationAdmin.describeConfigs(copies)
    ])
    const changes = this.#changes(pairs, sourceConfigs, destinationConfigs)
    const [configRefusals, topicRefusals, transactions] = await Promise.all([
      destinationAdmin.alterConfigs(changes, { validateOnly: true }),
      this.#topicRefusals(pairs, sourceConfigs),
      this.#transactions(pairs)
    ])
    return pairs.map(pair => ({
      ...pair,
      destinationPartitions: this.#destinationPartitions(pair),
      sourceOperations: sourceOperations.get(pair.topic)!,
      destinationOperations: destinationOperations.get(pair.destinationTopic)!,
      sourceConfig: sourceConfigs.get(pair.topic)!,
      destinationConfig: destinationConfigs.get(pair.destinationTopic)!,
      configChanges: changes.get(pair.destinationTopic) ?? [],
      configRefusal: configRefusals.get(pair.destinationTopic),
      topicRefusal: topicRefusals.get(pair.destinationTopic),
      transaction: transactions.get(pair.topic)
    }))
  }

  #destinationPartitions({ destinationTopic }: KeptTopic): number {
    return this.#clusters.destination.topic(destinationTopic)?.partitions.length ?? 0
  }

  #changes(
    pairs: readonly KeptTopic[],
    sourceConfigs: ReadonlyMap<string, Told<TopicConfig>>,
    destinationConfigs: ReadonlyMap<string, Told<TopicConfig>>
  ): Map<string, readonly ConfigChange[]> {
    const changes = new Map<string, readonly ConfigChange[]>()
    if (!this.#config.syncTopicConfigs) return changes
    for (const { topic, destinationTopic } of pairs) {
      const source = sourceConfigs.get(topic)!
      const destination = destinationConfigs.get(destinationTopic)!
      if (source instanceof ClusterError || destination instanceof ClusterError) continue
      const changed = configChanges(source, destination)
      if (changed.length > 0) changes.set(destinationTopic, changed)
    }
    return changes
  }

  async #topicRefusals(
    pairs: readonly KeptTopic[],
    sourceConfigs: ReadonlyMap<string, Told<TopicConfig>>
  ): Promise<Map<string, ClusterError>> {
    const { replicationFactor, syncTopicConfigs } = this.#config
    const wanted = pairs.map(pair => {
      const config = sourceConfigs.get(pair.topic)!
      const configs = config instanceof ClusterError || !syncTopicConfigs ? [] : copiedConfigs(config)
      const { destinationTopic: name, partitions } = pair
      return { name, partitions, replicationFactor, configs, there: this.#destinationPartitions(pair) }
    })
    const { destination } = this.#clusters
    const [creations, growths] = await Promise.all([
      refusedCreations(
        destination,
        wanted.filter(({ there }) => there === 0)
      ),
      refusedGrowths(
        destination,
        wanted.filter(({ there, partitions }) => there > 0 && there < partitions)
      )
    ])
    return new Map([...creations, ...growths])
  }

  /** By source topic. The id is one that no partition has: nobody's transaction is touched, whatever a broker makes of it. */
  async #transactions(
    pairs: readonly KeptTopic[]
  ): Promise<Map<string, { readonly withId: boolean; readonly toTopic: boolean }>> {
    const { source, destination } = this.#clusters
    if (this.#config.delivery !== 'exactly-once') return new Map()
    const answers = await together(pairs, async ({ topic, destinationTopic, partitions }) => {
      const id = transactionalId(source.alias, destination.alias, topic, partitions)
      return [topic, await mayWriteInTransaction(destination, id, destinationTopic)] as const
    })
    return new Map(answers)
  }
}
