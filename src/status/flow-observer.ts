/**
 * Looks at a flow from outside, as anybody with access to both clusters can: no worker is asked, so it also answers
 * when there is none.
 *
 * A copy never stands still while it is looked at. So for some hundred partitions at a time the source is asked first
 * where it ends and the destination afterwards how far it got: a partition counts as caught up when all that the
 * source held when it was asked is at the destination a moment later. The other way around every busy partition
 * would look as if it were behind by what was written between two questions.
 */
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { type GroupState, readGroup } from '../cluster/group-state.ts'
import { partitionKey } from '../cluster/offsets.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { DestinationEnd } from '../destination/find-end.ts'
import { EventReader } from '../events/event-log.ts'
import { stopStatus } from '../events/flow-order.ts'
import { FlowOrders } from '../events/flow-orders.ts'
import { eventStatus, type SourceEvent } from '../events/source-event.ts'
import type { Progress } from '../flow/messages.ts'
import { ClosingRate } from '../lag/closing-rate.ts'
import { OffsetRates } from '../lag/offset-rates.ts'
import type { EventStatus } from '../observe/status.ts'
import { concurrently } from './concurrently.ts'
import { readMetadata } from './first-answer.ts'
import { type Judgement, judge, type PartitionFacts, type SourceFacts } from './judge.ts'
import type { Asked } from './leaders.ts'
import { type DestinationFacts, Look } from './look.ts'
import { type FlowOverview, flowOverview, type PartitionRow, type Problem } from './overview.ts'
import { type PartitionPair, TopicPairs } from './topic-pairs.ts'

/** Hears how many partitions have been looked at. */
export type OnLooked = (partitions: number, ofPartitions: number) => void

export interface FlowObserverOptions {
  /** Patterns that narrow the configured topics down; all of them when `undefined`. */
  readonly topics: readonly string[] | undefined
  /** Wall clock, to tell how old a record is. */
  readonly nowMs: () => number
}

const CLIENT_ID = 'farlog-status'
/** Asked together, one request for each leader. */
const PARTITIONS_TOGETHER = 256
const EVENTS_SHOWN_MAX = 20
/** Reads within partitions at a time, at either side. */
const READS_AT_A_TIME = 32

/** The end of a destination partition as it was read last: it stays true while the partition does not grow. */
interface SeenEnd {
  readonly destinationTopicId: string
  readonly logEndOffset: number
  readonly end: DestinationEnd | undefined
}

/** A partition at one look: what takes two is not known yet. */
type UnratedRow = Omit<PartitionRow, 'etaSeconds' | 'sourceRecordsPerSecond' | 'mirroredRecordsPerSecond'>

/** Observes one flow, once or again and again; keeps its connections in between. */
export class FlowObserver implements AsyncDisposable {
  readonly #config: Config
  readonly #flow: FlowConfig
  readonly #options: FlowObserverOptions
  readonly #pairs: TopicPairs
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #closingRate = new ClosingRate()
  readonly #sourceRates = new OffsetRates()
  readonly #mirroredRates = new OffsetRates()
  #seenEnds = new Map<string, SeenEnd>()
  readonly #eventReader: EventReader
  readonly #orders: FlowOrders
  /** Oldest first. */
  #events: readonly SourceEvent[] = []

  constructor(config: Config, flow: FlowConfig, options: FlowObserverOptions) {
    this.#config = config
    this.#flow = flow
    this.#options = options
    this.#pairs = new TopicPairs(config, flow, options.topics)
    this.#source = new Cluster(flow.source, CLIENT_ID)
    this.#destination = new Cluster(flow.destination, CLIENT_ID)
    this.#eventReader = new EventReader(this.#destination, flow.source.alias)
    this.#orders = new FlowOrders(flow.destination.alias)
  }

