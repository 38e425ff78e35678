/** Which partitions should have a copy, where, and what may rightly vanish from either. */
import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import type { ClusterConfig, Config } from '../config/types.ts'
import type { PartitionPair } from './compare-partition.ts'
import { VerifyError } from './errors.ts'
import { selectTopics } from './topic-selection.ts'

const CLIENT_ID = 'farlog-verify'

/**
 * The partitions of the selected topics, by the metadata that both clusters have read.
 * @param only patterns that narrow the configured topics down
 * @throws VerifyError where none is selected
 */
export async function choosePartitions(
  source: Cluster,
  destination: Cluster,
  config: Config,
  only: readonly string[] | undefined,
  compacted = new CompactedTopics()
): Promise<PartitionPair[]> {
  const names = Array.from(source.topics(), ({ name }) => name)
  const aliases = { source: source.alias, destination: destination.alias }
  const topics = selectTopics(names, config, aliases, only)
  if (topics.length === 0) {
    const asked = only === undefined ? '' : ` and --topics ${only.join(',')}`
    throw new VerifyError(
      'NO_TOPICS',
      `none of the ${names.length} topics of ${source.alias} is selected by FARLOG_TOPICS${asked}`,
      'see farlog config for what is selected'
    )
  }
  const [compactedSources, compactedDestinations] = await Promise.all([
    compacted.find(
      source,
      topics.map(({ topic }) => topic)
    ),
    compacted.find(
      destination,
      topics.map(({ destinationTopic }) => destinationTopic)
    )
  ])
  return topics.flatMap(({ topic, destinationTopic }) => {
    const { topicId: sourceTopicId, partitions } = source.topic(topic)!
    const copied = destination.topic(destinationTopic)
    return partitions.map((_, partition) => ({
      topic,
      destinationTopic,
      partition,
      sourceTopicId,
      destinationTopicId: copied?.partitions[partition] && copied.topicId,
      isSourceCompacted: compactedSources.has(topic),
      isDestinationCompacted: compactedDestinations.has(destinationTopic)
    }))
  })
}

/** Knows which topics compact; asks each cluster once for each topic. */
export class CompactedTopics {
  /** By topic id: a topic made anew may have another policy. */
  readonly #isCompacted = new Map<string, boolean>()

  /** Those of the topics that compact, and that the cluster has. */
  async find(cluster: Cluster, names: readonly string[]): Promise<Set<string>> {
    const topics = names.flatMap(name => cluster.topic(name) ?? [])
    const unknown = topics.filter(({ topicId }) => !this.#isCompacted.has(topicId))
    if (unknown.length > 0) await this.#ask(cluster.config, unknown)
    return new Set(topics.filter(({ topicId }) => this.#isCompacted.get(topicId)).map(({ name }) => name))
  }

  /** Ask anew: somebody may have changed it. */
  forget({ sourceTopicId, destinationTopicId }: PartitionPair): void {
    this.#isCompacted.delete(sourceTopicId)
    if (destinationTopicId !== undefined) this.#isCompacted.delete(destinationTopicId)
  }

  async #ask(cluster: ClusterConfig, topics: readonly TopicMetadata[]): Promise<void> {
    const admin = new TopicAdmin(cluster, CLIENT_ID)
    try {
      const configs = await admin.describeConfigs(topics.map(({ name }) => name))
      for (const { name, topicId } of topics) {
        const config = configs.get(name)
        if (config instanceof ClusterError) throw config
        this.#isCompacted.set(topicId, config?.get('cleanup.policy')?.value?.includes('compact') ?? false)
      }
    } finally {
      await admin.close()
    }
  }
}
