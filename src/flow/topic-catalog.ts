import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { TopicAdmin, TopicConfig } from '../cluster/topic-admin.ts'
import type { Config } from '../config/types.ts'
import { AclSync } from '../destination/acl-sync.ts'
import { ConfigSync } from '../destination/config-sync.ts'
import type { KeptTopic } from '../destination/kept-topic.ts'
import { TopicMaker } from '../destination/topic-maker.ts'
import { TopicRemover } from '../destination/topic-remover.ts'
import type { LogSink } from './flow-context.ts'
import { TopicSelection } from './topic-selection.ts'

/** A source topic that is mirrored, and its destination topic, which exists with as many partitions. */
export interface CatalogTopic extends KeptTopic {
  /** The destination topic's `max.message.bytes`. */
  readonly batchBytesMax: number
  /** After how long the source deletes records; `undefined` where it does not by their age, or does not tell. */
  readonly retentionMs: number | undefined
}

/** Kafka's default of `max.message.bytes`, for brokers that do not let us read configurations. */
const BATCH_BYTES_MAX_DEFAULT = 1_048_588

/**
 * The topics of one flow: which of the source's are mirrored, and that each has its counterpart at the destination
 * before a record goes there, and stays like it.
 */
export class TopicCatalog {
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #selection: TopicSelection
  readonly #maker: TopicMaker
  readonly #configSync: ConfigSync
  readonly #aclSync: AclSync | undefined
  readonly #remover: TopicRemover | undefined
  readonly #log: LogSink
  readonly #refusedLogged = new Set<string>()
  #topics = new Map<string, CatalogTopic>()
  #isComplete = false

  constructor(
    config: Config,
    clusters: { source: Cluster; destination: Cluster; sourceAdmin: TopicAdmin; destinationAdmin: TopicAdmin },
    log: LogSink,
    isStopped: () => boolean
  ) {
    this.#source = clusters.source
    this.#destination = clusters.destination
    this.#log = log
    const source = { alias: this.#source.alias, admin: clusters.sourceAdmin }
    const destination = { alias: this.#destination.alias, admin: clusters.destinationAdmin }
    this.#selection = new TopicSelection(config, { source: source.alias, destination: destination.alias })
    const { replicationFactor } = config
    this.#maker = new TopicMaker({
      destination: this.#destination,
      admin: destination.admin,
      replicationFactor,
      log
    })
    this.#configSync = new ConfigSync({ source, destination, isOn: config.syncTopicConfigs, log })
    const { deleteTopicsAfterMs: afterMs } = config
    const removal = { source: this.#source, destination, afterMs, isHeld: isStopped, log }
    this.#remover = afterMs > 0 ? new TopicRemover(removal) : undefined
    this.#aclSync = config.syncTopicAcls ? new AclSync({ source, destination, log }) : undefined
  }

  /** The destination's name for a source topic, whether it is there or not. */
  destinationTopic(topic: string): string {
    return this.#selection.policy.destinationTopic(topic)
  }

  get topics(): ReadonlyMap<string, CatalogTopic> {
    return this.#topics
  }

  /** Whether the last refresh left out none that is to be mirrored. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /**
   * Looks at both clusters, and makes the destination's topics what they should be.
   * A topic that can't be prepared is left out, said so, and tried again by the next call.
   * @throws ClusterError where a cluster does not answer, or both are the same one
   */
  async refresh(): Promise<void> {
    await Promise.all([this.#source.refresh(), this.#destination.refresh()])
    assertDifferent(this.#source, this.#destination)
    const selected = this.#select()
    const sourceConfigs = await this.#configSync.readSource(selected)
    await this.#maker.prepare(selected, sourceConfigs)
    const ready = selected.filter(topic => this.#maker.isReady(topic))
    const configs = await this.#configSync.sync(ready, sourceConfigs)
    await this.#aclSync?.sync(ready)
    await this.#remover?.look(ready)
    this.#topics = new Map(
      ready.map(kept => {
        const bytesMax = configs.get(kept.destinationTopic)?.get('max.message.bytes')?.value
        const batchBytesMax = Number(bytesMax ?? BATCH_BYTES_MAX_DEFAULT)
        return [kept.topic, { ...kept, batchBytesMax, retentionMs: retentionMs(sourceConfigs.get(kept.topic)) }]
      })
    )
    this.#isComplete = ready.length === selected.length
  }

  #select(): KeptTopic[] {
    const known = new Map([...this.#source.topics()].map(topic => [topic.name, topic]))
    const { selected, refused } = this.#selection.divide(known.keys())
    for (const { topic, kind, reason } of refused) {
      if (this.#refusedLogged.has(topic)) continue
      this.#refusedLogged.add(topic)
      this.#log(kind === 'same-name' ? 'error' : 'info', `not mirrored: ${reason}`, { topic })
    }
    return selected.map(topic => ({ ...topic, partitions: known.get(topic.topic)!.partitions.length }))
  }
}

/** `retention.ms` counts where the cleanup policy deletes, and -1 is for ever. */
function retentionMs(config: TopicConfig | undefined): number | undefined {
  if (!config?.get('cleanup.policy')?.value?.includes('delete')) return undefined
  const value = Number(config.get('retention.ms')?.value ?? -1)
  return value >= 0 ? value : undefined
}

/** @throws ClusterError */
function assertDifferent(source: Cluster, destination: Cluster): void {
  if (source.clusterId === undefined || source.clusterId !== destination.clusterId) return
  throw new ClusterError(
    'SAME_CLUSTER',
    `${source.alias} and ${destination.alias} are the same cluster (${source.clusterId}): ` +
      'check their BOOTSTRAP_SERVERS',
    false
  )
}
