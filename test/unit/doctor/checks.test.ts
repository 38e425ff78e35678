import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { QuotaEntry } from '../../../src/cluster/cluster-questions.ts'
import { ClusterError } from '../../../src/cluster/errors.ts'
import type { TopicConfig } from '../../../src/cluster/topic-admin.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/types.ts'
import { checkBacklogAge } from '../../../src/doctor/backlog-age.ts'
import { checkBuffers } from '../../../src/doctor/buffers.ts'
import { checkClearText } from '../../../src/doctor/clear-text.ts'
import { certainDifferenceMs, clockOffset } from '../../../src/doctor/clock.ts'
import { type BrokerSettings, checkBrokerSettings } from '../../../src/doctor/cluster-checks.ts'
import { examination, type Finding } from '../../../src/doctor/finding.ts'
import { findingLine, verdictLine } from '../../../src/doctor/finding-text.ts'
import { checkHttpPort } from '../../../src/doctor/http-port.ts'
import { releaseOf } from '../../../src/doctor/kafka-release.ts'
import { checkLag, longestRetentionSeconds } from '../../../src/doctor/lag-check.ts'
import { checkMachine, descriptorsMax } from '../../../src/doctor/machine.ts'
import { quotasInForce } from '../../../src/doctor/quotas.ts'
import { makeInTurn, type Step } from '../../../src/doctor/steps.ts'
import { type CheckedPair, checkTopics } from '../../../src/doctor/topic-checks.ts'
import { flowOverview, type PartitionRow } from '../../../src/status/overview.ts'
import { environment } from '../config/environment.ts'
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

describe('checkBrokerSettings', () => {
  const DEFAULTS = {
    'offsets.retention.minutes': '10080',
    'producer.id.expiration.ms': '86400000',
    'transactional.id.expiration.ms': '604800000'
  }
  const told = (changed: Record<string, string | undefined>, role: 'source' | 'destination' = 'destination') => {
    const settings = Object.entries({ ...DEFAULTS, ...changed }).filter(
      (e): e is [string, string] => e[1] !== undefined
    )
    return collect(tell => checkBrokerSettings('west', role, new Map(settings), tell)).map(
      ({ level, message }) => `${level} ${message.split(/:| is /)[0]}`
    )
  }

  it('is content with Kafka’s defaults', () => {
    assert.deepEqual(told({}), ['ok they keep offsets and producer ids for long enough'])
  })

  it('warns where a fence is forgotten before it is renewed', () => {
    const day = { 'transactional.id.expiration.ms': String(86_400_000) }
    assert.deepEqual(told(day), ['warning transactional.id.expiration.ms'])
    assert.deepEqual(told(day, 'source'), ['ok they keep offsets and producer ids for long enough'])
    assert.deepEqual(told({ 'producer.id.expiration.ms': '43200000' }), ['warning producer.id.expiration.ms'])
    assert.deepEqual(told({ 'offsets.retention.minutes': '60' }, 'source'), ['warning offsets.retention.minutes'])
  })

  it('does not call fine what it was not told', () => {
    const some = { 'producer.id.expiration.ms': undefined, 'transactional.id.expiration.ms': undefined }
    assert.deepEqual(told(some), [
      'skipped its brokers do not tell producer.id.expiration.ms, transactional.id.expiration.ms'
    ])
    assert.deepEqual(told(some, 'source'), ['ok they keep offsets and producer ids for long enough'])
    assert.deepEqual(told({ ...some, 'offsets.retention.minutes': '60' }), [
      'warning offsets.retention.minutes',
      'skipped its brokers do not tell producer.id.expiration.ms, transactional.id.expiration.ms'
    ])
  })
})

describe('checkBacklogAge', () => {
  const messages = (ageSeconds: number, settings: BrokerSettings | undefined) =>
    collect(tell => checkBacklogAge('east → west', ageSeconds, settings, tell)).map(({ message }) => message)
  const settings = new Map([['producer.id.expiration.ms', '86400000']])

  it('warns of records that are older than leaders remember writers', () => {
    assert.deepEqual(messages(86_400, settings), [])
    assert.match(messages(7 * 86_400, settings)[0]!, /^records up to 7\.0 d old may be copied/)
    assert.match(messages(Number.POSITIVE_INFINITY, settings)[0]!, /^records of any age may be copied/)
  })

  it('says nothing where that is not told', () => {
    assert.deepEqual(messages(1e9, new Map()), [])
    assert.deepEqual(messages(1e9, undefined), [])
  })

  it('takes the longest time that a source keeps its records', () => {
    const entry = (value: string) => ({ value, origin: 'topic', isFixed: false }) as const
    const keeps = (ms: number) => new Map([['retention.ms', entry(String(ms))]])
    assert.equal(longestRetentionSeconds([keeps(1_000), keeps(60_000)]), 60)
    assert.equal(longestRetentionSeconds([keeps(1_000), keeps(-1)]), Number.POSITIVE_INFINITY)
    assert.equal(longestRetentionSeconds([]), 0)
  })
})

