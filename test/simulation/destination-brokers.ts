/**
 * The destination cluster: a partition that is written and read back, and the transaction coordinator. A batch is answered
 * when all replicas have it (acks=all); they may be slow, or too few, and the leader may go before they follow.
 */

import type { SeededRandom } from '../support/seeded-random.ts'
import { produceResponse } from '../unit/cluster/support/produce-response.ts'
import { type Appended, DestinationLog, type LoggedBatch } from './destination-log.ts'
import { codeOf, type KafkaError } from './kafka-errors.ts'
import { PARTITION, PartitionBrokers, type PartitionRead } from './partition-brokers.ts'
import { API, batchInProduceRequest, type Reply, type Request } from './requests.ts'
import type { Scheduler } from './scheduler.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'
import { wallClockMs } from './virtual-clock.ts'

interface WaitingForReplicas {
  readonly lastOffset: number
  isOver: boolean
  done(error: KafkaError): void
}

export interface DestinationOptions {
  readonly scheduler: Scheduler
  readonly random: SeededRandom
  readonly producerExpirationMs: number
  /** How long a marker is under way. */
  readonly markerDelayMsMax: number
  appended(batch: LoggedBatch): void
  /** A new leader does not have what stood from there on. */
  truncated(endOffset: number): void
}

/** Produce requests name none. */
const NO_LEADER_EPOCH = -1
/** As in the Produce requests. */
const REPLICATION_TIMEOUT_MS = 10_000
const REPLICATION_MS_MAX = 4
const MARKER_RETRY_MS = 50
const SHOWN_AGAIN_MS_MAX = 300
/** How far a replica may be behind in knowing what all the others have. */
const LATE_OFFSETS_MAX = 12

const PRODUCE_REFUSALS = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'KAFKA_STORAGE_ERROR',
  'CORRUPT_MESSAGE'
] as const
const PRODUCE_REFUSALS_AFTER = ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'] as const
const COORDINATOR_REFUSALS = [
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'UNKNOWN_SERVER_ERROR'
] as const
const COORDINATOR_APIS: readonly number[] = [
  API.findCoordinator,
  API.initProducerId,
  API.addPartitionsToTxn,
  API.endTxn
]

export class DestinationBrokers extends PartitionBrokers {
  readonly log: DestinationLog
  readonly #options: DestinationOptions
  readonly #coordinator: TransactionCoordinator
  #coordinatorId: number
  /** Replicas do not follow before this. */
  #replicasSlowUntilMs = 0
  /** Too few replicas are there before this: nothing is taken. */
  #replicasFewUntilMs = 0
  #waiting: WaitingForReplicas[] = []

