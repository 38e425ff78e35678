import assert from 'node:assert/strict'
import type { FlowPlan, Plan, PlannedTopic } from '../../src/plan/plan.ts'
import { Bed } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { runFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import type { Grant, KafkaAdmin } from '../support/kafka-admin.ts'
import { login } from '../support/login.ts'

const USER = 'farlog'
const PASSWORD = 'password'
/** Or their topic would be one more in each plan. */
const NO_HEARTBEATS = { FARLOG_HEARTBEAT_INTERVAL: '0s' }

describe('farlog plan', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    const users = { [USER]: PASSWORD }
    bed = await Bed.start({ east: { users }, west: { users } })
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('shows what a destination without anything would get, and changes nothing at either cluster', async () => {
    await bed.eastAdmin.createTopic('fresh', 3, { 'segment.bytes': '1048576' })
    await bed.eastAdmin.allow({ user: 'reader', resource: 'TOPIC', name: 'fresh', operations: ['READ'] })
    await unchanged(async () => {
      const { exitCode, flow } = await planned('fresh', { FARLOG_SYNC_TOPIC_ACLS: 'true' })
      assert.deepEqual(flow.blockers, [])
      assert.deepEqual(flow.topics, [
        {
          ...{ topic: 'fresh', destinationTopic: 'east.fresh', state: 'to create' },
          ...{ partitions: 3, destinationPartitions: 0, partitionsToCreate: 3, configs: [] },
          acls: ['ALLOW READ on east.fresh to User:reader from *']
        }
      ])
      assert.equal(exitCode, 0)
    })
    // Not even the topics that Kafka makes when somebody looks for a coordinator.
    assert.deepEqual(await bed.westAdmin.topics({ includeInternals: true }), [])
  })

  it('has nothing to do once all is mirrored, and shows what has changed since', async () => {
    await bed.eastAdmin.createTopic('done', 1, { 'segment.bytes': '1048576', 'retention.ms': '3600000' })
    await bed.write('done', 0, 10)
    const worker = await bed.startWorker('done', NO_HEARTBEATS)
    await caughtUp(worker, bed.eastAdmin, 'done')
    await bed.killWorkers()
    await unchanged(async () => {
      const { code: exitCode, stdout } = await run('done')
      assert.equal(exitCode, 0)
      assert.match(stdout, /\n1 topic: 1 there; nothing to do\n$/)
    })

    await bed.eastAdmin.addPartitions('done', 4)
    await bed.eastAdmin.setTopicConfig('done', 'segment.bytes', '2097152')
    await bed.eastAdmin.setTopicConfig('done', 'retention.ms', null)
    await unchanged(async () => {
      const { exitCode, flow } = await planned('done')
      assert.equal(exitCode, 0)
      const [topic] = flow.topics as [PlannedTopic]
      assert.equal(topic.state, 'short of partitions')
      assert.equal(topic.partitionsToCreate, 3)
      assert.deepEqual(
        topic.configs.toSorted((a, b) => a.name.localeCompare(b.name)),
        [
          { name: 'retention.ms', from: '3600000', to: null },
          { name: 'segment.bytes', from: '1048576', to: '2097152' }
        ]
      )
      const { stdout } = await run('done')
      assert.match(stdout, /east\.done: segment\.bytes: 1048576 becomes 2097152/)
      assert.match(stdout, /1 topic: 1 short of partitions; 3 partitions to create, 2 configurations to change/)
    })
  })

  it('names the groups whose offsets would be translated, and the topics that are left out, with the reason', async () => {
    await bed.eastAdmin.createTopic('west.returned')
    const { flow, exitCode } = await planned('.*', { FARLOG_TOPICS_EXCLUDE: 'fresh|done', FARLOG_GROUPS_EXCLUDE: '' })
    assert.equal(exitCode, 0)
    assert.deepEqual(flow.groups, ['test-done'])
    assert.deepEqual(
      flow.leftOut.map(({ topic }) => topic),
      ['__consumer_offsets', 'west.returned']
    )
    assert.match(flow.leftOut[1]!.reason, /came from west/)
    const without = await planned('.*', { FARLOG_SYNC_GROUP_OFFSETS: 'false' })
    assert.equal(without.flow.groups, null)
  })

  it('is blocked where what is asked for came from the destination', async () => {
    await bed.eastAdmin.createTopic('west.cycle')
    assert.deepEqual(await blockersOf(String.raw`west\.cycle`), [
      'CYCLE west.cycle: it came from west, so mirroring it there would be a cycle; leave it out by FARLOG_TOPICS_EXCLUDE'
    ])
  })

  it('is blocked where both ends are the same cluster', async () => {
    // By another address: the same one is a problem of the configuration already.
    const blockers = await blockersOf('.*', login('WEST', bed.east.authenticatedBootstrap, USER, PASSWORD))
    assert.deepEqual(blockers, [
      `SAME_CLUSTER east and west are the same cluster (${bed.east.clusterId}): check their BOOTSTRAP_SERVERS`
    ])
  })

  it('is blocked where two topics would have the same name', async () => {
    for (const topic of ['heartbeats', 'east.heartbeats']) await bed.eastAdmin.createTopic(topic)
    const [blocker, ...others] = await blockersOf('.*heartbeats', { FARLOG_REPLICATION_POLICY: 'identity' })
    assert.deepEqual(others, [])
    assert.match(blocker!, /^SAME_NAME heartbeats: east\.heartbeats is called east\.heartbeats at the destination too/)
  })

  it('is blocked where the destination has too few brokers', async () => {
    assert.deepEqual(await blockersOf('fresh', { FARLOG_REPLICATION_FACTOR: '3' }), [
      'REPLICATION_FACTOR FARLOG_REPLICATION_FACTOR is 3, but west has 1 broker'
    ])
  })

  it('is blocked where a cluster can’t be reached, by an answer in time', async () => {
    const [port] = await freePorts(1)
    const [blocker, ...others] = await blockersOf('fresh', { FARLOG_WEST_BOOTSTRAP_SERVERS: `127.0.0.1:${port}` })
    assert.deepEqual(others, [])
    assert.match(blocker!, /^UNREACHABLE .*west.*ECONNREFUSED/)
  })

  it('shows the flow that can be as well as the one that is blocked', async () => {
    const env = {
      FARLOG_DESTINATIONS: 'west,south',
      ...login('SOUTH', bed.east.authenticatedBootstrap, USER, PASSWORD)
    }
    const { exitCode, plan } = await planned('fresh', env)
    assert.equal(exitCode, 1)
    assert.deepEqual(
      plan.flows.map(({ destination, topics, blockers }) => [destination, topics.length, blockers.length]),
      [
        ['west', 1, 0],
        ['south', 0, 1]
      ]
    )
  })

  it('only notes that the destination has more partitions', async () => {
    await bed.eastAdmin.createTopic('narrow', 1)
    await bed.westAdmin.createTopic('east.narrow', 2)
    const { exitCode, flow } = await planned('narrow')
    assert.equal(exitCode, 0)
    assert.equal(flow.topics[0]!.state, 'there')
    assert.match(flow.notes.join('\n'), /east\.narrow has 2 partitions and narrow 1/)
  })

  it('only notes that a topic which is named is not there', async () => {
    const { exitCode, flow } = await planned(String.raw`fresh,not\.there`)
    assert.equal(exitCode, 0)
    assert.deepEqual(flow.notes, ['east has no topic not.there, which FARLOG_TOPICS names'])
  })

  describe('of a user who may do nothing until an ACL says so', () => {
    const group = (operations: Grant['operations']): Grant => ({
      ...{ user: USER, resource: 'GROUP', name: 'test-plan', operations }
    })
    const topic = (name: string, ...operations: Grant['operations']): Grant => ({
      ...{ user: USER, resource: 'TOPIC', name, operations }
    })

    it('names every ACL that is missing, one after the other, until none is', async () => {
      await bed.eastAdmin.createTopic('strict', 1, { 'segment.bytes': '1048576' })
      assert.deepEqual(await strict('strict'), [
        'missing ACL at east: DESCRIBE on topic strict',
        'missing ACL at east: READ on group test-plan',
        'missing ACL at west: READ on group test-plan'
      ])
      await bed.eastAdmin.allow(topic('strict', 'DESCRIBE'), group(['READ']))
      await bed.westAdmin.allow(group(['READ']))
      assert.deepEqual(await strict('strict'), [
        'missing ACL at east: READ on topic strict',
        'missing ACL at east: DESCRIBE_CONFIGS on topic strict',
        'missing ACL at west: DESCRIBE on topic east.strict',
        'missing ACL at west: CREATE on topic east.strict',
        'missing ACL at west: DESCRIBE_CONFIGS on topic east.strict',
        'missing ACL at west: WRITE on transactional ids that begin with farlog/east/west/strict/'
      ])
      await bed.eastAdmin.allow(topic('strict', 'READ', 'DESCRIBE_CONFIGS'))
      await bed.westAdmin.allow(topic('east.strict', 'CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS'), {
        ...{ user: USER, resource: 'TRANSACTIONAL_ID', name: 'farlog/east/west/*', operations: ['WRITE'] }
      })
      assert.deepEqual(await strict('strict'), ['missing ACL at west: WRITE on topic east.strict'])
      await bed.westAdmin.allow(topic('east.strict', 'WRITE'))
      assert.deepEqual(await strict('strict'), [])

      await bed.westAdmin.createTopic('east.strict')
      assert.deepEqual(await strict('strict'), [
        'missing ACL at west: READ on topic east.strict',
        'missing ACL at west: ALTER_CONFIGS on topic east.strict'
      ])
      await bed.westAdmin.allow(topic('east.strict', 'READ', 'ALTER_CONFIGS'))
      assert.deepEqual(await strict('strict'), [])
      await bed.eastAdmin.addPartitions('strict', 2)
      assert.deepEqual(await strict('strict'), ['missing ACL at west: ALTER on topic east.strict'])
      await bed.westAdmin.allow(topic('east.strict', 'ALTER'))
      assert.deepEqual(await strict('strict'), [])
    })

    it('needs no worker to come to grief: what it calls complete is enough for one', async () => {
      await bed.write('strict', 0, 10)
      await bed.eastAdmin.allow(group(['READ']))
      const worker = await bed.startWorker('strict', {
        ...{ ...asUser(), ...NO_HEARTBEATS },
        ...{ FARLOG_GROUP_ID: 'test-plan', FARLOG_SYNC_GROUP_OFFSETS: 'false' }
      })
      await caughtUp(worker, bed.eastAdmin, 'strict', { partitions: 2 })
      assert.equal(await bed.assertSame('strict'), 10)
      assert.deepEqual(
        worker.logs.filter(({ error }) => /AUTHORIZATION|missing ACL/.test(String(error))),
        []
      )
    })

    it('only notes what is missing for topics of its own and for groups', async () => {
      const env = { ...asUser(), FARLOG_HEARTBEAT_INTERVAL: '1s', FARLOG_GROUPS_EXCLUDE: '' }
      await bed.eastAdmin.allow({ user: USER, resource: 'GROUP', name: 'test-done', operations: ['DESCRIBE'] })
      const { flow, exitCode } = await planned('strict', env)
      assert.equal(exitCode, 0)
      const acls = flow.notes
        .filter(note => note.startsWith('missing ACL'))
        .map(note => note.replace(/^.*?: (.*): .*/, '$1'))
      assert.deepEqual(acls.toSorted(), [
        'CREATE on topic east.checkpoints.internal',
        'CREATE on topic farlog.events.east.internal',
        'CREATE on topic farlog.verified.east.internal',
        'CREATE on topic heartbeats',
        'CREATE on topic mm2-offset-syncs.east.internal',
        'DESCRIBE on the cluster',
        'READ on topic farlog.events.east.internal',
        'READ on topic farlog.verified.east.internal',
        'WRITE on topic east.checkpoints.internal',
        'WRITE on topic farlog.events.east.internal',
        'WRITE on topic farlog.verified.east.internal',
        'WRITE on topic heartbeats',
        'WRITE on topic mm2-offset-syncs.east.internal'
      ])
      assert.match(flow.notes.join('\n'), /west does not grant READ on the groups test-done/)
    })

    it('names what the copying of ACLs needs of the clusters themselves', async () => {
      assert.deepEqual(await strict('strict', { FARLOG_SYNC_TOPIC_ACLS: 'true' }), [
        'missing ACL at east: DESCRIBE on the cluster, which FARLOG_SYNC_TOPIC_ACLS needs',
        'missing ACL at west: DESCRIBE on the cluster, which FARLOG_SYNC_TOPIC_ACLS needs'
      ])
    })

    /** The messages of what blocks it; the clusters stay as they are. */
    async function strict(topics: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
      return unchanged(async () => {
        const { exitCode, flow } = await planned(topics, { ...asUser(), ...env })
        assert.equal(exitCode, flow.blockers.length === 0 ? 0 : 1)
        return flow.blockers.map(({ message }) => message)
      })
    }
  })

  function asUser(): Record<string, string> {
    return {
      ...login('EAST', bed.east.authenticatedBootstrap, USER, PASSWORD),
      ...login('WEST', bed.west.authenticatedBootstrap, USER, PASSWORD)
    }
  }

  async function blockersOf(topics: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
    return unchanged(async () => {
      const { exitCode, flow } = await planned(topics, env)
      assert.equal(exitCode, 1)
      const { code: exitCodeOfText, stdout } = await run(topics, env)
      assert.equal(exitCodeOfText, 1)
      for (const { message } of flow.blockers) assert.ok(stdout.includes(`blocked: ${message}\n`), stdout)
      return flow.blockers.map(({ code, message }) => `${code} ${message}`)
    })
  }

  async function planned(
    topics: string,
    env: Readonly<Record<string, string>> = {}
  ): Promise<{ exitCode: number | null; plan: Plan; flow: FlowPlan }> {
    const { code: exitCode, stdout } = await run(topics, env, ['--json'])
    const plan = JSON.parse(stdout) as Plan
    return { exitCode, plan, flow: plan.flows[0]! }
  }

  async function run(topics: string, env: Readonly<Record<string, string>> = {}, options: readonly string[] = []) {
    const result = await runFarlog(['plan', ...options], {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.bootstrap,
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: 'test-plan',
      ...NO_HEARTBEATS,
      ...env
    })
    assert.equal(result.stderr, '')
    return result
  }

  /** Does it, and looks whether anything has changed at either cluster. */
  async function unchanged<T>(work: () => Promise<T>): Promise<T> {
    const earlier = await snapshot()
    const result = await work()
    assert.equal(await snapshot(), earlier)
    return result
  }

  async function snapshot(): Promise<string> {
    return JSON.stringify([await stateOf(bed.eastAdmin), await stateOf(bed.westAdmin)], null, 1)
  }
})

/** Every topic, also Kafka's own, with its configuration and where its first partition ends; groups; ACLs. */
async function stateOf(admin: KafkaAdmin): Promise<object> {
  const topics: object[] = []
  for (const name of (await admin.topics({ includeInternals: true })).sort()) {
    const ends = name.startsWith('__') ? [] : await admin.offsets(name)
    topics.push({ name, ends, config: await admin.topicConfig(name) })
  }
  return { topics, groups: await admin.groups(), acls: await admin.topicAcls() }
}
