/** What a person reads. */
import { styleText } from 'node:util'
import type { StopStatus } from '../observe/status.ts'
import { counted, inThousands } from '../terminal/amounts.ts'
import { type Cell, type Column, tableLines } from '../terminal/table.ts'
import {
  type FlowOverview,
  MIRROR_STATES,
  type MirrorState,
  type Overview,
  type PartitionRow,
  type Totals
} from './overview.ts'

export interface TextOptions {
  readonly isColoured: boolean
  /** Longest line. */
  readonly widthMax: number
  /** Lines there is room for; partitions that do not fit are counted instead. Those that need somebody come first. */
  readonly linesMax: number
}

/** Of each flow: who, how much, the table, what is wrong with some, and what would be lost. */
export function statusText({ flows }: Overview, options: TextOptions): string {
  const linesMax = Math.floor(options.linesMax / flows.length) - 1
  return `${flows.map(flow => flowLines(flow, { ...options, linesMax }).join('\n')).join('\n\n')}\n`
}

/** A flow in one line, for logs. */
export function summaryLine(flow: FlowOverview): string {
  return `${nameOf(flow)}: ${totalsText(flow)}; ${exposureText(flow)}`
}

/** Shown however little room there is. */
const ROWS_MIN = 1
/** Sentences shown below the table: more would push it off the screen, and mostly they say the same. */
const DETAILS_MAX = 5

const EVENTS_MAX = 5

/** A column and what stands in it. */
interface Field {
  readonly column: Column
  cell(row: PartitionRow, style: Style): Cell
  /** The first to go where the window is too narrow; what has none stays. */
  readonly goes?: number
}

const FIELDS: readonly Field[] = [
  { column: { title: 'TOPIC', align: 'left', canShrink: true }, cell: ({ topic }) => ({ text: topic }) },
  { column: { title: 'PARTITION', align: 'right' }, cell: ({ partition }) => ({ text: String(partition) }) },
  {
    column: { title: 'DESTINATION', align: 'left', canShrink: true },
    cell: ({ destinationTopic }) => ({ text: destinationTopic }),
    goes: 1
  },
  numberField('SOURCE END', ({ sourceEndOffset }) => known(inThousands)(sourceEndOffset), 3),
  numberField('MIRRORED TO', ({ nextSourceOffset }) => known(inThousands)(nextSourceOffset), 2),
  numberField('LAG', ({ lagRecords }) => known(inThousands)(lagRecords)),
  numberField('LAG TIME', ({ lagSeconds }) => known(duration)(lagSeconds)),
  numberField('ETA', ({ lagRecords, etaSeconds }) => known(duration)(lagRecords === 0 ? null : etaSeconds), 5),
  {
    column: { title: 'STATE', align: 'left' },
    cell: ({ state }, style) => ({ text: state, style: text => style(STYLES[state], text) })
  }
]
/** Beside these where the flow is watched: a single look knows no rates. */
const RATE = numberField('RECORDS/S', row => known(wholeThousands)(row.mirroredRecordsPerSecond), 4)

function numberField(title: string, textOf: (row: PartitionRow) => string, goes?: number): Field {
  const cell = (row: PartitionRow): Cell => ({ text: textOf(row) })
  return { column: { title, align: 'right' }, cell, ...(goes === undefined ? {} : { goes }) }
}

const STYLES: Record<MirrorState, Parameters<typeof styleText>[0]> = {
  diverged: 'red',
  recreated: 'red',
  gap: 'red',
  missing: 'red',
  unreachable: 'red',
  'not started': 'yellow',
  behind: 'yellow',
  mirrored: 'green'
}

function flowLines(flow: FlowOverview, options: TextOptions): string[] {
  const style = styler(options.isColoured)
  const head = [
    `${style('bold', nameOf(flow))}   ${groupText(flow)}`,
    ...flow.problems.map(({ message }) => style('red', message)),
    ...(flow.stopped === null ? [] : [style('yellow', stoppedText(flow.stopped))]),
    totalsText(flow)
  ]
  const foot = [...detailLines(flow), ...eventLines(flow), '', style('bold', exposureText(flow))]
  if (flow.partitions.length === 0) return [...head, ...foot]
  const linesForTable = options.linesMax - head.length - foot.length - 1
  return [...head, '', ...partitionLines(flow.partitions, { ...options, linesMax: linesForTable }), ...foot]
}

