/**
 * What one would write first, well tuned: kafka-javascript's callback API, a header added to each record, an idempotent
 * producer with the batch settings that MirrorMaker 2 gets. One topic, read from the beginning.
 */
import kafka from '@confluentinc/kafka-javascript'
import type { CopyOrder } from './contender.ts'

const RECORDS_PER_CALL = 1_000
const QUEUE_FULL = kafka.CODES.ERRORS.ERR__QUEUE_FULL

const order = JSON.parse(process.argv[2]!) as CopyOrder
const copy = `${order.alias}.${order.topics}`
const admin = kafka.AdminClient.create({ 'bootstrap.servers': order.destinationBootstrap })
const consumer = new kafka.KafkaConsumer(
  {
    'bootstrap.servers': order.sourceBootstrap,
    'group.id': `per-record-${order.alias}`,
    'isolation.level': 'read_committed'
  },
  { 'auto.offset.reset': 'earliest' }
)
const producer = new kafka.Producer(
  {
    'bootstrap.servers': order.destinationBootstrap,
    'enable.idempotence': true,
    'compression.codec': order.compression,
    'batch.size': 131_072,
    'linger.ms': 5,
    'queue.buffering.max.messages': 200_000
  },
  {}
)

await connected(producer)
await connected(consumer)
const { topics } = await metadataOf(consumer, order.topics)
const partitions = topics.find(({ name }) => name === order.topics)!.partitions.length
await callback(done =>
  admin.createTopic({ topic: copy, num_partitions: partitions, replication_factor: -1 } as kafka.NewTopic, 10_000, done)
)
producer.setPollInterval(10)
consumer.subscribe([order.topics])
for (;;) {
  const messages = await callback<kafka.Message[]>(done => consumer.consume(RECORDS_PER_CALL, done))
  for (const message of messages) await copyRecord(message)
}

async function copyRecord({
  topic,
  partition,
  offset,
  key,
  value,
  timestamp,
  headers = []
}: kafka.Message): Promise<void> {
  const withOrigin = [...headers, { 'farlog.origin': `${order.alias}/${topic}/${partition}/${offset}` }]
  for (;;) {
    try {
      producer.produce(copy, partition, value, key ?? null, timestamp ?? null, undefined, withOrigin)
      return
    } catch (error) {
      const { code } = error as { code: number }
      if (code !== QUEUE_FULL) throw error
      producer.poll()
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  }
}

function metadataOf(client: kafka.Producer | kafka.KafkaConsumer, topic: string): Promise<kafka.Metadata> {
  return callback(done => client.getMetadata({ topic, timeout: 10_000 }, done))
}

function connected(client: kafka.Producer | kafka.KafkaConsumer): Promise<unknown> {
  return callback(done => client.connect({ timeout: 10_000 }, done))
}

function callback<T>(start: (done: (error: unknown, result?: unknown) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result as T))))
}
