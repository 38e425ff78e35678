import assert from 'node:assert/strict'
import type { Check, Examination, Finding, Level } from '../../src/doctor/finding.ts'
import { Bed } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { runFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { login } from '../support/login.ts'
import { readRecords } from '../support/read-records.ts'
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../support/toxiproxy.ts'

const USER = 'farlog'
const PASSWORD = 'right-password'
const ROUND_TRIP_MS = 60
const WRITTEN_RECORD_BYTES = 512 * 1024

describe('farlog doctor', function () {
  this.timeout(120_000)

  let bed: Bed
  let toxiproxy: Toxiproxy
  /** In front of the source's second listener, which sends its clients here. */
  let proxy: ToxicProxy
  let listenPort: number
  let proxyPort: number

  before(async () => {
    const ports = await freePorts(2)
    listenPort = ports[0]!
    proxyPort = ports[1]!
    const users = { [USER]: PASSWORD }
    ;[bed, toxiproxy] = await Promise.all([
      Bed.start({ east: { users, behindProxy: { listenPort, proxyPort } }, west: { users } }),
      startToxiproxy()
    ])
  })

  after(async () => {
    await Promise.all([bed?.[Symbol.asyncDispose](), toxiproxy?.[Symbol.asyncDispose]()])
  })

  afterEach(() => bed.killWorkers())

  it('finds no problem where there is none, says so a line for each check, and changes nothing', async () => {
    await bed.eastAdmin.createTopic('fine', 2)
    await bed.write('fine', 0, 10)
    const before = await everything()
    const [{ examined, code }, text] = await Promise.all([doctor('fine'), run('fine')])
    assert.deepEqual(await everything(), before)

    assert.deepEqual(levels(examined, 'problem'), [])
    assert.equal(examined.verdict, examined.counts.warning === 0 ? 'ok' : 'warnings')
    assert.deepEqual([code, text.code], [0, 0])
    for (const check of ['connection', 'versions', 'clock', 'brokers', 'quotas'] as const) {
      for (const alias of ['east', 'west'])
        assert.equal(only(examined, check, alias).level, 'ok', `${check} of ${alias}`)
    }
    for (const alias of ['east', 'west']) {
      const [, ms] = /agrees with the one here within (\d+) ms$/.exec(only(examined, 'clock', alias).message)!
      assert.ok(Number(ms) < 1_000, `the same clock, ${ms} ms off`)
    }
    for (const check of ['cluster ids', 'plan', 'topics', 'lag'] as const) {
      assert.equal(only(examined, check, 'east → west').level, 'ok', check)
    }
    assert.match(only(examined, 'versions', 'east').message, /^runs as Kafka 4\.\d \(metadata\.version \d+\)/)
    assert.match(only(examined, 'link', 'west').message, /^not measured without writing$/)
    const lines = text.stdout.trimEnd().split('\n')
    assert.equal(lines.length, examined.findings.length + 2, 'a line for each finding, and the sum')
    assert.match(lines[0]!, /^ok {7}configuration {2}valid: 1 flow$/)
    assert.match(lines.at(-1)!, /^0 problems, \d+ warnings?, \d+ ok, \d+ not found out$/)
    assert.ok(!text.stdout.includes('\x1b'), 'no colours in a pipe')
  })

  it('names the layer that fails: a name, a port, a protocol, a password; and does not wait for what can’t answer', async () => {
    const [closedPort] = await freePorts(1)
    const authenticated = {
      FARLOG_WEST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      FARLOG_WEST_SASL_MECHANISM: 'PLAIN',
      FARLOG_WEST_SASL_USERNAME: USER,
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.authenticatedBootstrap
    }
    const cases: [env: Record<string, string>, message: RegExp, remedy: RegExp][] = [
      [{ FARLOG_WEST_BOOTSTRAP_SERVERS: 'no-such-host.invalid:9092' }, /ENOTFOUND|EAI_AGAIN/, /BOOTSTRAP_SERVERS/],
      [{ FARLOG_WEST_BOOTSTRAP_SERVERS: `127.0.0.1:${closedPort}` }, /ECONNREFUSED/, /check that the broker runs/],
      [
        { ...authenticated, FARLOG_WEST_SASL_PASSWORD: 'wrong-password' },
        /authentication failed/,
        /^check FARLOG_WEST_SASL_USERNAME and FARLOG_WEST_SASL_PASSWORD$/
      ],
      [{ FARLOG_WEST_SECURITY_PROTOCOL: 'SSL' }, /speaks no TLS/, /^check FARLOG_WEST_SECURITY_PROTOCOL$/]
    ]
    const results = await Promise.all(cases.map(([env]) => doctor('fine', env)))
    for (const [index, { examined, code, stdout }] of results.entries()) {
      const [, message, remedy] = cases[index]!
      const [problem] = levels(examined, 'problem')
      assert.deepEqual([problem?.check, problem?.about, code], ['connection', 'west', 1])
      assert.match(problem!.message, message)
      assert.match(problem!.remedy!, remedy)
      assert.doesNotMatch(stdout, /wrong-password/)
      assert.equal(only(examined, 'versions', 'east').level, 'ok', 'the other side is looked at all the same')
      assert.ok(!examined.findings.some(({ check }) => check === 'plan'), 'what needs both sides is left out')
    }
  })

  it('names each ACL that is missing, and what it could not find out for want of one', async () => {
    await bed.eastAdmin.createTopic('secret')
    const env = {
      ...login('EAST', bed.east.authenticatedBootstrap, USER, PASSWORD),
      ...login('WEST', bed.west.authenticatedBootstrap, USER, PASSWORD)
    }
    await bed.eastAdmin.allow({ user: USER, resource: 'TOPIC', name: 'secret', operations: ['DESCRIBE'] })
    const { examined, code } = await doctor('secret', env)
    assert.equal(code, 1)
    const plan = levels(examined, 'problem').filter(({ check }) => check === 'plan')
    const missing = plan.map(({ message, remedy }) => `${message}; ${remedy}`)
    assert.ok(
      missing.some(line => /missing ACL at east: READ on topic secret; grant it/.test(line)),
      missing.join('\n')
    )
    assert.ok(
      missing.some(line => /missing ACL at west: CREATE on topic east\.secret/.test(line)),
      missing.join('\n')
    )
    for (const check of ['clock', 'brokers', 'quotas'] as const) {
      const finding = only(examined, check, 'west')
      assert.equal(finding.level, 'skipped')
      assert.match(finding.message, /CLUSTER_AUTHORIZATION_FAILED/)
      assert.match(finding.remedy!, /DESCRIBE/)
    }
  })

  it('warns of copies that would refuse or change records, and of a source that forgets soon', async () => {
    await bed.eastAdmin.createTopic('strict', 1, { 'max.message.bytes': '2000000', 'retention.ms': '60000' })
    await bed.westAdmin.createTopic('east.strict', 1, {
      'max.message.bytes': '1000000',
      'message.timestamp.type': 'LogAppendTime',
      'message.timestamp.before.max.ms': '1000',
      'min.insync.replicas': '2'
    })
    const { examined } = await doctor('strict', { FARLOG_SYNC_TOPIC_CONFIGS: 'false' })
    const found = examined.findings.filter(({ check, level }) => check === 'topics' && level !== 'ok')
    assert.deepEqual(
      found.map(({ level, message }) => [level, /^east\.strict: (\S+)/.exec(message)?.[1]]),
      [
        ['warning', 'max.message.bytes'],
        ['problem', 'message.timestamp.type'],
        ['warning', 'message.timestamp.before.max.ms'],
        ['problem', 'min.insync.replicas']
      ]
    )
    const lag = only(examined, 'lag', 'east → west')
    assert.equal(lag.level, 'warning')
    assert.match(lag.message, /^strict: the source keeps records for 1\.0 min only/)
    // What a worker would put right by itself is nothing to warn of.
    const synced = (await doctor('strict')).examined.findings
    assert.ok(!synced.some(({ message }) => message.includes('max.message.bytes')))
  })

  it('tells of a partition that stands still', async () => {
    await bed.eastAdmin.createTopic('gone')
    await bed.write('gone', 0, 10)
    const worker = await bed.startWorker('gone')
    await caughtUp(worker, bed.eastAdmin, 'gone')
    await bed.killWorkers()
    await bed.write('gone', 0, 10, 10)
    await bed.eastAdmin.deleteRecordsBefore('gone', 0, 15)
    const { examined, code } = await doctor('gone')
    assert.match(only(examined, 'lag', 'east → west').message, /^gone-0: gap: source offsets 10 to 14/)
    assert.equal(code, 1)
  })

  it('tells of quotas', async () => {
    await bed.westAdmin.limitClients('writing', 5_000_000)
    try {
      const finding = only((await doctor('fine')).examined, 'quotas', 'west')
      assert.equal(finding.level, 'warning')
      assert.match(finding.message, /^writing to each broker is limited to 5\.0 MB a second/)
    } finally {
      await bed.westAdmin.limitClients('writing')
    }
  })

  it('measures the links, and writes where it was told to only', async () => {
    await bed.eastAdmin.createTopic('large')
    for (let i = 0; i < 8; i++) {
      await bed.writer.write('large', 0, [{ key: `${i}`, value: 'x'.repeat(100_000) }])
    }
    await bed.westAdmin.createTopic('doctor-test')
    const { examined, code } = await doctor('large', {}, ['--write-test', 'doctor-test'])
    assert.equal(code, 0)
    const [, readMegabytes] = /^[\d.]+ MB\/s \(([\d.]+) MB in [\d.]+ s\) read$/.exec(
      only(examined, 'link', 'east').message
    )!
    assert.ok(Math.abs(Number(readMegabytes) - 0.8) < 0.1, `${readMegabytes} MB read`)
    const [, writtenMegabytes] = /\(([\d.]+) MB in [\d.]+ s\) written to doctor-test$/.exec(
      only(examined, 'link', 'west').message
    )!
    const records = await readRecords(bed.west.bootstrap, 'doctor-test', 0)
    const bytes = records.length * WRITTEN_RECORD_BYTES
    assert.ok(Math.abs(bytes / 1e6 - Number(writtenMegabytes)) < 0.1, `${bytes} bytes for ${writtenMegabytes} MB`)
    assert.ok(bytes > 0 && bytes <= 34 * 1024 * 1024)

    const absent = await doctor('large', {}, ['--write-test', 'nowhere'])
    assert.equal(absent.code, 1)
    assert.match(levels(absent.examined, 'problem')[0]!.message, /there is no topic nowhere/)
    assert.ok(!(await bed.westAdmin.topics()).includes('nowhere'))
  })

  it('finds an advertised address that can’t be reached, though the bootstrap server can', async () => {
    const { examined, code } = await doctor('fine', { FARLOG_EAST_BOOTSTRAP_SERVERS: `127.0.0.1:${listenPort}` })
    assert.equal(code, 1)
    const [problem] = levels(examined, 'problem')
    assert.match(problem!.message, new RegExp(`^advertised listener 127\\.0\\.0\\.1:${proxyPort}: .*ECONNREFUSED`))
    assert.match(problem!.remedy!, /firewall/)
  })

  it('tells which buffer is too small for a long way', async () => {
    proxy = await toxiproxy.proxy('east', proxyPort, listenPort)
    await proxy.setRoundTrip(ROUND_TRIP_MS)
    const { examined } = await doctor('fine', { FARLOG_EAST_BOOTSTRAP_SERVERS: `127.0.0.1:${proxyPort}` })
    const [, ms] = /answers in ([\d.]+) ms/.exec(only(examined, 'connection', 'east').message)!
    assert.ok(Number(ms) >= ROUND_TRIP_MS && Number(ms) < ROUND_TRIP_MS + 60, `${ms} ms`)
    const narrow = examined.findings.filter(({ check, about }) => check === 'buffers' && about === 'east')
    assert.match(
      narrow[0]!.message,
      /^socket\.send\.buffer\.bytes of east's brokers is 102400 bytes: .*no more than 1\.\d MB\/s/
    )
    assert.equal(narrow[0]!.level, 'warning')
    assert.match(narrow[0]!.remedy!, /set it to -1/)
  })

  it('finds that both ends are one cluster', async () => {
    const { examined, code } = await doctor('fine', {
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.east.bootstrap.replace('127.0.0.1', 'localhost')
    })
    assert.equal(code, 1)
    assert.match(only(examined, 'cluster ids', 'east → west').message, /^both are the same cluster/)
  })

  it('exits 78 for a wrong configuration, before any connection', async () => {
    const { code, stdout, stderr } = await run('fine', { FARLOG_THREADS: '0' })
    assert.deepEqual([code, stdout], [78, ''])
    assert.match(stderr, /^FARLOG_THREADS: /)
  })

  function run(topics: string, env: Record<string, string> = {}, args: readonly string[] = []) {
    return runFarlog(['doctor', ...args], {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.bootstrap,
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: `test-${topics}`,
      FARLOG_HEARTBEAT_INTERVAL: '0s',
      ...env
    })
  }

  async function doctor(topics: string, env: Record<string, string> = {}, args: readonly string[] = []) {
    const { code, stdout, stderr } = await run(topics, env, [...args, '--json'])
    assert.equal(stderr, '')
    return { code, stdout, examined: JSON.parse(stdout) as Examination }
  }

  /** Topics, Kafka's own too, where they end, groups and ACLs, of both clusters. */
  async function everything(): Promise<unknown> {
    const of = async (admin: typeof bed.eastAdmin) => {
      const topics = (await admin.topics({ includeInternals: true })).toSorted()
      const ends = await Promise.all(topics.map(topic => admin.offsets(topic)))
      return { topics, ends, groups: await admin.groups(), acls: await admin.topicAcls() }
    }
    return { east: await of(bed.eastAdmin), west: await of(bed.westAdmin) }
  }
})

function levels({ findings }: Examination, level: Level): Finding[] {
  return findings.filter(finding => finding.level === level)
}

/** The first finding of this check about this side. */
function only({ findings }: Examination, check: Check, about: string): Finding {
  const found = findings.find(finding => finding.check === check && finding.about === about)
  assert.ok(
    found,
    `something is found of ${check} of ${about}:\n${findings.map(each => JSON.stringify(each)).join('\n')}`
  )
  return found
}
