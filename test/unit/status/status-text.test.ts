import assert from 'node:assert/strict'
import { stripVTControlCharacters } from 'node:util'
import { flowOverview, type PartitionRow, type Problem } from '../../../src/status/overview.ts'
import { duration, statusText, summaryLine } from '../../../src/status/status-text.ts'
import { behind, FLOW, row } from './support.ts'

const PLAIN = { isColoured: false, widthMax: Number.POSITIVE_INFINITY, linesMax: Number.POSITIVE_INFINITY }
const WEST_GONE = { cluster: 'west', code: 'UNREACHABLE', message: 'west (w:1) cannot be reached: refused' }
const EAST_GONE = { cluster: 'east', code: 'UNREACHABLE', message: 'east (e:1) cannot be reached: refused' }

function text(rows: readonly PartitionRow[], options: Partial<typeof PLAIN> = {}, problems: readonly Problem[] = []) {
  const overview = { observedAt: '', flows: [flowOverview({ ...FLOW, problems }, rows)] }
  return statusText(overview, { ...PLAIN, ...options })
}

function lastLine(rows: readonly PartitionRow[], problems: readonly Problem[] = []): string | undefined {
  return text(rows, {}, problems).trimEnd().split('\n').at(-1)
}

describe('statusText', () => {
  it('shows who, how much, each partition and what would be lost', () => {
    const rows = [
      row({ topic: 'payments', partition: 1 }),
      behind(1_234, 0.42, { sourceEndOffset: 50_000, etaSeconds: 90 })
    ]
    assert.deepEqual(text(rows).split('\n'), [
      'east → west   group farlog-east-west: 2 workers',
      '2 partitions: 1 behind, 1 mirrored; lag 1,234 records, 0.4 s, caught up in 1.5 min',
      '',
      'TOPIC     PARTITION  DESTINATION    SOURCE END  MIRRORED TO    LAG  LAG TIME      ETA  STATE',
      'orders            0  east.orders        50,000       -1,134  1,234     0.4 s  1.5 min  behind',
      'payments          1  east.payments         100          100      0       0 s        -  mirrored',
      '',
      'if east were lost now: 1,234 records, 0.4 s',
      ''
    ])
  })

  it('says by whom the flow was stopped, when and why', () => {
    const stopped = {
      id: 'a',
      stoppedBy: 'ops@laptop',
      stoppedAt: '2026-01-01T00:00:00.000Z',
      stopAt: null,
      reason: 'failover to west'
    }
    const shown = statusText({ observedAt: '', flows: [flowOverview({ ...FLOW, stopped }, [row()])] }, PLAIN)
    assert.match(shown, /^stopped by ops@laptop at 2026-01-01T00:00:00\.000Z: failover to west; nobody mirrors until/m)
  })

  it('says in words what would be lost, and how sure that is', () => {
    const unknown = row({ state: 'not started', lagRecords: null, lagSeconds: null })
    const upTo = behind(30, 2, { state: 'unreachable' })
    assert.equal(lastLine([row()]), 'if east were lost now: nothing would be lost')
    assert.equal(lastLine([behind(1, null)]), 'if east were lost now: 1 record')
    assert.equal(
      lastLine([behind(30, 2), unknown]),
      'if east were lost now: at least 30 records, 2.0 s; not known of 1 partition'
    )
    assert.equal(lastLine([upTo], [WEST_GONE]), 'if east were lost now: at most 30 records, 2.0 s')
    assert.equal(
      lastLine([upTo, upTo, unknown]),
      'if east were lost now: about 60 records, 2.0 s; not known of 1 partition'
    )
    assert.equal(lastLine([]), 'if east were lost now: nothing is mirrored')
  })

  it('says what is left when the source is gone', () => {
    const left = row({ state: 'unreachable', sourceEndOffset: null, lagRecords: null, lagSeconds: null })
    assert.match(lastLine([left], [EAST_GONE])!, /^if east is lost: west holds all below MIRRORED TO;/)
    assert.match(lastLine([], [EAST_GONE, WEST_GONE])!, /^if east is lost: not known/)
  })

  it('gives each cluster that is gone one line, and no other line about it', () => {
    const rows = [0, 1].map(partition => row({ partition, state: 'unreachable', detail: 'west cannot be reached' }))
    const shown = text(rows, {}, [WEST_GONE])
    assert.deepEqual(shown.match(/^.*cannot be reached.*$/gm), [WEST_GONE.message])
  })

  it('tells below the table what is wrong, each thing once and not without end', () => {
    const missing = (topic: string) => row({ topic, state: 'missing', detail: `east.${topic} is not there` })
    const same = text([missing('a'), { ...missing('a'), partition: 1 }])
    assert.deepEqual(same.match(/^missing: .*$/gm), ['missing: east.a is not there'])
    const many = text('abcdefg'.split('').map(missing))
    assert.equal(many.match(/^missing: /gm)!.length, 5)
    assert.match(many, /^… and 2 more of these; --json has them all$/m)
  })

  it('shows as many partitions as there is room for and counts the others', () => {
    const rows = Array.from({ length: 1_000 }, (_, partition) => row({ partition }))
    const lines = text(rows, { linesMax: 20 }).trimEnd().split('\n')
    assert.ok(lines.length <= 20, `${lines.length} lines`)
    assert.equal(lines.filter(line => line.endsWith('mirrored') && line.startsWith('orders')).length, 12)
    assert.ok(lines.includes('… and 988 partitions more, all mirrored; --all shows them, --topics fewer'))
    assert.equal(lines.at(-1), 'if east were lost now: nothing would be lost')
  })

  it('leaves the note out when everything fits', () => {
    const rows = Array.from({ length: 10 }, (_, partition) => row({ partition }))
    const everything = text(rows)
    const linesNeeded = everything.trimEnd().split('\n').length
    assert.equal(text(rows, { linesMax: linesNeeded + 1 }), everything)
    assert.match(text(rows, { linesMax: linesNeeded }), /^… and 2 partitions more/m)
  })

  it('keeps each line within the terminal', () => {
    const topic = `a-${'very-'.repeat(20)}long-name`
    for (const line of text([row({ topic })], { widthMax: 120 }).split('\n')) assert.ok(line.length <= 120, line)
  })

  it('leaves out columns that say less where there is no room, and the state never', () => {
    const rows = [behind(1_234_567, 86_000, { sourceEndOffset: 12_345_678_901, mirroredRecordsPerSecond: 98_765 })]
    const lines = text(rows, { widthMax: 79 }).split('\n')
    assert.ok(lines.every(({ length }) => length <= 79) || lines.findLast(({ length }) => length > 79) === lines[1])
    assert.equal(
      lines.find(line => line.startsWith('TOPIC')),
      'TOPIC   PARTITION      SOURCE END        LAG  LAG TIME  ETA  RECORDS/S  STATE'
    )
    assert.match(lines.find(line => line.startsWith('orders'))!, / {4}98,765 {2}behind$/)
  })

  it('shows the rates that a watched flow has, of each partition and of all', () => {
    const rated = { sourceRecordsPerSecond: 2_000.4, mirroredRecordsPerSecond: 1_500 }
    const shown = text([row(rated), row({ partition: 1, ...rated }), row({ partition: 2 })])
    assert.match(shown, /; 3,000 records\/s mirrored, 4,001 come in$/m)
    assert.match(shown, /ETA {2}RECORDS\/S {2}STATE\n/)
    assert.doesNotMatch(text([row()]), /RECORDS\/S|come in/)
  })

  it('draws ten thousand partitions within the window, those that need somebody first, in no time', () => {
    const rows = Array.from({ length: 10_000 }, (_, partition) =>
      partition === 7_777 ? row({ partition, state: 'gap', detail: 'gone' }) : row({ partition })
    )
    const startedAtMs = performance.now()
    const lines = text(rows, { linesMax: 40, widthMax: 120 }).trimEnd().split('\n')
    assert.ok(performance.now() - startedAtMs < 1_000)
    assert.ok(lines.length <= 40)
    assert.match(lines[4]!, /7777 .* gap$/)
    assert.ok(
      lines.some(line => /^… and 9,9\d\d partitions more, all mirrored/.test(line)),
      lines.join('\n')
    )
  })

  it('colours without changing a letter', () => {
    const rows = [row(), behind(3, 1), row({ state: 'gap', detail: 'source offsets 1 to 2 were deleted' })]
    const coloured = text(rows, { isColoured: true })
    assert.ok(coloured.includes('\x1b[31mgap\x1b'))
    assert.ok(coloured.includes('\x1b[32mmirrored\x1b'))
    assert.equal(stripVTControlCharacters(coloured), text(rows))
    assert.ok(!text(rows).includes('\x1b'))
  })
})

describe('summaryLine', () => {
  it('is the whole flow in one line', () => {
    assert.equal(
      summaryLine(flowOverview(FLOW, [behind(30, 2), row()])),
      'east → west: 2 partitions: 1 behind, 1 mirrored; lag 30 records, 2.0 s; if east were lost now: 30 records, 2.0 s'
    )
  })
})

describe('duration', () => {
  it('has the unit that a person would choose', () => {
    const shown = [0, 0.01, 0.44, 59, 90, 5_400, 172_800].map(duration)
    assert.deepEqual(shown, ['0 s', '0.1 s', '0.4 s', '59.0 s', '1.5 min', '1.5 h', '2.0 d'])
  })
})
