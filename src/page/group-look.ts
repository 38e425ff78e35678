import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { type GroupWorker, readGroup } from '../cluster/group-state.ts'
import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { SourceEnd } from '../flow/messages.ts'
import { readMetadata } from '../status/first-answer.ts'
import { type Judgement, judge } from '../status/judge.ts'
import { Look } from '../status/look.ts'
import { type PartitionPair, TopicPairs } from '../status/topic-pairs.ts'

/** A partition that another worker mirrors, or nobody: what the clusters say of it. */
export interface OutsidePartition extends TopicPartition {
  readonly judgement: Judgement
  /** What its owner knew when it last committed. */
  readonly told: SourceEnd | undefined
  /** Id of the order that it stood still by when its owner last committed; `undefined` where there was none. */
  readonly stopped: string | undefined
}

/** The whole group at one moment. */
export interface GroupSeen {
  /** Members, with what each of them owns; `undefined` where the source does not tell. */
  readonly workers: readonly GroupWorker[] | undefined
  /** Client id of the one that looks after consumer groups and heartbeats for all; `undefined` where that is not known. */
  readonly inCharge: string | undefined
  /** All partitions of the flow but those of the worker that looks. */
  readonly others: readonly OutsidePartition[]
}

/** Looks at a group from outside. */
export interface GroupLooker {
  /**
   * @param isOwn whether the worker that looks mirrors it itself, and so knows better
   * @throws ClusterError where the source can't be asked
   */
  look(isOwn: (partition: TopicPartition) => boolean, signal: AbortSignal): Promise<GroupSeen>
  close(): Promise<void>
}

/** Asked together, one request for each leader; between two of them others have their turn. */
const PARTITIONS_TOGETHER = 1_000

/**
 * Looks as `farlog status` does, at what its own worker does not know, and without reading records: that would cost a request for each partition
 * that is busy. So a partition counts as far as its progress was committed.
 */
export class ClusterLooker implements GroupLooker {
  readonly #config: Config
  readonly #flow: FlowConfig
  readonly #pairs: TopicPairs
  readonly #source: Cluster
  readonly #destination: Cluster
  #metadataReadAtMs = Number.NEGATIVE_INFINITY
  #isDestinationThere = false

  constructor(config: Config, flow: FlowConfig, clientId: string) {
    this.#config = config
    this.#flow = flow
    this.#pairs = new TopicPairs(config, flow, undefined)
    this.#source = new Cluster(flow.source, clientId)
    this.#destination = new Cluster(flow.destination, clientId)
  }

  async look(isOwn: (partition: TopicPartition) => boolean, signal: AbortSignal): Promise<GroupSeen> {
    await this.#refreshMetadata()
    const { groupId } = this.#flow
    const group = await readGroup(this.#source, groupId, this.#config.groupProtocol, signal)
    const all = this.#pairs.fromSource(this.#source.topics())
    const pairs = all.filter(pair => !isOwn(pair))
    const asked = new Set(pairs.map(partitionKey))
    const committed = group.committed.filter(commit => asked.has(partitionKey(commit)))
    const there = { isSourceThere: true, isDestinationThere: this.#isDestinationThere }
    const look = new Look(this.#source, this.#destination, { ...group, committed }, there, signal)
    const others: OutsidePartition[] = []
    for (let from = 0; from < pairs.length; from += PARTITIONS_TOGETHER) {
      signal.throwIfAborted()
      others.push(...(await this.#lookTogether(look, pairs.slice(from, from + PARTITIONS_TOGETHER))))
    }
    // Heartbeats are shared out as any topic, and shown as none.
    const shown = new Set(all.map(partitionKey))
    const workers = group.workers?.map(worker => ({
      ...worker,
      partitions: worker.partitions.filter(partition => shown.has(partitionKey(partition)))
    }))
    return { workers, inCharge: inChargeOf(group.workers ?? []), others }
  }

  async close(): Promise<void> {
    await Promise.all([this.#source.close(), this.#destination.close()])
  }

  /** All topics of both clusters are a large answer, so they are asked for as rarely as the worker itself does. */
  async #refreshMetadata(): Promise<void> {
    const nowMs = performance.now()
    if (this.#isDestinationThere && nowMs - this.#metadataReadAtMs < this.#config.refreshIntervalMs) return
    const [sourceProblem, destinationProblem] = await Promise.all([
      readMetadata(this.#source),
      readMetadata(this.#destination)
    ])
    this.#isDestinationThere = destinationProblem === undefined
    if (sourceProblem !== undefined) throw new ClusterError(sourceProblem.code, sourceProblem.message, true)
    this.#metadataReadAtMs = nowMs
  }

  async #lookTogether(look: Look, pairs: readonly PartitionPair[]): Promise<OutsidePartition[]> {
    const [sources, destinations] = await Promise.all([look.listSource(pairs), look.listDestination(pairs)])
    return pairs.map((pair, index) => {
      const committed = look.committed(pair)
      const [source, destination] = [sources[index]!, destinations[index]!]
      const trouble = [source, destination].find(side => 'trouble' in side)?.trouble
      const judgement = judge(
        {
          ...pair,
          source: 'value' in source ? source.value : undefined,
          destination: 'value' in destination ? destination.value : undefined,
          committed,
          isGroupKnown: look.isGroupKnown,
          mirroredEnd: undefined,
          trouble
        },
        this.#config.start
      )
      const { topic, partition } = pair
      return { topic, partition, judgement, told: committed?.sourceEnd, stopped: committed?.stopped }
    })
  }
}

/** Whoever owns the first partition of all that the group shares out: its workers go by the same rule, see `FlowControl`. */
export function inChargeOf(workers: readonly GroupWorker[]): string | undefined {
  let [first, owner]: (string | undefined)[] = []
  for (const { clientId, partitions } of workers) {
    for (const { topic, partition } of partitions) {
      if (first !== undefined && topic > first) continue
      if (topic !== first) [first, owner] = [topic, undefined]
      if (partition === 0) owner = clientId
    }
  }
  return owner
}
