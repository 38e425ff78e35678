import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bed, Site } from './bed.ts'
import type { PartitionVerdict } from './checker/compare-partition.ts'
import type { WrittenBook } from './checker/written.ts'
import type { Workers } from './workers.ts'
import type { Writers } from './writers.ts'

export interface Evidence {
  readonly seed: number
  readonly journal: readonly string[]
  readonly bed: Bed
  readonly workers: Workers
  readonly writers: Writers
  readonly books: readonly WrittenBook[]
  readonly verdicts: readonly PartitionVerdict[]
  readonly verification: string
  readonly troubles: readonly string[]
}

/** Leaves what an analysis needs in a folder, before brokers and workers are gone with their own: returns the folder. */
export function keepEvidence(evidence: Evidence): string {
  const { seed, journal, bed, workers, writers, books, verdicts, verification, troubles } = evidence
  const dir = mkdtempSync(join(tmpdir(), `farlog-chaos-failed-${seed}-`))
  const write = (name: string, lines: readonly string[]) => writeFileSync(join(dir, name), `${lines.join('\n')}\n`)
  write('journal.log', journal)
  write('troubles.log', troubles)
  write('writers.log', writers.complaints)
  write('books.json', [JSON.stringify(books)])
  write('verdicts.json', [JSON.stringify(verdicts, null, 2)])
  write('verify.json', [verification])
  for (const { name, process } of workers.lives) {
    write(`${name.replaceAll(/[ ,]+/g, '-')}.log`, [
      `pid ${process.pid}`,
      ...process.logs.map(line => JSON.stringify(line)),
      ...process.otherOutput
    ])
  }
  const { source, destination } = bed.sites
  for (const site of [source, destination]) {
    mkdirSync(join(dir, site.alias))
    writeFileSync(join(dir, site.alias, 'broker.log'), site.broker.log())
  }
  for (const { topic, partition, examples } of verdicts) {
    if (examples.length === 0) continue
    copyPartition(source, `${topic}-${partition}`, dir)
    copyPartition(destination, `${source.alias}.${topic}-${partition}`, dir)
  }
  return dir
}

/** The segments, for `kafka.tools.DumpLogSegments`. */
function copyPartition({ alias, kafka }: Site, folder: string, dir: string): void {
  cpSync(join(kafka.dir, 'broker-1/data', folder), join(dir, alias, folder), { recursive: true })
}
