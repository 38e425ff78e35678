import assert from 'node:assert/strict'
import type { QuotaEntry } from '../../../src/cluster/cluster-questions.ts'
import { checkBuffers } from '../../../src/doctor/buffers.ts'
import { certainDifferenceMs, clockOffset } from '../../../src/doctor/clock.ts'
import { examination, type Finding } from '../../../src/doctor/finding.ts'
import { findingLine, verdictLine } from '../../../src/doctor/finding-text.ts'
import { releaseOf } from '../../../src/doctor/kafka-release.ts'
import { checkLag } from '../../../src/doctor/lag-check.ts'
import { checkMachine, descriptorsMax } from '../../../src/doctor/machine.ts'
import { quotasInForce } from '../../../src/doctor/quotas.ts'
import { flowOverview, type PartitionRow } from '../../../src/status/overview.ts'
import { behind, FLOW, row } from '../status/support.ts'

function collect(check: (tell: (finding: Finding) => void) => void): Finding[] {
  const findings: Finding[] = []
  check(finding => findings.push(finding))
  return findings
}

describe('the clock of a cluster', () => {
  it('is as far away as it must be at least, whatever time the question took', () => {
    const difference = (theirsMs: number) =>
      certainDifferenceMs(clockOffset({ theirsMs, askedAtMs: 10_000, answeredAtMs: 10_400 }))
    assert.equal(difference(10_200), 0)
    assert.equal(difference(10_000), 0)
    assert.equal(difference(10_400), 0)
    assert.equal(difference(12_400), 2_000)
    assert.equal(difference(7_000), -3_000)
  })
})

describe('quotasInForce', () => {
  const entry = (user: string | null | undefined, clientId: string | null | undefined, rate: number): QuotaEntry => ({
    user,
    clientId,
    values: new Map([['producer_byte_rate', rate]])
  })

  it('takes the user’s own before the default user’s before that of client ids, and nobody else’s', () => {
    const all = [
      entry(undefined, null, 6),
      entry(null, undefined, 5),
      entry(null, null, 4),
      entry('farlog', undefined, 3),
      entry('farlog', null, 2),
      entry('other', undefined, 1),
      entry(undefined, 'some-client', 1)
    ]
    const inForce = (entries: readonly QuotaEntry[], user: string | undefined) =>
      quotasInForce(entries, user).get('producer_byte_rate')
    assert.equal(inForce(all, 'farlog'), 2)
    assert.equal(inForce(all.slice(0, 4), 'farlog'), 3)
    assert.equal(inForce(all, 'somebody'), 4)
    assert.equal(inForce(all.slice(0, 2), 'somebody'), 5)
    assert.equal(inForce(all, undefined), 4)
    assert.equal(inForce(all.slice(0, 1), 'farlog'), 6)
    assert.equal(inForce(all.slice(5), 'farlog'), undefined)
  })

  it('looks for each limit by itself', () => {
    const users: QuotaEntry = { user: 'farlog', clientId: undefined, values: new Map([['request_percentage', 50]]) }
    assert.deepEqual(
      quotasInForce([entry(null, undefined, 5), users], 'farlog'),
      new Map([
        ['request_percentage', 50],
        ['producer_byte_rate', 5]
      ])
    )
  })
})

describe('checkBuffers', () => {
  const facts = { alias: 'east', role: 'source', settings: undefined, kernelBytesMax: undefined } as const

  it('warns of a window that is too small for the round trip, and says how large it has to be', () => {
    const settings = new Map([['socket.send.buffer.bytes', '102400']])
    const [finding] = collect(tell => checkBuffers({ ...facts, roundTripMs: 50, settings, kernelBytesMax: 6e6 }, tell))
    assert.equal(finding?.level, 'warning')
    assert.match(finding.message, /no more than 2\.0 MB\/s come through a connection$/)
    assert.match(finding.remedy!, /\(1221 KiB let 25 MB\/s through\)$/)
  })

  it('is content with next door, with what the system adapts, and skips what nobody tells', () => {
    const level = (changed: object) =>
      collect(tell => checkBuffers({ ...facts, roundTripMs: 50, ...changed }, tell))[0]?.level
    assert.equal(level({ roundTripMs: 0.5, settings: new Map([['socket.send.buffer.bytes', '1000']]) }), 'ok')
    assert.equal(level({ settings: new Map([['socket.send.buffer.bytes', '-1']]), kernelBytesMax: 6e6 }), 'ok')
    assert.equal(level({}), 'skipped')
  })
})

