import assert from 'node:assert/strict'
import type { Plan } from '../../src/plan/plan.ts'
import { Bed } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { runFarlog } from '../support/farlog-process.ts'
import type { Grant, KafkaAdmin } from '../support/kafka-admin.ts'
import { login } from '../support/login.ts'
import { readCheckpoints } from '../support/mirrored-groups.ts'
import { until } from '../support/wait.ts'
import { documentedAcls } from './support/documented-acls.ts'

const USER = 'least'
const PASSWORD = 'least-password'
const TOPIC = 'orders'
const GROUP = 'orders-billing'

describe('a user who may do what docs/security.md lists, and nothing else', function () {
  this.timeout(180_000)

  const grants = { east: documentedAcls('source', USER), west: documentedAcls('destination', USER) }
  let bed: Bed

  before(async () => {
    const users = { [USER]: PASSWORD }
    bed = await Bed.start({ east: { users }, west: { users } })
    await bed.eastAdmin.allow(...grants.east)
    await bed.westAdmin.allow(...grants.west)
    await bed.eastAdmin.createTopic(TOPIC, 1, { 'segment.bytes': '1048576' })
    await bed.write(TOPIC, 0, 10)
    await bed.eastAdmin.commitOffsets(GROUP, TOPIC, [[0, 7]])
  })

  after(() => bed?.[Symbol.asyncDispose]())

  it('misses nothing before the first start, and each right to create topics that is taken away', async () => {
    assert.deepEqual(await missing(), [])
    assert.deepEqual(await missingWithout('west', 'CREATE'), [
      'west CREATE east.checkpoints.internal',
      'west CREATE east.orders',
      'west CREATE farlog.events.east.internal',
      'west CREATE farlog.verified.east.internal',
      'west CREATE mm2-offset-syncs.east.internal'
    ])
    assert.deepEqual(await missingWithout('east', 'CREATE'), ['east CREATE heartbeats'])
  })

  it('mirrors, brings groups along, sends heartbeats, translates, verifies', async () => {
    await using worker = await bed.startWorker(TOPIC, { ...environment(), FARLOG_CHECKPOINT_INTERVAL: '500ms' })
    await caughtUp(worker, bed.eastAdmin, TOPIC)
    assert.equal(await bed.assertSame(TOPIC), 10)
    await until(async () => (await bed.westAdmin.committedOffsets(GROUP, `east.${TOPIC}`)).size > 0, {
      describe: 'the group to be brought along'
    })
    await until(async () => (await worker.metrics()).values('farlog_heartbeat_age_seconds').length > 0, {
      describe: 'a heartbeat to cross'
    })
    assert.equal((await bed.westAdmin.topicConfig(`east.${TOPIC}`))['segment.bytes'], '1048576')
    await bed.eastAdmin.setTopicConfig(TOPIC, 'segment.bytes', '2097152')
    await bed.eastAdmin.addPartitions(TOPIC, 2)
    await until(async () => (await bed.westAdmin.topicConfig(`east.${TOPIC}`))['segment.bytes'] === '2097152', {
      describe: 'the configuration to follow'
    })
    await until(async () => (await bed.westAdmin.offsets(`east.${TOPIC}`, 2)).length === 2, {
      describe: 'the partition to follow'
    })
    assert.ok((await readCheckpoints(bed.west.bootstrap, 'east')).some(({ group }) => group === GROUP))
    const translated = await run('translate', '--group', GROUP)
    // Behind the marker of the fence.
    assert.match(translated, /orders +0 +7 +east\.orders +8 +copy/)
    for (let i = 0; i < 2; i++) await run('verify')
    await run('status')
    const complaints = worker.logs.filter(line =>
      /AUTHORIZATION|missing ACL|not authorized/i.test(JSON.stringify(line))
    )
    assert.deepEqual(complaints, [])
  })

  it('fails over', async () => {
    const said = await run('failover', '--json')
    const { warnings, groups } = JSON.parse(said) as { warnings: string[]; groups: { group: string }[] }
    assert.deepEqual(warnings, [])
    assert.deepEqual(new Set(groups.map(({ group }) => group)), new Set([GROUP]))
  })

  it('misses each right that is taken away once all is there', async () => {
    assert.deepEqual(await missing(), [])
    // READ contains DESCRIBE, and of what may not even be described nothing else is known.
    assert.deepEqual(await missingWithout('east', 'READ', 'orders*'), ['east DESCRIBE orders'])
    assert.deepEqual(await missingWithout('east', 'READ', 'farlog-east-west', 'heartbeats'), [
      'east READ farlog-east-west',
      'east READ heartbeats'
    ])
    assert.deepEqual(await missingWithout('east', 'DESCRIBE_CONFIGS'), [
      'east DESCRIBE_CONFIGS heartbeats',
      'east DESCRIBE_CONFIGS orders'
    ])
    assert.deepEqual(await missingWithout('east', 'WRITE'), ['east WRITE heartbeats'])
    assert.deepEqual(await missingWithout('west', 'READ'), [
      'west READ east.heartbeats',
      'west READ east.orders',
      'west READ farlog-east-west',
      'west READ farlog.events.east.internal',
      'west READ farlog.verified.east.internal',
      'west READ orders-billing'
    ])
    assert.deepEqual(await missingWithout('west', 'WRITE'), [
      'west WRITE east.checkpoints.internal',
      'west WRITE east.heartbeats',
      'west WRITE east.orders',
      'west WRITE farlog.events.east.internal',
      'west WRITE farlog.verified.east.internal',
      'west WRITE farlog/east/west/',
      'west WRITE mm2-offset-syncs.east.internal'
    ])
    assert.deepEqual(await missingWithout('west', 'ALTER'), ['west ALTER east.heartbeats', 'west ALTER east.orders'])
    assert.deepEqual(await missingWithout('west', 'ALTER_CONFIGS'), [
      'west ALTER_CONFIGS east.heartbeats',
      'west ALTER_CONFIGS east.orders',
      'west ALTER_CONFIGS farlog.events.east.internal',
      'west DESCRIBE_CONFIGS east.heartbeats',
      'west DESCRIBE_CONFIGS east.orders'
    ])
    assert.deepEqual(await missingWithout('west', 'DESCRIBE'), ['west DESCRIBE cluster'])
  })

  it('does not see a group that it may not describe', async () => {
    assert.deepEqual((await plan()).flows[0]!.groups, [GROUP])
    await without('east', 'DESCRIBE', [], async () => assert.deepEqual((await plan()).flows[0]!.groups, []))
  })

  /** What the plan misses without an operation, wherever it is granted or only on these resources. */
  async function missingWithout(
    side: 'east' | 'west',
    operation: Grant['operations'][number],
    ...names: readonly string[]
  ): Promise<string[]> {
    return without(side, operation, names, missing)
  }

  async function without<T>(
    side: 'east' | 'west',
    operation: Grant['operations'][number],
    names: readonly string[],
    work: () => Promise<T>
  ): Promise<T> {
    const admin: KafkaAdmin = side === 'east' ? bed.eastAdmin : bed.westAdmin
    const taken = grants[side]
      .filter(grant => grant.operations.includes(operation) && (names.length === 0 || names.includes(grant.name)))
      .map(grant => ({ ...grant, operations: [operation] }))
    assert.ok(taken.length > 0)
    await admin.withdraw(...taken)
    try {
      return await work()
    } finally {
      await admin.allow(...taken)
    }
  }

  /** Every ACL that the plan names as missing, as `west WRITE east.orders`, blocking or not. */
  async function missing(): Promise<string[]> {
    const [flow] = (await plan()).flows
    const said = [...flow!.blockers.map(({ message }) => message), ...flow!.notes]
    const found = said.flatMap(text => aclsIn(text))
    return [...new Set(found)].toSorted()
  }

  async function plan(): Promise<Plan> {
    const { stdout, stderr } = await runFarlog(['plan', '--json'], environment())
    assert.equal(stderr, '')
    return JSON.parse(stdout) as Plan
  }

  async function run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runFarlog(args, environment())
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }

  function environment(): Record<string, string> {
    return {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_TOPICS: `${TOPIC},heartbeats`,
      FARLOG_GROUP_ID: 'farlog-east-west',
      ...login('EAST', bed.east.authenticatedBootstrap, USER, PASSWORD),
      ...login('WEST', bed.west.authenticatedBootstrap, USER, PASSWORD)
    }
  }
})

/** The plan's sentences about missing ACLs. */
function aclsIn(text: string): string[] {
  const [, alias, operation, resource] =
    /^missing ACL at (\S+): ([A-Z_]+) on (?:topic |group |the |transactional ids that begin with )([^\s:,]+)/.exec(
      text
    ) ?? []
  if (resource !== undefined) return [`${alias} ${operation} ${resource}`]
  const [, at, ungranted, names] = /^(\S+) does not grant ([A-Z_]+) on (?:the groups )?([^:]+):/.exec(text) ?? []
  return names === undefined ? [] : names.split(', ').map(name => `${at} ${ungranted} ${name}`)
}
