import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { GroupState } from '../cluster/group-state.ts'
import { EARLIEST, LATEST, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { ReadRange } from '../cluster/record-reader.ts'
import { type DestinationEnd, findEnd } from '../destination/find-end.ts'
import type { Progress } from '../flow/messages.ts'
import { fromCommit } from '../flow/progress-metadata.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import type { PartitionFacts, SourceFacts } from './judge.ts'
import { type Asked, Leaders } from './leaders.ts'
import { type OldestRecord, readOldestRecord } from './oldest-record.ts'
import type { PartitionPair } from './topic-pairs.ts'

/** Where others write to the destination topic too, the newest mirrored record may be far from the end. */
const TAIL_READ_TIMEOUT_MS = 10_000
const OLDEST_RECORD_TIMEOUT_MS = 5_000

/** What a cluster says of its side of a partition. */
export type DestinationFacts = NonNullable<PartitionFacts['destination']>

/** One observation: what holds for all partitions of it, and the questions about each. */
export class Look {
  readonly isSourceThere: boolean
  readonly isGroupKnown: boolean
  readonly groupTrouble: string | undefined
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #isDestinationThere: boolean
  readonly #sourceLeaders: Leaders
  readonly #destinationLeaders: Leaders
  readonly #committed: ReadonlyMap<string, Progress>
  readonly #signal: AbortSignal

  constructor(
    source: Cluster,
    destination: Cluster,
    group: GroupState | undefined,
    there: { readonly isSourceThere: boolean; readonly isDestinationThere: boolean },
    signal: AbortSignal
  ) {
    this.#source = source
    this.#destination = destination
    this.isSourceThere = there.isSourceThere
    this.#isDestinationThere = there.isDestinationThere
    this.#sourceLeaders = new Leaders(source)
    this.#destinationLeaders = new Leaders(destination)
    this.isGroupKnown = group !== undefined
    this.groupTrouble = this.isGroupKnown ? undefined : `${source.alias} does not tell what was committed`
    this.#committed = new Map(group?.committed.map(commit => [partitionKey(commit), fromCommit(commit)]))
    this.#signal = signal
  }

  committed(partition: TopicPartition): Progress | undefined {
    return this.#committed.get(partitionKey(partition))
  }

  async listSource(pairs: readonly PartitionPair[]): Promise<Asked<SourceFacts>[]> {
    if (!this.isSourceThere) return pairs.map(() => ({ trouble: notThere(this.#source) }))
    const [logStarts, lastStables, logEnds] = await Promise.all([
      this.#sourceLeaders.list(pairs, EARLIEST, 'read_uncommitted'),
      this.#sourceLeaders.list(pairs, LATEST, 'read_committed'),
      this.#sourceLeaders.list(pairs, LATEST, 'read_uncommitted')
    ])
    return pairs.map(({ topic }, index) => {
      const topicId = this.#source.topic(topic)?.topicId
      if (topicId === undefined) return { trouble: `${this.#source.alias} does not know ${topic} any more` }
      const [logStart, lastStable, logEnd] = [logStarts[index]!, lastStables[index]!, logEnds[index]!]
      if ('trouble' in logStart) return logStart
      if ('trouble' in lastStable) return lastStable
      if ('trouble' in logEnd) return logEnd
      return {
        value: {
          topicId,
          logStartOffset: logStart.value,
          lastStableOffset: lastStable.value,
          // They were asked for at the same time, so that the log may have grown between the answers.
          logEndOffset: Math.max(logEnd.value, lastStable.value)
        }
      }
    })
  }

  async listDestination(pairs: readonly PartitionPair[]): Promise<Asked<DestinationFacts>[]> {
    if (!this.#isDestinationThere) return pairs.map(() => ({ trouble: notThere(this.#destination) }))
    const isPresent = ({ destinationTopic, partition }: PartitionPair) =>
      this.#destination.topic(destinationTopic)?.partitions[partition] !== undefined
    const present = pairs.filter(isPresent)
    const logEnds = await this.#destinationLeaders.list(present.map(copyOf), LATEST, 'read_uncommitted')
    const found = new Map(present.map((pair, index) => [pair, logEnds[index]!]))
    return pairs.map(pair => {
      const logEnd = found.get(pair)
      if (logEnd === undefined) {
        return { value: this.#destination.topic(pair.destinationTopic) ? 'no partition' : 'no topic' }
      }
      return 'trouble' in logEnd ? logEnd : { value: { logEndOffset: logEnd.value } }
    })
  }

  /** @param coveredOffset destination offset up to which the answer is known without reading; -1: none */
  readEnd(pair: PartitionPair, coveredOffset: number): Promise<Asked<DestinationEnd | undefined>> {
    const copy = copyOf(pair)
    const origin = new ProvenanceReader(this.#source.alias, pair.topic, pair.partition)
    return this.#destinationLeaders.ask(copy, () =>
      this.#within(
        TAIL_READ_TIMEOUT_MS,
        `${this.#destination.alias}: finding the newest mirrored record of ${copy.topic}-${copy.partition}`,
        limit => findEnd(this.#destination, copy, origin, coveredOffset, limit)
      )
    )
  }

  /** `undefined` where it can't be read; what it is for is an estimate. */
  async readOldest(range: ReadRange, nowMs: () => number): Promise<OldestRecord | undefined> {
    const asked = await this.#sourceLeaders.ask(range, () =>
      this.#within(
        OLDEST_RECORD_TIMEOUT_MS,
        `${this.#source.alias}: reading ${range.topic}-${range.partition}`,
        limit => readOldestRecord(this.#source, range, nowMs, limit)
      )
    )
    return 'value' in asked ? asked.value : undefined
  }

  async #within<T>(timeoutMs: number, doing: string, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await work(AbortSignal.any([this.#signal, timeout]))
    } catch (error) {
      if (!timeout.aborted || error instanceof ClusterError) throw error
      throw new ClusterError('TOOK_TOO_LONG', `${doing} took longer than ${timeoutMs / 1000} s`, true, { cause: error })
    }
  }
}

function notThere({ alias }: Cluster): string {
  return `${alias} cannot be reached`
}

function copyOf({ destinationTopic, partition }: PartitionPair): TopicPartition {
  return { topic: destinationTopic, partition }
}
