import assert from 'node:assert/strict'
import { Bed, logged } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { login } from '../support/login.ts'
import { until } from '../support/wait.ts'

const USER = 'farlog'
const PASSWORD = 'password'

describe('topics that are kept alike', function () {
  this.timeout(180_000)

  let bed: Bed

  before(async () => {
    const users = { [USER]: PASSWORD }
    // What a topic does not set comes from its brokers then.
    const config = { 'log.retention.ms': '172800000' }
    bed = await Bed.start({ east: { users, config }, west: { users } })
  })

  afterEach(() => bed.killWorkers())

  after(() => bed?.[Symbol.asyncDispose]())

  it('have the configuration that is set, changed and removed at the source', async () => {
    await bed.eastAdmin.createTopic('alike', 1, { 'segment.bytes': '1048576', 'retention.ms': '7200000' })
    const defaults = { 'segment.bytes': '1073741824', 'retention.ms': '604800000', 'cleanup.policy': 'delete' }
    const worker = await bed.startWorker('alike')
    await hasConfig(bed.westAdmin, 'east.alike', { 'segment.bytes': '1048576', 'retention.ms': '7200000' })

    await bed.eastAdmin.setTopicConfig('alike', 'cleanup.policy', 'compact,delete')
    await bed.eastAdmin.setTopicConfig('alike', 'segment.bytes', '2097152')
    await hasConfig(bed.westAdmin, 'east.alike', { 'segment.bytes': '2097152', 'cleanup.policy': 'compact,delete' })
    const line = await logged(worker, /segment\.bytes=2097152.*configured as its source/)
    assert.equal(line.destinationTopic, 'east.alike')

    for (const name of Object.keys(defaults)) await bed.eastAdmin.setTopicConfig('alike', name, null)
    await hasConfig(bed.westAdmin, 'east.alike', defaults)
    assert.equal((await bed.eastAdmin.topicConfig('alike'))['retention.ms'], '172800000')
  })

  it('take the limit of a batch that was raised, so that what the source takes goes through', async () => {
    await bed.eastAdmin.createTopic('raised')
    const worker = await bed.startWorker('raised')
    await caughtUp(worker, bed.eastAdmin, 'raised')
    await bed.eastAdmin.setTopicConfig('raised', 'max.message.bytes', '3000000')
    await hasConfig(bed.westAdmin, 'east.raised', { 'max.message.bytes': '3000000' })
    await bed.writer.write('raised', 0, [{ key: 'large', value: 'x'.repeat(2_000_000) }])
    await caughtUp(worker, bed.eastAdmin, 'raised')
    assert.equal(await bed.assertSame('raised'), 1)
  })

  it('keep what is the destination’s own: excluded entries are neither set nor removed', async () => {
    const own = { 'unclean.leader.election.enable': 'true', 'message.timestamp.type': 'CreateTime' }
    await bed.eastAdmin.createTopic('own', 1, { 'message.timestamp.type': 'LogAppendTime', 'min.insync.replicas': '2' })
    await bed.westAdmin.createTopic('east.own', 1, { 'unclean.leader.election.enable': 'true' })
    await bed.startWorker('own')
    await bed.eastAdmin.setTopicConfig('own', 'delete.retention.ms', '1000')
    await hasConfig(bed.westAdmin, 'east.own', { 'delete.retention.ms': '1000' })
    await bed.eastAdmin.setTopicConfig('own', 'delete.retention.ms', null)
    await hasConfig(bed.westAdmin, 'east.own', { 'delete.retention.ms': '86400000' })
    await hasConfig(bed.westAdmin, 'east.own', { ...own, 'min.insync.replicas': '1' })
  })

  it('keep what only the source’s brokers set otherwise, and lose what both leave to Kafka', async () => {
    await bed.eastAdmin.createTopic('inherited')
    await bed.westAdmin.createTopic('east.inherited', 1, { 'retention.ms': '86400000', 'segment.ms': '3600000' })
    await bed.startWorker('inherited')
    await hasConfig(bed.westAdmin, 'east.inherited', { 'segment.ms': '604800000' })
    await hasConfig(bed.westAdmin, 'east.inherited', { 'retention.ms': '86400000' })
  })

  it('are left as they are with FARLOG_SYNC_TOPIC_CONFIGS=false', async () => {
    for (const topic of ['off', 'on']) await bed.eastAdmin.createTopic(topic, 1, { 'segment.bytes': '1048576' })
    const off = await bed.startWorker('off', { FARLOG_SYNC_TOPIC_CONFIGS: 'false' })
    await caughtUp(off, bed.eastAdmin, 'off')
    const on = await bed.startWorker('on')
    await caughtUp(on, bed.eastAdmin, 'on')
    assert.equal((await bed.westAdmin.topicConfig('east.on'))['segment.bytes'], '1048576')
    assert.equal((await bed.westAdmin.topicConfig('east.off'))['segment.bytes'], '1073741824')
  })

  it('do not hold one another up: where one may not be configured, the ACL is named, once, and the others follow', async () => {
    const topics = ['refused.one', 'refused.two']
    for (const topic of topics) await bed.eastAdmin.createTopic(topic)
    await bed.westAdmin.allow(
      { user: USER, resource: 'GROUP', name: 'test-*', operations: ['READ'] },
      { user: USER, resource: 'TRANSACTIONAL_ID', name: 'farlog/east/west/*', operations: ['WRITE'] },
      {
        ...{ user: USER, resource: 'TOPIC', name: 'east.refused.*' },
        operations: ['READ', 'WRITE', 'CREATE', 'DESCRIBE_CONFIGS']
      },
      { user: USER, resource: 'TOPIC', name: 'east.refused.two', operations: ['ALTER_CONFIGS'] }
    )
    const worker = await bed.startWorker('refused.*', {
      ...login('WEST', bed.west.authenticatedBootstrap, USER, PASSWORD)
    })
    for (const topic of topics) await caughtUp(worker, bed.eastAdmin, topic)
    for (const topic of topics) await bed.eastAdmin.setTopicConfig(topic, 'segment.bytes', '1048576')
    await hasConfig(bed.westAdmin, 'east.refused.two', { 'segment.bytes': '1048576' })
    const line = await logged(worker, /configuring east\.refused\.one as its source failed/)
    assert.equal(line.error, 'missing ACL at west: ALTER_CONFIGS on topic east.refused.one')
    // A further refresh has come and gone once the other topic has followed again.
    for (const value of ['2097152', '3145728']) {
      await bed.eastAdmin.setTopicConfig('refused.two', 'segment.bytes', value)
      await hasConfig(bed.westAdmin, 'east.refused.two', { 'segment.bytes': value })
    }
    assert.equal(worker.logs.filter(({ msg }) => msg.includes('as its source failed')).length, 1)
    assert.equal((await bed.westAdmin.topicConfig('east.refused.one'))['segment.bytes'], '1073741824')

    await bed.westAdmin.allow({
      user: USER,
      resource: 'TOPIC',
      name: 'east.refused.one',
      operations: ['ALTER_CONFIGS']
    })
    await hasConfig(bed.westAdmin, 'east.refused.one', { 'segment.bytes': '1048576' })
  })

  it('get the ACLs of their sources when asked for, but for leave to write, and lose none', async () => {
    for (const topic of ['guarded', 'unguarded']) await bed.eastAdmin.createTopic(topic)
    await bed.eastAdmin.allow(
      { user: 'reader', resource: 'TOPIC', name: 'guarded', operations: ['READ'] },
      { user: 'writer', resource: 'TOPIC', name: 'guarded', operations: ['WRITE'] },
      { user: 'owner', resource: 'TOPIC', name: 'guarded', operations: ['ALL'] },
      { user: 'outsider', resource: 'TOPIC', name: 'guarded', operations: ['WRITE'], permission: 'DENY' },
      { user: 'prefixed', resource: 'TOPIC', name: 'guard*', operations: ['READ'] },
      { user: 'reader', resource: 'TOPIC', name: 'unmirrored', operations: ['READ'] }
    )
    const worker = await bed.startWorker('(un)?guarded', { FARLOG_SYNC_TOPIC_ACLS: 'true' })
    const copied = [
      'ALLOW READ on topic east.guarded to User:owner',
      'ALLOW READ on topic east.guarded to User:reader',
      'DENY WRITE on topic east.guarded to User:outsider'
    ]
    await hasAcls(bed.westAdmin, /guarded|unmirrored/, copied)

    const reader = { user: 'reader', resource: 'TOPIC', name: 'guarded', operations: ['READ'] } as const
    await bed.eastAdmin.withdraw(reader)
    await bed.eastAdmin.allow({ ...reader, name: 'unguarded' })
    await hasAcls(bed.westAdmin, /guarded/, [...copied, 'ALLOW READ on topic east.unguarded to User:reader'].sort())
    assert.equal(worker.logs.filter(({ msg }) => msg.includes('ACLs created')).length, 2)
  })

  it('get no ACLs unless they are asked for', async () => {
    await bed.eastAdmin.createTopic('unasked')
    await bed.eastAdmin.allow({ user: 'reader', resource: 'TOPIC', name: 'unasked', operations: ['READ'] })
    const worker = await bed.startWorker('unasked')
    await caughtUp(worker, bed.eastAdmin, 'unasked')
    assert.deepEqual(
      (await bed.westAdmin.topicAcls()).filter(acl => acl.includes('unasked')),
      []
    )
  })

  it('go when their source is deleted for long enough and nothing stops the flow, where that is asked for', async () => {
    for (const topic of ['deleted', 'deleted-anew']) await bed.eastAdmin.createTopic(topic)
    const env = { FARLOG_DELETE_TOPICS_AFTER: '10s', FARLOG_GROUP_ID: 'test-deleted' }
    const worker = await bed.startWorker('deleted.*', env)
    for (const topic of ['deleted', 'deleted-anew']) {
      await bed.writer.write(topic, 0, [{ value: 'before' }])
      await caughtUp(worker, bed.eastAdmin, topic)
    }
    for (const topic of ['deleted', 'deleted-anew']) await bed.eastAdmin.deleteTopic(topic)
    await logged(worker, /deleted-anew is gone from the source: its copy will be deleted/)
    await bed.eastAdmin.createTopic('deleted-anew')
    await until(async () => !(await bed.westAdmin.topics()).includes('east.deleted'), {
      timeoutMs: 60_000,
      describe: 'the copy to be deleted'
    })
    await logged(worker, /east\.deleted was deleted, as deleted was at the source/)
    assert.ok((await bed.westAdmin.topics()).includes('east.deleted-anew'))
  })
})

