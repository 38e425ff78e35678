/** What `farlog translate` says: exact offsets, and where there is none, why. */
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { CommittedOffset } from '../cluster/group-member.ts'
import { readGroup } from '../cluster/group-state.ts'
import { partitionKey } from '../cluster/offsets.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { EventReader } from '../events/event-log.ts'
import { Restarts } from '../events/restarts.ts'
import { fromCommit } from '../flow/progress-metadata.ts'
import { OffsetTranslator, type Translation } from '../offsets/offset-translator.ts'
import { RecordsError } from '../records/errors.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import { concurrently } from './concurrently.ts'
import { readMetadata } from './first-answer.ts'
import type { Problem } from './overview.ts'
import { type PartitionPair, TopicPairs } from './topic-pairs.ts'

/** A partition and an offset of it, as they are at the source. */
export interface SourcePosition {
  readonly topic: string
  readonly partition: number
  readonly sourceOffset: number
}

/** Where a reader at a source offset goes on at the destination. `null` is not known. */
export interface TranslatedOffset extends SourcePosition {
  readonly destinationTopic: string | null
  readonly destinationOffset: number | null
  /** `copy`: there stands the first copy at or after the offset. `end`: behind the newest copy, all before it being mirrored. */
  readonly kind: 'copy' | 'end' | 'none'
  /** Source offset of that copy, or of the newest one; there may be none yet. */
  readonly copySourceOffset: number | null
  /** Why there is none, in one sentence. */
  readonly detail: string | null
}

const CLIENT_ID = 'farlog-translate'
const TRANSLATIONS_AT_A_TIME = 16
const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 1_000
/** For trouble that may pass, such as an election. */
const PATIENCE_MS = 10_000

/** Translates offsets of one flow, from what the destination holds; the source only says how far progress got. */
export class FlowTranslator implements AsyncDisposable {
  readonly #config: Config
  readonly #flow: FlowConfig
  readonly #pairs: TopicPairs
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #translator: OffsetTranslator
  readonly #restarts: Restarts
  /** What can't be asked, other than the destination itself. */
  readonly problems: Problem[] = []
  /** By source partition: all below it is mirrored, as was committed. */
  #nextSourceOffsets: ReadonlyMap<string, number> = new Map()

  constructor(config: Config, flow: FlowConfig) {
    this.#config = config
    this.#flow = flow
    this.#pairs = new TopicPairs(config, flow, undefined)
    this.#source = new Cluster(flow.source, CLIENT_ID)
    this.#destination = new Cluster(flow.destination, CLIENT_ID)
    const originOf = (topic: string, partition: number) => new ProvenanceReader(flow.source.alias, topic, partition)
    this.#translator = new OffsetTranslator(this.#destination, originOf)
    this.#restarts = new Restarts(flow.destination.alias)
  }

