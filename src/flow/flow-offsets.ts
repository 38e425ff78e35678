import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { readGroupOffsets } from '../cluster/group-list.ts'
import type { TopicPartition } from '../cluster/offsets.ts'
import { RecordProducer } from '../cluster/record-producer.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { defaultGroupId } from '../config/load.ts'
import { compileNameFilter } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { GroupStatus } from '../observe/status.ts'
import { CheckpointWriter } from '../offsets/checkpoint-writer.ts'
import { Checkpointer } from '../offsets/checkpointer.ts'
import { HeartbeatEmitter, HeartbeatFollower } from '../offsets/heartbeats.ts'
import { HomePositions } from '../offsets/home-positions.ts'
import { OffsetTranslator } from '../offsets/offset-translator.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import type { LogSink } from './flow-context.ts'
import { fromCommit } from './progress-metadata.ts'

const RETRY_MAX_MS = 60_000
/** Each becomes a series; more groups than this are looked after all the same. */
const GROUPS_SHOWN_MAX = 1_000

export interface FlowOffsetsOptions {
  readonly flow: FlowConfig
  readonly config: Config
  readonly source: Cluster
  readonly destination: Cluster
  readonly sourceAdmin: TopicAdmin
  readonly destinationAdmin: TopicAdmin
  readonly clientId: string
  readonly log: LogSink
  /** Whether this worker is the one that does this for the whole flow. */
  isInCharge(): boolean
  /** What the copy of a source topic is called; `undefined` where it is not mirrored. */
  destinationTopicOf(topic: string): string | undefined
  /** Below this destination offset stands nothing that the source offset means. */
  firstDestinationOffset(partition: TopicPartition, sourceOffset: number): number
  /** What the copy of the heartbeats is called. */
  readonly heartbeatsCopy: string
}

/**
 * The checkpoints and heartbeats of one flow. One worker of the group does this at a time: the owner of the flow's first partition,
 * so that it moves on with the group's own rebalance when that worker dies.
 */
export class FlowOffsets {
  readonly #options: FlowOffsetsOptions
  readonly #sourceProducer: RecordProducer
  readonly #destinationProducer: RecordProducer
  readonly #isSelected: (group: string) => boolean
  /** While this worker is in charge. */
  #checkpointer: Checkpointer | undefined
  #follower: HeartbeatFollower | undefined
  /** What was left out in the last pass, each said once. */
  #leftOut = new Map<string, string>()

  constructor(options: FlowOffsetsOptions) {
    this.#options = options
    const { flow, config, clientId } = options
    this.#sourceProducer = new RecordProducer(flow.source, clientId)
    this.#destinationProducer = new RecordProducer(flow.destination, clientId)
    const isSelected = compileNameFilter(config.groups)
    this.#isSelected = group => group !== flow.groupId && isSelected(group)
  }

  /** The groups looked after by this worker. */
  groups(nowMs: number): GroupStatus[] {
    const groups = this.#checkpointer?.groups ?? []
    return groups.slice(0, GROUPS_SHOWN_MAX).map(({ group, checkpointedAtMs, reprocessRecords }) => ({
      group,
      checkpointAgeSeconds: (nowMs - checkpointedAtMs) / 1000,
      reprocessRecords
    }))
  }

  /** Since the newest heartbeat that arrived was sent; `null` where this worker does not look, or none has come yet. */
  get heartbeatAgeSeconds(): number | null {
    const sentAtMs = this.#follower?.newestTimestampMs
    return sentAtMs === undefined ? null : Math.max(0, (Date.now() - sentAtMs) / 1000)
  }

