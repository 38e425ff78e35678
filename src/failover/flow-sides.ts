import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { readGroup } from '../cluster/group-state.ts'
import { partitionKey } from '../cluster/offsets.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { Progress } from '../flow/messages.ts'
import { fromCommit } from '../flow/progress-metadata.ts'
import { readMetadata } from '../status/first-answer.ts'
import type { Problem } from '../status/overview.ts'
import { TopicPairs } from '../status/topic-pairs.ts'
import type { CopiedPartition } from './shut-out.ts'

/** A partition of the flow, with what its workers have committed. */
export interface FlowPartition extends CopiedPartition {
  /** `undefined` where nothing was. */
  readonly committed: Progress | undefined
}

/** The two clusters of a flow, seen by somebody who is at home at the destination: the source may be gone. */
export class FlowSides implements AsyncDisposable {
  readonly config: Config
  readonly flow: FlowConfig
  readonly source: Cluster
  readonly destination: Cluster
  readonly pairs: TopicPairs
  #sourceProblem: Problem | undefined

  private constructor(
    config: Config,
    flow: FlowConfig,
    sides: { readonly source: Cluster; readonly destination: Cluster },
    sourceProblem: Problem | undefined
  ) {
    this.config = config
    this.flow = flow
    this.source = sides.source
    this.destination = sides.destination
    this.pairs = new TopicPairs(config, flow, undefined)
    this.#sourceProblem = sourceProblem
  }

  /** @throws ClusterError where the destination can't be asked */
  static async open(config: Config, flow: FlowConfig, clientId: string): Promise<FlowSides> {
    const source = new Cluster(flow.source, clientId)
    const destination = new Cluster(flow.destination, clientId)
    const [sourceProblem, destinationProblem] = await Promise.all([readMetadata(source), readMetadata(destination)])
    if (destinationProblem === undefined) return new FlowSides(config, flow, { source, destination }, sourceProblem)
    await Promise.all([source.close(), destination.close()])
    throw new ClusterError(destinationProblem.code, destinationProblem.message, true)
  }

  /** Why the source can't be asked; `undefined` where it answers. */
  get sourceProblem(): Problem | undefined {
    return this.#sourceProblem
  }

  get isSourceThere(): boolean {
    return this.#sourceProblem === undefined
  }

  /**
   * Every partition that workers may be writing: those for which something was committed at either side, those that the source
   * has, and, where its name tells, those that the destination has.
   * @throws ClusterError where the destination does not tell what was committed
   */
  async partitions(signal: AbortSignal): Promise<FlowPartition[]> {
    const { destination, pairs, config } = this
    const found = new Map<string, FlowPartition>()
    const note = (partition: CopiedPartition, committed: Progress | undefined) => {
      const { topic, partition: number, destinationTopic } = partition
      // What is not there can't be written, nor fenced.
      if (destination.topic(destinationTopic)?.partitions[number] === undefined) return
      const known = found.get(partitionKey(partition))?.committed
      found.set(partitionKey(partition), {
        ...{ topic, partition: number, destinationTopic },
        committed: furtherOf(known, committed)
      })
    }
    const [atSource, atDestination] = await Promise.all([
      this.askSource(() => readGroup(this.source, this.flow.groupId, config.groupProtocol, signal)),
      readGroup(destination, this.flow.groupId, config.groupProtocol, signal)
    ])
    for (const commit of atDestination.committed) {
      const topic = pairs.sourceTopicOf(commit.topic)
      if (topic !== undefined) note({ ...commit, topic, destinationTopic: commit.topic }, fromCommit(commit))
    }
    for (const commit of atSource?.committed ?? []) {
      note({ ...commit, destinationTopic: pairs.destinationTopicOf(commit.topic) }, fromCommit(commit))
    }
    // Under the identity policy any topic may be somebody else's.
    const seen = config.replicationPolicy === 'identity' ? [] : pairs.fromDestination(destination.topics())
    for (const pair of [...seen, ...pairs.fromSource(this.source.topics())]) note(pair, undefined)
    return [...found.values()].toSorted((a, b) => compareText(a.topic, b.topic) || a.partition - b.partition)
  }

  /** Workers in the group at present; `undefined` where nobody tells. */
  async workers(signal: AbortSignal): Promise<number | undefined> {
    const group = await this.askSource(() =>
      readGroup(this.source, this.flow.groupId, this.config.groupProtocol, signal)
    )
    return group?.members
  }

  /** Asks the source; `undefined` where it does not answer. Once it has not, it is not asked again: it is going, perhaps. */
  async askSource<Answer>(question: () => Promise<Answer>): Promise<Answer | undefined> {
    if (!this.isSourceThere) return undefined
    try {
      return await question()
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      const message = `${this.source.alias} does not answer: ${error.message}`
      this.#sourceProblem ??= { cluster: this.source.alias, code: error.code, message }
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.close(), this.destination.close()])
  }
}

/** One side may have missed the last commits, and only the source's knows of a topic made anew that it still has. */
function furtherOf(atDestination: Progress | undefined, atSource: Progress | undefined): Progress | undefined {
  if (atDestination === undefined || atSource === undefined) return atSource ?? atDestination
  const isSameTopic = atSource.topicId === atDestination.topicId
  const further = isSameTopic && atDestination.nextSourceOffset > atSource.nextSourceOffset ? atDestination : atSource
  const [older, newer] = [atDestination.sourceEnd, atSource.sourceEnd].toSorted(
    (a, b) => (a?.seenAtMs ?? 0) - (b?.seenAtMs ?? 0)
  )
  return { ...further, sourceEnd: isSameTopic ? (newer ?? older) : further.sourceEnd }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
