import type { TopicMetadata } from '../cluster/cluster.ts'
import { compileNameFilter, HEARTBEATS_TOPIC, isHeartbeatProbe } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { type ReplicationPolicy, replicationPolicy } from '../rewrite/replication-policy.ts'

/** A source partition and the topic its copy is in. */
export interface PartitionPair {
  readonly topic: string
  readonly partition: number
  readonly destinationTopic: string
}

/** Which topics a flow mirrors, seen from either side. */
export class TopicPairs {
  readonly #policy: ReplicationPolicy
  readonly #isSelected: (topic: string) => boolean
  /** What stands before a source topic's name at the destination. */
  readonly #prefix: string

  /** @param only patterns that narrow the configured topics down; all of them when `undefined` */
  constructor(config: Config, { source, destination }: FlowConfig, only: readonly string[] | undefined) {
    const separator = config.replicationPolicySeparator
    this.#policy = replicationPolicy(config.replicationPolicy, source.alias, destination.alias, separator)
    this.#prefix = config.replicationPolicy === 'identity' ? '' : `${source.alias}${separator}`
    const isConfigured = compileNameFilter(config.topics)
    const isAskedFor = only === undefined ? () => true : compileNameFilter({ include: only, exclude: [] })
    this.#isSelected = topic =>
      !isHeartbeatProbe(config, topic) &&
      isConfigured(topic) &&
      isAskedFor(topic) &&
      this.#policy.refusal(topic) === null
  }

  /** The partitions to be mirrored, from what the source holds. */
  fromSource(topics: Iterable<TopicMetadata>): PartitionPair[] {
    return [...topics]
      .filter(({ name }) => this.#isSelected(name))
      .flatMap(({ name, partitions }) => pairs(name, this.#policy.destinationTopic(name), partitions.length))
  }

  /** Where a source partition is copied to, whether it is there or not; `undefined` where its topic is not mirrored. */
  pairOf(topic: string, partition: number): PartitionPair | undefined {
    if (!this.#isSelected(topic)) return undefined
    return { topic, partition, destinationTopic: this.#policy.destinationTopic(topic) }
  }

  /** What the copy of a source topic is called, whether the topic is selected or not. */
  destinationTopicOf(topic: string): string {
    return this.#policy.destinationTopic(topic)
  }

  /** What a topic at the destination is the copy of, going by its name and whether it is selected or not. */
  sourceTopicOf(destinationTopic: string): string | undefined {
    // Heartbeats are renamed by every policy.
    if (destinationTopic === this.#policy.destinationTopic(HEARTBEATS_TOPIC)) return HEARTBEATS_TOPIC
    if (!destinationTopic.startsWith(this.#prefix)) return undefined
    return destinationTopic.slice(this.#prefix.length)
  }

  /** The partitions that seem to be mirrored, from what the destination holds: all there is when the source is gone. */
  fromDestination(topics: Iterable<TopicMetadata>): PartitionPair[] {
    return [...topics]
      .filter(({ name }) => name.startsWith(this.#prefix) && this.#isSelected(name.slice(this.#prefix.length)))
      .flatMap(({ name, partitions }) => pairs(name.slice(this.#prefix.length), name, partitions.length))
  }
}

function pairs(topic: string, destinationTopic: string, partitions: number): PartitionPair[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition, destinationTopic }))
}
