/**
 * farlog and MirrorMaker 2 side by side: each copies the same backlog between the same two brokers, one after the
 * other, and the operating system tells what CPU time each took. Start-up is left out on both sides: what is measured
 * lies between a tenth and the whole of the backlog.
 *
 *     node bench/against-mirror-maker.ts [records] [value bytes]
 */
import { readFileSync } from 'node:fs'
import { Admin } from '@platformatic/kafka'
import { startFarlog } from '../test/support/farlog-process.ts'
import { startKafka } from '../test/support/kafka-cluster.ts'
import { startMirrorMaker } from '../test/support/mirror-maker.ts'
import { type Compression, produce } from '../test/support/produce.ts'
import { until } from '../test/support/wait.ts'

const records = Number(process.argv[2] ?? 1_000_000)
const valueBytes = Number(process.argv[3] ?? 1_000)
const compression = (process.argv[4] ?? 'none') as Compression
const PARTITIONS = 4

await using east = await startKafka({ name: 'east', heapMb: 768 })
await using west = await startKafka({ name: 'west', heapMb: 768 })
await produce({
  bootstrap: east.bootstrap,
  topics: [{ name: 'work', partitions: PARTITIONS, compression }],
  records,
  valueBytes,
  shape: 'plain'
})

const farlog = await measure('f', async () =>
  startFarlog({
    FARLOG_SOURCE: 'f',
    FARLOG_DESTINATIONS: 'west',
    FARLOG_F_BOOTSTRAP_SERVERS: east.bootstrap,
    FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap
  })
)
const mirrorMaker = await measure('m', async () => {
  const mm2 = await startMirrorMaker({
    source: { alias: 'm', bootstrap: east.bootstrap },
    destination: { alias: 'west', bootstrap: west.bootstrap },
    topics: 'work',
    properties: compression === 'none' ? {} : { 'producer.override.compression.type': compression }
  })
  return mm2
})

console.table({ farlog, 'MirrorMaker 2': mirrorMaker })
console.log(
  `farlog copies ${(farlog.recordsPerCpuSecond / mirrorMaker.recordsPerCpuSecond).toFixed(1)} times MirrorMaker 2's records per CPU second`
)

async function measure(alias: string, start: () => Promise<{ pid: number } & AsyncDisposable>) {
  await using mirror = await start()
  const topic = `${alias}.work`
  const atLeast = (share: number) =>
    until(
      async () => {
        const copied = await copiedRecords(topic)
        return copied >= records * share && { copied, cpuSeconds: cpuSeconds(mirror.pid), atMs: performance.now() }
      },
      { timeoutMs: 600_000, pauseMs: 20, describe: `${share * 100} % of ${topic}` }
    ) as Promise<{ copied: number; cpuSeconds: number; atMs: number }>
  const first = await atLeast(0.1)
  const last = await atLeast(1)
  const copied = last.copied - first.copied
  const cpu = last.cpuSeconds - first.cpuSeconds
  return {
    records: copied,
    recordsPerSecond: Math.round(copied / ((last.atMs - first.atMs) / 1000)),
    recordsPerCpuSecond: Math.round(copied / cpu),
    cpuMicrosecondsPerRecord: Number(((cpu / copied) * 1e6).toFixed(2)),
    residentMb: residentMb(mirror.pid)
  }
}

async function copiedRecords(topic: string): Promise<number> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: west.bootstrap.split(','), retries: 0 })
  try {
    const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
    return listed!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)
  } finally {
    await admin.close()
  }
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function residentMb(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024)
}
