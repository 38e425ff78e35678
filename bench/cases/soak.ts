/** Ten minutes under load, MirrorMaker 2 beside it: whether memory stays what it is after the first of them. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { farlog, mirrorMaker } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { startLoad } from '../support/load.ts'
import { coresDuring, residentMb } from '../support/process-figures.ts'
import { markdownTable, percent, threeDigits } from '../support/text-table.ts'

const PARTITIONS = 4
/** What MirrorMaker 2 can keep up with while both copy and the brokers share the same cores. */
const RECORDS_PER_SECOND = 30_000
const MINUTES = 10
const SAMPLE_MS = 5_000
/** So that ten minutes of it fit onto a disk. */
const SHORT_RETENTION = {
  'retention.bytes': String(1 << 30),
  'segment.bytes': String(128 << 20),
  'file.delete.delay.ms': '1000'
}

export async function measureSoak(bed: Bed): Promise<string> {
  const { east, progress } = bed
  const topic = 'soak'
  await east.admin.createTopic(topic, PARTITIONS, SHORT_RETENTION)
  await using both = new AsyncDisposableStack()
  const mirrors: Mirror[] = []
  for (const contender of [farlog(1), mirrorMaker]) mirrors.push(await startMirror(bed, contender, topic, both))
  const load = startLoad({
    ...{ bootstrap: east.bootstrap, topic, value: 1_000, compression: 'none', isBatched: true },
    ...{ records: 1e9, recordsPerSecond: RECORDS_PER_SECOND }
  })
  const rows: string[][] = []
  try {
    for (let minute = 1; minute <= MINUTES; minute++) {
      const figures = await Promise.all(mirrors.map(lookForAMinute))
      rows.push(...figures.map((row, i) => [String(minute), mirrors[i]!.name, ...row]))
      for (const row of rows.slice(-mirrors.length)) progress(`soak: ${row.join(', ')}`)
    }
  } finally {
    await load.stop()
  }
  return markdownTable(['minute', 'mirror', 'records/s of 1 kB', 'of a core', 'resident MB from', 'to'], rows)
}

interface Mirror {
  readonly name: string
  readonly pid: number
  /** Offsets of its copy so far. */
  copied(): Promise<number>
}

async function startMirror(
  { east, west, newAlias }: Bed,
  { name, start }: Contender,
  topic: string,
  running: AsyncDisposableStack
): Promise<Mirror> {
  const alias = newAlias()
  const sites = { sourceBootstrap: east.bootstrap, destinationBootstrap: west.bootstrap }
  const { pid } = running.use(await start({ alias, ...sites, topics: topic, compression: 'none' }))
  return { name, pid, copied: () => west.offsets.total(`${alias}.${topic}`, PARTITIONS) }
}

async function lookForAMinute({ pid, copied }: Mirror): Promise<string[]> {
  const copiedBefore = await copied()
  const began = performance.now()
  const resident: number[] = []
  const cores = await coresDuring(pid, async () => {
    while (performance.now() - began < 60_000) {
      await pause(SAMPLE_MS)
      resident.push(residentMb(pid).now)
    }
  })
  const seconds = (performance.now() - began) / 1_000
  return [
    threeDigits(((await copied()) - copiedBefore) / seconds),
    percent(cores),
    Math.min(...resident).toFixed(0),
    Math.max(...resident).toFixed(0)
  ]
}
