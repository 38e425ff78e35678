import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Cluster } from '../../src/cluster/cluster.ts'
import { EventReader } from '../../src/events/event-log.ts'
import type { FlowOrder } from '../../src/events/flow-order.ts'
import type { FailbackReport } from '../../src/failover/failback-report.ts'
import type { SwitchoverReport } from '../../src/failover/switchover-report.ts'
import { BatchWriter, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { spawnOwned } from '../support/owned-process.ts'
import { plainCluster } from '../support/plain-cluster.ts'
import { readRecords } from '../support/read-records.ts'
import { TwoSites } from '../support/two-sites.ts'
import { until } from '../support/wait.ts'

const QUICK = ['--quiet', '1s', '--timeout', '6s', '--json']
const WAY_BACK = { FARLOG_SOURCE: 'west', FARLOG_DESTINATIONS: 'east' }

/** The tests share the clusters, and with them the orders of the flow: each leaves it running. */
describe('farlog switchover', function () {
  this.timeout(240_000)
  let sites: TwoSites
  let writer: BatchWriter

  before(async () => {
    sites = await TwoSites.start()
    writer = new BatchWriter(sites.east.bootstrap)
  })
  after(async () => {
    await writer?.[Symbol.asyncDispose]()
    await sites?.[Symbol.asyncDispose]()
  })
  afterEach(() => sites.killWorkers())

  it('refuses while something is written to the source, names it, and leaves both sides as they were', async () => {
    const { env, worker } = await mirrored('growing')
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; isWriting; i++) await writer.write('growing', 0, [{ value: `more ${i}` }])
    })()
    const { code, report } = await switchOver(env, ...QUICK)
    isWriting = false
    await writing
    assert.equal(code, 1)
    assert.deepEqual(report.outcome, 'refused')
    assert.deepEqual(report.problems, [
      { step: 'producers', problem: 'still written to at east: growing; stop the producers' }
    ])
    assert.equal(report.order, null)
    assert.deepEqual(await orders(), [])
    await caughtUp(worker, sites.eastAdmin, 'growing')
  })

  it('refuses while a transaction is open that may still be committed', async () => {
    const { env } = await mirrored('undecided')
    const transaction = await writeInTransaction(sites.east.bootstrap, 'undecided', 0, [{ value: 'perhaps' }])
    const { code, report } = await switchOver(env, ...QUICK)
    assert.equal(code, 1)
    assert.match(
      report.problems[0]!.problem,
      /still written to at east: undecided \(a transaction is open in partition 0\)/
    )
    await transaction.abort()
    assert.deepEqual(await orders(), [])
  })

  it('refuses while lag is over what is allowed, and says where', async () => {
    const { env, worker } = await mirrored('slow', { FARLOG_SYNC_TOPIC_CONFIGS: 'false' })
    // The destination does not take it, so that the worker halts, which is not seen from outside but as lag.
    await sites.westAdmin.setTopicConfig('slow', 'max.message.bytes', '1000')
    await writer.write('slow', 0, [{ value: 'x'.repeat(5_000), timestamp: Date.now() - 60_000 }])
    const { code, report } = await switchOver(env, ...QUICK)
    assert.equal(code, 1)
    assert.deepEqual(
      report.problems.map(({ step }) => step),
      ['lag']
    )
    assert.match(report.problems[0]!.problem, /^more than 10\.0 s behind: slow-0 \(1\.\d min\)/)
    assert.deepEqual(await orders(), [])
    await sites.westAdmin.setTopicConfig('slow', 'max.message.bytes', '1000000')
    await caughtUp(worker, sites.eastAdmin, 'slow')
  })

  it('refuses where a partition is halted, and where records wait that nobody mirrors', async () => {
    const { env } = await mirrored('gone')
    await sites.killWorkers()
    await writer.write('gone', 0, numbered(10))
    const waiting = await switchOver(env, ...QUICK)
    assert.equal(waiting.code, 1)
    await until(
      async () => {
        const { report } = await switchOver(env, ...QUICK)
        return /^10 records wait and no worker is running/.test(report.problems[0]!.problem)
      },
      { timeoutMs: 60_000, describe: 'the dead worker to be forgotten by its group' }
    )
    await sites.eastAdmin.deleteRecordsBefore('gone', 0, 15)
    const halted = await switchOver(env, ...QUICK)
    assert.equal(halted.code, 1)
    assert.match(halted.report.problems[0]!.problem, /gone-0 \(gap\)/)
    assert.deepEqual(await orders(), [])
  })

  it('refuses under a policy that has no way back, without having asked for anything else', async () => {
    const { code, report } = await switchOver({ FARLOG_REPLICATION_POLICY: 'default' }, ...QUICK)
    assert.equal(code, 1)
    assert.match(report.problems[0]!.problem, /FARLOG_REPLICATION_POLICY=identity/)
    const named = await sites.farlog(['switchover'], { FARLOG_GROUP_ID: 'mine' })
    assert.equal(named.code, 2)
    assert.match(named.stderr, /--reverse-group is needed/)
    const odd = await sites.farlog(['switchover', '--quiet', 'soon'])
    assert.equal(odd.code, 2)
    assert.match(odd.stderr, /--quiet: "soon" is not a duration/)
  })

  it('tells in a dry run all that stands in the way, and who consumes at the source', async () => {
    const { env } = await mirrored('watched')
    await using consumer = await GroupConsumer.join(sites.east.bootstrap, 'watcher', ['watched'])
    await consumer.read(10)
    consumer.commit()
    const ready = await switchOver(env, ...QUICK, '--dry-run')
    assert.equal(ready.code, 0, JSON.stringify(ready.report))
    assert.equal(ready.report.outcome, 'ready')
    assert.deepEqual(ready.report.groupsAtSource, ['watcher'])
    assert.match(ready.report.warnings.join(), /no worker mirrors west → east yet/)
    assert.match(ready.report.warnings.join(), /groups have members at east still: watcher/)
    const transaction = await writeInTransaction(sites.east.bootstrap, 'watched', 0, [{ value: 'perhaps' }])
    const refused = await switchOver(env, ...QUICK, '--dry-run')
    await transaction.abort()
    assert.equal(refused.code, 1)
    assert.deepEqual(
      refused.report.problems.map(({ step }) => step),
      ['producers']
    )
    assert.deepEqual(await orders(), [])
  })

  it('takes its own STOP back where a record comes after the source was quiet, and the record is mirrored', async () => {
    const { env } = await mirrored('late')
    await sites.killWorkers()
    await until(async () => (await sites.eastAdmin.groupMembers(env.FARLOG_GROUP_ID)) === 0, {
      timeoutMs: 60_000,
      describe: 'the dead worker to be forgotten by its group'
    })
    const command = spawnOwned(
      [join(PROJECT_DIR, 'bin/farlog'), 'switchover', '--no-verify', ...reverseGroup, ...QUICK],
      {
        env: { PATH: process.env.PATH, ...sites.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe']
      }
    )
    let wrote: Promise<void> | undefined
    createInterface(command.child.stderr!).on('line', line => {
      if (line.startsWith('4/8')) wrote = writer.write('late', 0, [{ value: 'too late' }])
    })
    let stdout = ''
    for await (const chunk of command.child.stdout!) stdout += chunk
    assert.equal((await command.exit).code, 1)
    await wrote
    const report = JSON.parse(stdout) as SwitchoverReport
    assert.equal(report.outcome, 'refused')
    assert.deepEqual(
      report.problems.map(({ step }) => step),
      ['stop']
    )
    assert.match(report.problems[0]!.problem, /records came to the source after it was quiet: late-0 \(1\)/)
    const given = await orders()
    assert.deepEqual(
      given.map(({ action }) => action),
      ['STOP', 'START']
    )
    assert.match(given[1]!.reason, /^switchover to west undone: records came to the source/)
    assert.deepEqual(await orders('west', 'east'), [])
    const worker = await sites.startWorker(env)
    await caughtUp(worker, sites.eastAdmin, 'late')
    assert.equal((await readRecords(sites.west.bootstrap, 'late')).at(-1)!.value, 'too late')
  })

  it('leaves the STOP of somebody else alone', async () => {
    const { env } = await mirrored('stopped')
    assert.equal((await sites.farlog(['failover'], env)).code, 0)
    const before = await orders()
    const { code, report } = await switchOver(env, ...QUICK)
    assert.equal(code, 1)
    assert.match(report.problems[0]!.problem, /^the flow was stopped by .* \(failover to west\): see to that first/)
    assert.deepEqual(await orders(), before)
    assert.equal((await sites.farlog(['start'], env)).code, 0)
  })

  it('leaves records at the destination that others wrote there to the way back, which reads all of such a topic', async () => {
    const { env } = await mirrored('shared')
    await using westWriter = new BatchWriter(sites.west.bootstrap)
    await westWriter.write('shared', 0, [{ value: 'born at west' }])
    await writer.write('shared', 0, numbered(5))
    await until(async () => (await readRecords(sites.west.bootstrap, 'shared')).length === 16, {
      timeoutMs: 60_000,
      describe: 'copies on both sides of it'
    })
    // What was compared before is not forgotten for it.
    assert.equal((await sites.farlog(['verify'], env)).code, 0)
    const { code, report } = await switchOver(env, ...QUICK, '--timeout', '60s')
    assert.equal(code, 0, JSON.stringify(report.problems))
    assert.equal(report.verified!.totals.foreign, 1)
    assert.equal(report.loss!.lostRecordsMax, 0)
    assert.equal(report.verified!.verdict, 'identical')
    await westWriter.write('shared', 0, [{ value: 'written after the move' }])
    const wayBack = await sites.startWorker({ ...env, ...WAY_BACK, FARLOG_GROUP_ID: REVERSE_GROUP })
    const values = async () => (await readRecords(sites.east.bootstrap, 'shared')).map(({ value }) => value).slice(15)
    await until(async () => (await values()).length >= 2, { timeoutMs: 60_000, describe: 'what was born at west' })
    assert.deepEqual(await values(), ['born at west', 'written after the move'])
    // Others count on nobody mirroring the way back: it leaves its group, where a killed one would only be missed later.
    wayBack.kill('SIGTERM')
    await wayBack.exit
    const again = await switchOver(env, ...QUICK)
    assert.equal(again.code, 0)
    assert.equal(again.report.order!.id, report.order!.id)
    assert.equal((await sites.farlog(['start'], env)).code, 0)
  })

  it('has no failback where nothing was failed over', async () => {
    const { code, stderr, stdout } = await sites.farlog(['failback', ...reverseGroup], { FARLOG_GROUP_ID: 'test-none' })
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /^farlog failback: east → west is not stopped: there is nothing to come back from/m)
    const odd = await sites.farlog(['failback', '--lost', 'perhaps'])
    assert.equal(odd.code, 2)
    assert.match(odd.stderr, /--lost perhaps is neither keep nor skip/)
  })

  it('has a failback that exports to a topic, and goes on behind what it skips', async () => {
    const { env } = await mirrored('left')
    await sites.killWorkers()
    await writer.write('left', 0, numbered(3))
    await (await writeInTransaction(sites.east.bootstrap, 'left', 0, numbered(4))).abort()
    await (await writeInTransaction(sites.east.bootstrap, 'left', 0, numbered(2))).commit()
    assert.equal((await sites.farlog(['failover'], env)).code, 0)
    const failBack = async (...args: string[]) => {
      const { code, stdout, stderr } = await sites.farlog(['failback', '--json', ...reverseGroup, ...args], env)
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout) as FailbackReport
    }
    const before = [await orders(), await orders('west', 'east')]
    const dry = await failBack('--dry-run', '--lost', 'skip', '--export-topic', 'lost.internal')
    assert.deepEqual([await orders(), await orders('west', 'east')], before)
    assert.ok(!(await sites.westAdmin.topics()).includes('lost.internal'))
    assert.equal(dry.lost.records, 5)
    for (const _ of [1, 2]) {
      const { lost, warnings } = await failBack('--lost', 'skip', '--export-topic', 'lost.internal')
      assert.equal(lost.records, 5)
      assert.match(warnings.join(), /no worker mirrors west → east yet/)
    }
    const lines = await readRecords(sites.west.bootstrap, 'lost.internal')
    assert.deepEqual(
      [...new Set(lines.map(({ key }) => key))],
      [10, 11, 12, 18, 19].map(offset => `left/0/${offset}`)
    )
    assert.equal(Buffer.from(JSON.parse(lines[0]!.value!).value, 'base64').toString(), 'record 0')

    assert.equal((await sites.farlog(['start'], env)).code, 0)
    const worker = await sites.startWorker(env)
    await writer.write('left', 0, [{ value: 'after all' }])
    await caughtUp(worker, sites.eastAdmin, 'left')
    const copies = await readRecords(sites.west.bootstrap, 'left')
    assert.deepEqual(
      copies.slice(10).map(({ value }) => value),
      ['after all']
    )
  })

  const REVERSE_GROUP = 'test-reverse'
  const reverseGroup = ['--reverse-group', REVERSE_GROUP]

  /** A topic of ten records that are at both sides, and the worker that has mirrored them. */
  async function mirrored(topic: string, more: Readonly<Record<string, string>> = {}) {
    const env = { FARLOG_TOPICS: topic, FARLOG_GROUP_ID: `test-${topic}`, ...more }
    await sites.eastAdmin.createTopic(topic)
    const worker = await sites.startWorker(env)
    await worker.waitReady(120_000)
    await writer.write(topic, 0, numbered(10))
    await caughtUp(worker, sites.eastAdmin, topic)
    return { env, worker }
  }

  async function switchOver(env: Readonly<Record<string, string>>, ...args: string[]) {
    const { code, stdout, stderr } = await sites.farlog(['switchover', ...reverseGroup, ...args], env)
    assert.ok(stdout.startsWith('{'), stderr)
    return { code, report: JSON.parse(stdout) as SwitchoverReport }
  }

  let ordersBefore = 0
  beforeEach(async () => {
    ordersBefore = (await allOrders('east', 'west')).length
    reverseOrdersBefore = (await allOrders('west', 'east')).length
  })
  let reverseOrdersBefore = 0

  /** Those that were given in this test. */
  async function orders(source = 'east', destination = 'west'): Promise<FlowOrder[]> {
    return (await allOrders(source, destination)).slice(source === 'east' ? ordersBefore : reverseOrdersBefore)
  }

  async function allOrders(source: string, destination: string): Promise<FlowOrder[]> {
    const { bootstrap } = destination === 'west' ? sites.west : sites.east
    await using cluster = new Cluster(plainCluster(destination, bootstrap), 'test')
    const { orders } = await new EventReader(cluster, source).read()
    return orders.map(({ order }) => order)
  }
})

function numbered(count: number) {
  return Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `record ${i}` }))
}