  constructor(options: DestinationOptions) {
    const { scheduler, random } = options
    super('east', 'west.orders', 'ffeeddccbbaa99887766554433221100', scheduler, random)
    this.#options = options
    const { producerExpirationMs } = options
    this.log = new DestinationLog({ wallClockMs: () => wallClockMs(scheduler.nowMs), producerExpirationMs })
    this.#coordinatorId = this.nodeIds[0]
    this.#coordinator = new TransactionCoordinator({
      after: (delayMs, run) => scheduler.schedule(undefined, delayMs, run),
      writeMarker: ({ producerId, producerEpoch }, written) =>
        this.#writeMarker(producerId, producerEpoch, written, random.between(0, options.markerDelayMsMax))
    })
  }

  get leaderEpoch(): number {
    return this.log.leaderEpoch
  }

  /** Nothing waits for replicas, and all that was appended is on all of them. */
  get isQuiet(): boolean {
    return this.#waiting.length === 0 && this.log.replicatedOffset === this.log.endOffset
  }

  replicasAreSlow(forMs: number): void {
    this.#replicasSlowUntilMs = Math.max(this.#replicasSlowUntilMs, this.scheduler.nowMs + forMs)
  }

  replicasAreFew(forMs: number): void {
    this.#replicasFewUntilMs = Math.max(this.#replicasFewUntilMs, this.scheduler.nowMs + forMs)
  }

  moveCoordinator(): void {
    this.#coordinatorId = this.#coordinatorId === this.nodeIds[0] ? this.nodeIds[1] : this.nodeIds[0]
  }

  /** Another broker leads, after a moment in which none does. What replicas had not got yet may be gone with the old one. */
  changeLeader(afterMs: number): void {
    if (!this.hasLeader) return
    this.hasLeader = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) this.#tell(each, 'NOT_LEADER_OR_FOLLOWER')
    this.scheduler.schedule(undefined, afterMs, () => {
      const { log, random } = this
      const kept = log.batches.filter(
        ({ baseOffset }) => baseOffset >= log.replicatedOffset && random.chance(0.5)
      ).length
      const first = log.batches.findIndex(({ baseOffset }) => baseOffset >= log.replicatedOffset)
      const endOffset = kept === 0 ? log.replicatedOffset : log.batches[first + kept - 1]!.lastOffset + 1
      const isBehind = random.chance(0.5)
      log.elect(
        endOffset,
        isBehind
          ? random.integer(Math.max(log.replicatedOffset - LATE_OFFSETS_MAX, 0), log.replicatedOffset)
          : log.replicatedOffset
      )
      this.#options.truncated(log.endOffset)
      this.leaderId = this.otherId
      this.hasLeader = true
      this.#replicate(isBehind ? random.between(0, SHOWN_AGAIN_MS_MAX) : 0)
    })
  }

  override refusal(request: Request): Reply {
    if (request.apiKey === API.produce) return { value: produced(this.random.pick(PRODUCE_REFUSALS), -1) }
    if (COORDINATOR_APIS.includes(request.apiKey)) return { error: this.random.pick(COORDINATOR_REFUSALS) }
    return super.refusal(request)
  }

  override refusalAfter(request: Request): Reply | undefined {
    if (request.apiKey === API.produce) return { value: produced(this.random.pick(PRODUCE_REFUSALS_AFTER), -1) }
    // The answer of a coordinator that is moving.
    if (COORDINATOR_APIS.includes(request.apiKey)) return { error: 'NOT_COORDINATOR' }
    return undefined
  }

  protected latestOffset(): number | KafkaError {
    // A new leader tells none before it knows that its followers have all that it began with.
    return this.log.epochStartOffset > this.log.highWatermark ? 'OFFSET_NOT_AVAILABLE' : this.log.highWatermark
  }

  protected readPartition(fetchOffset: number, batchesMax: number): PartitionRead {
    return { records: this.log.read(fetchOffset, batchesMax) }
  }

  protected get shownEndOffset(): number {
    return this.log.highWatermark
  }

  protected get endOffset(): number {
    return this.log.endOffset
  }

  protected serveOther(nodeId: number, request: Request, answer: (reply: Reply) => void): void {
    if (request.apiKey === API.produce) this.#produce(nodeId, request.body, answer)
    else if (request.apiKey === API.findCoordinator) answer({ value: this.#foundCoordinator(request.args) })
    else if (nodeId !== this.#coordinatorId && !isAnonymous(request)) answer({ error: 'NOT_COORDINATOR' })
    else answer(this.#coordinate(request))
  }

  #produce(nodeId: number, body: Buffer, answer: (reply: Reply) => void): void {
    const refuse = (error: KafkaError) => answer({ value: produced(error, -1) })
    const appended = this.#append(nodeId, batchInProduceRequest(body))
    if ('error' in appended) {
      refuse(appended.error)
      return
    }
    const { baseOffset, lastOffset, isDuplicate } = appended
    if (!isDuplicate) this.#options.appended(this.log.batches.at(-1)!)
    this.#untilReplicated(lastOffset, failure => {
      if (failure !== 'NONE') refuse(failure)
      // Both are ways of brokers to say that they have it.
      else if (isDuplicate && this.random.chance(0.3)) refuse('DUPLICATE_SEQUENCE_NUMBER')
      else answer({ value: produced('NONE', baseOffset) })
    })
  }

  #append(nodeId: number, batch: Buffer): Appended {
    const error = this.leadershipError(nodeId, NO_LEADER_EPOCH)
    if (error !== 'NONE') return { error }
    if (this.scheduler.nowMs < this.#replicasFewUntilMs) return { error: 'NOT_ENOUGH_REPLICAS' }
    return this.log.append(batch)
  }

  #untilReplicated(lastOffset: number, done: (error: KafkaError) => void): void {
    const waiting = { lastOffset, isOver: false, done }
    this.#waiting.push(waiting)
    this.scheduler.schedule(undefined, REPLICATION_TIMEOUT_MS, () => {
      this.#waiting = this.#waiting.filter(each => each !== waiting)
      this.#tell(waiting, 'REQUEST_TIMED_OUT')
    })
    this.#replicate(this.random.between(0, REPLICATION_MS_MAX))
  }

  /** Replicas follow to where the log ends now, after a while. */
  #replicate(delayMs: number): void {
    const { log, scheduler } = this
    const { endOffset, leaderEpoch } = log
    scheduler.schedule(undefined, delayMs + Math.max(this.#replicasSlowUntilMs - scheduler.nowMs, 0), () => {
      if (!this.hasLeader || log.leaderEpoch !== leaderEpoch) return
      log.replicated(endOffset)
      const replicated = this.#waiting.filter(({ lastOffset }) => lastOffset < log.replicatedOffset)
      this.#waiting = this.#waiting.filter(({ lastOffset }) => lastOffset >= log.replicatedOffset)
      for (const each of replicated) this.#tell(each, 'NONE')
    })
  }

  #tell(waiting: WaitingForReplicas, error: KafkaError): void {
    if (waiting.isOver) return
    waiting.isOver = true
    waiting.done(error)
  }

  /** Goes on until it stands on all replicas. */
  #writeMarker(producerId: number, producerEpoch: number, written: () => void, delayMs: number): void {
    const again = () => this.#writeMarker(producerId, producerEpoch, written, MARKER_RETRY_MS)
    this.scheduler.schedule(undefined, delayMs, () => {
      if (!this.hasLeader || this.scheduler.nowMs < this.#replicasFewUntilMs) return again()
      const appended = this.log.appendMarker(producerId, producerEpoch)
      // The leader knows of a newer epoch: nothing is left to be shut out.
      if ('error' in appended) return written()
      this.#untilReplicated(appended.lastOffset, error => (error === 'NONE' ? written() : again()))
    })
  }

  #foundCoordinator([, keys]: readonly unknown[]) {
    const coordinators = (keys as string[]).map(key => ({ key, errorCode: 0, nodeId: this.#coordinatorId }))
    return { coordinators }
  }

  #coordinate({ apiKey, args }: Request): Reply {
    switch (apiKey) {
      case API.initProducerId: {
        const answered = this.#coordinator.initProducerId(args[0] as string | null)
        if ('error' in answered) return answered
        const { producerId, producerEpoch } = answered.value
        return { value: { producerId: BigInt(producerId), producerEpoch } }
      }
      case API.addPartitionsToTxn: {
        const [{ transactionalId, producerId, producerEpoch }] = args[0] as [AddedTransaction]
        const answered = this.#coordinator.addPartition(transactionalId, {
          producerId: Number(producerId),
          producerEpoch
        })
        return 'error' in answered ? answered : { value: { resultsByTransaction: [] } }
      }
      case API.endTxn: {
        const [transactionalId, producerId, producerEpoch] = args as [string, bigint, number]
        return this.#coordinator.abort(transactionalId, { producerId: Number(producerId), producerEpoch })
      }
      default:
        throw new Error(`nobody asks the destination for API ${apiKey}`)
    }
  }
}

interface AddedTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** Any broker gives an id to a producer without a transactional one. */
function isAnonymous({ apiKey, args }: Request): boolean {
  return apiKey === API.initProducerId && args[0] === null
}

function produced(error: KafkaError, baseOffset: number): Buffer {
  const answered = {
    partition: PARTITION,
    errorCode: codeOf(error),
    baseOffset,
    logAppendTimeMs: -1,
    logStartOffset: 0,
    recordErrors: [],
    errorMessage: null
  }
  return produceResponse({ throttleMs: 0, topics: [{ name: 'west.orders', partitions: [answered] }] })
}
