/**
 * Lost records as lines of JSON, in a file or as the values of a topic:
 *
 *     {"topic":"orders","partition":0,"offset":812,"timestamp":1790000000000,"key":"NDI=","value":"…","headers":[["trace","…"]]}
 *
 * Key, value and the headers' values are base64, for they are bytes; null stays null. Names of headers are text.
 */
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { RecordProducer } from '../cluster/record-producer.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import type { ClusterConfig } from '../config/types.ts'
import type { LostRecord } from './lost-records.ts'

/** Takes lost records, one after the other. Only what `finish` has been called on counts. */
export interface LostRecordSink extends AsyncDisposable {
  take(record: LostRecord): Promise<void>
  finish(): Promise<void>
}

/** Records that wait for their acknowledgement at a time. */
const SENT_TOGETHER = 500
const PARTITION = 0

/** A record as a line, without the line's end. */
export function lostRecordLine({ topic, partition, offset, timestamp, key, value, headers }: LostRecord): string {
  return JSON.stringify({
    ...{ topic, partition, offset, timestamp },
    ...{ key: base64(key), value: base64(value) },
    headers: headers.map(([name, headerValue]) => [name.toString('utf8'), base64(headerValue)])
  })
}

function base64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64')
}

/** A file, which is there once it is whole. */
export class LostRecordFile implements LostRecordSink {
  readonly #path: string
  readonly #stream: WriteStream

  constructor(path: string) {
    this.#path = path
    this.#stream = createWriteStream(`${path}.unfinished`)
    // Whoever writes next hears of it.
    this.#stream.on('error', () => {})
  }

  async take(record: LostRecord): Promise<void> {
    if (this.#stream.errored) throw this.#stream.errored
    if (this.#stream.write(`${lostRecordLine(record)}\n`)) return
    if (!this.#stream.writableNeedDrain) return
    await once(this.#stream, 'drain')
  }

  /** @throws the file system's error */
  async finish(): Promise<void> {
    this.#stream.end()
    await finished(this.#stream)
    await rename(`${this.#path}.unfinished`, this.#path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy()
  }
}

/** A topic, compacted by where the records stood: done again it holds each once all the same. */
export class LostRecordTopic implements LostRecordSink {
  readonly #topic: string
  readonly #admin: TopicAdmin
  readonly #producer: RecordProducer
  readonly #replicationFactor: number | undefined
  #isThere: Promise<void> | undefined
  #waiting: Promise<number>[] = []

  constructor(cluster: ClusterConfig, topic: string, replicationFactor: number | undefined, clientId: string) {
    this.#topic = topic
    this.#replicationFactor = replicationFactor
    this.#admin = new TopicAdmin(cluster, clientId)
    this.#producer = new RecordProducer(cluster, clientId)
  }

  /** @throws ClusterError where it, or one before, could not be written */
  async take(record: LostRecord): Promise<void> {
    this.#isThere ??= this.#admin.createTopic({
      ...{ name: this.#topic, partitions: 1, replicationFactor: this.#replicationFactor },
      configs: [{ name: 'cleanup.policy', value: 'compact' }]
    })
    await this.#isThere
    const key = `${record.topic}/${record.partition}/${record.offset}`
    const sending = this.#producer.send(this.#topic, PARTITION, key, Buffer.from(lostRecordLine(record)))
    sending.catch(() => {})
    this.#waiting.push(sending)
    if (this.#waiting.length >= SENT_TOGETHER) await this.finish()
  }

  async finish(): Promise<void> {
    await Promise.all(this.#waiting.splice(0))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#producer.close(), this.#admin.close()])
  }
}
