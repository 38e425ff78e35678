/**
 * farlog beside what else copies Kafka topics, all on the same two brokers in one run.
 *
 *     make bench               all works, within 15 minutes; writes bench/results.md and bench/results.svg
 *     make bench CASE=lz4      one work alone (see bench/works.ts), or `steady`
 *
 * Rounds are interleaved (every contender once, then every contender again), figures are medians.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../test/support/kafka-cluster.ts'
import type { Contender } from './contenders/contender.ts'
import { farlog, floor, mirrorMaker, perRecord } from './contenders/contenders.ts'
import { type BarGroup, barChart } from './support/chart.ts'
import { type CopyFigures, copyBacklog, type Sites } from './support/copy-backlog.ts'
import { EndOffsets } from './support/end-offsets.ts'
import { writeLoad } from './support/load.ts'
import { followStream, type SteadyFigures } from './support/steady-stream.ts'
import { markdownTable, threeDigits } from './support/text-table.ts'
import { WORKS, type Work } from './works.ts'

const TIME_BOX_MS = 15 * 60_000
/** What a round and the steady stream take at most: begun only where that much time is left. */
const ROUND_MS = 75_000
const STEADY_MS = 110_000
const STEADY = 'steady'

interface WorkResult {
  readonly work: Work
  readonly figures: ReadonlyMap<Contender, CopyFigures>
}

const ONE_THREAD = farlog(1)
const TWO_THREADS = farlog(2)
/** The last two are measured in the first round only. */
const CONTENDERS: readonly Contender[] = [floor, ONE_THREAD, mirrorMaker, perRecord, TWO_THREADS]
const EVERY_ROUND = 3

const deadlineMs = performance.now() + TIME_BOX_MS
const wanted = process.env.CASE ?? ''
const works = WORKS.filter(({ name }) => wanted === '' || name === wanted)
if (works.length === 0 && wanted !== STEADY) {
  console.error(`There is no case ${wanted}; there are ${[...WORKS.map(({ name }) => name), STEADY].join(', ')}`)
  process.exit(2)
}

const broker = {
  heapMb: 1_024,
  jvmFlags: ['-XX:TieredStopAtLevel=4'],
  config: { 'log.segment.delete.delay.ms': '1000' }
}
await using east = await startKafka({ name: 'east', ...broker })
await using west = await startKafka({ name: 'west', ...broker })
await using source = new EndOffsets(east.bootstrap)
await using destination = new EndOffsets(west.bootstrap)
const sites: Sites = { sourceBootstrap: east.bootstrap, destinationBootstrap: west.bootstrap, destination }

let runs = 0
const results: WorkResult[] = []
for (const work of works) results.push(await measureWork(work))
const hasSteady = wanted === STEADY || (wanted === '' && timeLeftMs() > STEADY_MS)
const steady = hasSteady ? await measureSteady() : undefined

const report = reportText(results, steady)
console.log(`\n${report}`)
if (wanted === '') {
  writeFileSync(join(import.meta.dirname, 'results.md'), `${report}\n`)
  writeFileSync(join(import.meta.dirname, 'results.svg'), chart(results))
  console.log('\nWritten to bench/results.md and bench/results.svg')
}

async function measureWork(work: Work): Promise<WorkResult> {
  progress(`${work.description}: writing ${work.records.toLocaleString('en-US')} records`)
  await source.createTopic(work.name, work.partitions)
  await writeLoad({ ...work, bootstrap: east.bootstrap, topic: work.name })
  const seen = new Map<Contender, CopyFigures[]>()
  for (let round = 0; round < work.rounds; round++) {
    if (round > 0 && wanted === '' && timeLeftMs() < roundsLeftMs(work)) break
    for (const contender of CONTENDERS.slice(0, round === 0 ? CONTENDERS.length : EVERY_ROUND)) {
      const figures = await copyBacklog(contender, { ...work, topic: work.name }, sites, `b${runs++}`)
      seen.set(contender, [...(seen.get(contender) ?? []), figures])
      progress(
        `${work.name}, round ${round + 1}, ${contender.name}: ${threeDigits(figures.recordsPerSecond)} records/s, ` +
          `${figures.cpuSecondsPerMillion.toFixed(3)} CPU s per million, peak ${figures.peakMb.toFixed(0)} MB`
      )
    }
  }
  await source.deleteTopics([work.name])
  return { work, figures: new Map([...seen].map(([contender, runs]) => [contender, medians(runs)])) }
}

/** What the first rounds of the works still to come need, and this one's next round. */
function roundsLeftMs(work: Work): number {
  return (WORKS.length - WORKS.indexOf(work)) * ROUND_MS + STEADY_MS
}

