/** Backlogs of several kinds, copied by everyone in turn. */
import type { Contender } from '../contenders/contender.ts'
import { farlog, floor, mirrorMaker, perRecord } from '../contenders/contenders.ts'
import type { Bed } from '../support/bed.ts'
import { type BarGroup, barChart } from '../support/chart.ts'
import { type CopyFigures, copyBacklog, medianOf } from '../support/copy-backlog.ts'
import { writeLoad } from '../support/load.ts'
import { markdownTable, threeDigits } from '../support/text-table.ts'
import type { Work } from './works.ts'

export interface WorkResult {
  readonly work: Work
  readonly figures: ReadonlyMap<Contender, CopyFigures>
}

const ONE_THREAD = farlog(1)
const TWO_THREADS = farlog(2)
/** In the order of the table. */
const CONTENDERS: readonly Contender[] = [floor, ONE_THREAD, mirrorMaker, perRecord, TWO_THREADS]
/** One that nobody is compared with comes first: meanwhile the brokers compile what the work asks of them. */
const FIRST_ROUND: readonly Contender[] = [perRecord, floor, ONE_THREAD, mirrorMaker, TWO_THREADS]
const LATER_ROUNDS: readonly Contender[] = [floor, ONE_THREAD, mirrorMaker]

/** One work. @param laterMs what must be left of the time for what comes after it; further rounds are left out for that */
export async function measureWork(bed: Bed, work: Work, laterMs: number): Promise<WorkResult> {
  const { east, near, progress } = bed
  progress(`${work.description}: writing ${work.records.toLocaleString('en-US')} records`)
  await east.admin.createTopic(work.name, work.partitions)
  await writeLoad({ ...work, bootstrap: east.bootstrap, topic: work.name })
  const seen = new Map<Contender, CopyFigures[]>()
  const beganMs = bed.timeLeftMs()
  for (let round = 0; round < work.rounds; round++) {
    const firstRoundMs = beganMs - bed.timeLeftMs()
    if (round > 0 && bed.timeLeftMs() < laterMs + firstRoundMs) break
    for (const contender of round === 0 ? FIRST_ROUND : LATER_ROUNDS) {
      const figures = await copyBacklog(contender, { ...work, topic: work.name }, near, bed.newAlias())
      seen.set(contender, [...(seen.get(contender) ?? []), figures])
      progress(
        `${work.name}, round ${round + 1}, ${contender.name}: ${threeDigits(figures.recordsPerSecond)} records/s, ` +
          `${figures.cpuSecondsPerMillion.toFixed(3)} CPU s per million, peak ${figures.peakMb.toFixed(0)} MB`
      )
    }
  }
  await east.offsets.deleteTopics([work.name])
  return { work, figures: new Map(CONTENDERS.map(contender => [contender, medianOf(seen.get(contender)!)])) }
}

export function worksTable(all: readonly WorkResult[]): string {
  const rows = all.flatMap(({ work, figures }) =>
    [...figures].map(([contender, own], index) => {
      const perMillion = own.cpuSecondsPerMillion
      const mirrorMakerSeconds = figures.get(mirrorMaker)?.cpuSecondsPerMillion
      const floorSeconds = figures.get(floor)?.cpuSecondsPerMillion
      const megabytes = (own.recordsPerSecond * work.valueBytes) / 1e6
      return [
        index === 0 ? work.description : '',
        contender.name,
        threeDigits(own.recordsPerSecond),
        threeDigits(megabytes),
        threeDigits(perMillion),
        mirrorMakerSeconds === undefined ? '' : (mirrorMakerSeconds / perMillion).toFixed(1),
        floorSeconds === undefined ? '' : (perMillion / floorSeconds).toFixed(1),
        own.peakMb.toFixed(0)
      ]
    })
  )
  return markdownTable(
    ['work', 'mirror', 'records/s', 'MB/s', 'CPU s per million', '× MirrorMaker 2', 'CPU, floors', 'peak MB'],
    rows
  )
}

export function worksChart(all: readonly WorkResult[], machine: string): string {
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
  return barChart('Records copied per CPU second, MirrorMaker 2 = 1', machine, groups)
}