describe('topics of clusters without an authorizer', function () {
  this.timeout(120_000)

  it('are mirrored all the same when their ACLs are to be copied, which is said once to be impossible', async () => {
    await using bed = await Bed.start()
    await bed.eastAdmin.createTopic('open')
    await bed.write('open', 0, 10)
    const worker = await bed.startWorker('open', { FARLOG_SYNC_TOPIC_ACLS: 'true' })
    await caughtUp(worker, bed.eastAdmin, 'open')
    for (const value of ['1048576', '2097152']) {
      await bed.eastAdmin.setTopicConfig('open', 'segment.bytes', value)
      await hasConfig(bed.westAdmin, 'east.open', { 'segment.bytes': value })
    }
    assert.equal(worker.logs.filter(({ msg }) => msg.includes('ACLs')).length, 1)
    assert.match((await logged(worker, /ACLs/)).msg, /no authorizer/)
  })
})

/** Resolves once all of this is in force. */
async function hasConfig(admin: KafkaAdmin, topic: string, wanted: Readonly<Record<string, string>>): Promise<void> {
  await until(
    async () => {
      const config = await admin.topicConfig(topic)
      const found = Object.fromEntries(Object.keys(wanted).map(name => [name, config[name]]))
      assert.deepEqual(found, wanted)
      return true
    },
    { timeoutMs: 30_000, describe: `${topic} to be configured` }
  )
}

/** Resolves once these, and no others of topics like that, are there. */
async function hasAcls(admin: KafkaAdmin, pattern: RegExp, wanted: readonly string[]): Promise<void> {
  await until(
    async () => {
      assert.deepEqual(
        (await admin.topicAcls()).filter(acl => pattern.test(acl)),
        wanted
      )
      return true
    },
    { timeoutMs: 30_000, describe: 'the ACLs to be copied' }
  )
}