/** The table, and how much of it there is no room for. */
function partitionLines(rows: readonly PartitionRow[], { isColoured, widthMax, linesMax }: TextOptions): string[] {
  const style = styler(isColoured)
  const fits = rows.length + 1 <= linesMax
  const shown = fits ? rows : rows.slice(0, Math.max(linesMax - 2, ROWS_MIN))
  const isRated = rows.some(({ mirroredRecordsPerSecond }) => mirroredRecordsPerSecond !== null)
  const table = fittingTable(isRated ? FIELDS.toSpliced(-1, 0, RATE) : FIELDS, shown, style, widthMax)
  return [...table, ...hiddenNote(rows.slice(shown.length))]
}

/** Columns that say less go where there is no room for all: the state, at the right, must not be cut off. */
function fittingTable(
  fields: readonly Field[],
  rows: readonly PartitionRow[],
  style: Style,
  widthMax: number
): string[] {
  const columns = fields.map(({ column }) => column)
  const layOut = (styled: Style) =>
    tableLines(
      columns,
      rows.map(row => fields.map(({ cell }) => cell(row, styled))),
      widthMax
    )
  const isTooWide = layOut((_, text) => text).some(({ length }) => length > widthMax)
  const [first] = fields.filter(({ goes }) => goes !== undefined).toSorted((a, b) => a.goes! - b.goes!)
  if (!isTooWide || first === undefined) return layOut(style)
  return fittingTable(
    fields.filter(field => field !== first),
    rows,
    style,
    widthMax
  )
}

type Style = (format: Parameters<typeof styleText>[0], text: string) => string

/** What NO_COLOR and the terminal say has been decided by the caller. */
function styler(isColoured: boolean): Style {
  return isColoured ? (format, text) => styleText(format, text, { validateStream: false }) : (_, text) => text
}

function nameOf({ source, destination }: FlowOverview): string {
  return `${source} → ${destination}`
}

function groupText({ groupId, workers }: FlowOverview): string {
  if (workers === null) return `group ${groupId}`
  return `group ${groupId}: ${workers === 0 ? 'no worker running' : counted(workers, 'worker')}`
}

function stoppedText({ stoppedBy, stoppedAt, stopAt, reason }: StopStatus): string {
  if (stopAt !== null) {
    return `to stand still at what came to the source from ${stopAt} on, ordered by ${stoppedBy} at ${stoppedAt}: ${reason}`
  }
  return `stopped by ${stoppedBy} at ${stoppedAt}: ${reason}; nobody mirrors until \`farlog start\``
}

function totalsText({ totals, problems }: FlowOverview): string {
  if (totals.partitions === 0) return problems.length === 0 ? 'no topic is selected' : 'no partition can be listed'
  const states = MIRROR_STATES.filter(state => totals.states[state] > 0).map(
    state => `${inThousands(totals.states[state])} ${state}`
  )
  return `${counted(totals.partitions, 'partition')}: ${states.join(', ')}${lagText(totals)}${rateText(totals)}`
}

function rateText({ sourceRecordsPerSecond, mirroredRecordsPerSecond }: Totals): string {
  if (sourceRecordsPerSecond === null || mirroredRecordsPerSecond === null) return ''
  return `; ${wholeThousands(mirroredRecordsPerSecond)} records/s mirrored, ${wholeThousands(sourceRecordsPerSecond)} come in`
}

function lagText(totals: Totals): string {
  const { lagRecords, lagSeconds, etaSeconds } = totals
  if (lagRecords === 0) return ''
  const eta = etaSeconds === null ? '' : `, caught up in ${duration(etaSeconds)}`
  return `; lag ${boundOf(totals)}${amount(lagRecords, lagSeconds)}${eta}`
}

