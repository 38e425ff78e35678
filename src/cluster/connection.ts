import { apiVersionsV3, Connection, protocolAPIsById, Writer } from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import { platformaticOptions } from './client-options.ts'
import { ClusterError, toClusterError } from './errors.ts'

/** A broker's answer as it came off the wire: chunks in order, without the response header. */
export interface ResponseBytes {
  readonly chunks: readonly Buffer[]
  readonly length: number
}

/** A request and response layout of Kafka's protocol. */
export interface ApiVersion {
  readonly key: number
  readonly version: number
}

/** One of the client library's own API functions. */
export interface LibraryApi<Args extends unknown[], Response> extends ApiVersion {
  async(connection: Connection, ...args: Args): Promise<Response>
}

/** How long a broker may take to answer before its connection is given up. Above what brokers are asked to wait. */
const REQUEST_TIMEOUT_MS = 20_000
const CONNECT_TIMEOUT_MS = 10_000
/**
 * The library's own request time-out leaves the connection unable to read anything after it (the late answer is never
 * consumed), so it is set out of reach, and a connection whose oldest request is overdue is closed here instead.
 */
const LIBRARY_TIMEOUT_MS = 2 ** 31 - 1
const OVERDUE_CHECK_INTERVAL_MS = 1_000

/**
 * One TCP connection to one broker, with TLS and SASL done and API versions known. Requests may be pipelined: brokers
 * answer in order. Whatever fails closes the connection, and every request in flight then fails with it.
 */
export class BrokerConnection {
  readonly address: string
  readonly #connection: Connection
  readonly #versions = new Map<number, { min: number; max: number }>()
  /** When each unanswered request was sent, oldest first. */
  readonly #sentAtMs: number[] = []
  readonly #overdueCheck: NodeJS.Timeout
  #checkedAtMs = performance.now()
  #failure: ClusterError | undefined

  /** Connects, authenticates and asks for the API versions. */
  static async open(cluster: ClusterConfig, host: string, port: number, clientId: string): Promise<BrokerConnection> {
    const address = `${host}:${port}`
    const connection = new Connection(clientId, {
      ...platformaticOptions(cluster),
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: LIBRARY_TIMEOUT_MS,
      maxInflights: 1_000
    })
    // Failures reach the requests' callbacks; an `error` event without a listener would end the process.
    connection.on('error', () => {})
    const context = `${cluster.alias} broker ${address}`
    try {
      await connection.connect(host, port)
      const opened = new BrokerConnection(connection, address)
      const { apiKeys } = await opened.call(apiVersionsV3.api, 'farlog', '1')
      for (const api of apiKeys) opened.#versions.set(api.apiKey, { min: api.minVersion, max: api.maxVersion })
      return opened
    } catch (error) {
      await closeQuietly(connection)
      throw toClusterError(error, context)
    }
  }

  private constructor(connection: Connection, address: string) {
    this.#connection = connection
    this.address = address
    this.#overdueCheck = setInterval(() => this.#closeIfOverdue(), OVERDUE_CHECK_INTERVAL_MS)
    this.#overdueCheck.unref()
    connection.once('close', () => clearInterval(this.#overdueCheck))
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#connection.isConnected()
  }

  /** Throws `UNSUPPORTED_VERSION` unless the broker speaks this version. */
  assertSupports(api: ApiVersion): void {
    const supported = this.#versions.get(api.key)
    if (supported !== undefined && supported.min <= api.version && api.version <= supported.max) return
    const name = (protocolAPIsById as Record<number, string>)[api.key] ?? `API ${api.key}`
    const range = supported ? `${supported.min} to ${supported.max}` : 'not at all'
    throw new ClusterError(
      'UNSUPPORTED_VERSION',
      `broker ${this.address} speaks ${name} ${range}, but farlog needs version ${api.version}: Kafka 3.1 or newer`,
      false
    )
  }

  /**
   * Sends a request that we lay out ourselves.
   * @param parse reads the answer; it must not keep the chunks
   */
  request<Response>(
    api: ApiVersion,
    body: readonly Buffer[],
    parse: (bytes: ResponseBytes) => Response
  ): Promise<Response> {
    this.assertSupports(api)
    return this.#track(
      new Promise<Response>((resolve, reject) => {
        this.#connection.send<Response>(
          api.key,
          api.version,
          () => body.reduce((writer, part) => writer.append(part), Writer.create()),
          (_correlationId, _apiKey, _apiVersion, reader) =>
            parse({ chunks: reader.buffer.buffers, length: reader.buffer.length }),
          true,
          true,
          (error, response) => (error ? reject(error) : resolve(response as Response))
        )
      })
    )
  }

  /** Sends a request by the library's own API function. */
  call<Args extends unknown[], Response>(api: LibraryApi<Args, Response>, ...args: Args): Promise<Response> {
    if (this.#versions.size > 0) this.assertSupports(api)
    return this.#track(api.async(this.#connection, ...args))
  }

  async close(): Promise<void> {
    clearInterval(this.#overdueCheck)
    await closeQuietly(this.#connection)
  }

  async #track<Response>(answer: Promise<Response>): Promise<Response> {
    this.#sentAtMs.push(performance.now())
    try {
      return await answer
    } catch (error) {
      throw this.#failure ?? toClusterError(error, `broker ${this.address}`)
    } finally {
      this.#sentAtMs.shift()
    }
  }

  #closeIfOverdue(): void {
    const nowMs = performance.now()
    const sinceCheckMs = nowMs - this.#checkedAtMs
    this.#checkedAtMs = nowMs
    if (sinceCheckMs > OVERDUE_CHECK_INTERVAL_MS * 5) {
      // It was us who stood still (a paused process, a suspended machine): the answers may be here, unread.
      for (let i = 0; i < this.#sentAtMs.length; i++) this.#sentAtMs[i]! += sinceCheckMs
    }
    const oldest = this.#sentAtMs[0]
    if (oldest === undefined || nowMs - oldest < REQUEST_TIMEOUT_MS) return
    this.#failure = new ClusterError(
      'TIMED_OUT',
      `broker ${this.address} did not answer within ${REQUEST_TIMEOUT_MS / 1000} s`,
      true
    )
    this.#connection.socket.destroy()
  }
}

async function closeQuietly(connection: Connection): Promise<void> {
  try {
    connection.socket?.destroy()
    await connection.close()
  } catch {
    // It is going away; why it would not go politely changes nothing.
  }
}
