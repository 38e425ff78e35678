import type { ProduceResult } from '../support/produce.ts'
import type { MirrorWatch } from './mirror-watch.ts'
import { aligned, inThousands } from './screen.ts'
import type { DemoTopic } from './topics.ts'
import type { Verification } from './verify.ts'

/** Everything the demo has measured. */
export interface Measured {
  readonly topics: readonly DemoTopic[]
  readonly produced: ProduceResult
  readonly watch: MirrorWatch
  readonly verification: Verification
}

/** A row per topic and one for all of them. */
export function resultTable({ topics, produced, watch, verification }: Measured): string[] {
  const { totals } = verification.flow
  return aligned(
    [
      ['TOPIC', 'CODEC', 'RECORDS', 'RATE/S', 'MAX LAG', 'EQUAL', 'MISSING', 'DUPLICATED'],
      ...topics.map(({ name, compression }) => {
        const { recordsPerSecond, peakLagRecords } = watch.summary(name)
        const measured = [writtenTo(produced, name), recordsPerSecond, peakLagRecords]
        return [name, compression, ...measured.map(inThousands), ...judged(verification, name)]
      }),
      [
        'total',
        '',
        ...[produced.records, watch.total.recordsPerSecond, watch.total.peakLagRecords].map(inThousands),
        ...[totals.equal, totals.missing, totals.duplicated].map(inThousands)
      ]
    ],
    2
  )
}

/** What keeps the copy from being what it should be: nothing, where all is well. */
export function faults({ topics, produced, verification }: Measured): string[] {
  const { verdict, exitCode, flow } = verification
  const found: string[] = []
  if (verdict !== 'identical' || exitCode !== 0) found.push(`farlog verify says: ${verdict} (exit code ${exitCode})`)
  for (const { name } of topics) {
    const written = writtenTo(produced, name)
    const equal = flow.topics.find(({ topic }) => topic === name)?.equal ?? 0
    if (equal !== written) {
      found.push(
        `${name}: ${inThousands(written)} records were acknowledged at the source, ${inThousands(equal)} are equal at the destination`
      )
    }
  }
  for (const { topic, partition, kind, sourceOffsets } of flow.differences.slice(0, SHOWN_DIFFERENCES)) {
    found.push(`${topic}-${partition} from source offset ${sourceOffsets.first}: ${kind}`)
  }
  for (const { topic, partition, message } of flow.failures)
    found.push(`${topic}-${partition} not compared: ${message}`)
  return found
}

const SHOWN_DIFFERENCES = 10

function judged({ flow }: Verification, name: string): string[] {
  const report = flow.topics.find(({ topic }) => topic === name)
  if (report === undefined) return ['not there', '', '']
  return [report.equal, report.missing, report.duplicated].map(inThousands)
}

function writtenTo({ partitions }: ProduceResult, name: string): number {
  return partitions.filter(({ topic }) => topic === name).reduce((sum, { records }) => sum + records, 0)
}
