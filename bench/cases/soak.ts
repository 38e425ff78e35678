/** Ten minutes under load: whether memory stays what it is after the first of them. */
import { setTimeout as pause } from 'node:timers/promises'
import { farlog } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { startLoad } from '../support/load.ts'
import { coresDuring, residentMb } from '../support/process-figures.ts'
import { markdownTable, percent, threeDigits } from '../support/text-table.ts'

const PARTITIONS = 4
const RECORDS_PER_SECOND = 100_000
const MINUTES = 10
const SAMPLE_MS = 5_000
/** So that ten minutes of it fit onto a disk. */
const SHORT_RETENTION = {
  'retention.bytes': String(1 << 30),
  'segment.bytes': String(128 << 20),
  'file.delete.delay.ms': '1000'
}

export async function measureSoak({ east, west, newAlias, progress }: Bed): Promise<string> {
  const alias = newAlias()
  const topic = 'soak'
  await east.admin.createTopic(topic, PARTITIONS, SHORT_RETENTION)
  await using worker = await farlog(1).start({
    alias,
    sourceBootstrap: east.bootstrap,
    destinationBootstrap: west.bootstrap,
    topics: topic,
    compression: 'none'
  })
  const load = startLoad({
    ...{ bootstrap: east.bootstrap, topic, value: 1_000, compression: 'none', isBatched: true },
    ...{ records: 1e9, recordsPerSecond: RECORDS_PER_SECOND }
  })
  const copied = () => west.offsets.total(`${alias}.${topic}`, PARTITIONS)
  const rows: string[][] = []
  try {
    for (let minute = 1; minute <= MINUTES; minute++) {
      const copiedBefore = await copied()
      const began = performance.now()
      const resident: number[] = []
      const cores = await coresDuring(worker.pid, async () => {
        while (performance.now() - began < 60_000) {
          await pause(SAMPLE_MS)
          resident.push(residentMb(worker.pid).now)
        }
      })
      const seconds = (performance.now() - began) / 1_000
      rows.push([
        String(minute),
        threeDigits(((await copied()) - copiedBefore) / seconds),
        percent(cores),
        Math.min(...resident).toFixed(0),
        Math.max(...resident).toFixed(0)
      ])
      progress(`soak: ${rows.at(-1)!.join(', ')}`)
    }
  } finally {
    await load.stop()
  }
  return markdownTable(['minute', 'records/s of 1 kB', 'of a core', 'resident MB from', 'to'], rows)
}
