import kafka from '@confluentinc/kafka-javascript'
import { until } from './wait.ts'

/** A record as an application reads it. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: string | null
  readonly key: Buffer | null
  /** The value as it is. */
  readonly bytes: Buffer | null
}

const READ_TOGETHER = 500

/**
 * An application's consumer: a member of a group that reads and commits when it is told to. What it has read and not committed is
 * read again by its successor.
 */
export class GroupConsumer implements AsyncDisposable {
  readonly #consumer: kafka.KafkaConsumer

  /** @param reset where it begins in partitions of which its group has no offset */
  static async join(
    bootstrap: string,
    groupId: string,
    topics: readonly string[],
    reset: 'earliest' | 'latest' | 'error' = 'earliest'
  ): Promise<GroupConsumer> {
    const consumer = new kafka.KafkaConsumer(
      {
        'bootstrap.servers': bootstrap,
        'group.id': groupId,
        'session.timeout.ms': 6_000,
        'enable.auto.commit': false,
        'isolation.level': 'read_committed'
      } as kafka.ConsumerGlobalConfig,
      { 'auto.offset.reset': reset }
    )
    // librdkafka tries again by itself.
    consumer.on('event.error', () => {})
    await new Promise<void>((resolve, reject) => {
      consumer.connect({}, error => (error ? reject(error) : resolve()))
    })
    consumer.setDefaultConsumeTimeout(100)
    consumer.subscribe([...topics])
    return new GroupConsumer(consumer)
  }

  private constructor(consumer: kafka.KafkaConsumer) {
    this.#consumer = consumer
  }

  /** As many as there are at the moment, and no more than this. */
  poll(count: number): Promise<ConsumedRecord[]> {
    return new Promise((resolve, reject) => {
      this.#consumer.consume(count, (error, messages) => {
        if (error) return reject(error)
        resolve(
          messages.map(({ topic, partition, offset, key, value }) => ({
            ...{ topic, partition, offset },
            value: value === null ? null : value.toString('utf8'),
            key: typeof key === 'string' ? Buffer.from(key, 'utf8') : (key ?? null),
            bytes: value
          }))
        )
      })
    })
  }

  /** At least so many records, in the order of each partition. */
  async read(count: number, timeoutMs = 60_000): Promise<ConsumedRecord[]> {
    const records: ConsumedRecord[] = []
    await until(
      async () => {
        records.push(...(await this.poll(Math.min(READ_TOGETHER, count - records.length))))
        return records.length >= count
      },
      { timeoutMs, describe: `${count} records to be read` }
    )
    return records
  }

  /** What comes until nothing has come for a while. */
  async readToEnd(quietMs = 3_000): Promise<ConsumedRecord[]> {
    const records: ConsumedRecord[] = []
    let lastAtMs = performance.now()
    while (performance.now() - lastAtMs < quietMs) {
      const more = await this.poll(READ_TOGETHER)
      if (more.length > 0) lastAtMs = performance.now()
      records.push(...more)
    }
    return records
  }

  /** Commits all that was read. */
  commit(): void {
    const read = this.#consumer.position().filter(({ offset }) => offset !== undefined && offset >= 0)
    if (read.length > 0) this.#consumer.commitSync(read as kafka.TopicPartitionOffset[])
  }

  /** Leaves the group. What was not committed stays so. */
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>(resolve => this.#consumer.disconnect(() => resolve()))
  }
}
