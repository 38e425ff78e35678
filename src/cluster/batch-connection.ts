/**
 * A connection for the two requests that carry record batches, Fetch and Produce. The client library connects and
 * authenticates; then the frames on the socket are ours.
 *
 * Its `send` would do, but it joins a request's parts into a fresh buffer and leaves an answer as a list of chunks to
 * be joined: two copies and two megabytes of garbage for each megabyte mirrored. Here a request's parts go to the
 * kernel as they are (one writev), and the kernel writes an answer straight into one reused buffer.
 */
import type { Socket } from 'node:net'
import type { Connection } from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import type { BufferPool } from '../records/buffer-pool.ts'
import {
  type ApiVersion,
  closeQuietly,
  openConnection,
  type SupportedVersions,
  shortestRoundTripMs
} from './connection.ts'
import { readDirectly } from './direct-read.ts'
import { ClusterError } from './errors.ts'
import { OverdueWatch } from './overdue-watch.ts'

/** A broker's answer without its header. Whoever gets it gives its memory back. */
export interface Answer {
  readonly bytes: Buffer
  release(): void
}

interface Waiting {
  readonly correlationId: number
  resolve(answer: Answer): void
  reject(error: ClusterError): void
}

const SIZE_BYTES = 4
const STAGING_BYTES = 16 * 1024
/** Correlation id and an empty tag buffer: the flexible response header. */
const RESPONSE_HEADER_BYTES = 5
/** No answer we ask for is near this; a size beyond it is not Kafka. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024

export class BatchConnection {
  readonly address: string
  /** How long the broker's answer to a small question was under way, when the connection was opened. */
  readonly roundTripMs: number
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #versions: SupportedVersions
  readonly #clientId: string
  readonly #pool: BufferPool
  readonly #watch: OverdueWatch
  /** Unanswered requests, oldest first: brokers answer in order. */
  readonly #waiting: Waiting[] = []
  #correlationId = 0
  #failure: ClusterError | undefined
  /** The broker wants to be authenticated to again: no new requests, and the end when the last one is answered. */
  #isRetiring = false
  readonly #onThrottled: (ms: number) => void
  /** The answer that is coming in, once its size is known. */
  #frame: Buffer | undefined
  #frameBytes = 0
  #answerBytes = 0
  /** Takes the beginnings of answers, and small ones whole. */
  readonly #staging = Buffer.allocUnsafeSlow(STAGING_BYTES)
  readonly #size = Buffer.alloc(SIZE_BYTES)
  #sizeBytes = 0

  /**
   * @param pool where the memory of answers comes from
   * @param onThrottled hears for how long the broker throttles us, in milliseconds
   */
  static async open(
    cluster: ClusterConfig,
    host: string,
    port: number,
    clientId: string,
    pool: BufferPool,
    onThrottled: (ms: number) => void,
    signal?: AbortSignal
  ): Promise<BatchConnection> {
    let retire = () => {}
    const opened = await openConnection(cluster, host, port, clientId, { signal, onSessionEnding: () => retire() })
    const roundTripMs = await shortestRoundTripMs(opened)
    const batches = new BatchConnection(
      opened.connection,
      opened.address,
      opened.versions,
      clientId,
      pool,
      roundTripMs,
      onThrottled
    )
    retire = () => batches.#retire()
    return batches
  }

  private constructor(
    connection: Connection,
    address: string,
    versions: SupportedVersions,
    clientId: string,
    pool: BufferPool,
    roundTripMs: number,
    onThrottled: (ms: number) => void
  ) {
    this.roundTripMs = roundTripMs
    this.#onThrottled = onThrottled
    this.#connection = connection
    this.#socket = connection.socket
    this.address = address
    this.#versions = versions
    this.#clientId = clientId
    this.#pool = pool
    this.#watch = new OverdueWatch(address, failure => this.#fail(failure))
    this.#socket.removeAllListeners('data')
    const isDirect = readDirectly(
      this.#socket,
      () => this.#readTarget(),
      (bytes, target) => this.#filled(bytes, target)
    )
    if (!isDirect) this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#socket.on('error', error => this.#fail(new ClusterError('UNREACHABLE', this.#text(error.message), true)))
    this.#socket.once('close', () => this.#fail(new ClusterError('UNREACHABLE', this.#text('connection closed'), true)))
  }

  get isOpen(): boolean {
    return this.#failure === undefined && !this.#isRetiring && this.#connection.isConnected()
  }

  /**
   * Sends a request.
   * @param body its parts, which must not change before the answer is here
   */
  request(api: ApiVersion, body: readonly Buffer[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure
      this.#versions.assertSupports(api)
      const correlationId = this.#correlationId
      this.#correlationId = (correlationId + 1) & 0x7fffffff
      this.#waiting.push({ correlationId, resolve, reject })
      this.#watch.sent()
      this.#socket.cork()
      this.#socket.write(this.#header(api, correlationId, body))
      for (const part of body) this.#socket.write(part)
      this.#socket.uncork()
    })
  }

  /**
   * The broker has said that it throttles us: the answer comes at once, and nothing more is read from the connection until the time is
   * over (KIP-219), so that it is not overdue before. 0: it does not.
   */
  throttled(ms: number): void {
    if (ms <= 0) return
    this.#watch.postpone(ms)
    this.#onThrottled(ms)
  }

  async close(): Promise<void> {
    this.#fail(new ClusterError('UNREACHABLE', this.#text('connection closed'), true))
    await closeQuietly(this.#connection)
  }

  /** Size, and the flexible request header: key, version, correlation id, client id, no tags. */
  #header(api: ApiVersion, correlationId: number, body: readonly Buffer[]): Buffer {
    const clientIdBytes = Buffer.byteLength(this.#clientId)
    const header = Buffer.allocUnsafe(SIZE_BYTES + 11 + clientIdBytes)
    const bodyBytes = body.reduce((sum, part) => sum + part.length, 0)
    header.writeInt32BE(header.length - SIZE_BYTES + bodyBytes, 0)
    header.writeInt16BE(api.key, 4)
    header.writeInt16BE(api.version, 6)
    header.writeInt32BE(correlationId, 8)
    header.writeInt16BE(clientIdBytes, 12)
    header.write(this.#clientId, 14)
    header[header.length - 1] = 0
    return header
  }

  /** Where the socket writes what comes next: into the answer itself, once its size is known. */
  #readTarget(): Buffer {
    return this.#frame === undefined ? this.#staging : this.#frame.subarray(this.#frameBytes, this.#answerBytes)
  }

  #filled(bytes: number, target: Buffer): void {
    if (target === this.#staging) {
      this.#receive(target.subarray(0, bytes))
      return
    }
    this.#frameBytes += bytes
    if (this.#missingBytes === 0) this.#deliver()
  }

  #receive(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && this.#failure === undefined) {
      if (this.#frame === undefined) {
        at += this.#receiveSize(chunk, at)
        continue
      }
      const copied = chunk.copy(this.#frame, this.#frameBytes, at, at + this.#missingBytes)
      this.#frameBytes += copied
      at += copied
      if (this.#missingBytes === 0) this.#deliver()
    }
  }

  get #missingBytes(): number {
    return this.#answerBytes - this.#frameBytes
  }

  #receiveSize(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#size, this.#sizeBytes, at, at + SIZE_BYTES - this.#sizeBytes)
    this.#sizeBytes += copied
    if (this.#sizeBytes < SIZE_BYTES) return copied
    this.#sizeBytes = 0
    this.#answerBytes = this.#size.readInt32BE(0)
    if (this.#answerBytes < RESPONSE_HEADER_BYTES || this.#answerBytes > ANSWER_BYTES_MAX) {
      this.#fail(new ClusterError('BAD_RESPONSE', this.#text(`an answer claims ${this.#answerBytes} bytes`), true))
      return copied
    }
    this.#frame = this.#pool.acquire(this.#answerBytes)
    this.#frameBytes = 0
    return copied
  }

  #deliver(): void {
    const frame = this.#frame!
    const length = this.#answerBytes
    this.#frame = undefined
    const waiting = this.#waiting.shift()
    if (waiting === undefined || frame.readInt32BE(0) !== waiting.correlationId) {
      this.#pool.release(frame)
      this.#fail(new ClusterError('BAD_RESPONSE', this.#text('an answer belongs to no request'), true))
      waiting?.reject(this.#failure!)
      return
    }
    this.#watch.answered()
    waiting.resolve({
      bytes: frame.subarray(RESPONSE_HEADER_BYTES, length),
      release: () => this.#pool.release(frame)
    })
    if (this.#isRetiring && this.#waiting.length === 0) void this.close()
  }

  #retire(): void {
    this.#isRetiring = true
    if (this.#waiting.length === 0) void this.close()
  }

  #fail(failure: ClusterError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#watch.stop()
    this.#socket.destroy()
    if (this.#frame !== undefined) this.#pool.release(this.#frame)
    this.#frame = undefined
    for (const { reject } of this.#waiting.splice(0)) reject(failure)
  }

  #text(what: string): string {
    return `broker ${this.address}: ${what}`
  }
}
