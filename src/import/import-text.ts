import { type Column, tableLines } from '../terminal/table.ts'
import type { ImportedPartition, ImportReport } from './import-flow.ts'

const COLUMNS: readonly Column[] = [
  { title: 'TOPIC', align: 'left', canShrink: true },
  { title: 'PARTITION', align: 'right' },
  { title: 'MM2 WOULD GO ON AT', align: 'right' },
  { title: 'FARLOG GOES ON AT', align: 'right' },
  { title: 'RESULT', align: 'left' },
  { title: 'DETAIL', align: 'left' }
]

/** What was found in each partition, and what was done about it, for a person. */
export function importText(report: ImportReport): string {
  const { source, destination, groupId, isCommitted, partitions } = report
  const rows = partitions.map(({ topic, partition, mirrorMakerNextOffset, nextSourceOffset, result, detail }) =>
    [topic, partition, mirrorMakerNextOffset ?? '-', nextSourceOffset ?? '-', result, detail].map(value => ({
      text: String(value)
    }))
  )
  const taken = count(partitions, 'exact') + count(partitions, 'position')
  const refused = count(partitions, 'refused')
  const lines = [
    `${source} → ${destination}`,
    ...(rows.length === 0 ? ['no topic of the source is selected'] : tableLines(COLUMNS, rows)),
    isCommitted
      ? `${partitionsOf(taken)} committed for group ${groupId}.`
      : taken > 0
        ? `Nothing committed (--dry-run): it would be ${partitionsOf(taken)} for group ${groupId}.`
        : 'Nothing to commit.'
  ]
  if (refused > 0) {
    lines.push(
      `${partitionsOf(refused)} refused. A worker has no progress of what was refused and starts it by FARLOG_START: leave it out ` +
        'by FARLOG_TOPICS_EXCLUDE, or take MirrorMaker 2’s position by --from-positions, before you start one.'
    )
  }
  return `${lines.join('\n')}\n`
}

function count(partitions: readonly ImportedPartition[], result: ImportedPartition['result']): number {
  return partitions.filter(partition => partition.result === result).length
}

function partitionsOf(count: number): string {
  return `${count} partition${count === 1 ? '' : 's'}`
}