  /** Checkpoints and heartbeats until the signal comes. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { checkpointIntervalMs, heartbeatIntervalMs } = this.#options.config
    await Promise.all([
      this.#repeat('checkpoints', checkpointIntervalMs, signal, () => this.#checkpoint(signal)),
      this.#repeat('emitting heartbeats', heartbeatIntervalMs, signal, this.#newEmitter()),
      this.#repeat('following heartbeats', heartbeatIntervalMs, signal, () => this.#followHeartbeats(signal))
    ])
  }

  async close(): Promise<void> {
    await Promise.all([this.#sourceProducer.close(), this.#destinationProducer.close()])
  }

  async #checkpoint(signal: AbortSignal): Promise<void> {
    const { destination, destinationTopicOf, isInCharge } = this.#options
    if (!isInCharge()) {
      this.#checkpointer = undefined
      return
    }
    this.#checkpointer ??= this.#newCheckpointer()
    const leftOutBefore = this.#leftOut
    this.#leftOut = new Map()
    await this.#checkpointer.pass(destinationTopicOf, signal)
    for (const [group, error] of this.#leftOut) {
      if (leftOutBefore.get(group) === error) continue
      this.#options.log('warn', 'a group was left out', { group, cluster: destination.alias, error })
    }
  }

  #newCheckpointer(): Checkpointer {
    const { flow, config, source, destination, destinationAdmin } = this.#options
    const originOf = (topic: string, partition: number) => new ProvenanceReader(flow.source.alias, topic, partition)
    const writer = new CheckpointWriter(destinationAdmin, this.#destinationProducer, {
      sourceAlias: flow.source.alias,
      separator: config.replicationPolicySeparator,
      replicationFactor: config.replicationFactor
    })
    return new Checkpointer({
      source,
      destination,
      translator: new OffsetTranslator(destination, originOf),
      writer,
      isSelected: this.#isSelected,
      syncsGroups: config.syncGroupOffsets,
      firstDestinationOffset: this.#options.firstDestinationOffset,
      readHomePositions: () => this.#readHomePositions(),
      leftOut: (group, error) => this.#leftOut.set(group, error)
    })
  }

  /** Only under the identity policy a topic is mirrored into the one it came from. */
  async #readHomePositions(): Promise<HomePositions | undefined> {
    const { flow, config, source } = this.#options
    if (config.replicationPolicy !== 'identity') return undefined
    // The reverse flow's second copy of progress, which it keeps where it writes to.
    const groupId = defaultGroupId(flow.destination.alias, flow.source.alias)
    // Without an answer no group may be moved, or it would go past records that are at home there.
    const unanswered = (_: string, error: string) => {
      throw new ClusterError(error, `${source.alias}: reading how far ${groupId} is: ${error}`, true)
    }
    const [reverse] = await readGroupOffsets(source, [groupId], unanswered)
    const progress = (reverse?.committed ?? []).map(commit => {
      const { nextSourceOffset, destinationOffset } = fromCommit(commit)
      const { topic, partition } = commit
      return { topic, partition, nextOffset: nextSourceOffset, newestCopyOffset: destinationOffset }
    })
    const originOf = (topic: string, partition: number) =>
      new ProvenanceReader(flow.destination.alias, topic, partition)
    return progress.length === 0 ? undefined : new HomePositions(source, originOf, progress)
  }

  #newEmitter(): () => Promise<void> {
    const { sourceAdmin, isInCharge } = this.#options
    const emitter = new HeartbeatEmitter(sourceAdmin, this.#sourceProducer, this.#route)
    return async () => {
      if (isInCharge()) await emitter.emit(Date.now())
    }
  }

  async #followHeartbeats(signal: AbortSignal): Promise<void> {
    const { destination, heartbeatsCopy, isInCharge } = this.#options
    if (!isInCharge()) {
      this.#follower = undefined
      return
    }
    this.#follower ??= new HeartbeatFollower(destination, heartbeatsCopy, this.#route)
    await this.#follower.look(signal)
  }

  /** As MirrorMaker 2's reverse flow would write it: what is emitted on the source comes, by its name, from the destination. */
  get #route() {
    const { source, destination } = this.#options.flow
    return { source: destination.alias, target: source.alias }
  }

  /** Once in each interval, more seldom while it fails. An interval of 0 is never. */
  async #repeat(what: string, intervalMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (intervalMs === 0) return
    const backoff = new Backoff(intervalMs, Math.max(intervalMs, RETRY_MAX_MS))
    let lastError: string | undefined
    while (!signal.aborted) {
      const startedAtMs = performance.now()
      let pauseMs: number
      try {
        await work()
        // What it took counts, or what is written would be older than it has to be; but it is never done without a pause.
        pauseMs = Math.max(intervalMs - (performance.now() - startedAtMs), intervalMs / 10)
        backoff.reset()
        lastError = undefined
      } catch (error) {
        if (signal.aborted) return
        const reason = error instanceof Error ? error.message : String(error)
        if (reason !== lastError) this.#options.log('warn', `${what} failed, trying again`, { error: reason })
        lastError = reason
        pauseMs = backoff.nextMs()
        // A leader may have moved, which the next try has to know.
        await Promise.allSettled([this.#options.source.refresh(), this.#options.destination.refresh()])
      }
      await pause(pauseMs, signal)
    }
  }
}
