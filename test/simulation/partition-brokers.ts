/**
 * What the brokers of both clusters have in common: one topic with one partition that one of them leads, metadata, offsets,
 * and fetches in sessions.
 */
import type { FetchPartition } from '../../src/cluster/fetch.ts'
import { EARLIEST } from '../../src/cluster/offsets.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { fetchResponse } from '../unit/cluster/support/fetch-response.ts'
import { keyOf, SessionCache } from '../unit/source/support/session-cache.ts'
import { codeOf, type KafkaError } from './kafka-errors.ts'
import type { Brokers } from './network.ts'
import { API, decodeFetchRequest, type Reply, type Request } from './requests.ts'
import type { ScheduledEvent, Scheduler } from './scheduler.ts'

export const PARTITION = 0
const NODE_IDS = [1, 2] as const

/** What a partition gives to a fetch. */
export interface PartitionRead {
  readonly records: Buffer
  readonly abortedTransactions?: readonly { readonly producerId: number; readonly firstOffset: number }[]
}

interface ParkedFetch {
  readonly timeout: ScheduledEvent
  /** Answers, if there is something to answer with or the time is over. */
  look(isOver: boolean): boolean
}

const LIST_OFFSETS_REFUSALS = ['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'OFFSET_NOT_AVAILABLE'] as const
const FETCH_REFUSALS = [
  'NOT_LEADER_OR_FOLLOWER',
  'UNKNOWN_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE'
] as const
/** A broker may hold a read at so many batches, far fewer than a real one would. */
const BATCHES_PER_READ_MAX = 5

export abstract class PartitionBrokers implements Brokers {
  readonly alias: string
  readonly topic: string
  readonly topicId: string
  readonly nodeIds = NODE_IDS
  leaderId: number = NODE_IDS[0]
  /** Between two leaders there is none. */
  hasLeader = true
  protected readonly scheduler: Scheduler
  protected readonly random: SeededRandom
  readonly #sessions = new Map<number, SessionCache>(NODE_IDS.map(nodeId => [nodeId, new SessionCache()]))
  readonly #down = new Set<number>()
  #parked: ParkedFetch[] = []

  constructor(alias: string, topic: string, topicId: string, scheduler: Scheduler, random: SeededRandom) {
    this.alias = alias
    this.topic = topic
    this.topicId = topicId
    this.scheduler = scheduler
    this.random = random
  }

  abstract get leaderEpoch(): number

  /** The latest offset that a reader is told, or why it is told none. */
  protected abstract latestOffset(readCommitted: boolean): number | KafkaError
  protected abstract readPartition(fetchOffset: number, batchesMax: number): PartitionRead
  /** Anything but metadata, offsets and fetches. */
  protected abstract serveOther(nodeId: number, request: Request, answer: (reply: Reply) => void): void
  protected abstract get shownEndOffset(): number
  protected abstract get endOffset(): number

  get otherId(): number {
    return this.leaderId === NODE_IDS[0] ? NODE_IDS[1] : NODE_IDS[0]
  }

  isUp(nodeId: number): boolean {
    return !this.#down.has(nodeId)
  }

  goDown(nodeId: number): void {
    this.#down.add(nodeId)
    this.evictSessions()
  }

  comeUp(nodeId: number): void {
    this.#down.delete(nodeId)
  }

  evictSessions(): void {
    for (const cache of this.#sessions.values()) cache.evictAll()
  }

  /** Something changed that a waiting fetch may want to know. */
  wakeFetches(): void {
    this.#parked = this.#parked.filter(parked => !parked.look(false))
  }

  serve(nodeId: number, request: Request, answer: (reply: Reply) => void): void {
    if (!this.isUp(nodeId)) return
    switch (request.apiKey) {
      case API.metadata:
        answer({ value: this.#metadata() })
        break
      case API.listOffsets:
        answer({ value: this.#listOffsets(nodeId, request.args) })
        break
      case API.fetch:
        this.#fetch(nodeId, request.body, answer)
        break
      default:
        this.serveOther(nodeId, request, answer)
    }
  }

  refusal(request: Request): Reply {
    switch (request.apiKey) {
      case API.listOffsets:
      case API.offsetForLeaderEpoch:
        return { error: this.random.pick(LIST_OFFSETS_REFUSALS) }
      case API.fetch: {
        const { partitions } = decodeFetchRequest(request.body)
        const error = this.random.pick(FETCH_REFUSALS)
        // Within a session that names nothing new, the error is of the session.
        if (partitions.length === 0)
          return { value: fetchResponse({ errorCode: codeOf('FETCH_SESSION_ID_NOT_FOUND'), topics: [] }) }
        return { value: this.#fetched(0, codeOf(error), undefined) }
      }
      default:
        return { error: 'UNKNOWN_SERVER_ERROR' }
    }
  }

  refusalAfter(_request: Request): Reply | undefined {
    return undefined
  }

  /** Why this broker does not serve the partition; `NONE` where it does. */
  protected leadershipError(nodeId: number, leaderEpoch: number): KafkaError {
    if (!this.hasLeader || nodeId !== this.leaderId) return 'NOT_LEADER_OR_FOLLOWER'
    if (leaderEpoch >= 0 && leaderEpoch < this.leaderEpoch) return 'FENCED_LEADER_EPOCH'
    if (leaderEpoch > this.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH'
    return 'NONE'
  }

  #metadata() {
    const leaderId = this.hasLeader ? this.leaderId : -1
    const errorCode = this.hasLeader ? 0 : codeOf('LEADER_NOT_AVAILABLE')
    return {
      clusterId: this.alias,
      brokers: NODE_IDS.filter(nodeId => this.isUp(nodeId)).map(nodeId => ({ nodeId, host: this.alias, port: nodeId })),
      topics: [
        {
          name: this.topic,
          topicId: this.topicId,
          errorCode: 0,
          partitions: [{ partitionIndex: PARTITION, errorCode, leaderId, leaderEpoch: this.leaderEpoch }]
        }
      ]
    }
  }

  #listOffsets(nodeId: number, [, isolation, topics]: readonly unknown[]) {
    const [{ partitions }] = topics as [{ partitions: [{ currentLeaderEpoch: number; timestamp: bigint }] }]
    const { currentLeaderEpoch, timestamp } = partitions[0]
    let error = this.leadershipError(nodeId, currentLeaderEpoch)
    let offset = -1
    if (error === 'NONE') {
      const found = timestamp === EARLIEST ? 0 : this.latestOffset(isolation === 1)
      if (typeof found === 'number') offset = found
      else error = found
    }
    const listed = {
      partitionIndex: PARTITION,
      errorCode: codeOf(error),
      offset: BigInt(offset),
      leaderEpoch: this.leaderEpoch
    }
    return { topics: [{ name: this.topic, partitions: [listed] }] }
  }

  #fetch(nodeId: number, body: Buffer, answer: (reply: Reply) => void): void {
    const request = decodeFetchRequest(body)
    const understood = this.#sessions.get(nodeId)!.receive(request)
    if ('error' in understood) {
      answer({ value: fetchResponse({ errorCode: codeOf(understood.error as KafkaError), topics: [] }) })
      return
    }
    const { sessionId, partitions } = understood
    const asked = partitions.get(keyOf({ topicId: this.topicId, partition: PARTITION }))
    const look = (isOver: boolean): boolean => {
      const error = asked === undefined ? 'NONE' : this.#fetchError(nodeId, asked)
      const read = error === 'NONE' && asked !== undefined ? this.#read(asked) : undefined
      const hasNews = error !== 'NONE' || (read !== undefined && read.records.length > 0)
      if (!hasNews && !isOver) return false
      const isNamed = hasNews || request.sessionEpoch <= 0
      parked.timeout.isCancelled = true
      answer({
        value:
          isNamed && asked !== undefined
            ? this.#fetched(sessionId, codeOf(error), read)
            : fetchResponse({ sessionId, topics: [] })
      })
      return true
    }
    const parked: ParkedFetch = {
      timeout: this.scheduler.schedule(undefined, request.maxWaitMs, () => {
        this.#parked = this.#parked.filter(each => each !== parked)
        look(true)
      }),
      look
    }
    if (request.maxWaitMs === 0) look(true)
    else if (!look(false)) this.#parked.push(parked)
  }

  #read(asked: FetchPartition): PartitionRead {
    return this.readPartition(asked.fetchOffset, this.random.integer(1, BATCHES_PER_READ_MAX))
  }

  #fetchError(nodeId: number, { leaderEpoch, fetchOffset }: FetchPartition): KafkaError {
    const error = this.leadershipError(nodeId, leaderEpoch)
    if (error === 'NONE' && fetchOffset > this.endOffset) return 'OFFSET_OUT_OF_RANGE'
    return error
  }

  #fetched(sessionId: number, errorCode: number, read: PartitionRead | undefined): Buffer {
    return fetchResponse({
      sessionId,
      topics: [
        {
          topicId: this.topicId,
          partitions: [
            {
              partition: PARTITION,
              errorCode,
              highWatermark: this.shownEndOffset,
              lastStableOffset: this.shownEndOffset,
              records: read?.records ?? Buffer.alloc(0),
              abortedTransactions: read?.abortedTransactions ?? null
            }
          ]
        }
      ]
    })
  }
}
