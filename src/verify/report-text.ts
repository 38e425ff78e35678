/** What a person reads at the end. */

import { inThousands } from '../terminal/amounts.ts'
import type { Difference } from './differences.ts'
import type { FlowReport, LocatedDifference } from './flow-report.ts'
import type { OffsetRun } from './offset-runs.ts'
import type { PartitionCounts } from './partition-comparison.ts'

/** The table, the notes, the first differences and the verdict of one flow. */
export function reportText(report: FlowReport): string {
  return [
    ...table(report),
    ...notes(report.totals),
    ...memoryLines(report),
    ...differenceLines(report),
    ...report.failures.map(({ topic, partition, message }) => `not compared: ${topic}-${partition}: ${message}`),
    verdictLine(report)
  ]
    .map(line => `${line}\n`)
    .join('')
}

const COLUMNS: readonly { readonly title: string; readonly count: keyof PartitionCounts }[] = [
  { title: 'RECORDS', count: 'sourceRecords' },
  { title: 'EQUAL', count: 'equal' },
  { title: 'MISSING', count: 'missing' },
  { title: 'DUPLICATED', count: 'duplicated' },
  { title: 'REORDERED', count: 'reordered' },
  { title: 'DIFFERENT', count: 'different' },
  { title: 'UNEXPECTED', count: 'unexpected' },
  { title: 'PENDING', count: 'pending' },
  { title: 'LOOPED', count: 'looped' }
]

function table({ topics, totals }: FlowReport): string[] {
  const rows = [
    ['TOPIC', ...COLUMNS.map(({ title }) => title)],
    ...topics.map(topic => [topic.topic, ...COLUMNS.map(({ count }) => inThousands(topic[count]))]),
    ...(topics.length > 1 ? [['total', ...COLUMNS.map(({ count }) => inThousands(totals[count]))]] : [])
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')
  )
}

const NOTES: readonly { readonly count: keyof PartitionCounts; readonly text: string }[] = [
  { count: 'destinationGone', text: 'records not compared: the destination has deleted their copies (retention)' },
  {
    count: 'beforeStart',
    text: 'records not compared: they are older than the first copy, and FARLOG_START is latest'
  },
  {
    count: 'compacted',
    text: 'records without a copy because the destination compacts and has a newer one of the key'
  },
  { count: 'unjudged', text: 'records without a copy that may or may not have been compacted away: too many keys' },
  { count: 'sourceGone', text: 'copies not compared: the source has deleted the records (retention or compaction)' },
  { count: 'changed', text: 'ranges of copies are not what they were when they were found equal' },
  { count: 'newer', text: 'copies of records written since the comparison began' },
  { count: 'foreign', text: "other writers' records at the destination" }
]

function notes(totals: Readonly<PartitionCounts>): string[] {
  return NOTES.filter(({ count }) => totals[count] > 0).map(
    ({ count, text }) => `${inThousands(totals[count])} ${text}`
  )
}

function memoryLines({ memory: { problem, partitions } }: FlowReport): string[] {
  const goneOn = partitions.filter(({ fromSourceOffset }) => fromSourceOffset !== null).length
  const anew = partitions.flatMap(({ topic, partition, anewBecause: reason }) =>
    reason === null || reason === 'nothing was remembered'
      ? []
      : [`${topic}-${partition} was read from its beginning: ${reason}`]
  )
  return [
    ...(goneOn > 0
      ? [
          `${goneOn} of ${partitions.length} partitions were read from where they were found equal before; --full reads all`
        ]
      : []),
    ...anew,
    ...(problem === null ? [] : [problem])
  ]
}

function differenceLines({ differences, areMoreDifferences }: FlowReport): string[] {
  return [
    ...differences.map(difference => differenceLine(difference)),
    ...(areMoreDifferences ? ['… and more; --limit shows as many as you like'] : [])
  ]
}

/** A difference with its place, as `farlog verify` prints it. */
export function differenceLine(difference: LocatedDifference): string {
  const { topic, partition, kind, fields, detail } = difference
  const what = fields === undefined ? kind : `${kind} ${fields.join(', ')}`
  return `${topic}-${partition} ${places(difference)}: ${what}${detail === undefined ? '' : ` (${detail})`}`
}

function places({ sourceOffsets, destinationOffsets }: Difference): string {
  const source = sourceOffsets.first < 0 ? undefined : `source offset ${range(sourceOffsets)}`
  const destination = destinationOffsets && `destination offset ${range(destinationOffsets)}`
  return [source, destination].filter(place => place !== undefined).join(', ')
}

function range({ first, last }: OffsetRun): string {
  return first === last ? String(first) : `${first} to ${last}`
}

function verdictLine({ source, destination, verdict, totals, differences }: FlowReport): string {
  const isOnlyBehind = verdict === 'DIFFERENT' && differences.length === 0
  const reason = isOnlyBehind ? ` (only because ${inThousands(totals.pending)} records are not mirrored yet)` : ''
  const compared = inThousands(totals.equal + totals.different)
  return `${source} → ${destination}: ${verdict}, ${compared} records compared${reason}`
}