describe('checkLag', () => {
  const DAY_MS = 86_400_000
  const lagOf = (rows: readonly PartitionRow[], retentionMs: number, policy = 'delete') => {
    const entry = (value: string) => ({ value, origin: 'topic', isFixed: false }) as const
    const config = new Map([
      ['retention.ms', entry(String(retentionMs))],
      ['cleanup.policy', entry(policy)]
    ])
    return collect(tell => checkLag('east → west', flowOverview(FLOW, rows), new Map([['orders', config]]), tell))
  }

  it('says when retention is about to overtake the mirror', () => {
    const levels = (lagSeconds: number) => lagOf([behind(10, lagSeconds)], DAY_MS).map(({ level }) => level)
    assert.deepEqual(levels(0.4 * 86_400), ['ok'])
    assert.deepEqual(levels(0.6 * 86_400), ['warning'])
    assert.deepEqual(levels(0.95 * 86_400), ['problem'])
  })

  it('does not mind old records of what nobody has begun to mirror, nor what is kept for ever', () => {
    const old = { lagSeconds: 0.99 * 86_400, lagRecords: 10 }
    assert.deepEqual(lagOf([row({ state: 'not started', ...old })], DAY_MS)[0]?.level, 'ok')
    assert.deepEqual(lagOf([behind(10, 1e9)], -1)[0]?.level, 'ok')
    assert.deepEqual(lagOf([behind(10, 1e9)], 1_000, 'compact')[0]?.level, 'ok')
  })

  it('tells of some that stand still, and counts the others', () => {
    const rows = Array.from({ length: 100 }, (_, partition) => row({ partition, state: 'gap', detail: 'gone' }))
    const findings = lagOf(rows, DAY_MS)
    assert.equal(findings.length, 4)
    assert.match(findings[3]!.message, /^97 more partitions like that$/)
  })

  it('does not call fine what could not be asked', () => {
    const unreachable = row({ state: 'unreachable', lagRecords: null, lagSeconds: null })
    assert.deepEqual(
      lagOf([unreachable], DAY_MS).map(({ level }) => level),
      ['skipped']
    )
  })
})

describe('checkMachine', () => {
  const flows = [{} as never]
  const facts = { memoryBytes: 4 * 2 ** 30, descriptorsMax: 1_024, processors: 4 }

  it('compares what there is with what the threads may take', () => {
    const levels = (threads: number, changed: object) =>
      collect(tell => checkMachine({ threads, flows }, 6, { ...facts, ...changed }, tell)).map(({ level }) => level)
    assert.deepEqual(levels(1, {}), ['ok', 'ok'])
    assert.deepEqual(levels(1, { memoryBytes: 2 ** 28 }), ['warning', 'ok'])
    assert.deepEqual(levels(1, { descriptorsMax: 256 }), ['ok', 'problem'])
    assert.deepEqual(levels(1, { descriptorsMax: undefined }), ['ok', 'skipped'])
    assert.deepEqual(levels(5, {}), ['ok', 'ok', 'warning'])
  })

  it('reads the limit that is in force', () => {
    assert.equal(
      descriptorsMax('Limit  Soft\nMax open files            1024                 524288               files\n'),
      1_024
    )
    assert.equal(
      descriptorsMax('Max open files            unlimited            unlimited            files\n'),
      Number.POSITIVE_INFINITY
    )
    assert.equal(descriptorsMax(undefined), undefined)
  })
})

describe('releaseOf', () => {
  it('names the release that a level belongs to', () => {
    assert.match(releaseOf(7), /^runs as Kafka 3\.3 \(/)
    assert.match(releaseOf(27), /^runs as Kafka 4\.1 \(metadata\.version 27\)$/)
    assert.match(releaseOf(99), /^runs as Kafka 4\.2 or newer \(/)
  })
})

describe('what is found', () => {
  const finding: Finding = { check: 'clock', level: 'warning', about: 'east', message: 'late\nby far', remedy: 'NTP' }

  it('is a line each, and coloured without a change of its letters', () => {
    assert.equal(findingLine(finding, false), 'warning  clock          east: late by far; NTP\n')
    assert.equal(findingLine(finding, true), '\x1b[33mwarning\x1b[39m  clock          east: late by far; NTP\n')
    assert.equal(findingLine({ ...finding, about: null, remedy: null }, false), 'warning  clock          late by far\n')
  })

  it('has problems where there is one, and is fine with what was left out', () => {
    const verdict = (...levels: Finding['level'][]) => examination(levels.map(level => ({ ...finding, level }))).verdict
    assert.deepEqual([verdict('ok', 'skipped'), verdict('ok', 'warning')], ['ok', 'warnings'])
    assert.equal(verdict('ok', 'warning', 'problem'), 'problems')
    assert.equal(verdictLine(examination([finding])), '0 problems, 1 warning, 0 ok\n')
  })
})
