import kafka from '@confluentinc/kafka-javascript'
import type { ClusterConfig } from '../config/types.ts'
import { type ClusterError, librdkafkaError } from './errors.ts'
import { type KeptSecrets, readSecurity } from './kept-secrets.ts'
import { hearTroubles } from './librdkafka-troubles.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Until then librdkafka tries by itself to get a record through. */
const DELIVERY_TIMEOUT_MS = 20_000
const POLL_INTERVAL_MS = 20
const CLOSE_TIMEOUT_MS = 2_000

/** Writes single records, one by one, for what comes seldom: events, not copies. Connects with the first one. */
export class RecordProducer {
  readonly #cluster: ClusterConfig
  readonly #clientId: string
  readonly #connectTimeoutMs: number
  #connecting: Promise<kafka.HighLevelProducer> | undefined
  /** Why librdkafka gets nowhere, until it has delivered something. */
  #trouble: ClusterError | undefined

  constructor(cluster: ClusterConfig, clientId: string, { connectTimeoutMs = CONNECT_TIMEOUT_MS } = {}) {
    this.#cluster = cluster
    this.#clientId = clientId
    this.#connectTimeoutMs = connectTimeoutMs
  }

  /**
   * Resolves to the record's offset, once all in-sync replicas have it.
   * @throws ClusterError where it could not be delivered; it may be in the log nevertheless
   */
  async send(topic: string, partition: number, key: string | Buffer, value: Buffer): Promise<number> {
    const producer = await this.#connected()
    return new Promise((resolve, reject) => {
      const delivered = (error: unknown, offset?: number | null) =>
        error ? reject(this.#error(`writing to ${topic}`, error)) : resolve(this.#delivered(offset))
      try {
        producer.produce(
          topic,
          partition,
          value,
          typeof key === 'string' ? Buffer.from(key, 'utf8') : key,
          null,
          delivered
        )
      } catch (error) {
        reject(this.#error(`writing to ${topic}`, error))
      }
    })
  }

  async close(): Promise<void> {
    const connecting = this.#connecting
    this.#connecting = undefined
    const producer = await connecting?.catch(() => undefined)
    if (producer === undefined) return
    await new Promise<void>(resolve => producer.disconnect(CLOSE_TIMEOUT_MS, () => resolve()))
  }

  async #connected(): Promise<kafka.HighLevelProducer> {
    this.#connecting ??= this.#connect()
    try {
      return await this.#connecting
    } catch (error) {
      this.#connecting = undefined
      throw error
    }
  }

  #delivered(offset: number | null | undefined): number {
    this.#trouble = undefined
    return offset ?? -1
  }

  #connect(): Promise<kafka.HighLevelProducer> {
    const { secrets, options } = readSecurity(this.#cluster)
    const producer = new kafka.HighLevelProducer(
      {
        ...options,
        'client.id': this.#clientId,
        'enable.idempotence': true,
        'message.timeout.ms': DELIVERY_TIMEOUT_MS
      } as kafka.ProducerGlobalConfig,
      {}
    )
    let isLeft = false
    // librdkafka tries again by itself; what fails for good reaches the callback of its record.
    hearTroubles(
      { client: producer, secrets, cluster: this.#cluster, context: 'producer' },
      {
        troubled: trouble => {
          if (trouble.code === 'AUTHENTICATION') this.#trouble = trouble
        },
        failed: () => {
          if (isLeft || !this.#isOutdated(secrets, producer)) return
          // Certificates can't be told to a producer that there is: the next record makes another one.
          isLeft = true
          this.#connecting = undefined
          // One that still connects would throw at a disconnect: it is left below.
          if (producer.isConnected()) producer.disconnect(CLOSE_TIMEOUT_MS, () => {})
        }
      }
    )
    return new Promise((resolve, reject) => {
      producer.connect({ timeout: this.#connectTimeoutMs }, error => {
        if (error === null && !isLeft) {
          producer.setPollInterval(POLL_INTERVAL_MS)
          resolve(producer)
          return
        }
        // The library has let go of one that failed, and throws, out of everybody's reach, where it is told to once more.
        if (producer.isConnected()) producer.disconnect(CLOSE_TIMEOUT_MS, () => {})
        reject(this.#error('connecting', error ?? new Error('the files for TLS have changed')))
      })
    })
  }

  #isOutdated(secrets: KeptSecrets, producer: kafka.HighLevelProducer): boolean {
    try {
      return secrets.renew(producer)
    } catch (error) {
      this.#trouble = librdkafkaError(error, `${this.#cluster.alias}: reading credentials`)
      return false
    }
  }

  #error(doing: string, error: unknown): ClusterError {
    if (this.#trouble !== undefined) return this.#trouble
    return librdkafkaError(error, `${this.#cluster.alias}: ${doing}`)
  }
}
