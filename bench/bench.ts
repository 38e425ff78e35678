/**
 * farlog beside what else copies Kafka topics, all on the same two brokers in one run.
 *
 *     make bench               all but the long cases, in 15 minutes; writes bench/results.md and bench/results.svg
 *     make bench CASE=lz4      one case alone; an unknown name lists them
 *
 * Rounds are interleaved (every contender once, then every contender again), figures are medians.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { measureWork, type WorkResult, worksChart, worksTable } from './cases/copy.ts'
import { measureIdle, measureThousand } from './cases/many.ts'
import { measureSoak } from './cases/soak.ts'
import { measureSteady } from './cases/steady.ts'
import { measureThreads } from './cases/threads.ts'
import { measureWan } from './cases/wan.ts'
import { WORKS } from './cases/works.ts'
import { type Bed, makeBed } from './support/bed.ts'

const TIME_BOX_MS = 15 * 60_000
/** What the first round of a work takes at most. */
const ROUND_MS = 60_000

interface Case {
  readonly name: string
  /** What it takes at most. */
  readonly ms: number
  /** Gives a table. */
  readonly measure: (bed: Bed) => Promise<string>
}

/** Beside the backlogs. */
const OTHER_CASES: readonly Case[] = [
  { name: 'steady', ms: 110_000, measure: measureSteady },
  { name: 'threads', ms: 70_000, measure: measureThreads },
  { name: 'thousand', ms: 110_000, measure: measureThousand }
]
/** Too long to be done together with all others. */
const LONG_CASES: readonly Case[] = [
  { name: 'idle', ms: 300_000, measure: measureIdle },
  { name: 'wan', ms: 360_000, measure: measureWan },
  { name: 'soak', ms: 660_000, measure: measureSoak }
]

const wanted = process.env.CASE ?? ''
const isWanted = ({ name }: { readonly name: string }) => wanted === '' || name === wanted
const works = WORKS.filter(isWanted)
const others = [...OTHER_CASES.filter(isWanted), ...LONG_CASES.filter(({ name }) => name === wanted)]
if (works.length + others.length === 0) {
  console.error(
    `There is no case ${wanted}; there are ${[...WORKS, ...OTHER_CASES, ...LONG_CASES].map(({ name }) => name).join(', ')}`
  )
  process.exit(2)
}

await using bed = await makeBed(TIME_BOX_MS)
const results: WorkResult[] = []
const tables: string[] = []
const othersMs = others.reduce((sum, { ms }) => sum + ms, 0)
for (const work of works) {
  const worksToComeMs = (works.length - works.indexOf(work) - 1) * ROUND_MS
  results.push(await measureWork(bed, work, wanted === '' ? worksToComeMs + othersMs : 0))
}
if (results.length > 0) tables.push(worksTable(results))
for (const { name, ms, measure } of others) {
  if (wanted === '' && bed.timeLeftMs() < ms) console.log(`No time left for ${name}: make bench CASE=${name}`)
  else tables.push(await measure(bed))
}

const report = [machine(), ...tables].join('\n\n')
console.log(`\n${report}`)
if (wanted === '') {
  writeFileSync(join(import.meta.dirname, 'results.md'), `${report}\n`)
  writeFileSync(join(import.meta.dirname, 'results.svg'), worksChart(results, machine()))
  console.log('\nWritten to bench/results.md and bench/results.svg')
}

function machine(): string {
  const model = cpus()[0]!.model.trim()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const pom = readFileSync(join(import.meta.dirname, '../test/support/kafka/pom.xml'), 'utf8')
  const kafka = /<kafka.version>(.*?)</.exec(pom)?.[1] ?? ''
  const linux = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim()
  const day = new Date().toISOString().slice(0, 10)
  return (
    `${cpus().length} cores (${model}) and ${gigabytes} GiB shared with both brokers, ` +
    `Linux ${linux}, Node ${process.version}, Kafka ${kafka}, ${day}`
  )
}
