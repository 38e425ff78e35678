import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { BatchWriter } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import type { KafkaBroker } from '../support/kafka-cluster.ts'
import { itAtLength } from '../support/long.ts'
import { type Producing, startProducing } from '../support/produce.ts'
import { runToEnd } from '../support/run-to-end.ts'
import { until } from '../support/wait.ts'
import { assertHealthy, Bed, halted, logged } from './support/bed.ts'

const TOPIC = 'loaded'
const PARTITIONS = 6
const RECORDS_PER_SECOND = 500
/** Further than what was on its way when the trouble began. */
const RECORDS_OF_SECONDS = Math.ceil((5 * RECORDS_PER_SECOND) / PARTITIONS)

/** Three brokers and three replicas on either side, of which two must be in sync, and a load that never stops. */
describe('brokers of a cluster of three', function () {
  this.timeout(240_000)

  let bed: Bed
  let worker: FarlogProcess
  let producing: Producing

  before(async () => {
    bed = await Bed.start({ east: { brokers: 3 }, west: { brokers: 3 } })
    const topics = [{ name: TOPIC, partitions: PARTITIONS, compression: 'lz4' as const }]
    producing = await startProducing({ bootstrap: bed.east.bootstrap, topics, records: 0, rate: RECORDS_PER_SECOND })
    worker = await bed.startWorker(TOPIC)
    await goesOn()
  })

  after(async () => {
    await producing?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  for (const [side, each] of [
    ['west', it],
    ['east', itAtLength]
  ] as const) {
    each(`may stand still without going away: the others take over (${side})`, async () => {
      // The first one: it is whom a client asks first.
      const [frozen] = bed[side].brokers
      await frozen!.kill('SIGSTOP')
      try {
        await goesOn(RECORDS_OF_SECONDS)
      } finally {
        await frozen!.kill('SIGCONT')
      }
      await goesOn()
    })
  }

  it('may all be restarted one after the other, on both sides at once', async () => {
    for (const index of [0, 1, 2]) {
      await Promise.all([bed.east, bed.west].map(({ brokers }) => brokers[index]!.restart()))
      await goesOn()
    }
  })

  it('may have a disk that is full: such a one ends, the others take over, and it comes back when there is room', async () => {
    const full = [bed.east, bed.west].map(({ brokers }) => brokers[2]!)
    for (const { pid } of full) {
      // No file may grow any more: to the broker it is as if its disk were full.
      await runToEnd(['prlimit', '--pid', `${pid}`, '--fsize=1'])
      await until(() => !existsSync(`/proc/${pid}`), { timeoutMs: 60_000, describe: `broker ${pid} to give up` })
    }
    await goesOn(RECORDS_OF_SECONDS)
    await Promise.all(full.map(broker => broker.restart()))
    await goesOn()
  })

  it('are waited for where too few replicas are in sync, and the wait is counted and named', async () => {
    const produceRetries = async () =>
      (await worker.metrics()).sum('farlog_retries_total', { operation: 'produce' }) ?? 0
    const before = await produceRetries()
    await bed.westAdmin.setTopicConfig(`east.${TOPIC}`, 'min.insync.replicas', '3')
    const [, , missing] = bed.west.brokers
    await missing!.kill()
    await logged(worker, /NOT_ENOUGH_REPLICAS.*produce failed/)
    await until(async () => (await lagRecords()) > 1_000, { timeoutMs: 60_000, describe: 'the lag to rise' })
    assert.ok((await produceRetries()) > before)
    await missing!.restart()
    await until(async () => (await lagRecords()) < 500, { timeoutMs: 90_000, describe: 'the lag to fall' })
    await goesOn()
  })

  it('have lost, duplicated and reordered nothing in the end', async () => {
    const { records } = await producing.stop()
    await caughtUp(worker, bed.eastAdmin, TOPIC, { partitions: PARTITIONS, timeoutMs: 90_000 })
    assert.ok((await bed.assertSame(TOPIC)) >= records)
    await assertHealthy(worker)
  })

  it('may make one leader that lacks records: that partition halts, naming the offsets, and no other', async () => {
    const [leader, follower, other] = bed.east.brokers as [KafkaBroker, KafkaBroker, KafkaBroker]
    const replicas = [
      [leader.nodeId, follower.nodeId],
      [other.nodeId, leader.nodeId]
    ]
    const configs = { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' }
    await bed.eastAdmin.placeTopic('cut-back', replicas, configs)
    await writeAt(leader, 0, 50)
    const mirroring = await bed.startWorker('cut-back')
    await caughtUp(mirroring, bed.eastAdmin, 'cut-back', { partitions: 2 })

    await follower.kill()
    // Acknowledged once the follower is known to be gone: from here on the leader alone has them.
    await writeAt(leader, 0, 20)
    await until(async () => (await bed.copied('cut-back')).length === 70, { describe: 'all to be mirrored' })
    await leader.kill()
    await follower.restart()

    const { reason, detail } = await halted(mirroring, 'cut-back')
    assert.equal(reason, 'diverged')
    assert.match(detail!, /\b50\b.*\b69\b/)
    await writeAt(other, 1, 30)
    await until(async () => (await bed.copied('cut-back', 1)).length === 30, { describe: 'the other partition' })
    // What the new leader takes has offsets that were mirrored with other contents.
    await writeAt(follower, 0, 40)
    await leader.restart()
    assert.deepEqual((await bed.copied('cut-back')).length, 70)
    assert.equal((await halted(mirroring, 'cut-back')).reason, 'diverged')
  })

  async function writeAt(broker: KafkaBroker, partition: number, count: number): Promise<void> {
    await using writer = new BatchWriter(`127.0.0.1:${broker.port}`)
    await writer.write(
      'cut-back',
      partition,
      Array.from({ length: count }, (_, i) => ({ value: `${i}` }))
    )
  }

  /** Every partition gets further by so many records, not only those that the trouble spared. */
  async function goesOn(records = 1): Promise<void> {
    let before = new Map<number, number>()
    await until(
      async () => {
        const now = await positions()
        // One that knows no position yet is in the map all the same.
        if (before.size < PARTITIONS) before = now
        const stuck = [...before].filter(([partition, offset]) => (now.get(partition) ?? -1) < offset + records)
        if (before.size === PARTITIONS && stuck.length === 0) return true
        throw new Error(`stuck: ${JSON.stringify(stuck)}, ${JSON.stringify(worker.logs.slice(-5))}`)
      },
      // Three times 20 s: a connection is given up, then the one that metadata came by, then a new one.
      { timeoutMs: 90_000, describe: 'all partitions to go on' }
    )
  }

  async function positions(): Promise<Map<number, number>> {
    const { partitions } = (await worker.status()).flows[0]!
    return new Map(partitions.map(({ partition, nextSourceOffset }) => [partition, nextSourceOffset ?? -1]))
  }

  async function lagRecords(): Promise<number> {
    const lag = (await worker.metrics()).sum('farlog_loss_exposure_records')
    if (lag === undefined) throw new Error('the lag is unknown')
    return lag
  }
})
