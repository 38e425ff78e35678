/**
 * Far away: 80 ms of round trip in front of the source, then in front of the destination, beside the same proxy without
 * a delay. Toxiproxy stands before a listener of its own at either broker.
 */
import { startToxiproxy, type ToxicProxy } from '../../test/support/toxiproxy.ts'
import type { Contender } from '../contenders/contender.ts'
import { farlog, mirrorMaker } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { type CopyFigures, copyBacklog, medianOf, type Sites } from '../support/copy-backlog.ts'
import { writeLoad } from '../support/load.ts'
import { markdownTable, threeDigits } from '../support/text-table.ts'

const ROUND_TRIP_MS = 80
const LOAD = { value: 1_000, compression: 'none', isBatched: true } as const
const EIGHT = { ...LOAD, topic: 'wan-8', partitions: 8, records: 3_000_000 }
const ONE = { ...LOAD, topic: 'wan-1', partitions: 1, records: 600_000 }
const HEADER = [
  '1 kB random, through a proxy',
  'mirror',
  'records/s at 0 ms',
  `at ${ROUND_TRIP_MS} ms`,
  'kept',
  'MB per round trip',
  'peak MB'
]

export async function measureWan(bed: Bed): Promise<string> {
  const { east, west, near, progress } = bed
  for (const topic of [EIGHT, ONE]) {
    progress(`wan: writing ${topic.records.toLocaleString('en-US')} records to ${topic.partitions} partitions`)
    await east.admin.createTopic(topic.topic, topic.partitions)
    await writeLoad({ ...topic, bootstrap: east.bootstrap })
  }
  await using toxiproxy = await startToxiproxy()
  const sides = [
    {
      name: 'the source is far',
      proxy: await toxiproxy.proxy('east', east.proxied.proxyPort, east.proxied.listenPort),
      sites: { ...near, sourceBootstrap: `127.0.0.1:${east.proxied.proxyPort}` }
    },
    {
      name: 'the destination is far',
      proxy: await toxiproxy.proxy('west', west.proxied.proxyPort, west.proxied.listenPort),
      sites: { ...near, destinationBootstrap: `127.0.0.1:${west.proxied.proxyPort}` }
    }
  ]
  const rows: string[][] = []
  for (const { name, proxy, sites } of sides) {
    for (const { contender, backlog, rounds } of [
      { contender: farlog(1), backlog: EIGHT, rounds: 2 },
      { contender: mirrorMaker, backlog: EIGHT, rounds: 1 },
      { contender: farlog(1), backlog: ONE, rounds: 1 }
    ]) {
      const { here, there } = await nearAndFar(bed, contender, backlog, { proxy, sites, rounds })
      rows.push([
        `${name}, ${backlog.partitions} partition${backlog.partitions === 1 ? '' : 's'}`,
        contender.name,
        threeDigits(here.recordsPerSecond),
        threeDigits(there.recordsPerSecond),
        `${((100 * there.recordsPerSecond) / here.recordsPerSecond).toFixed(0)} %`,
        ((there.recordsPerSecond * LOAD.value * ROUND_TRIP_MS) / 1e9).toFixed(1),
        there.peakMb.toFixed(0)
      ])
      progress(`wan: ${rows.at(-1)!.join(', ')}`)
    }
  }
  await east.offsets.deleteTopics([EIGHT.topic, ONE.topic])
  return markdownTable(HEADER, rows)
}

/** In turn without the delay and with it; medians of either. */
async function nearAndFar(
  bed: Bed,
  contender: Contender,
  backlog: typeof EIGHT,
  { proxy, sites, rounds }: { proxy: ToxicProxy; sites: Sites; rounds: number }
): Promise<{ here: CopyFigures; there: CopyFigures }> {
  const here: CopyFigures[] = []
  const there: CopyFigures[] = []
  for (let round = 0; round < rounds; round++) {
    for (const [roundTripMs, figures] of [
      [0, here],
      [ROUND_TRIP_MS, there]
    ] as const) {
      await proxy.setRoundTrip(roundTripMs)
      figures.push(await copyBacklog(contender, backlog, sites, bed.newAlias()))
      const { recordsPerSecond, peakMb } = figures.at(-1)!
      bed.progress(
        `wan, ${contender.name}, ${backlog.partitions} partitions, ${roundTripMs} ms: ` +
          `${threeDigits(recordsPerSecond)} records/s, peak ${peakMb.toFixed(0)} MB`
      )
    }
  }
  return { here: medianOf(here), there: medianOf(there) }
}
