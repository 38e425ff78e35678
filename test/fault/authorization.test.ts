import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import type { Grant, KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'
import { Bed, halted, logged } from './support/bed.ts'

const USER = 'farlog'
const PASSWORD = 'first-password'

/** What docs/operations.md asks for, so far as it is the same for every topic. */
const AT_SOURCE: readonly Grant[] = [
  { user: USER, resource: 'GROUP', name: 'test-*', operations: ['READ', 'DESCRIBE'] }
]
const AT_DESTINATION: readonly Grant[] = [
  ...AT_SOURCE,
  {
    user: USER,
    resource: 'TOPIC',
    name: 'east.*',
    operations: ['READ', 'DESCRIBE', 'CREATE', 'ALTER', 'DESCRIBE_CONFIGS']
  }
]

const read = (topic: string): Grant => ({ user: USER, resource: 'TOPIC', name: topic, operations: ['READ'] })
const write = (topic: string): Grant => ({
  user: USER,
  resource: 'TOPIC',
  name: `east.${topic}`,
  operations: ['WRITE']
})
const describeTopic = (topic: string): Grant => ({
  user: USER,
  resource: 'TOPIC',
  name: topic,
  operations: ['DESCRIBE', 'DESCRIBE_CONFIGS']
})
const fence = (topic: string): Grant => ({
  user: USER,
  resource: 'TRANSACTIONAL_ID',
  name: `farlog/east/west/${topic}/*`,
  operations: ['WRITE', 'DESCRIBE']
})

describe('a cluster that lets only some do some things', function () {
  this.timeout(180_000)

  let bed: Bed
  let south: KafkaCluster
  /** Of the clusters that were given another one since they were started. */
  const passwords = new Map<KafkaCluster, string>()

  before(async () => {
    const users = { [USER]: PASSWORD }
    ;[bed, south] = await Promise.all([Bed.start({ east: { users }, west: { users } }), startKafka({ name: 'south' })])
    await bed.eastAdmin.allow(...AT_SOURCE)
    await bed.westAdmin.allow(...AT_DESTINATION)
  })

  afterEach(() => bed.killWorkers())

  after(async () => {
    await bed?.[Symbol.asyncDispose]()
    await south?.stop()
  })

  const missing: { title: string; topic: string; grant: Grant; side: 'eastAdmin' | 'westAdmin'; names: RegExp }[] = [
    {
      title: 'the source topic may not be read',
      topic: 'unread',
      grant: read('unread'),
      side: 'eastAdmin',
      names: /unread.*\bREAD\b/
    },
    {
      title: 'the destination topic may not be written',
      topic: 'unwritten',
      grant: write('unwritten'),
      side: 'westAdmin',
      names: /east\.unwritten.*\bWRITE\b/
    },
    {
      title: 'the transactional id may not be used',
      topic: 'unfenced',
      grant: fence('unfenced'),
      side: 'westAdmin',
      names: /farlog\/east\/west\/unfenced\/.*\bWRITE\b/
    }
  ]

  for (const { title, topic, grant, side, names } of missing) {
    it(`halts a topic where ${title}, naming the ACL, and no other; it goes on when that is granted`, async () => {
      const allowed = `${topic}-not`
      for (const name of [topic, allowed]) {
        await bed.eastAdmin.createTopic(name)
        await bed.write(name, 0, 10)
        await bed.eastAdmin.allow(describeTopic(name), read(name))
        await bed.westAdmin.allow(write(name), fence(name))
      }
      await bed[side].withdraw(grant)
      const worker = await startWorker(`${topic}.*`)
      const { reason, detail } = await halted(worker, topic)
      assert.equal(reason, 'not-authorized')
      assert.equal((await worker.metrics()).sum('farlog_halted_partitions', { reason: 'not-authorized' }), 1)
      await caughtUp(worker, bed.eastAdmin, allowed)
      await bed.write(allowed, 0, 10)
      await caughtUp(worker, bed.eastAdmin, allowed)

      await bed[side].allow(grant)
      await caughtUp(worker, bed.eastAdmin, topic)
      assert.equal(await bed.assertSame(topic, allowed), 30)
      assert.match(detail!, names)
    })
  }

  it('is mirrored to once a wrong password is put right, and says meanwhile what is wrong; others are not held up', async () => {
    const topic = 'mistyped'
    await prepare(topic)
    const file = passwordFile(topic, 'a slip of the pen')
    const worker = await startWorker(topic, { ...toSouth(), FARLOG_WEST_SASL_PASSWORD_FILE: file })
    await caughtUp(worker, bed.eastAdmin, topic, { destination: 'south' })
    const line = await logged(worker, /"destination":"west".*uthentication/)
    assert.doesNotMatch(JSON.stringify(line), /slip of the pen/)
    const notReady = await fetch(`${worker.url}/readyz`)
    assert.equal(notReady.status, 503)
    assert.match(await notReady.text(), /west.*uthentication/)

    writeFileSync(file, PASSWORD)
    await worker.waitReady(60_000)
    await bed.write(topic, 0, 10)
    await caughtUp(worker, bed.eastAdmin, topic, { destination: 'west' })
    await caughtUp(worker, bed.eastAdmin, topic, { destination: 'south' })
    assert.equal(await bed.assertSame(topic), 20)
    assert.equal(await assertSameRecords(bed.east.bootstrap, south.bootstrap, { [topic]: `east.${topic}` }), 20)
  })

  it('may change the destination’s password while it is mirrored to: the new one is read from the file', async () => {
    const topic = 'rotated-west'
    await prepare(topic)
    const file = passwordFile(topic, PASSWORD)
    const worker = await startWorker(topic, { ...toSouth(), FARLOG_WEST_SASL_PASSWORD_FILE: file })
    for (const destination of ['west', 'south']) await caughtUp(worker, bed.eastAdmin, topic, { destination })
    await changePassword(bed.west, 'second-password')
    await logged(worker, /"destination":"west".*uthentication/)
    await bed.write(topic, 0, 10)
    await caughtUp(worker, bed.eastAdmin, topic, { destination: 'south' })
    const [held] = await partitionsOf(worker, topic, 'west')
    assert.equal(held?.nextSourceOffset, 10)
    assert.notEqual(held?.state, 'halted', `${held?.reason}: ${held?.detail}`)

    writeFileSync(file, 'second-password')
    await caughtUp(worker, bed.eastAdmin, topic, { destination: 'west' })
    assert.equal(await bed.assertSame(topic), 20)
    assert.equal(await assertSameRecords(bed.east.bootstrap, south.bootstrap, { [topic]: `east.${topic}` }), 20)
    const { groupId } = (await worker.status()).flows.find(({ destination }) => destination === 'west')!
    await isCommitted(bed.westAdmin, groupId, `east.${topic}`)
  })

  it('may change the source’s password while it is read from: the new one is read from the file, by the group too', async () => {
    const topic = 'rotated-east'
    await prepare(topic)
    const file = passwordFile(topic, PASSWORD)
    const worker = await startWorker(topic, { FARLOG_EAST_SASL_PASSWORD_FILE: file })
    await caughtUp(worker, bed.eastAdmin, topic)
    await changePassword(bed.east, 'second-password')
    await logged(worker, /uthentication/)
    writeFileSync(file, 'second-password')
    await bed.write(topic, 0, 10)
    await caughtUp(worker, bed.eastAdmin, topic)
    await isCommitted(bed.eastAdmin, (await worker.status()).flows[0]!.groupId, topic)
    assert.equal((await partitionsOf(worker, topic)).length, 1)
    assert.equal(await bed.assertSame(topic), 20)
  })

  /** All twenty: whoever has not come back to the group by then has lost its partitions. */
  async function isCommitted(admin: KafkaAdmin, groupId: string, topic: string): Promise<void> {
    await until(async () => (await admin.committedOffsets(groupId, topic)).get(0) === 20, {
      describe: `all of ${topic} to be committed`
    })
  }

  function startWorker(topics: string, env: Readonly<Record<string, string>> = {}): Promise<FarlogProcess> {
    return bed.startWorker(topics, { ...login('EAST', bed.east, env), ...login('WEST', bed.west, env), ...env })
  }

  /** The password in the environment, unless it is given otherwise. */
  function login(alias: string, cluster: KafkaCluster, env: Readonly<Record<string, string>>): Record<string, string> {
    const password = `FARLOG_${alias}_SASL_PASSWORD`
    return {
      [`FARLOG_${alias}_BOOTSTRAP_SERVERS`]: cluster.authenticatedBootstrap,
      [`FARLOG_${alias}_SECURITY_PROTOCOL`]: 'SASL_PLAINTEXT',
      [`FARLOG_${alias}_SASL_MECHANISM`]: 'PLAIN',
      [`FARLOG_${alias}_SASL_USERNAME`]: USER,
      ...(`${password}_FILE` in env ? {} : { [password]: passwords.get(cluster) ?? PASSWORD })
    }
  }

  function toSouth(): Record<string, string> {
    return { FARLOG_DESTINATIONS: 'west,south', FARLOG_SOUTH_BOOTSTRAP_SERVERS: south.bootstrap }
  }

  function passwordFile(topic: string, password: string): string {
    const file = join(bed.east.dir, `password-${topic}`)
    writeFileSync(file, password)
    return file
  }

  /** A topic with ten records that may be mirrored. */
  async function prepare(topic: string): Promise<void> {
    await bed.eastAdmin.createTopic(topic)
    await bed.write(topic, 0, 10)
    await bed.eastAdmin.allow(describeTopic(topic), read(topic))
    await bed.westAdmin.allow(write(topic), fence(topic))
  }

  /** All connections end with it, as the broker has to be started again. */
  async function changePassword(cluster: KafkaCluster, password: string): Promise<void> {
    const file = join(cluster.dir, 'broker-1/server.properties')
    writeFileSync(file, readFileSync(file, 'utf8').replace(new RegExp(`(user_${USER}=)"[^"]*"`), `$1"${password}"`))
    await cluster.brokers[0]!.restart()
    passwords.set(cluster, password)
  }
})