describe('checkTopics', () => {
  const entry = (value: string) => ({ value, origin: 'default', isFixed: false }) as const
  const config = (changed: Record<string, string> = {}): TopicConfig =>
    new Map(
      Object.entries({
        'max.message.bytes': '1048588',
        'message.timestamp.type': 'CreateTime',
        'message.timestamp.before.max.ms': '9223372036854775807',
        'message.timestamp.after.max.ms': '9223372036854775807',
        'min.insync.replicas': '1',
        ...changed
      }).map(([name, value]) => [name, entry(value)])
    )
  const BROKERS: BrokerSettings = new Map([
    ['message.max.bytes', '1048588'],
    ['min.insync.replicas', '1'],
    ['default.replication.factor', '3'],
    ['log.message.timestamp.type', 'CreateTime'],
    ['log.message.timestamp.before.max.ms', '9223372036854775807'],
    ['log.message.timestamp.after.max.ms', '9223372036854775807']
  ])
  const found = (pair: Partial<CheckedPair>, settings: BrokerSettings | undefined = BROKERS, replicas = 3) => {
    const checked: CheckedPair = {
      ...{ topic: 'orders', destinationTopic: 'east.orders', destinationPartitions: 1 },
      ...{ sourceConfig: config(), destinationConfig: config(), configChanges: [], ...pair }
    }
    const options = { syncTopicConfigs: true, replicationFactor: undefined, settings }
    const counts = new Map(replicas === 0 ? [] : [['east.orders', replicas]])
    const findings = collect(tell => checkTopics('east → west', [checked], { ...options, replicas: counts }, tell))
    return findings.map(({ level, message }) => `${level} ${message}`)
  }
  const FINE = ["ok copies take what the source's topics may hold (1 checked)"]
  const UNTOLD = ['skipped east.orders: the destination does not tell all settings that matter']
  const refused = new ClusterError('TOPIC_AUTHORIZATION_FAILED', 'refused', false)

  it('is content where copies take as much, those that are there and those to come', () => {
    assert.deepEqual(found({}), FINE)
    assert.deepEqual(found({ destinationPartitions: 0, destinationConfig: refused }), FINE)
  })

  it('does not call fine what it was not told', () => {
    assert.deepEqual(found({ destinationConfig: refused }), UNTOLD)
    assert.deepEqual(found({}, BROKERS, 0), UNTOLD)
    assert.deepEqual(found({ destinationPartitions: 0 }, new Map()), UNTOLD)
    for (const name of BROKERS.keys()) {
      const less = new Map([...BROKERS].filter(([other]) => other !== name))
      // Of the two limits to timestamps one is enough to tell that there are any.
      const expected = name.includes('.max.ms') ? FINE : UNTOLD
      assert.deepEqual(found({ destinationPartitions: 0 }, less), expected, name)
    }
    assert.deepEqual(found({ sourceConfig: refused }), [
      'skipped the configuration of 1 topic is not told by the source'
    ])
  })

  it('warns of a broker’s own limit to the timestamps of topics to come', () => {
    const hour = new Map([...BROKERS, ['log.message.timestamp.after.max.ms', '3600000']])
    assert.match(
      found({ destinationPartitions: 0 }, hour)[0]!,
      /^warning east\.orders: message\.timestamp\.after\.max\.ms/
    )
  })
})

describe('checkClearText', () => {
  const warnings = (protocol: string, mechanism: string, more: Record<string, string> = {}) => {
    const settings = { SECURITY_PROTOCOL: protocol, SASL_MECHANISM: mechanism, ...more }
    const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`FARLOG_EAST_${name}`, value]))
    const { source } = loadConfig(environment(env)).flows[0]!
    return collect(tell => checkClearText(source, tell)).map(({ level, message }) => `${level} ${message}`)
  }
  const user = { SASL_USERNAME: 'u', SASL_PASSWORD: 'p' }
  const client = (endpoint: string) => ({
    ...{ OAUTH_TOKEN_ENDPOINT: endpoint, OAUTH_CLIENT_ID: 'c', OAUTH_CLIENT_SECRET: 's' }
  })

  it('warns of what can be read on the way', () => {
    assert.deepEqual(warnings('SASL_PLAINTEXT', 'PLAIN', user), [
      'warning the password can be read on the way to the brokers (PLAIN without TLS)'
    ])
    assert.deepEqual(warnings('SASL_PLAINTEXT', 'OAUTHBEARER', client('http://id.example/token')), [
      'warning the token can be read on the way to the brokers (OAUTHBEARER without TLS)',
      'warning the client secret can be read on the way to the token endpoint (http)'
    ])
  })

  it('is content with what is encrypted, proven only, or stays on this machine', () => {
    assert.deepEqual(warnings('SASL_SSL', 'PLAIN', user), [])
    assert.deepEqual(warnings('SASL_PLAINTEXT', 'SCRAM-SHA-512', user), [])
    assert.deepEqual(warnings('SASL_SSL', 'OAUTHBEARER', client('https://id.example/token')), [])
    for (const host of ['localhost', '127.0.0.1:8080', '[::1]']) {
      assert.deepEqual(warnings('SASL_SSL', 'OAUTHBEARER', client(`http://${host}/token`)), [])
    }
  })
})