  /** To be called once, before all others. @throws ClusterError where the destination can't be asked */
  async open(signal: AbortSignal): Promise<void> {
    const [sourceProblem, destinationProblem] = await Promise.all([
      readMetadata(this.#source),
      readMetadata(this.#destination)
    ])
    if (destinationProblem) throw new ClusterError(destinationProblem.code, destinationProblem.message, true)
    if (sourceProblem) this.problems.push(sourceProblem)
    const [nextSourceOffsets] = await Promise.all([this.#readProgress(signal), this.#readEvents(signal)])
    this.#nextSourceOffsets = nextSourceOffsets
  }

  /** What the group has committed at the source. @throws ClusterError where the source can't be asked */
  async committedBy(groupId: string, signal: AbortSignal): Promise<SourcePosition[]> {
    const problem = this.problems.find(({ cluster }) => cluster === this.#source.alias)
    if (problem) throw new ClusterError(problem.code, problem.message, true)
    const { committed } = await readGroup(this.#source, groupId, 'classic', signal)
    return committed
      .map(({ topic, partition, offset }) => ({ topic, partition, sourceOffset: offset }))
      .toSorted((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  }

  /**
   * Translates these, in their order. What can't be translated is `none` and says why.
   * @param onTranslated hears how many there are so far
   */
  translateAll(
    positions: readonly SourcePosition[],
    signal: AbortSignal,
    onTranslated: (offsets: number, ofOffsets: number) => void = () => {}
  ): Promise<TranslatedOffset[]> {
    let translated = 0
    return concurrently(positions, TRANSLATIONS_AT_A_TIME, async position => {
      const place = await this.translate(position, signal)
      onTranslated(++translated, positions.length)
      return place
    })
  }

  async translate(position: SourcePosition, signal: AbortSignal): Promise<TranslatedOffset> {
    const { topic, partition } = position
    const { source, destination } = this.#flow
    const pair = this.#pairs.pairOf(topic, partition)
    if (pair === undefined) {
      return none(position, null, `${topic} is not mirrored from ${source.alias} to ${destination.alias}`)
    }
    const missing = this.#missing(pair)
    if (missing !== undefined) return none(position, pair, missing)
    try {
      return this.#judge(position, pair, await this.place(pair, position.sourceOffset, signal))
    } catch (error) {
      if (!(error instanceof ClusterError || error instanceof RecordsError)) throw error
      return none(position, pair, error.message)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#source.close(), this.#destination.close()])
  }

  #missing({ topic, partition, destinationTopic }: PartitionPair): string | undefined {
    const { alias } = this.#destination
    const partitions = this.#destination.topic(destinationTopic)?.partitions.length
    if (partitions === undefined) return `${alias} has no topic ${destinationTopic}: nothing of ${topic} is mirrored`
    if (partition < partitions) return undefined
    return `${destinationTopic} has ${partitions === 1 ? '1 partition' : `${partitions} partitions`} at ${alias}, so no ${partition}`
  }

  /** Behind the newest copy a reader goes on only if all before its offset is mirrored: markers and the like are passed. */
  #judge(position: SourcePosition, pair: PartitionPair, found: Translation): TranslatedOffset {
    const { sourceOffset } = position
    const name = `${pair.topic}-${pair.partition}`
    const { alias } = this.#destination
    if (found.isBehindOthers) {
      const others = `records that do not say where they come from stand before the first copy of ${name} at ${alias}`
      return none(position, pair, `${others}: the place may be among them`)
    }
    const nextSourceOffset = Math.max(
      (found.sourceOffset ?? -1) + 1,
      this.#nextSourceOffsets.get(partitionKey(pair)) ?? 0
    )
    if (found.kind === 'end' && sourceOffset > nextSourceOffset) {
      return none(position, pair, `${name} is mirrored to ${alias} up to source offset ${nextSourceOffset} only`)
    }
    return {
      ...position,
      destinationTopic: pair.destinationTopic,
      destinationOffset: found.destinationOffset,
      kind: found.kind,
      copySourceOffset: found.sourceOffset ?? null,
      detail: null
    }
  }

  /** Where a reader goes on, whether all before its offset is mirrored or not. @throws ClusterError, RecordsError */
  async place(pair: PartitionPair, sourceOffset: number, signal: AbortSignal): Promise<Translation> {
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
    const startedAtMs = performance.now()
    const firstDestinationOffset = this.#restarts.firstDestinationOffset(pair, sourceOffset)
    for (;;) {
      try {
        return await this.#translator.translate({ ...pair, firstDestinationOffset }, sourceOffset, signal)
      } catch (error) {
        const mayPass = error instanceof ClusterError && error.retriable
        if (!mayPass || signal.aborted || performance.now() - startedAtMs > PATIENCE_MS) throw error
      }
      await pause(backoff.nextMs(), signal)
      await this.#destination.refreshTogether(pair.destinationTopic)
    }
  }

  /** Progress stands at the source, and a copy of it at the destination. A topic made anew since has none. */
  async #readProgress(signal: AbortSignal): Promise<Map<string, number>> {
    const copies = this.#pairs.fromDestination(this.#destination.topics())
    const sources = new Map(
      copies.map(pair => [partitionKey({ ...pair, topic: pair.destinationTopic }), partitionKey(pair)])
    )
    const [atDestination, atSource] = await Promise.all([
      this.#readCommitted(this.#destination, signal),
      this.#readCommitted(this.#source, signal)
    ])
    const next = new Map<string, number>()
    const note = (key: string | undefined, commit: CommittedOffset) => {
      const { nextSourceOffset, topicId } = fromCommit(commit)
      if (key === undefined || !this.#isCurrent(key, topicId)) return
      next.set(key, Math.max(nextSourceOffset, next.get(key) ?? 0))
    }
    for (const commit of atDestination) note(sources.get(partitionKey(commit)), commit)
    for (const commit of atSource) note(partitionKey(commit), commit)
    return next
  }

  /** Without it the newest copies say how far it got, which is less at most. */
  async #readCommitted(cluster: Cluster, signal: AbortSignal): Promise<readonly CommittedOffset[]> {
    if (this.problems.some(({ cluster: alias }) => alias === cluster.alias)) return []
    try {
      return (await readGroup(cluster, this.#flow.groupId, this.#config.groupProtocol, signal)).committed
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      this.problems.push({ cluster: cluster.alias, code: error.code, message: error.message })
      return []
    }
  }

  #isCurrent(key: string, topicId: string | undefined): boolean {
    const now = this.#source.topic(key.slice(key.indexOf('/') + 1))?.topicId
    return now === undefined || topicId === undefined || topicId === now
  }

  /** Who may not read them is sent further back at most. */
  async #readEvents(signal: AbortSignal): Promise<void> {
    try {
      const { events } = await new EventReader(this.#destination, this.#flow.source.alias).read(signal)
      for (const { event } of events) this.#restarts.note(event)
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'TOPIC_AUTHORIZATION_FAILED') throw error
    }
  }
}

function none(position: SourcePosition, pair: PartitionPair | null, detail: string): TranslatedOffset {
  return {
    ...position,
    destinationTopic: pair?.destinationTopic ?? null,
    destinationOffset: null,
    kind: 'none',
    copySourceOffset: null,
    detail
  }
}
