import assert from 'node:assert/strict'
import type { PartitionStatus } from '../../../src/observe/status.ts'
import { BatchWriter } from '../../support/batch-writer.ts'
import { partitionsOf } from '../../support/caught-up.ts'
import { type FarlogProcess, type LogLine, type StartOptions, startFarlog } from '../../support/farlog-process.ts'
import { KafkaAdmin } from '../../support/kafka-admin.ts'
import { type KafkaCluster, type KafkaOptions, startKafka } from '../../support/kafka-cluster.ts'
import { readRecords, sourceOffsets } from '../../support/read-records.ts'
import { assertSameRecords } from '../../support/same-records.ts'
import { until } from '../../support/wait.ts'

/** Two clusters, and the workers that mirror from one to the other. `await using` or `dispose` ends all of it. */
export class Bed implements AsyncDisposable {
  readonly east: KafkaCluster
  readonly west: KafkaCluster
  readonly eastAdmin: KafkaAdmin
  readonly westAdmin: KafkaAdmin
  /** Writes to the source; its only broker is the one it talks to. */
  readonly writer: BatchWriter
  readonly #workers: FarlogProcess[] = []

  static async start(options: { east?: KafkaOptions; west?: KafkaOptions } = {}): Promise<Bed> {
    const [east, west] = await Promise.all([
      startKafka({ name: 'east', ...options.east }),
      startKafka({ name: 'west', ...options.west })
    ])
    return new Bed(east, west)
  }

  private constructor(east: KafkaCluster, west: KafkaCluster) {
    this.east = east
    this.west = west
    this.eastAdmin = new KafkaAdmin(east.bootstrap)
    this.westAdmin = new KafkaAdmin(west.bootstrap)
    this.writer = new BatchWriter(east.bootstrap)
  }

  /** The variables of a flow for these topics with a group of its own, so that tests can share the clusters. */
  flowEnv(topics: string): Record<string, string> {
    return {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: this.east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: this.west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: `test-${topics}`
    }
  }

  /** A worker of the flow for these topics. */
  async startWorker(
    topics: string,
    env: Readonly<Record<string, string>> = {},
    options: StartOptions = {}
  ): Promise<FarlogProcess> {
    const worker = await startFarlog({ ...this.flowEnv(topics), ...env }, options)
    this.#workers.push(worker)
    return worker
  }

  async killWorkers(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  }

  /** One batch of records that tell their number. */
  write(topic: string, partition: number, count: number, first = 0): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `${topic} ${first + i}` }))
    return this.writer.write(topic, partition, records)
  }

  /** The source offsets of the copies that a destination partition holds, in their order. */
  async copied(topic: string, partition = 0): Promise<number[]> {
    return sourceOffsets(await readRecords(this.west.bootstrap, `east.${topic}`, partition))
  }

  /** Resolves to the number of records, the same on both sides. */
  assertSame(...topics: readonly string[]): Promise<number> {
    const pairs = Object.fromEntries(topics.map(topic => [topic, `east.${topic}`]))
    return assertSameRecords(this.east.bootstrap, this.west.bootstrap, pairs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killWorkers()
    await Promise.all([this.writer, this.eastAdmin, this.westAdmin].map(client => client[Symbol.asyncDispose]()))
    await Promise.all([this.east.stop(), this.west.stop()])
  }
}

/** What the worker shows of a partition once it stands still. */
export function halted(worker: FarlogProcess, topic: string, partition = 0): Promise<PartitionStatus> {
  return until(
    async () => {
      const shown = await partitionsOf(worker, topic)
      const found = shown.find(status => status.partition === partition)
      if (found?.state === 'halted') return found
      throw new Error(JSON.stringify({ shown, logs: worker.logs.slice(-5) }))
    },
    { timeoutMs: 45_000, describe: `${topic}-${partition} to be halted` }
  )
}

/** The first line that the worker has logged, or logs, in which this stands. */
export function logged(worker: FarlogProcess, pattern: RegExp, timeoutMs = 60_000): Promise<LogLine> {
  return until(
    () => {
      const found = worker.logs.find(line => pattern.test(JSON.stringify(line)))
      if (found !== undefined) return found
      throw new Error(
        worker.logs
          .slice(-5)
          .map(line => JSON.stringify(line))
          .join('\n')
      )
    },
    { timeoutMs, describe: `a log line with ${pattern}` }
  )
}

/** Each partition's lag in records; those whose lag is unknown are left out. */
export async function knownLags(worker: FarlogProcess): Promise<number[]> {
  return (await worker.metrics()).values('farlog_lag_records')
}

/** Nothing stands still, and nothing was written that is no log line. */
export async function assertHealthy(worker: FarlogProcess): Promise<void> {
  assert.equal((await worker.metrics()).sum('farlog_halted_partitions') ?? 0, 0)
  assert.deepEqual(worker.otherOutput, [])
}
