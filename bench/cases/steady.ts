/**
 * Latency at a steady rate: Kafka's own producer writes, the contender copies, and a reader of ours sees the copies
 * arrive, by the same clock that the producer stamped the records with.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster } from '../../src/cluster/cluster.ts'
import { fetch } from '../../src/cluster/fetch.ts'
import { batchesIn } from '../../src/records/batch.ts'
import { RecordCursor } from '../../src/records/record-cursor.ts'
import { plainCluster } from '../../test/support/plain-cluster.ts'
import { until } from '../../test/support/wait.ts'
import type { Contender } from '../contenders/contender.ts'
import { farlog, floor, mirrorMaker, perRecord } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { type RunningLoad, startLoad } from '../support/load.ts'
import { coresDuring, residentMb } from '../support/process-figures.ts'
import { markdownTable, percent } from '../support/text-table.ts'

interface SteadyFigures {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  /** Processor seconds per second. */
  readonly cores: number
  readonly residentMb: number
}

const PARTITIONS = 4
const RECORDS_PER_SECOND = 20_000
const WARM_UP_MS = 8_000
const MEASURED_MS = 8_000

/** The table of all contenders. */
export async function measureSteady(bed: Bed): Promise<string> {
  const rows: string[][] = []
  for (const contender of [farlog(1), mirrorMaker, perRecord, floor]) {
    const figures = await followStream(bed, contender)
    const { p50Ms, p99Ms, p999Ms, cores, residentMb } = figures
    const [p50, p99, p999] = [p50Ms, p99Ms, p999Ms].map(ms => ms.toFixed(1)) as [string, string, string]
    rows.push([contender.name, p50, p99, p999, percent(cores), residentMb.toFixed(0)])
    bed.progress(`steady, ${contender.name}: p50 ${p50} ms, p99 ${p99} ms`)
  }
  return markdownTable(['20,000 records/s of 1 kB', 'p50 ms', 'p99 ms', 'p99.9 ms', 'of a core', 'resident MB'], rows)
}

/** Has a contender follow a stream of 20,000 records of 1 kB per second. */
async function followStream({ east, west, newAlias }: Bed, contender: Contender): Promise<SteadyFigures> {
  const alias = newAlias()
  const topic = `steady-${alias}`
  const copy = `${alias}.${topic}`
  const [sourceBootstrap, destinationBootstrap] = [east.bootstrap, west.bootstrap]
  const order = { alias, sourceBootstrap, destinationBootstrap, topics: topic, compression: 'none' } as const
  await east.admin.createTopic(topic, PARTITIONS)
  const ending = new AbortController()
  let load: RunningLoad | undefined
  try {
    await using running = await contender.start(order)
    load = startLoad({
      bootstrap: sourceBootstrap,
      topic,
      value: 1_000,
      compression: 'none',
      isBatched: true,
      records: 1e9,
      recordsPerSecond: RECORDS_PER_SECOND
    })
    await until(async () => (await west.offsets.total(copy, PARTITIONS)) > PARTITIONS * 2, {
      timeoutMs: 90_000,
      describe: `${contender.name} to begin with ${topic}`
    })
    await using cluster = new Cluster(plainCluster('destination', destinationBootstrap), 'latency')
    const reader = new LatencyReader(cluster, copy, PARTITIONS)
    const reading = reader.run(ending.signal)
    // Whatever had piled up before it started has to be worked off first.
    await pause(WARM_UP_MS)
    reader.startMeasuring()
    const cores = await coresDuring(running.pid, () => pause(MEASURED_MS))
    const latencies = reader.measured()
    const { now } = residentMb(running.pid)
    ending.abort()
    await reading
    const at = (share: number) => latencies[Math.min(Math.floor(latencies.length * share), latencies.length - 1)]!
    return {
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      cores,
      residentMb: now
    }
  } finally {
    ending.abort()
    await load?.stop()
    await west.offsets.deleteTopics([copy])
    await east.offsets.deleteTopics([topic])
  }
}

/** Follows all partitions of a topic and notes how old each record is when it arrives. */
class LatencyReader {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #positions: number[]
  #latenciesMs: number[] = []

  constructor(cluster: Cluster, topic: string, partitions: number) {
    this.#cluster = cluster
    this.#topic = topic
    this.#positions = Array.from({ length: partitions }, () => 0)
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#cluster.refresh([this.#topic])
    const { topicId } = this.#cluster.topic(this.#topic)!
    const connection = await this.#cluster.batchBroker(this.#cluster.leaderOf(this.#topic, 0)!.nodeId, 'latency')
    while (!signal.aborted) {
      const response = await fetch(connection, {
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 16 << 20,
        readCommitted: false,
        sessionId: 0,
        sessionEpoch: -1,
        partitions: this.#positions.map((fetchOffset, partition) => ({
          topicId,
          partition,
          leaderEpoch: -1,
          fetchOffset,
          lastFetchedEpoch: -1,
          maxBytes: 4 << 20
        })),
        forgotten: []
      })
      const nowMs = performance.timeOrigin + performance.now()
      for (const { partition, records } of response.partitions) this.#note(partition, records, nowMs)
      response.release()
    }
  }

  startMeasuring(): void {
    this.#latenciesMs = []
  }

  /** In ascending order. */
  measured(): number[] {
    return this.#latenciesMs.toSorted((a, b) => a - b)
  }

  #note(partition: number, records: Buffer, nowMs: number): void {
    for (const batch of batchesIn(records)) {
      if (batch.lastOffset < this.#positions[partition]!) continue
      this.#positions[partition] = batch.lastOffset + 1
      if (batch.isControl) continue
      const record = new RecordCursor(batch)
      while (record.next()) this.#latenciesMs.push(nowMs - record.timestamp)
    }
  }
}
