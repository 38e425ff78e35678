import { KafkaAdmin } from '../support/kafka-admin.ts'
import { GiveUp, until } from '../support/wait.ts'
import type { Bed } from './bed.ts'
import { flowOf } from './lag-watch.ts'
import type { Workers } from './workers.ts'

/**
 * Resolves when some worker or other has had every committed record of every partition acknowledged, and fails with
 * what is still behind. The source must be at rest.
 */
export async function allCaughtUp(bed: Bed, workers: Workers, timeoutMs: number): Promise<void> {
  await using admin = new KafkaAdmin(bed.sites.source.bootstrap)
  await until(
    async () => {
      if (workers.awake.length === 0) throw new GiveUp('no worker is left to mirror anything')
      const shown = (await Promise.all(workers.awake.map(flowOf))).flatMap(({ partitions }) => partitions)
      const behind: unknown[] = []
      for (const [topic, partitions] of bed.partitionsByTopic) {
        for (const { partition, lastStableOffset } of await admin.offsets(topic, partitions)) {
          const statuses = shown.filter(status => status.topic === topic && status.partition === partition)
          const isThere = statuses.some(
            ({ state, nextSourceOffset }) => state === 'mirroring' && (nextSourceOffset ?? -1) >= lastStableOffset
          )
          if (!isThere) behind.push({ topic, partition, lastStableOffset, statuses })
        }
      }
      if (behind.length === 0) return true
      throw new Error(`still behind: ${JSON.stringify(behind)}`)
    },
    { timeoutMs, pauseMs: 500, describe: 'everything to be mirrored' }
  )
}
