import { apiVersionsV3, Connection, protocolAPIsById } from '@platformatic/kafka'
import type { ClusterConfig } from '../config/types.ts'
import { platformaticOptions } from './client-options.ts'
import { ClusterError, toClusterError } from './errors.ts'
import { OverdueWatch } from './overdue-watch.ts'
import { connectionError } from './refusal.ts'

/** A request and response layout of Kafka's protocol. */
export interface ApiVersion {
  readonly key: number
  readonly version: number
}

/** One of the client library's own API functions. */
export interface LibraryApi<Args extends unknown[], Response> extends ApiVersion {
  async(connection: Connection, ...args: Args): Promise<Response>
}

const CONNECT_TIMEOUT_MS = 10_000
/**
 * The library's own request time-out leaves the connection unable to read anything after it (the late answer is never
 * consumed), so it is set out of reach, and a connection whose oldest request is overdue is closed here instead.
 */
const LIBRARY_TIMEOUT_MS = 2 ** 31 - 1

/** What a broker answers to ApiVersions, as far as it matters here. */
interface VersionsAnswer {
  readonly apiKeys: readonly { apiKey: number; minVersion: number; maxVersion: number }[]
  readonly finalizedFeatures?: readonly { name: string; maxVersionLevel: number }[]
}

/** Which versions of each API a broker speaks, and which features of its cluster are switched on. */
export class SupportedVersions {
  readonly #address: string
  readonly #ranges = new Map<number, { min: number; max: number }>()
  readonly #features = new Map<string, number>()

  constructor(address: string, { apiKeys, finalizedFeatures = [] }: VersionsAnswer) {
    this.#address = address
    for (const api of apiKeys) this.#ranges.set(api.apiKey, { min: api.minVersion, max: api.maxVersion })
    for (const { name, maxVersionLevel } of finalizedFeatures) this.#features.set(name, maxVersionLevel)
  }

  /** The level that a feature (KIP-584) has in the whole cluster; `undefined` where there is none such. */
  featureLevel(name: string): number | undefined {
    return this.#features.get(name)
  }

  /** Throws `UNSUPPORTED_VERSION` unless the broker speaks this version. */
  assertSupports(api: ApiVersion): void {
    const complaint = this.complaintOf(api)
    if (complaint !== undefined) throw new ClusterError('UNSUPPORTED_VERSION', complaint, false)
  }

  /** What is wrong with the broker where it does not speak this version. */
  complaintOf(api: ApiVersion): string | undefined {
    const supported = this.#ranges.get(api.key)
    if (supported !== undefined && supported.min <= api.version && api.version <= supported.max) return undefined
    const name = (protocolAPIsById as Record<number, string>)[api.key] ?? `API ${api.key}`
    const range = supported ? `${supported.min} to ${supported.max}` : 'not at all'
    return `broker ${this.#address} speaks ${name} ${range}, but farlog needs version ${api.version}: Kafka 3.1 or newer`
  }
}

/** A connection of the library's, with TLS and SASL done, and what its broker speaks. */
export interface Opened {
  readonly connection: Connection
  readonly address: string
  readonly versions: SupportedVersions
}

export interface OpenOptions {
  /** Gives up what is still being opened. */
  readonly signal?: AbortSignal | undefined
  /**
   * The broker will close the connection soon unless it authenticates again (KIP-368); by default the library does that.
   */
  readonly onSessionEnding?: () => void
}

/** Connects, authenticates and asks for the API versions. */
export async function openConnection(
  cluster: ClusterConfig,
  host: string,
  port: number,
  clientId: string,
  { signal, onSessionEnding }: OpenOptions = {}
): Promise<Opened> {
  const address = `${host}:${port}`
  const connection = new Connection(clientId, {
    ...platformaticOptions(cluster, host),
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: LIBRARY_TIMEOUT_MS,
    maxInflights: 1_000
  })
  if (onSessionEnding !== undefined) connection.reauthenticate = onSessionEnding
  // Failures reach the requests' callbacks; an `error` event without a listener would end the process. What a broker says
  // to a client certificate it does not take comes after the handshake, and only there.
  let failure: unknown
  connection.on('error', error => {
    failure = error
  })
  const giveUp = () => connection.socket?.destroy(new Error('the cluster is being closed'))
  signal?.addEventListener('abort', giveUp)
  try {
    await connection.connect(host, port)
    return { connection, address, versions: new SupportedVersions(address, await askVersions(connection)) }
  } catch (error) {
    await closeQuietly(connection)
    throw connectionError(failure ?? error, `${cluster.alias} broker ${address}`, cluster)
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

/** A broker that stands still takes connections, by its kernel, and never answers on them. */
async function askVersions(connection: Connection) {
  const timer = setTimeout(() => connection.socket.destroy(), CONNECT_TIMEOUT_MS)
  try {
    return await apiVersionsV3.api.async(connection, 'farlog', '1')
  } finally {
    clearTimeout(timer)
  }
}

const ROUND_TRIPS_MEASURED = 3

/**
 * How long a small question takes to the broker and back: the shortest of a few, since each may meet a busy moment on
 * either side. Asked before the connection carries anything else; under load an answer would wait behind others.
 */
export async function shortestRoundTripMs({ connection, address }: Opened): Promise<number> {
  let shortestMs = Number.POSITIVE_INFINITY
  try {
    for (let i = 0; i < ROUND_TRIPS_MEASURED; i++) {
      const askedAtMs = performance.now()
      await askVersions(connection)
      shortestMs = Math.min(shortestMs, performance.now() - askedAtMs)
    }
    return shortestMs
  } catch (error) {
    await closeQuietly(connection)
    throw toClusterError(error, `broker ${address}`)
  }
}

/**
 * One connection to one broker for requests that the client library lays out. Requests may be pipelined: brokers answer
 * in order. Whatever fails closes the connection, and every request in flight then fails with it.
 */
export class BrokerConnection {
  readonly address: string
  readonly #connection: Connection
  readonly #versions: SupportedVersions
  readonly #watch: OverdueWatch
  #failure: ClusterError | undefined

  static async open(
    cluster: ClusterConfig,
    host: string,
    port: number,
    clientId: string,
    signal?: AbortSignal
  ): Promise<BrokerConnection> {
    return new BrokerConnection(await openConnection(cluster, host, port, clientId, { signal }))
  }

  private constructor({ connection, address, versions }: Opened) {
    this.#connection = connection
    this.address = address
    this.#versions = versions
    this.#watch = new OverdueWatch(address, failure => {
      this.#failure = failure
      connection.socket.destroy()
    })
    connection.once('close', () => this.#watch.stop())
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#connection.isConnected()
  }

  /** As `SupportedVersions.featureLevel`. */
  featureLevel(name: string): number | undefined {
    return this.#versions.featureLevel(name)
  }

  /** Sends a request by the library's own API function. */
  async call<Args extends unknown[], Response>(api: LibraryApi<Args, Response>, ...args: Args): Promise<Response> {
    this.#versions.assertSupports(api)
    this.#watch.sent()
    try {
      return await api.async(this.#connection, ...args)
    } catch (error) {
      throw this.#failure ?? toClusterError(error, `broker ${this.address}`)
    } finally {
      this.#watch.answered()
    }
  }

  async close(): Promise<void> {
    this.#watch.stop()
    await closeQuietly(this.#connection)
  }
}

/** Closes without waiting for what is in flight. */
export async function closeQuietly(connection: Connection): Promise<void> {
  try {
    connection.socket?.destroy()
    await connection.close()
  } catch {
    // It is going away; why it would not go politely changes nothing.
  }
}
