/** What a person reads of a failover. */
import type { PartitionLoss } from '../events/partition-loss.ts'
import { duration } from '../status/status-text.ts'
import { counted, inThousands } from '../terminal/amounts.ts'
import { type Column, tableLines } from '../terminal/table.ts'
import type { FailoverReport } from './failover.ts'
import type { GroupOutcome } from './move-groups.ts'

const LOSSES_MAX = 50
const GROUPS_MAX = 100

const LOSS_COLUMNS: readonly Column[] = [
  { title: 'TOPIC', align: 'left' },
  { title: 'PARTITION', align: 'right' },
  { title: 'LAST OFFSET', align: 'right' },
  { title: 'ITS TIMESTAMP', align: 'left' },
  { title: 'NEXT', align: 'right' },
  { title: 'SOURCE END', align: 'right' },
  { title: 'SEEN', align: 'left' },
  { title: 'LOST, AT MOST', align: 'right' },
  { title: 'TIME', align: 'right' }
]

const GROUP_COLUMNS: readonly Column[] = [
  { title: 'GROUP', align: 'left' },
  { title: 'PARTITIONS', align: 'right' },
  { title: 'OUTCOME', align: 'left' },
  { title: '', align: 'left' }
]

/** The loss report and the groups as tables, and in a sentence what it comes to. */
export function failoverText(report: FailoverReport): string {
  const { warnings, loss, groups } = report
  const lines = [
    ...warnings.map(warning => `! ${warning}`),
    ...(warnings.length === 0 ? [] : ['']),
    ...lossLines(loss.losses),
    lossSentence(report),
    ...groupLines(groups),
    ...(report.isDryRun ? ['', 'This was a dry run: nothing has been changed.'] : ['', wayBack(report)])
  ]
  return `${lines.join('\n')}\n`
}

/** Partitions that have lost nothing are only counted. */
function lossLines(losses: readonly PartitionLoss[]): string[] {
  const telling = losses
    .filter(({ lostRecordsMax }) => lostRecordsMax !== 0)
    .toSorted((a, b) => (b.lostRecordsMax ?? Number.POSITIVE_INFINITY) - (a.lostRecordsMax ?? Number.POSITIVE_INFINITY))
  if (telling.length === 0) return []
  const shown = telling.slice(0, LOSSES_MAX)
  const rows = shown.map(loss =>
    [
      loss.topic,
      String(loss.partition),
      known(loss.lastSourceOffset, inThousands),
      known(loss.lastTimestamp, time),
      known(loss.nextSourceOffset, inThousands),
      known(loss.sourceEndOffset, inThousands),
      known(loss.sourceSeenAt, time),
      known(loss.lostRecordsMax, inThousands),
      known(loss.lostSeconds, duration)
    ].map(text => ({ text }))
  )
  const hidden = telling.length - shown.length
  return [
    ...tableLines(LOSS_COLUMNS, rows),
    ...(hidden > 0 ? [`… and ${counted(hidden, 'partition')} more; --json and --report have them all`] : []),
    ''
  ]
}

function lossSentence({ source, destination, loss, isDryRun }: FailoverReport): string {
  const { partitions, partitionsWithLoss, lostRecordsMax, lostSeconds, unknownPartitions, lastContactAt } = loss
  if (partitions === 0) return `${destination} holds nothing of ${source}: nothing was mirrored.`
  const unknown =
    unknownPartitions === 0 ? '' : ` What ${source} had of ${counted(unknownPartitions, 'partition')} is not known.`
  const contact =
    lastContactAt === null
      ? ''
      : ` ${source} was last heard of at ${time(lastContactAt)}; what came to it later is in no report.`
  const would = isDryRun ? 'would be' : 'are'
  if (lostRecordsMax === 0) {
    return `Nothing that is known of ${would === 'are' ? 'is' : would} missing at ${destination}.${unknown}${contact}`
  }
  const seconds = lostSeconds === 0 ? '' : `, up to ${duration(lostSeconds)} old,`
  return (
    `At most ${counted(lostRecordsMax, 'record')}${seconds} ${would} missing at ${destination}, ` +
    `in ${inThousands(partitionsWithLoss)} of ${counted(partitions, 'partition')} (markers count too).${unknown}${contact}`
  )
}

/** The groups as a table. */
export function groupLines(groups: readonly GroupOutcome[]): string[] {
  if (groups.length === 0) return ['', 'No consumer group is known that had got anywhere.']
  const shown = groups.slice(0, GROUPS_MAX)
  const rows = shown.map(({ group, outcome, detail, offsets }) =>
    [group, String(offsets.length), outcome, detail ?? ''].map(text => ({ text }))
  )
  const hidden = groups.length - shown.length
  return [
    '',
    ...tableLines(GROUP_COLUMNS, rows),
    ...(hidden > 0 ? [`… and ${counted(hidden, 'group')} more; --json has them all`] : [])
  ]
}

function wayBack({ destination }: FailoverReport): string {
  return `Writers and readers can go to ${destination} now. \`farlog start\` lets workers mirror again.`
}

function known<Value>(value: Value | null, format: (value: Value) => string): string {
  return value === null ? '-' : format(value)
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
