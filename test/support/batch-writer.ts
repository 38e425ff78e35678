import {
  type CompressionAlgorithmValue,
  Connection,
  type MessageRecord,
  Producer,
  produceV9
} from '@platformatic/kafka'
import { until } from './wait.ts'

/** A record as a test wants to have it in the log. */
export interface TestRecord {
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  /** In order; names may repeat. */
  readonly headers?: readonly (readonly [name: string, value: Buffer | string | null])[]
  /** Milliseconds; the present unless said otherwise. */
  readonly timestamp?: number
}

/** Writes batches to a cluster's only broker exactly as given: no linger, no partitioner, no serializer in between. */
export class BatchWriter implements AsyncDisposable {
  readonly #bootstrap: string
  #connection: Connection | undefined

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap
  }

  /** All of it as one batch; resolves when it is in the log. */
  async write(
    topic: string,
    partition: number,
    records: readonly TestRecord[],
    compression: CompressionAlgorithmValue = 'none'
  ): Promise<void> {
    const messages = records.map(record => ({ ...messageOf(record), topic, partition }))
    const connection = await this.#connect()
    // A broker may take a moment to learn that it leads a new partition.
    await until(async () => (await produceV9.api.async(connection, 1, 30_000, messages, { compression })) && true, {
      describe: `a batch to be written to ${topic}-${partition}`
    })
  }

  async #connect(): Promise<Connection> {
    if (this.#connection?.isConnected()) return this.#connection
    const [host, port] = this.#bootstrap.split(':')
    this.#connection = new Connection('test', { requestTimeout: 60_000 })
    await this.#connection.connect(host!, Number(port))
    return this.#connection
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.close()
  }
}

/** An open transaction: its records are in the log, and nobody may read them, nor what follows them. */
export interface OpenTransaction {
  commit(): Promise<void>
  abort(): Promise<void>
}

/** Begins a transaction and writes records in it. */
export async function writeInTransaction(
  bootstrap: string,
  topic: string,
  partition: number,
  records: readonly TestRecord[]
): Promise<OpenTransaction> {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
    clientId: 'test',
    bootstrapBrokers: [bootstrap],
    idempotent: true,
    // The broker aborts what is open for longer.
    timeout: 300_000,
    transactionalId: `test-${topic}-${partition}-${performance.now()}`
  })
  const transaction = await producer.beginTransaction()
  const messages = records.map(record => ({ ...messageOf(record), topic, partition }))
  await transaction.send({ messages, acks: -1 })
  const end = async (how: 'commit' | 'abort') => {
    await transaction[how]()
    await producer.close()
  }
  return { commit: () => end('commit'), abort: () => end('abort') }
}

/** The library's types know no null key, value or header; its encoder does. Buffers as keys of a map may repeat. */
function messageOf({ key = null, value = null, headers = [], timestamp = Date.now() }: TestRecord) {
  return {
    key: bytes(key),
    value: bytes(value),
    headers: new Map(headers.map(([name, headerValue]) => [Buffer.from(name), bytes(headerValue)])),
    timestamp: BigInt(timestamp)
  } satisfies Omit<MessageRecord, 'topic'>
}

function bytes(content: Buffer | string | null): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : (content as Buffer)
}
