/** What a plan is made from: everything of one flow that can be asked without changing anything. */
import type { AclBinding, AclOperation } from '../cluster/acl.ts'
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { listGroups } from '../cluster/group-state.ts'
import {
  clusterOperations,
  mayReadGroup,
  mayWriteInTransaction,
  refusedCreations,
  refusedGrowths,
  topicOperations
} from '../cluster/permissions.ts'
import { type ConfigChange, TopicAdmin, type TopicConfig } from '../cluster/topic-admin.ts'
import { compileNameFilter } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { missingAcls } from '../destination/acl-rules.ts'
import { configChanges, copiedConfigs } from '../destination/config-rules.ts'
import { transactionalId } from '../destination/fence.ts'
import type { KeptTopic } from '../destination/kept-topic.ts'
import { eventTopic } from '../events/source-event.ts'
import { type RefusedTopic, TopicSelection } from '../flow/topic-selection.ts'

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
  /** The topic of farlog's own that workers write events to, and what they would need to and may not do with it. */
  readonly eventLog: { readonly topic: string; readonly lacking: readonly AclOperation[] }
  /** Consumer groups whose offsets would be translated; `undefined` when none are. */
  readonly groups: readonly string[] | undefined
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
    eventLog: await readEventLog(destination, eventTopic(source.alias)),
    groups: config.syncGroupOffsets ? (await listGroups(source)).filter(compileNameFilter(config.groups)) : undefined
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

async function readEventLog(destination: Cluster, topic: string): Promise<FlowFacts['eventLog']> {
  const told = (await topicOperations(destination, [topic])).get(topic)
  if (told !== undefined && !(told instanceof ClusterError)) {
    return { topic, lacking: (['WRITE', 'READ'] as const).filter(operation => !told.has(operation)) }
  }
  const wanted = { name: topic, partitions: 1, replicationFactor: undefined, configs: [] }
  const refusal = (await refusedCreations(destination, [wanted])).get(topic)
  return { topic, lacking: refusal?.code === 'TOPIC_AUTHORIZATION_FAILED' ? ['CREATE'] : [] }
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
    const answers = new Map<string, { readonly withId: boolean; readonly toTopic: boolean }>()
    if (this.#config.delivery !== 'exactly-once') return answers
    for (let from = 0; from < pairs.length; from += QUESTIONS_TOGETHER) {
      const asked = pairs
        .slice(from, from + QUESTIONS_TOGETHER)
        .map(async ({ topic, destinationTopic, partitions }) => {
          const id = transactionalId(source.alias, destination.alias, topic, partitions)
          answers.set(topic, await mayWriteInTransaction(destination, id, destinationTopic))
        })
      await Promise.all(asked)
    }
    return answers
  }
}