describe('checkHttpPort', () => {
  let dir: string
  const pair = (name: string, days: number, passphrase?: string) => {
    const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`)]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
    const encrypted = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]
    const request = ['req', '-x509', ...key, ...encrypted, '-subj', `/CN=${name}`, '-days', String(days)]
    execFileSync('openssl', [...request, ...files], { stdio: 'ignore' })
    return { cert: read(`${name}.pem`), key: read(`${name}.key`) }
  }
  const read = (file: string) => () => readFileSync(join(dir, file), 'utf8')
  const found = (tls: NonNullable<Config['http']['tls']> | undefined) =>
    collect(tell => checkHttpPort({ tls }, tell)).map(({ level, message }) => `${level} ${message}`)
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'farlog-doctor-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  it('finds what would end a worker at its start, and a certificate that ends soon', () => {
    const [good, other, brief, encrypted] = [pair('a', 90), pair('b', 90), pair('c', 5), pair('d', 90, 'passphrase')]
    assert.match(found(good)[0]!, /^ok the certificate of the HTTP port is good until /)
    assert.match(found(brief)[0]!, /^warning the certificate of the HTTP port ends in [45] days/)
    assert.match(found({ ...good, key: other.key })[0]!, /^problem https cannot be served: .*key values mismatch/)
    assert.match(found(encrypted)[0]!, /^problem https cannot be served: /)
    assert.match(found({ ...good, cert: read('nothing') })[0]!, /^problem https cannot be served: ENOENT/)
    assert.deepEqual(found(undefined), [])
  })
})

describe('checkLag', () => {
  const DAY_MS = 86_400_000
  const lagOf = (rows: readonly PartitionRow[], retentionMs: number, policy = 'delete', delaySeconds = 0) => {
    const entry = (value: string) => ({ value, origin: 'topic', isFixed: false }) as const
    const config = new Map([
      ['retention.ms', entry(String(retentionMs))],
      ['cleanup.policy', entry(policy)]
    ])
    const configs = new Map([['orders', config]])
    return collect(tell => checkLag('east → west', flowOverview(FLOW, rows), configs, delaySeconds, tell))
  }

  it('says when retention is about to overtake the mirror', () => {
    const levels = (lagSeconds: number) => lagOf([behind(10, lagSeconds)], DAY_MS).map(({ level }) => level)
    assert.deepEqual(levels(0.4 * 86_400), ['ok'])
    assert.deepEqual(levels(0.6 * 86_400), ['warning'])
    assert.deepEqual(levels(0.95 * 86_400), ['problem'])
  })

  it('says when a delay takes up what the source keeps', () => {
    const messages = (delaySeconds: number, retentionMs = DAY_MS) =>
      lagOf([row()], retentionMs, 'delete', delaySeconds).map(({ level, message }) => `${level} ${message}`)
    assert.match(messages(11 * 3_600)[0]!, /^ok/)
    assert.match(
      messages(18 * 3_600)[0]!,
      /^warning orders: the source keeps records for .* only, of which FARLOG_DELAY takes .*; an outage longer than the rest loses them/
    )
    assert.match(messages(86_400)[0]!, /^problem orders: .* deletes them before FARLOG_DELAY lets them be copied/)
    assert.match(messages(86_400, -1)[0]!, /^ok/)
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

describe('checkLag of a source that does not tell its topics’ settings', () => {
  it('does not say that it keeps records for long enough', () => {
    const refused = new ClusterError('TOPIC_AUTHORIZATION_FAILED', 'refused', false)
    for (const overview of [undefined, flowOverview(FLOW, [row()])]) {
      const findings = collect(tell => checkLag('east → west', overview, new Map([['orders', refused]]), 0, tell))
      assert.deepEqual(
        findings.map(({ level }) => level),
        ['skipped']
      )
    }
  })
})

describe('makeInTurn', () => {
  const steps = (second: () => Promise<void>): Step[] => [
    ['topics', async () => {}],
    ['lag', second],
    ['link', async () => assert.fail('left out')]
  ]

  it('tells of a cluster that stops answering once, and what was left out for it', async () => {
    const findings: Finding[] = []
    const failing = async () => {
      throw new ClusterError('UNREACHABLE', 'east is gone', true)
    }
    await makeInTurn('east → west', steps(failing), finding => findings.push(finding))
    assert.deepEqual(
      findings.map(({ check, level, about }) => [check, level, about]),
      [
        ['lag', 'problem', 'east → west'],
        ['link', 'skipped', 'east → west']
      ]
    )
    assert.equal(findings[0]!.message, 'east is gone')
  })

  it('does not go on after anything else', async () => {
    const interrupted = async () => {
      throw new Error('interrupted')
    }
    await assert.rejects(
      makeInTurn('east → west', steps(interrupted), () => assert.fail()),
      /interrupted/
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
