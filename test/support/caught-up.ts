import type { PartitionStatus } from '../../src/observe/status.ts'
import type { FarlogProcess } from './farlog-process.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { GiveUp, until } from './wait.ts'

export interface CaughtUpOptions {
  readonly partitions?: number
  /** Where the worker has several flows. */
  readonly destination?: string
  readonly timeoutMs?: number
}

/** Resolves when the destination has acknowledged all that committed readers of a source topic may see now. */
export async function caughtUp(
  worker: FarlogProcess,
  source: KafkaAdmin,
  topic: string,
  { partitions = 1, destination, timeoutMs = 60_000 }: CaughtUpOptions = {}
): Promise<void> {
  const ends = (await source.offsets(topic, partitions)).map(({ lastStableOffset }) => lastStableOffset)
  let hasEnded = false
  void worker.exit.then(() => {
    hasEnded = true
  })
  await until(
    async () => {
      if (hasEnded) throw new GiveUp(`farlog ended: ${worker.otherOutput.join('\n')}`)
      const status = await partitionsOf(worker, topic, destination).catch(error => {
        throw new Error(`no status; logs ${JSON.stringify(worker.logs.slice(-5))}`, { cause: error })
      })
      const next = ends.map((_, partition) => status.find(shown => shown.partition === partition)?.nextSourceOffset)
      if (next.every((offset, partition) => (offset ?? -1) >= ends[partition]!)) return true
      throw new Error(JSON.stringify({ ends, status, logs: worker.logs.slice(-5) }))
    },
    { timeoutMs, describe: `${topic} to be mirrored` }
  )
}

/** What the worker shows of a topic's partitions. */
export async function partitionsOf(
  worker: FarlogProcess,
  topic: string,
  destination?: string
): Promise<readonly PartitionStatus[]> {
  const { flows } = await worker.status()
  const flow = destination === undefined ? flows[0] : flows.find(shown => shown.destination === destination)
  return flow!.partitions.filter(shown => shown.topic === topic).toSorted((a, b) => a.partition - b.partition)
}
