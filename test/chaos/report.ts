import type { ChaosResult } from './chaos-run.ts'
import { FOUND_KINDS, type FoundKind, nothingFound } from './checker/faults-found.ts'
import { FAULT_KINDS, type Fault } from './schedule.ts'

/** A fault as it is printed when it happens. */
export function faultLine(fault: Fault): string {
  const { kind, durationMs } = fault
  const duration = durationMs > 0 ? `, ${(durationMs / 1000).toFixed(1)} s` : ''
  return `${kind.padEnd(18)} ${targetText(fault)}${duration}`
}

function targetText(fault: Fault): string {
  switch (fault.kind) {
    case 'add partition':
      return fault.topic
    case 'lose progress':
      return 'of the group'
    case 'kill broker':
    case 'stop broker':
    case 'pause broker':
      return fault.side
    case 'kill worker':
    case 'stop worker':
    case 'pause worker':
    case 'add worker':
    case 'remove worker':
      return `worker ${fault.worker}`
    default: {
      const toxics = fault.toxics.map(({ stream, attributes }) => `${stream} ${JSON.stringify(attributes)}`)
      return [fault.side, ...toxics].join(' ')
    }
  }
}

/** The table at the end, and what was wrong. */
export function resultLines({
  faultsByKind,
  acknowledged,
  longestLagSeconds,
  verdicts,
  troubles
}: ChaosResult): string[] {
  const faults = [...faultsByKind.values()].reduce((sum, count) => sum + count, 0)
  const sum = (count: (verdict: (typeof verdicts)[number]) => number) =>
    verdicts.reduce((total, verdict) => total + count(verdict), 0)
  const found = Object.keys(nothingFound()) as FoundKind[]
  return [
    '',
    ...FAULT_KINDS.map(kind => row(kind, faultsByKind.get(kind) ?? 0)),
    row('faults', faults),
    '',
    row('acknowledged to the writers', acknowledged),
    row('partitions', verdicts.length),
    row(
      'records at the source',
      sum(({ sourceRecords }) => sourceRecords)
    ),
    row(
      'copies at the destination',
      sum(({ copies }) => copies)
    ),
    row(
      'taken by the cleaner on one side',
      sum(({ compacted }) => compacted)
    ),
    row('longest lag, seconds', Math.round(longestLagSeconds)),
    '',
    ...found.map(
      kind =>
        `${row(
          kind,
          sum(verdict => verdict.found[kind])
        )}   ${FOUND_KINDS[kind]}`
    ),
    row('other troubles', troubles.length),
    '',
    ...verdicts.flatMap(({ topic, partition, examples }) => examples.map(text => `${topic}-${partition}: ${text}`)),
    ...troubles
  ]
}

function row(name: string, count: number): string {
  return `${name.padEnd(38)}${count.toLocaleString('en-US').padStart(12)}`
}