async function measureSteady(): Promise<Map<Contender, SteadyFigures>> {
  const figures = new Map<Contender, SteadyFigures>()
  for (const contender of [ONE_THREAD, mirrorMaker, perRecord, floor]) {
    const topic = `${STEADY}${runs}`
    await source.createTopic(topic, 4)
    const seen = await followStream(contender, topic, 4, sites, `b${runs++}`)
    figures.set(contender, seen)
    progress(`${STEADY}, ${contender.name}: p50 ${seen.p50Ms.toFixed(1)} ms, p99 ${seen.p99Ms.toFixed(1)} ms`)
    await source.deleteTopics([topic])
  }
  return figures
}

function reportText(all: readonly WorkResult[], steady: ReadonlyMap<Contender, SteadyFigures> | undefined): string {
  const parts: string[] = [`${machine()}`]
  if (all.length > 0) {
    const rows = all.flatMap(({ work, figures }) =>
      [...figures].map(([contender, own], index) => {
        const perMillion = own.cpuSecondsPerMillion
        const times = (other: Contender) => {
          const reference = figures.get(other)
          return reference === undefined ? '' : (reference.cpuSecondsPerMillion / perMillion).toFixed(1)
        }
        const megabytes = (own.recordsPerSecond * work.valueBytes) / 1e6
        return [
          index === 0 ? work.description : '',
          contender.name,
          threeDigits(own.recordsPerSecond),
          threeDigits(megabytes),
          threeDigits(perMillion),
          times(mirrorMaker),
          (1 / Number(times(floor) || 1)).toFixed(1),
          own.peakMb.toFixed(0)
        ]
      })
    )
    parts.push(
      markdownTable(
        ['work', 'mirror', 'records/s', 'MB/s', 'CPU s per million', '× MirrorMaker 2', 'CPU, floors', 'peak MB'],
        rows
      )
    )
  }
  if (steady !== undefined) {
    const rows = [...steady].map(([{ name }, own]) => [
      name,
      own.p50Ms.toFixed(1),
      own.p99Ms.toFixed(1),
      own.p999Ms.toFixed(1),
      `${(own.cores * 100).toFixed(1)} %`,
      own.residentMb.toFixed(0)
    ])
    parts.push(
      markdownTable(['20,000 records/s of 1 kB', 'p50 ms', 'p99 ms', 'p99.9 ms', 'of a core', 'resident MB'], rows)
    )
  }
  return parts.join('\n\n')
}

function chart(all: readonly WorkResult[]): string {
  const groups: BarGroup[] = all.map(({ work, figures }) => ({
    title: work.description,
    bars: [ONE_THREAD, perRecord, mirrorMaker].flatMap(contender => {
      const own = figures.get(contender)
      const reference = figures.get(mirrorMaker)
      if (own === undefined || reference === undefined) return []
      return [
        {
          label: contender.name,
          ratio: reference.cpuSecondsPerMillion / own.cpuSecondsPerMillion,
          isOurs: contender === ONE_THREAD
        }
      ]
    })
  }))
  return barChart('Records copied per CPU second, MirrorMaker 2 = 1', machine(), groups)
}

function machine(): string {
  const model = cpus()[0]!.model.trim()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const kafka = /<kafka.version>(.*?)</.exec(
    readFileSync(join(import.meta.dirname, '../test/support/kafka/pom.xml'), 'utf8')
  )
  const linux = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim()
  const day = new Date().toISOString().slice(0, 10)
  return `${cpus().length} cores (${model}) and ${gigabytes} GiB shared with both brokers, Linux ${linux}, Node ${process.version}, Kafka ${kafka?.[1] ?? ''}, ${day}`
}

function medians(runs: readonly CopyFigures[]): CopyFigures {
  const of = (pick: (figures: CopyFigures) => number) => {
    const sorted = runs.map(pick).toSorted((a, b) => a - b)
    const middle = Math.floor(sorted.length / 2)
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  }
  return {
    recordsPerSecond: of(figures => figures.recordsPerSecond),
    cpuSecondsPerMillion: of(figures => figures.cpuSecondsPerMillion),
    peakMb: of(figures => figures.peakMb)
  }
}

function timeLeftMs(): number {
  return deadlineMs - performance.now()
}

function progress(line: string): void {
  const elapsed = Math.round((TIME_BOX_MS - timeLeftMs()) / 1000)
  console.log(`${String(Math.floor(elapsed / 60)).padStart(3)}:${String(elapsed % 60).padStart(2, '0')}  ${line}`)
}