  /** Looks once. A cluster that does not answer is a problem in the overview, not an error. */
  async observe(signal: AbortSignal, onLooked: OnLooked = () => {}): Promise<FlowOverview> {
    const [sourceProblem, destinationProblem] = await Promise.all([
      readMetadata(this.#source),
      readMetadata(this.#destination)
    ])
    const problems = [sourceProblem, destinationProblem].filter(problem => problem !== undefined)
    const group = sourceProblem ? undefined : await this.#readGroup(problems, signal)
    const sameCluster = this.#sameCluster(problems)
    if (sameCluster) problems.push(sameCluster)

    const isSourceThere = sourceProblem === undefined
    const isDestinationThere = destinationProblem === undefined
    const look = new Look(this.#source, this.#destination, group, { isSourceThere, isDestinationThere }, signal)
    const pairs = isSourceThere
      ? this.#pairs.fromSource(this.#source.topics())
      : isDestinationThere
        ? this.#pairs.fromDestination(this.#destination.topics())
        : []
    const events = isDestinationThere ? await this.#readEvents(signal) : null
    const rows: UnratedRow[] = []
    const seenEnds = new Map<string, SeenEnd>()
    for (let from = 0; from < pairs.length; from += PARTITIONS_TOGETHER) {
      signal.throwIfAborted()
      rows.push(...(await this.#lookTogether(look, pairs.slice(from, from + PARTITIONS_TOGETHER), seenEnds)))
      onLooked(Math.min(from + PARTITIONS_TOGETHER, pairs.length), pairs.length)
    }
    this.#seenEnds = seenEnds
    const { source, destination, groupId } = this.#flow
    return flowOverview(
      {
        source: source.alias,
        destination: destination.alias,
        groupId,
        workers: group?.members ?? null,
        problems,
        events,
        stopped: stopStatus(this.#orders.newest?.order)
      },
      this.#withRates(rows)
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#source.close(), this.#destination.close()])
  }

  /** Fills in how fast each goes, and how long it will take to catch up at the rate seen so far. */
  #withRates(rows: readonly UnratedRow[]): PartitionRow[] {
    const known = rows.flatMap(row => (row.lagRecords === null ? [] : [[partitionKey(row), row.lagRecords] as const]))
    const nowMs = performance.now()
    const etas = this.#closingRate.look(new Map(known), nowMs)
    const sourceRates = this.#sourceRates.look(offsetsOf(rows, 'sourceEndOffset'), nowMs)
    const mirroredRates = this.#mirroredRates.look(offsetsOf(rows, 'nextSourceOffset'), nowMs)
    return rows.map(row => {
      const key = partitionKey(row)
      return {
        ...row,
        etaSeconds: etas.get(key) ?? null,
        sourceRecordsPerSecond: sourceRates.get(key) ?? null,
        mirroredRecordsPerSecond: mirroredRates.get(key) ?? null
      }
    })
  }

  async #readGroup(problems: Problem[], signal: AbortSignal): Promise<GroupState | undefined> {
    try {
      return await readGroup(this.#source, this.#flow.groupId, this.#config.groupProtocol, signal)
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      problems.push({ cluster: this.#source.alias, code: error.code, message: error.message })
      return undefined
    }
  }

  /** Who may not read them sees everything else. */
  async #readEvents(signal: AbortSignal): Promise<EventStatus[] | null> {
    try {
      const news = await this.#eventReader.read(signal)
      this.#orders.note(news)
      const events = news.events.map(({ event }) => event)
      const own = events.filter(({ destination }) => destination === this.#flow.destination.alias)
      this.#events = [...this.#events, ...own].slice(-EVENTS_SHOWN_MAX)
      return this.#events.toReversed().map(eventStatus)
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      return null
    }
  }

  #sameCluster(problems: readonly Problem[]): Problem | undefined {
    const { clusterId } = this.#source
    if (problems.length > 0 || clusterId === undefined || clusterId !== this.#destination.clusterId) return undefined
    const aliases = `${this.#source.alias} and ${this.#destination.alias}`
    const message = `${aliases} are the same cluster (${clusterId}): check their BOOTSTRAP_SERVERS`
    return { cluster: this.#destination.alias, code: 'SAME_CLUSTER', message }
  }

  async #lookTogether(
    look: Look,
    pairs: readonly PartitionPair[],
    seenEnds: Map<string, SeenEnd>
  ): Promise<UnratedRow[]> {
    const sources = await look.listSource(pairs)
    const destinations = await look.listDestination(pairs)
    const rows = await concurrently(pairs, READS_AT_A_TIME, async (pair, index) => {
      const sides = { source: sources[index]!, destination: destinations[index]! }
      const facts = await this.#complete(look, pair, sides, seenEnds)
      // Under the identity policy any topic may be somebody else's; without the source only provenance tells.
      const isGuess = this.#config.replicationPolicy === 'identity' && !look.isSourceThere
      return isGuess && facts.mirroredEnd === undefined ? undefined : this.#row(look, facts)
    })
    return rows.filter(row => row !== undefined)
  }

  /** Reads the destination's end where progress alone does not say that all is there. */
  async #complete(
    look: Look,
    pair: PartitionPair,
    sides: Sides,
    seenEnds: Map<string, SeenEnd>
  ): Promise<PartitionFacts> {
    const committed = look.committed(pair)
    const source = 'value' in sides.source ? sides.source.value : undefined
    const destination = 'value' in sides.destination ? sides.destination.value : undefined
    const trouble = [sides.source, sides.destination].find(side => 'trouble' in side)?.trouble
    const facts: PartitionFacts = {
      ...pair,
      source,
      destination,
      committed,
      isGroupKnown: look.isGroupKnown,
      mirroredEnd: undefined,
      trouble: trouble ?? look.groupTrouble
    }
    if (typeof destination !== 'object') return facts
    const isOtherTopic =
      committed?.topicId !== undefined && source !== undefined && committed.topicId !== source.topicId
    if (isOtherTopic || isAllThere(committed, source)) return facts
    const end = await this.#readEnd(look, pair, committed, destination.logEndOffset, seenEnds)
    if ('trouble' in end) return { ...facts, destination: undefined, trouble: end.trouble }
    const mirroredEnd = end.value
    if (source === undefined || mirroredEnd === undefined || mirroredEnd.sourceOffset < source.logEndOffset) {
      return { ...facts, mirroredEnd }
    }
    // What is at the destination already was written since the source was asked, or the source's log was cut back.
    const [again] = await look.listSource([pair])
    return { ...facts, mirroredEnd, source: again !== undefined && 'value' in again ? again.value : source }
  }

  async #readEnd(
    look: Look,
    pair: PartitionPair,
    committed: Progress | undefined,
    logEndOffset: number,
    seenEnds: Map<string, SeenEnd>
  ): Promise<Asked<DestinationEnd | undefined>> {
    const key = partitionKey(pair)
    const destinationTopicId = this.#destination.topic(pair.destinationTopic)?.topicId ?? ''
    const before = this.#seenEnds.get(key)
    const seen = before?.destinationTopicId === destinationTopicId ? before : undefined
    if (seen?.logEndOffset === logEndOffset) {
      seenEnds.set(key, seen)
      return { value: seen.end }
    }
    const coveredOffset = Math.max(committed?.destinationOffset ?? -1, seen?.end?.destinationOffset ?? -1)
    const asked = await look.readEnd(pair, coveredOffset)
    if ('trouble' in asked) return asked
    // Nothing newer: what was the newest before still is.
    const end = asked.value ?? seen?.end
    seenEnds.set(key, { destinationTopicId, logEndOffset, end })
    return { value: end }
  }

  async #row(look: Look, facts: PartitionFacts): Promise<UnratedRow> {
    const { topic, partition, destinationTopic } = facts
    const judgement = judge(facts, this.#config.start)
    return { topic, partition, destinationTopic, ...(await this.#withAge(look, facts, judgement)) }
  }

  /** Adds how old the oldest record is that is not mirrored yet. */
  async #withAge(
    look: Look,
    facts: PartitionFacts,
    judgement: Judgement
  ): Promise<Judgement & Pick<PartitionRow, 'lagSeconds'>> {
    const { lagRecords, sourceEndOffset, nextSourceOffset } = judgement
    if (lagRecords === 0) return { ...judgement, lagSeconds: 0 }
    const unknown = { ...judgement, lagSeconds: null }
    if (lagRecords === null || sourceEndOffset === null || facts.source === undefined) return unknown
    const { topicId, logStartOffset } = facts.source
    const range = {
      topic: facts.topic,
      topicId,
      partition: facts.partition,
      fromOffset: Math.max(nextSourceOffset ?? logStartOffset, logStartOffset),
      endOffset: sourceEndOffset
    }
    const oldest = await look.readOldest(range, this.#options.nowMs)
    if (oldest === undefined) return unknown
    if (oldest !== 'none') return { ...unknown, lagSeconds: oldest.ageSeconds }
    if (judgement.state !== 'behind') return { ...unknown, lagSeconds: 0 }
    // All that is left are markers and the like, which a worker passes without copying anything.
    return {
      ...judgement,
      state: 'mirrored',
      nextSourceOffset: sourceEndOffset,
      lagRecords: 0,
      lagSeconds: 0
    }
  }
}

interface Sides {
  readonly source: Asked<SourceFacts>
  readonly destination: Asked<DestinationFacts>
}

function offsetsOf(
  rows: readonly UnratedRow[],
  which: 'sourceEndOffset' | 'nextSourceOffset'
): ReadonlyMap<string, number> {
  return new Map(rows.flatMap(row => (row[which] === null ? [] : [[partitionKey(row), row[which]] as const])))
}

/** Idle partitions, most of them, need no reading: their progress was committed long ago. */
function isAllThere(committed: Progress | undefined, source: SourceFacts | undefined): boolean {
  return committed !== undefined && source !== undefined && committed.nextSourceOffset >= source.lastStableOffset
}