function wholeThousands(number: number): string {
  return inThousands(Math.round(number))
}

function known(format: (value: number) => string): (value: number | null) => string {
  return value => (value === null ? '-' : format(value))
}

function hiddenNote(hidden: readonly PartitionRow[]): string[] {
  if (hidden.length === 0) return []
  const states = MIRROR_STATES.filter(state => hidden.some(row => row.state === state))
  const which = states.length === 1 ? `, all ${states[0]}` : ''
  return [`… and ${counted(hidden.length, 'partition')} more${which}; --all shows them, --topics fewer`]
}

/** A cluster that can't be reached has its line already. */
function detailLines({ partitions, problems }: FlowOverview): string[] {
  const told = problems.length === 0 ? partitions : partitions.filter(({ state }) => state !== 'unreachable')
  const details = new Set(told.flatMap(({ state, detail }) => (detail === null ? [] : [`${state}: ${detail}`])))
  const hidden = details.size - DETAILS_MAX
  return [
    ...[...details].slice(0, DETAILS_MAX),
    ...(hidden > 0 ? [`… and ${inThousands(hidden)} more of these; --json has them all`] : [])
  ]
}

function eventLines({ events }: FlowOverview): string[] {
  if (events === null || events.length === 0) return []
  const shown = events.slice(0, EVENTS_MAX)
  const hidden = events.length - shown.length
  return [
    '',
    'lately at the source:',
    ...shown.map(
      ({ observedAt, topic, partition, kind, action, firstOffset, nextOffset }) =>
        `  ${observedAt}  ${topic}-${partition}  ${kind.toLowerCase()} ${action.toLowerCase()}, ` +
        (firstOffset === nextOffset ? `offset ${firstOffset}` : `offsets ${firstOffset} to ${nextOffset}`)
    ),
    ...(hidden > 0 ? [`  … and ${inThousands(hidden)} more; --json has the last ones`] : [])
  ]
}

/** The answer to the question that status is mostly asked for. */
function exposureText({ source, destination, totals, exposure, problems }: FlowOverview): string {
  if (problems.some(({ cluster }) => cluster === source)) {
    return totals.partitions === 0
      ? `if ${source} is lost: not known, because neither cluster tells`
      : `if ${source} is lost: ${destination} holds all below MIRRORED TO; what ${source} had beyond that is not known`
  }
  const ifLost = `if ${source} were lost now`
  if (totals.partitions === 0) return `${ifLost}: nothing is mirrored`
  if (exposure.records === null) {
    const { lagRecords, lagSeconds, unknownPartitions } = totals
    const because = unknownPartitions === 0 ? '' : `; not known of ${counted(unknownPartitions, 'partition')}`
    return `${ifLost}: ${boundOf(totals)}${amount(lagRecords, lagSeconds)}${because}`
  }
  if (exposure.records === 0) return `${ifLost}: nothing would be lost`
  return `${ifLost}: ${amount(exposure.records, exposure.seconds ?? 0)}`
}

/** A side that can't be asked may have got further than what is known of it; what is not known at all is left out. */
function boundOf({ states, unknownPartitions }: Totals): string {
  if (unknownPartitions === 0) return states.unreachable === 0 ? '' : 'at most '
  return states.unreachable <= unknownPartitions ? 'at least ' : 'about '
}

/** Without the time where it is not known. */
function amount(records: number, seconds: number): string {
  return seconds === 0 ? counted(records, 'record') : `${counted(records, 'record')}, ${duration(seconds)}`
}

/** In the unit that leaves one to three digits. */
export function duration(seconds: number): string {
  if (seconds === 0) return '0 s'
  if (seconds < 60) return `${Math.max(seconds, 0.1).toFixed(1)} s`
  if (seconds < 3_600) return `${(seconds / 60).toFixed(1)} min`
  if (seconds < 48 * 3_600) return `${(seconds / 3_600).toFixed(1)} h`
  return `${(seconds / 86_400).toFixed(1)} d`
}
