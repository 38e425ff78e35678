/** What a person reads of a failback. */
import { inThousands } from '../terminal/amounts.ts'
import { type Column, tableLines } from '../terminal/table.ts'
import type { FailbackReport } from './failback-report.ts'
import type { LostRange } from './lost-records.ts'

const RANGES_MAX = 50

const COLUMNS: readonly Column[] = [
  { title: 'TOPIC', align: 'left' },
  { title: 'PARTITION', align: 'right' },
  { title: 'CROSSED TO', align: 'right' },
  { title: 'RECORDS', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: 'REPORTED, AT MOST', align: 'right' },
  { title: 'FIRST', align: 'left' },
  { title: 'LAST', align: 'left' }
]

/** What exists only at the old source, and what becomes of it. */
export function failbackText(report: FailbackReport): string {
  const { source, destination, warnings, lost, isDryRun } = report
  const holding = lost.partitions.filter(({ records }) => records > 0).toSorted((a, b) => b.records - a.records)
  const hidden = holding.length - RANGES_MAX
  const lines = [
    ...warnings.map(warning => `! ${warning}`),
    ...(warnings.length === 0 ? [] : ['']),
    ...(holding.length === 0 ? [] : tableLines(COLUMNS, holding.slice(0, RANGES_MAX).map(row))),
    ...(hidden > 0 ? [`… and ${hidden} partitions more; --json has them all`] : []),
    ...(holding.length === 0 ? [] : ['']),
    holding.length === 0
      ? `${source} holds nothing that is not at ${destination}.`
      : `${inThousands(lost.records)} records (${inThousands(lost.bytes)} bytes) exist only at ${source}. ${fate(report)}`,
    isDryRun
      ? 'This was a dry run: nothing has been changed.'
      : `${destination} → ${source} brings back what was written since; farlog switchover moves everybody once it has caught up.`
  ]
  return `${lines.join('\n')}\n`
}

function fate({ source, destination, lost }: FailbackReport): string {
  return lost.decision === 'skip'
    ? `They stay there: ${source} → ${destination} will go on behind them.`
    : `${source} → ${destination} will mirror them, late, once farlog start lets it run.`
}

function row({ topic, partition, divergenceOffset, records, bytes, reportedMax, ...times }: LostRange) {
  return [
    topic,
    String(partition),
    inThousands(divergenceOffset),
    inThousands(records),
    inThousands(bytes),
    reportedMax === null ? '-' : inThousands(reportedMax),
    time(times.firstTimestamp),
    time(times.lastTimestamp)
  ].map(text => ({ text }))
}

/** Producers set it at will. */
function time(ms: number | null): string {
  const date = new Date(ms ?? Number.NaN)
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString()
}
