import assert from 'node:assert/strict'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp, partitionsOf } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { itAtLength } from '../support/long.ts'
import { produce, startProducing } from '../support/produce.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { assertSameRecords } from '../support/same-records.ts'
import { until } from '../support/wait.ts'

const SECOND_MS = 1_000
const DELAY_MS = 8_000
/** A look at the source each second, and what the machine takes for everything else. */
const LATE_MS_MAX = 4_000
const YEAR_MS = 365 * 86_400_000
const MIB = 1024 * 1024
/** What a record of the backlog takes in the source's log, beside its value. */
const OVERHEAD_BYTES = 12
const VALUE_BYTES = 1_000
const RECORDS = 30_000

describe('a flow that is kept behind or within a budget', function () {
  this.timeout(240_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let source: KafkaAdmin
  let destination: KafkaAdmin
  let writer: BatchWriter
  const workers: FarlogProcess[] = []

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    source = new KafkaAdmin(east.bootstrap)
    destination = new KafkaAdmin(west.bootstrap)
    writer = new BatchWriter(east.bootstrap)
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await Promise.all([writer, source, destination].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  async function startWorker(topics: string, more: Record<string, string>): Promise<FarlogProcess> {
    const worker = await startFarlog({
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: `test-${topics}`,
      ...more
    })
    workers.push(worker)
    return worker
  }

  /** A topic whose copy says, by its timestamps, when each record arrived. */
  async function createTimedTopic(name: string): Promise<void> {
    await source.createTopic(name)
    await destination.createTopic(`east.${name}`, 1, { 'message.timestamp.type': 'LogAppendTime' })
  }

  async function mirroring(worker: FarlogProcess, ...topics: string[]): Promise<void> {
    await until(
      async () => {
        const { partitions } = (await worker.status()).flows[0]!
        const own = partitions.filter(({ topic }) => topics.includes(topic))
        return (
          own.length >= topics.length &&
          own.every(({ state, lagRecords }) => state === 'mirroring' && lagRecords !== null)
        )
      },
      { timeoutMs: 60_000, describe: 'everything to be mirrored' }
    )
  }

  /** When each record arrived, by source offset; each is there once and in order. */
  async function arrivals(topic: string): Promise<number[]> {
    const records = await readRecords(west.bootstrap, `east.${topic}`)
    assert.deepEqual(
      sourceOffsets(records),
      records.map((_, i) => i)
    )
    assert.ok(records.every(({ timestampType }) => timestampType === 'logappend'))
    return records.map(({ timestamp }) => timestamp)
  }

  /** Writes one record after another; resolves to when each one was begun and done. */
  async function writeSlowly(topic: string, count: number, timestamp: () => number): Promise<[number, number][]> {
    const written: [number, number][] = []
    for (let i = 0; i < count; i++) {
      const begunAtMs = Date.now()
      await writer.write(topic, 0, [{ value: `${topic} ${i}`, timestamp: timestamp() }])
      written.push([begunAtMs, Date.now()])
      await until(() => Date.now() - begunAtMs >= 400, { describe: 'the next record', pauseMs: 10 })
    }
    return written
  }

  /** @param backAtMs what was due before, with no worker there, arrived then */
  function assertDelayed(
    written: readonly (readonly [number, number])[],
    arrivedAtMs: readonly number[],
    backAtMs = 0
  ): void {
    assert.equal(arrivedAtMs.length, written.length)
    const early = written.filter(([begunAtMs], i) => arrivedAtMs[i]! < begunAtMs + DELAY_MS)
    const late = written.filter(
      ([, doneAtMs], i) => arrivedAtMs[i]! > Math.max(doneAtMs + DELAY_MS, backAtMs) + LATE_MS_MAX
    )
    const told = written.map(([begunAtMs], i) => arrivedAtMs[i]! - begunAtMs).join()
    assert.deepEqual({ early, late }, { early: [], late: [] }, told)
  }

  it('copies nothing before it is due and all of it then, also after a restart in between', async () => {
    await createTimedTopic('late')
    await source.createTopic('exact', 3)
    const env = { FARLOG_DELAY: `${DELAY_MS / SECOND_MS}s`, FARLOG_STALL_TIMEOUT: '5s' }
    const worker = await startWorker('late,exact', env)
    await mirroring(worker, 'late', 'exact')
    await produce({ bootstrap: east.bootstrap, topics: [{ name: 'exact', partitions: 3 }], records: 3_000 })
    const producedAtMs = Date.now()
    const first = await writeSlowly('late', 10, Date.now)

    // What is held back is lag, and shown as lag; it is no backlog, and no stall.
    const [held] = await partitionsOf(worker, 'late')
    assert.ok(held!.lagRecords! > 0 && held!.lagSeconds! > 1, JSON.stringify(held))
    assert.equal(held!.etaSeconds, 0)
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
    const second = await writeSlowly('late', 5, Date.now)
    const next = await startWorker('late,exact', env)
    await mirroring(next, 'late', 'exact')
    const backAtMs = Date.now()
    const third = await writeSlowly('late', 30, Date.now)
    await caughtUp(next, source, 'late')
    await caughtUp(next, source, 'exact', { partitions: 3 })
    assert.ok(Date.now() >= producedAtMs + DELAY_MS)
    assertDelayed([...first, ...second, ...third], await arrivals('late'), backAtMs)
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { exact: 'east.exact' }), 3_000)
    assert.equal((await next.metrics()).sum('farlog_watchdog_steps_total') ?? 0, 0)
  })

  it('goes by when it saw records arrive, whatever their timestamps say', async () => {
    for (const topic of ['past', 'future', 'punctual']) await createTimedTopic(topic)
    const worker = await startWorker('past,future,punctual', { FARLOG_DELAY: `${DELAY_MS / SECOND_MS}s` })
    await mirroring(worker, 'past', 'future', 'punctual')
    const written = await Promise.all([
      writeSlowly('past', 10, () => Date.now() - YEAR_MS),
      writeSlowly('future', 10, () => Date.now() + YEAR_MS / 365 / 48),
      writeSlowly('punctual', 10, Date.now)
    ])
    for (const [i, topic] of ['past', 'future', 'punctual'].entries()) {
      await caughtUp(worker, source, topic)
      assertDelayed(written[i]!, await arrivals(topic))
    }
  })

  it('copies what came before the time of `farlog stop --at`, and nothing of what came then, also after a restart', async () => {
    await createTimedTopic('bad')
    const variables = { FARLOG_DELAY: '25s', FARLOG_STALL_TIMEOUT: '5s' }
    const worker = await startWorker('bad', variables)
    await mirroring(worker, 'bad')
    const good = await writeSlowly('bad', 8, Date.now)
    // A worker sees records a second after they came, at the latest.
    await until(() => Date.now() > good.at(-1)![1] + 1_200, { describe: 'a worker to have seen what is good' })
    const stopAt = new Date().toISOString()
    await writeSlowly('bad', 5, Date.now)
    const command = (...args: string[]) =>
      runFarlog(args, {
        FARLOG_SOURCE: 'east',
        FARLOG_DESTINATIONS: 'west',
        FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
        FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
        FARLOG_TOPICS: 'bad',
        FARLOG_GROUP_ID: 'test-bad',
        ...variables
      })
    const late = await command('stop', '--at', '2026-01-01T00:00:00Z')
    assert.equal(late.code, 1)
    assert.match(late.stderr, /west may have copied what came to east before .*: choose a later time, or stop at once/)
    const ordered = await command('stop', '--at', stopAt, '--reason', 'bad deployment')
    assert.equal(ordered.code, 0, ordered.stderr)
    const standsStill = async (each: FarlogProcess) =>
      until(
        async () => {
          const [shown] = await partitionsOf(each, 'bad')
          return shown?.reason === 'stopped' && shown
        },
        { timeoutMs: 60_000, describe: 'the copy to stand still' }
      )
    assert.equal((await standsStill(worker)).nextSourceOffset, good.length)
    assert.equal((await arrivals('bad')).length, good.length)
    worker.kill('SIGTERM')
    await worker.exit
    const next = await startWorker('bad', variables)
    assert.equal((await standsStill(next)).nextSourceOffset, good.length)
    const { stdout } = await command('status')
    assert.ok(stdout.includes(`to stand still at what came to the source from ${stopAt} on`), stdout)
    assert.equal((await next.metrics()).sum('farlog_watchdog_steps_total') ?? 0, 0)
    assert.equal((await command('start')).code, 0)
    await caughtUp(next, source, 'bad')
    assert.equal((await arrivals('bad')).length, good.length + 5)
  })

  it('fetches no more in ten seconds than its budget, and no less, with two threads', async () => {
    const partitions = 4
    await produce({
      bootstrap: east.bootstrap,
      topics: [{ name: 'bulk', partitions }],
      records: RECORDS,
      valueBytes: VALUE_BYTES,
      shape: 'plain'
    })
    const budget = MIB
    const worker = await startWorker('bulk', {
      FARLOG_MAX_BYTES_PER_SECOND: '1MiB',
      FARLOG_THREADS: '2',
      FARLOG_STALL_TIMEOUT: '5s'
    })
    const mirrored = async () => {
      const bytes = (await worker.metrics()).sum('farlog_records_total', { topic: 'bulk' })
      return (bytes ?? 0) * (VALUE_BYTES + OVERHEAD_BYTES)
    }
    await until(async () => (await mirrored()) > 2 * MIB, { describe: 'the copy to be under way' })
    const beginMs = performance.now()
    const before = await mirrored()
    await until(() => performance.now() - beginMs >= 10_000, { describe: 'ten seconds' })
    const rate = ((await mirrored()) - before) / ((performance.now() - beginMs) / SECOND_MS)
    assert.ok(rate > 0.85 * budget && rate < 1.15 * budget, `${(rate / budget).toFixed(3)} of the budget`)

    const { etaSeconds } = (await worker.status()).flows[0]!
    const left = (RECORDS * (VALUE_BYTES + OVERHEAD_BYTES) - (await mirrored())) / budget
    assert.ok(
      etaSeconds !== null && etaSeconds > left * 0.6 && etaSeconds < left * 1.6,
      `${etaSeconds} s in place of ${left}`
    )
    const shown = (await worker.metrics()).sum('farlog_backlog_eta_seconds')
    assert.ok(shown !== undefined && shown > 0)
    await caughtUp(worker, source, 'bulk', { partitions })
    await until(async () => (await worker.metrics()).sum('farlog_backlog_eta_seconds') === 0, {
      describe: 'no backlog to be left'
    })
    assert.equal(await assertSameRecords(east.bootstrap, west.bootstrap, { bulk: 'east.bulk' }), RECORDS)
    assert.equal((await worker.metrics()).sum('farlog_watchdog_steps_total') ?? 0, 0)
  })

  describe('with new traffic beside a backlog of many partitions', () => {
    const partitions = 30
    const budget = MIB

    before(() =>
      produce({
        bootstrap: east.bootstrap,
        topics: [{ name: 'old', partitions }],
        records: 45_000,
        valueBytes: VALUE_BYTES,
        shape: 'plain'
      })
    )

    /** How long records of `topic` took for ten seconds, and how much of the backlog was copied meanwhile. */
    async function measure(
      topic: string,
      backlogShare: string
    ): Promise<{ latenciesMs: number[]; backlogRate: number }> {
      await createTimedTopic(topic)
      const worker = await startWorker(`old,${topic}`, {
        FARLOG_MAX_BYTES_PER_SECOND: '1MiB',
        FARLOG_BACKLOG_SHARE: backlogShare
      })
      await mirroring(worker, topic)
      const copied = async () => (await worker.metrics()).sum('farlog_records_total', { topic: 'old' }) ?? 0
      await until(async () => (await copied()) > 1_000, { timeoutMs: 60_000, describe: 'the backlog to be copied' })
      await using load = await startProducing({
        bootstrap: east.bootstrap,
        topics: [{ name: topic }],
        records: 0,
        rate: 600,
        valueBytes: VALUE_BYTES,
        shape: 'plain',
        lingerMs: 5
      })
      const arrived = async () => (await destination.offsets(`east.${topic}`))[0]!.highWatermark
      await until(async () => (await arrived()) > 1_000, { timeoutMs: 60_000, describe: 'new traffic' })
      const from = await arrived()
      const before = await copied()
      const beginMs = performance.now()
      await until(() => performance.now() - beginMs >= 10_000, { describe: 'ten seconds' })
      const seconds = (performance.now() - beginMs) / SECOND_MS
      const backlogRate = (((await copied()) - before) * (VALUE_BYTES + OVERHEAD_BYTES)) / seconds
      await load.stop()
      await caughtUp(worker, source, topic)
      const [sent, got] = await Promise.all([
        readRecords(east.bootstrap, topic),
        readRecords(west.bootstrap, `east.${topic}`)
      ])
      const sentAtMs = new Map(sent.map(({ offset, timestamp }) => [offset, timestamp]))
      const offsets = sourceOffsets(got)
      const latenciesMs = got
        .map(({ timestamp }, i) => timestamp - sentAtMs.get(offsets[i]!)!)
        .slice(from, from + 5_000)
        .toSorted((a, b) => a - b)
      worker.kill('SIGTERM')
      assert.deepEqual(await worker.exit, { code: 0, signal: null })
      return { latenciesMs, backlogRate }
    }

    // Of rates and latencies side by side, which take their time.
    itAtLength('copies what is new at once, while the backlog has at least its share', async () => {
      const ordered = await measure('new', '25')
      const unordered = await measure('other', '100')
      const percentile = (sorted: readonly number[], share: number) => sorted[Math.floor(sorted.length * share)]!
      const told = [ordered, unordered].map(
        ({ latenciesMs, backlogRate }) =>
          `p50 ${percentile(latenciesMs, 0.5)} ms, p99 ${percentile(latenciesMs, 0.99)} ms, backlog ${(backlogRate / budget).toFixed(2)}`
      )
      console.log(told.join('; without an order: '))
      assert.ok(percentile(ordered.latenciesMs, 0.99) < 1_500, told[0]!)
      assert.ok(ordered.backlogRate > 0.25 * budget * 0.85, told[0]!)
      assert.ok(percentile(unordered.latenciesMs, 0.5) > 3 * percentile(ordered.latenciesMs, 0.5), told.join(' and '))
    })
  })
})
