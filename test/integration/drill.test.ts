/** The runbook on real clusters: failed over under load, come back, and moved back, each command killed once and given again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FailbackReport } from '../../src/failover/failback-report.ts'
import type { SwitchoverReport } from '../../src/failover/switchover-report.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { isAtLength, itAtLength } from '../support/long.ts'
import { type Producing, startProducing } from '../support/produce.ts'
import { type ReadRecord, readRecords, sourceOffsets } from '../support/read-records.ts'
import { type RunbookCommand, readRunbook } from '../support/runbook.ts'
import { type KilledAndAgain, TwoSites } from '../support/two-sites.ts'
import { until } from '../support/wait.ts'

const TOPIC = 'orders'
const PARTITIONS = [0, 1, 2]
const GROUP = 'billing'
const WAY_BACK = { FARLOG_SOURCE: 'west', FARLOG_DESTINATIONS: 'east' }
/** Records per second; the producer tells once a second how far it is. */
const RATE = 500
/** What stays behind at the source that dies, at least. */
const LEFT_BEHIND = 400

describe('the runbook', function () {
  this.timeout(900_000)

  for (const [lost, each] of [
    ['keep', it],
    ['skip', itAtLength]
  ] as const) {
    each(`fails over, comes back and moves back, with records that only the dead side had (${lost})`, async () => {
      await using sites = await TwoSites.start({
        // Transactions of a producer that died are looked for every 10 s otherwise.
        east: { config: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000' } }
      })
      const { east, west, eastAdmin } = sites
      await eastAdmin.createTopic(TOPIC, PARTITIONS.length)
      const forward = await sites.startWorker({ FARLOG_CHECKPOINT_INTERVAL: '500ms' })
      await forward.waitReady(120_000)
      await using eastLoad = await load(east.bootstrap, 1)
      await until(async () => (await countOf(west.bootstrap)) > 1_000, waiting('copies under load'))
      const read = new Set<string>()
      await readSome(east.bootstrap, 600, read)
      await until(
        async () => (await sites.westAdmin.committedOffsets(GROUP, TOPIC)).size > 0,
        waiting('a checkpoint of the group')
      )

      // The worker sleeps, so that something is left behind, and the source dies.
      forward.kill('SIGSTOP')
      const acknowledged = eastLoad.acknowledged()
      await until(
        () => eastLoad.acknowledged() > acknowledged + 2 * RATE + LEFT_BEHIND,
        waiting('records that do not cross')
      )
      await east.brokers[0]!.kill('SIGKILL')
      await eastLoad[Symbol.asyncDispose]()

      // Unplanned failover
      const dry = await sites.give(sites.command('Unplanned failover', 1))
      assert.equal(dry.code, 0, dry.stderr)
      const failover = await sites.giveTwice(sites.command('Unplanned failover', 3), ['stop', 'drain', 'shut out'])
      assertDone(failover)
      const crossed = await crossedTo(west.bootstrap)
      const shown = await sites.give(sites.command('Unplanned failover', 4))
      assert.equal(shown.code, 1)
      assert.match(shown.stdout, /stopped by .*: failover to west/)
      forward.kill('SIGCONT')

      await using westLoad = await load(west.bootstrap, 2)
      await readSome(west.bootstrap, 1_200, read)

      // Failback
      await east.brokers[0]!.restart()
      const seen = await sites.give(sites.command('Failback', 1))
      assert.equal(seen.code, 0, seen.stderr)
      const onlyAtEast = await beyond(east.bootstrap, crossed)
      assert.ok(onlyAtEast.length >= LEFT_BEHIND, `${onlyAtEast.length} records were left behind`)
      assert.deepEqual(exported(sites), onlyAtEast)
      const command = withLost(sites.command('Failback', 2), lost)
      assertDone(await sites.giveTwice(command, ['ready', 'divergence']))
      assert.deepEqual(exported(sites), onlyAtEast)
      const back = await sites.giveRun(sites.command('Failback', 3))
      await back.waitReady(120_000)

      await westLoad.stop()
      await readSome(west.bootstrap, 300, read)
      const born = await bornAt(west.bootstrap)
      await until(
        async () => (await copiesOf(east.bootstrap)) === born,
        waiting('what was written at west to come to east')
      )
      // Nothing that came from east was read for it.
      assert.equal((await back.metrics()).sum('farlog_looped_records_total', { topic: TOPIC }) ?? 0, 0)
      const again = JSON.parse((await sites.farlog(['failback', '--json', '--lost', lost])).stdout) as FailbackReport
      assert.equal(again.lost.records, onlyAtEast.length)
      assert.deepEqual([again.reverse.begun, again.reverse.going], [0, PARTITIONS.length])
      assert.deepEqual(again.warnings, [])
      const caughtUp = await sites.give(sites.command('Failback', 4))
      assert.equal(caughtUp.code, 0, caughtUp.stderr)
      const steps = ['ready', 'lag', 'producers', 'drained', 'groups', 'verify', 'stop']
      const switchover = await sites.giveTwice(sites.command('Failback', 5), steps)
      assertDone(switchover)
      assert.match(switchover.again.stdout, /Writers and readers can go to east now/)
      const report = JSON.parse((await sites.farlog(['switchover', '--json'], WAY_BACK)).stdout) as SwitchoverReport
      assert.equal(report.outcome, 'switched over')
      assert.equal(report.loss!.lostRecordsMax, 0)
      assert.equal(report.order!.reason, 'switchover to east')

      // East is written to again, and both sides agree, but for what was left behind and is to stay there.
      await using lastLoad = await load(east.bootstrap, 3, 600)
      await lastLoad.finished
      const atEast = await everything(east.bootstrap)
      const staying = new Set(lost === 'keep' ? [] : onlyAtEast.map(contentOf))
      const expected = atEast.filter(record => !staying.has(record))
      await until(async () => (await countOf(west.bootstrap)) >= expected.length, waiting('west to follow'))
      assert.deepEqual(await everything(west.bootstrap), expected)
      assert.equal(new Set(atEast).size, atEast.length)
      const shownAgain = await sites.give(sites.command('Failback', 6))
      assert.equal(shownAgain.code, 0, shownAgain.stderr)
      assert.doesNotMatch(shownAgain.stdout, /stopped by/)

      await using reader = await GroupConsumer.join(east.bootstrap, GROUP, [TOPIC])
      const rest = (await reader.readToEnd(6_000)).map(({ partition, value }) => `${partition} ${value}`)
      // Records that it may not have read stand before all that came since, where they are kept: those it reads again.
      if (lost === 'skip') {
        assert.deepEqual(
          rest.filter(record => read.has(record)),
          []
        )
      }
      for (const record of rest) read.add(record)
      const left = new Set(onlyAtEast.map(({ partition, record }) => `${partition} ${record.value}`))
      const missed = (await identities(east.bootstrap)).filter(record => !read.has(record))
      assert.deepEqual(
        missed.filter(record => lost === 'keep' || !left.has(record)),
        []
      )
    })
  }

  // The test of `farlog switchover` does so step by step.
  itAtLength('moves as planned', async () => {
    await using sites = await TwoSites.start()
    const { east, west, eastAdmin } = sites
    await eastAdmin.createTopic(TOPIC, PARTITIONS.length)
    const forward = await sites.startWorker()
    await forward.waitReady(120_000)
    await using eastLoad = await load(east.bootstrap, 1)
    await until(async () => (await countOf(west.bootstrap)) > 1_000, waiting('copies under load'))
    const read = new Set<string>()
    await readSome(east.bootstrap, 500, read)
    const back = await sites.giveRun(sites.command('Planned move', 1))
    await back.waitReady(120_000)
    assert.equal((await sites.give(sites.command('Planned move', 2))).code, 0)
    const dry = await sites.give(sites.command('Planned move', 2, 1))
    assert.equal(dry.code, 1)
    assert.match(dry.stdout, /producers: still written to at east: orders/)
    await eastLoad.stop()
    await readSome(east.bootstrap, 200, read)
    const command = sites.command('Planned move', 4)
    // It goes on where it was each time.
    const steps = isAtLength()
      ? ['ready', 'lag', 'producers', 'drained', 'groups', 'verify', 'stop', 'stop       nothing is lost']
      : ['drained', 'stop']
    for (const step of steps) await sites.giveAndKill(command, step)
    const move = await sites.give(command)
    assert.equal(move.code, 0, move.stderr + move.stdout)
    assert.match(move.stderr, /going on with a switchover that was interrupted/)
    assert.match(move.stdout, /Writers and readers can go to west now/)
    const before = await everything(east.bootstrap)
    assert.deepEqual(await everything(west.bootstrap), before)

    await using westLoad = await load(west.bootstrap, 2, 600)
    await westLoad.finished
    const all = await everything(west.bootstrap)
    assert.equal(all.length, before.length + 600)
    await until(async () => (await countOf(east.bootstrap)) >= all.length, waiting('the way back'))
    assert.deepEqual(await everything(east.bootstrap), all)
    const status = await sites.give(sites.command('Planned move', 5))
    assert.equal(status.code, 0, status.stderr)

    await using reader = await GroupConsumer.join(west.bootstrap, GROUP, [TOPIC])
    const rest = (await reader.readToEnd(6_000)).map(({ partition, value }) => `${partition} ${value}`)
    // The group had committed all that it had read: nothing comes twice.
    assert.deepEqual(
      rest.filter(record => read.has(record)),
      []
    )
    for (const record of rest) read.add(record)
    assert.deepEqual(
      (await identities(west.bootstrap)).filter(record => !read.has(record)),
      []
    )
  })

  it('has no command that these tests leave out', () => {
    const untried = readRunbook()
      .filter(({ commands }) => commands.length > 0)
      .map(({ section, number, commands }) => `${section} ${number}: ${commands.length}`)
    assert.deepEqual(untried, [
      'Planned move 1: 1',
      'Planned move 2: 2',
      'Planned move 4: 1',
      'Planned move 5: 1',
      'Unplanned failover 1: 1',
      'Unplanned failover 3: 1',
      'Unplanned failover 4: 1',
      'Failback 1: 1',
      'Failback 2: 1',
      'Failback 3: 1',
      'Failback 4: 1',
      'Failback 5: 1',
      'Failback 6: 1'
    ])
  })
})

/** Transactions and aborts, without an end where it is not given. */
function load(bootstrap: string, seed: number, records = 0): Promise<Producing> {
  return startProducing({
    ...{
      bootstrap,
      topics: [{ name: TOPIC, partitions: PARTITIONS.length, compression: 'lz4' }],
      records,
      seed,
      rate: RATE
    },
    ...{ shape: 'plain', valueBytes: 60, transactionRecords: 20, abortPercent: 20 }
  })
}

/** As a member of the group, which commits all of it. */
async function readSome(bootstrap: string, count: number, read: Set<string>): Promise<void> {
  await using consumer = await GroupConsumer.join(bootstrap, GROUP, [TOPIC])
  for (const { partition, value } of await consumer.read(count, 120_000)) read.add(`${partition} ${value}`)
  consumer.commit()
}

interface Located {
  readonly partition: number
  readonly record: ReadRecord
}

async function readAll(bootstrap: string): Promise<Located[]> {
  const read = await Promise.all(PARTITIONS.map(partition => readRecords(bootstrap, TOPIC, partition)))
  return read.flatMap((records, partition) => records.map(record => ({ partition, record })))
}

async function countOf(bootstrap: string): Promise<number> {
  return (await readAll(bootstrap)).length
}

function hasOrigin({ record }: Located): boolean {
  return record.headers.some(([name]) => name === 'farlog.origin')
}

async function bornAt(bootstrap: string): Promise<number> {
  return (await readAll(bootstrap)).filter(located => !hasOrigin(located)).length
}

async function copiesOf(bootstrap: string): Promise<number> {
  return (await readAll(bootstrap)).filter(hasOrigin).length
}

/** By partition, the source offset behind the newest copy. */
async function crossedTo(bootstrap: string): Promise<number[]> {
  const read = await Promise.all(PARTITIONS.map(partition => readRecords(bootstrap, TOPIC, partition)))
  return read.map(
    records => Math.max(-1, ...sourceOffsets(records.filter(record => hasOrigin({ partition: 0, record })))) + 1
  )
}

/** What a reader of the old side finds beyond what crossed. */
async function beyond(bootstrap: string, crossed: readonly number[]): Promise<Located[]> {
  return (await readAll(bootstrap)).filter(({ partition, record }) => record.offset >= crossed[partition]!)
}

/** The failback's file, in the same form. */
function exported(sites: TwoSites): Located[] {
  return readFileSync(join(sites.folder, 'lost.jsonl'), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const { topic, partition, offset, timestamp, key, value, headers } = JSON.parse(line)
      assert.equal(topic, TOPIC)
      const text = (base64: string | null) => (base64 === null ? null : Buffer.from(base64, 'base64').toString('utf8'))
      const named = headers.map(([name, headerValue]: [string, string | null]) => [name, text(headerValue)])
      const record: ReadRecord = {
        ...{ offset, timestamp, timestampType: 'create' },
        ...{ key: text(key), value: text(value), headers: named }
      }
      return { partition, record }
    })
    .toSorted((a, b) => a.partition - b.partition || a.record.offset - b.record.offset)
}

function contentOf({ partition, record: { key, value, timestamp } }: Located): string {
  return JSON.stringify([partition, key, value, timestamp])
}

async function everything(bootstrap: string): Promise<string[]> {
  return (await readAll(bootstrap)).map(contentOf).toSorted()
}

/** As the group knows them. */
async function identities(bootstrap: string): Promise<string[]> {
  return (await readAll(bootstrap)).map(({ partition, record }) => `${partition} ${record.value}`)
}

function withLost({ env, args }: RunbookCommand, lost: 'keep' | 'skip'): RunbookCommand {
  assert.equal(args[args.indexOf('--lost') + 1], 'keep')
  return { env, args: args.with(args.indexOf('--lost') + 1, lost) }
}

function assertDone({ killedAfter, again }: KilledAndAgain): void {
  assert.equal(again.code, 0, `killed ${killedAfter}, and again:\n${again.stderr}${again.stdout}`)
}

function waiting(describe: string) {
  return { timeoutMs: 120_000, describe }
}
