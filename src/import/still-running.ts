/** Signs that MirrorMaker 2 is at work while its place is being taken. */
import type { Cluster } from '../cluster/cluster.ts'
import { readGroup } from '../cluster/group-state.ts'
import { LATEST, listOffset, listOffsets, partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import { readRecords } from '../cluster/record-reader.ts'
import { decodeHeartbeat } from '../offsets/mm2-format.ts'
import type { PartitionPair } from '../status/topic-pairs.ts'

/** What MirrorMaker 2 emits at the destination. It is called so under any replication policy. */
const HEARTBEATS: TopicPartition = { topic: 'heartbeats', partition: 0 }
const PURPOSE = 'still-running'

/** The Connect group of a dedicated MirrorMaker 2, at the destination (MirrorMakerConfig.workerConfig). */
function connectGroup(sourceAlias: string): string {
  return `${sourceAlias}-mm2`
}

/** A sentence where workers of a dedicated MirrorMaker 2 are in their group. */
export async function workersInGroup(
  source: Cluster,
  destination: Cluster,
  signal: AbortSignal
): Promise<string | undefined> {
  const groupId = connectGroup(source.alias)
  const { members = 0 } = await readGroup(destination, groupId, 'classic', signal)
  if (members === 0) return undefined
  return (
    `MirrorMaker 2 is running: group ${groupId} at ${destination.alias} has ${members} member${members === 1 ? '' : 's'}; ` +
    'stop it (after a kill the group needs some 10 s to notice) and try again'
  )
}

/** What the destination held when the looking began, to be compared with what it holds at its end. */
export class Watch {
  readonly #source: Cluster
  readonly #destination: Cluster
  readonly #copies: readonly TopicPartition[]
  readonly #ends: ReadonlyMap<string, number>
  readonly #heartbeatsEnd: number

  static async start(source: Cluster, destination: Cluster, pairs: readonly PartitionPair[]): Promise<Watch> {
    const copies = pairs
      .map(({ destinationTopic, partition }) => ({ topic: destinationTopic, partition }))
      .filter(({ topic, partition }) => destination.topic(topic)?.partitions[partition] !== undefined)
    const [ends, heartbeatsEnd] = await Promise.all([endsOf(destination, copies), heartbeatsEndOf(destination)])
    return new Watch(source, destination, copies, ends, heartbeatsEnd)
  }

  private constructor(
    source: Cluster,
    destination: Cluster,
    copies: readonly TopicPartition[],
    ends: ReadonlyMap<string, number>,
    heartbeatsEnd: number
  ) {
    this.#source = source
    this.#destination = destination
    this.#copies = copies
    this.#ends = ends
    this.#heartbeatsEnd = heartbeatsEnd
  }

  /** A sentence where anything has been copied since. */
  async whatGrew(): Promise<string | undefined> {
    const ends = await endsOf(this.#destination, this.#copies)
    const grown = this.#copies.find(copy => ends.get(partitionKey(copy)) !== this.#ends.get(partitionKey(copy)))
    if (grown === undefined) return undefined
    const [before, now] = [this.#ends, ends].map(listed => listed.get(partitionKey(grown)))
    return (
      `something still writes to ${this.#destination.alias}: ${grown.topic}-${grown.partition} ended at offset ${before} ` +
      `and now ends at ${now}; stop MirrorMaker 2 and try again`
    )
  }

  /** A sentence where this flow's MirrorMaker 2 has emitted a heartbeat since. */
  async heartbeatSince(signal: AbortSignal): Promise<string | undefined> {
    const { topicId } = this.#destination.topic(HEARTBEATS.topic) ?? {}
    if (topicId === undefined) return undefined
    const fromOffset = this.#heartbeatsEnd
    const endOffset = await heartbeatsEndOf(this.#destination)
    const range = { ...HEARTBEATS, topicId, fromOffset, endOffset }
    for await (const { records } of readRecords(this.#destination, range, { purpose: PURPOSE, signal })) {
      for (const { key, value } of records) {
        const heartbeat = decodeHeartbeat(key, value)
        if (heartbeat?.source !== this.#source.alias || heartbeat.target !== this.#destination.alias) continue
        return (
          `MirrorMaker 2 is running: a heartbeat of ${heartbeat.source}->${heartbeat.target} has just come to ` +
          `${HEARTBEATS.topic} at ${this.#destination.alias}; stop it and try again, or say --assume-stopped ` +
          'where that is the heartbeat of another flow'
        )
      }
    }
    return undefined
  }
}

async function endsOf(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<Map<string, number>> {
  const listed = await listOffsets(cluster, partitions, LATEST, 'read_uncommitted')
  return new Map(listed.map(each => [partitionKey(each), each.offset]))
}

async function heartbeatsEndOf(cluster: Cluster): Promise<number> {
  if (cluster.topic(HEARTBEATS.topic) === undefined) return 0
  return listOffset(cluster, HEARTBEATS, LATEST, 'read_committed')
}
