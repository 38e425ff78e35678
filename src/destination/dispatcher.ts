import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { produce } from '../cluster/produce.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import type { OutgoingBatch, PartitionWriter } from './partition-writer.ts'

/** Requests a broker may have unanswered from us; with acks=all each waits for its replicas, so one alone would crawl. */
const IN_FLIGHT_REQUESTS_MAX = 5
/**
 * Over a long way that many hold too little: further ones go out while they are large and less than this is
 * unanswered. Small ones wait for an answer, and grow meanwhile: a hundred tiny requests would cost both sides more
 * than they bring.
 */
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024
const LARGE_REQUEST_BYTES_MIN = 1024 * 1024
/** How many writers are looked at to see whether a large request would come together. */
const LOOKED_AT_MAX = 64
/** A request is closed when it holds this much; a batch larger than this goes alone. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024
const PURPOSE = 'produce'

export interface DispatcherListener {
  /** A batch will be sent again. */
  retrying(writer: PartitionWriter, error: string): void
}

interface Sent {
  readonly writer: PartitionWriter
  readonly batch: OutgoingBatch
}

/** Everything that is sent to one broker. */
interface Lane {
  readonly nodeId: number
  /** Writers with something to send, in turn: no partition is served twice before every other was once. */
  readonly ready: Set<PartitionWriter>
  inFlightRequests: number
  inFlightBytes: number
  /** As measured when the connection was opened; 0 while there is none. */
  roundTripMs: number
}

/**
 * Sends the batches of many partition writers to the brokers that lead them: one Produce request carries the next batch
 * of every partition that has one, and up to five requests are in flight to each broker.
 */
export class Dispatcher {
  readonly #cluster: Cluster
  readonly #listener: DispatcherListener
  readonly #signal: AbortSignal
  readonly #lanes = new Map<number, Lane>()
  readonly #backoffs = new WeakMap<PartitionWriter, Backoff>()

  constructor(cluster: Cluster, listener: DispatcherListener, signal: AbortSignal) {
    this.#cluster = cluster
    this.#listener = listener
    this.#signal = signal
  }

  /** The writer may have something to send. */
  offer(writer: PartitionWriter): void {
    if (!writer.canSend) return
    const leader = this.#cluster.leaderOf(writer.topic, writer.partition)
    if (leader === undefined) {
      void this.#retryLater(writer)
      return
    }
    const lane = this.#lane(leader.nodeId)
    lane.ready.add(writer)
    this.#send(lane)
  }

  /** To the farthest broker that was written to, in milliseconds; 0 before the first. */
  get roundTripMs(): number {
    let longest = 0
    for (const { roundTripMs } of this.#lanes.values()) longest = Math.max(longest, roundTripMs)
    return longest
  }

  #lane(nodeId: number): Lane {
    let lane = this.#lanes.get(nodeId)
    if (lane === undefined) {
      lane = { nodeId, ready: new Set(), inFlightRequests: 0, inFlightBytes: 0, roundTripMs: 0 }
      this.#lanes.set(nodeId, lane)
    }
    return lane
  }

  #send(lane: Lane): void {
    while (lane.inFlightRequests < IN_FLIGHT_REQUESTS_MAX || this.#hasLargeRequest(lane)) {
      const sent = this.#gather(lane)
      if (sent.length === 0) return
      void this.#request(lane, sent)
    }
  }

  #hasLargeRequest(lane: Lane): boolean {
    if (lane.inFlightBytes >= IN_FLIGHT_BYTES_MAX) return false
    let bytes = 0
    let lookedAt = 0
    for (const writer of lane.ready) {
      bytes += writer.nextBytes
      if (bytes >= LARGE_REQUEST_BYTES_MIN) return true
      if (++lookedAt === LOOKED_AT_MAX) return false
    }
    return false
  }

  /** The next batch of each ready writer until the request is full. Those that have more queue up behind the others. */
  #gather(lane: Lane): Sent[] {
    const sent: Sent[] = []
    let bytes = 0
    for (const writer of lane.ready) {
      if (bytes >= REQUEST_BYTES_MAX) break
      lane.ready.delete(writer)
      const batch = writer.take()
      if (batch === undefined) continue
      sent.push({ writer, batch })
      bytes += batch.sealed.bytes.length
    }
    for (const { writer } of sent) if (writer.canSend) lane.ready.add(writer)
    return sent
  }

  async #request(lane: Lane, sent: readonly Sent[]): Promise<void> {
    const bytes = sent.reduce((sum, { batch }) => sum + batch.sealed.bytes.length, 0)
    lane.inFlightRequests++
    lane.inFlightBytes += bytes
    try {
      const connection = await this.#cluster.batchBroker(lane.nodeId, PURPOSE)
      lane.roundTripMs = connection.roundTripMs
      const response = await produce(
        connection,
        sent.map(({ writer, batch }) => ({
          topic: writer.topic,
          partition: writer.partition,
          batch: batch.sealed.bytes
        }))
      )
      const answers = new Map(response.partitions.map(answer => [`${answer.partition}/${answer.topic}`, answer]))
      for (const { writer, batch } of sent) {
        const answer = answers.get(`${writer.partition}/${writer.topic}`)
        if (answer === undefined) this.#settle(writer, batch, 'BAD_RESPONSE', 'the answer leaves the partition out', -1)
        else this.#settle(writer, batch, answer.error, answer.errorMessage, answer.baseOffset)
      }
    } catch (error) {
      const code = error instanceof ClusterError ? error.code : 'UNREACHABLE'
      const message = error instanceof Error ? error.message : String(error)
      for (const { writer, batch } of sent) this.#settle(writer, batch, code, message, -1)
    } finally {
      lane.inFlightRequests--
      lane.inFlightBytes -= bytes
      this.#send(lane)
    }
  }

  #settle(
    writer: PartitionWriter,
    batch: OutgoingBatch,
    error: string,
    message: string | null,
    baseOffset: number
  ): void {
    const { retryDue } = writer.settle(batch, error, message, baseOffset)
    if (error === 'NONE') this.#backoffs.get(writer)?.reset()
    else if (!writer.isClosed) this.#listener.retrying(writer, error)
    if (retryDue) void this.#retryLater(writer)
    else this.offer(writer)
  }

  /** Waits, learns who leads the partition now, and offers the writer again. */
  async #retryLater(writer: PartitionWriter): Promise<void> {
    if (this.#waiting.has(writer)) return
    this.#waiting.add(writer)
    let backoff = this.#backoffs.get(writer)
    if (backoff === undefined) {
      backoff = new Backoff(RETRY_FIRST_MS, RETRY_MAX_MS)
      this.#backoffs.set(writer, backoff)
    }
    await pause(backoff.nextMs(), this.#signal)
    await this.#cluster.refreshTogether(writer.topic)
    this.#waiting.delete(writer)
    if (this.#signal.aborted || writer.isClosed) return
    writer.retry()
    this.offer(writer)
  }

  /** Writers in a retry pause. */
  readonly #waiting = new Set<PartitionWriter>()
}

const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 5_000
