import assert from 'node:assert/strict'
import type { PageView } from '../../src/page/page-view.ts'
import { Bed } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { type Producing, startProducing } from '../support/produce.ts'
import { until } from '../support/wait.ts'
import { Chromium } from './support/chromium.ts'

const TOPICS = 'orders,users'

/** One story, told in order: each step finds the clusters and the workers as the one before left them. */
describe('the page of a worker between two clusters', function () {
  this.timeout(120_000)
  this.bail(true)

  let bed: Bed
  let chromium: Chromium
  let writing: Producing
  let first: FarlogProcess

  before(async () => {
    ;[bed, chromium] = await Promise.all([Bed.start(), Chromium.start()])
    await Promise.all([bed.eastAdmin.createTopic('orders', 4), bed.eastAdmin.createTopic('users', 2)])
    const rate = { records: 0, rate: 200, shape: 'plain' } as const
    writing = await startProducing({
      bootstrap: bed.east.bootstrap,
      topics: [{ name: 'orders', partitions: 4 }],
      ...rate
    })
    await bed.write('users', 1, 10)
    first = await startWorker()
    await first.waitReady()
  })
  after(async () => {
    await writing?.[Symbol.asyncDispose]()
    await Promise.all([chromium?.[Symbol.asyncDispose](), bed?.[Symbol.asyncDispose]()])
  })

  const startWorker = () => bed.startWorker(TOPICS, { FARLOG_GROUPS: 'billing', FARLOG_CHECKPOINT_INTERVAL: '1s' })
  const viewOf = async (worker: FarlogProcess) => (await (await fetch(`${worker.url}/api/page`)).json()) as PageView
  const flowOf = async (worker: FarlogProcess) => (await viewOf(worker)).flows[0]!

  it('shows in a fresh browser that the copy can be trusted, and the minutes before it was opened', async () => {
    await caughtUp(first, bed.eastAdmin, 'users', { partitions: 2 })
    // Nobody looks meanwhile.
    await until(async () => (await first.status()).flows[0]!.rates.recordsPerSecond > 0, {
      describe: 'records to flow'
    })
    const startedAtMs = performance.now()
    await until(() => performance.now() - startedAtMs > 11_000, { pauseMs: 500, describe: 'two more samples' })
    const page = await chromium.open(first.url)
    await page.getByRole('heading', { name: 'Trusted' }).waitFor()
    await page.getByText('1 to 6 of 6 partitions').waitFor()
    assert.match(await page.title(), /^✓ Trusted · east → west · farlog$/)
    assert.match(
      (await page.locator('.exposure').textContent())!,
      /^If east were lost now(, nothing would be lost|: \d+ records?, \d+(\.\d)? m?s)\.$/
    )
    const line = (await page.locator('.chart .line').last().getAttribute('d'))!
    assert.ok(line.split('L').length >= 3, line)
    assert.match((await page.locator('.chart-now').last().textContent())!, /^\d+(\.\d)?K?\/s$/)
    await page.getByText('This worker mirrors all partitions.').waitFor()
    assert.deepEqual(page.complaints, [])
    await page.close()
  })

  it('shows a consumer group, and what it would read again', async () => {
    {
      await using consumer = await GroupConsumer.join(bed.east.bootstrap, 'billing', ['users'])
      await consumer.read(10)
      await consumer.commit()
    }
    const page = await chromium.open(first.url)
    const row = page.getByRole('row', { name: /^billing/ })
    await row.waitFor()
    assert.match((await row.textContent())!, /^billing\d.* agonothing$/)
    await page.close()
  })

  it('shows the whole group, though one worker of it is asked', async () => {
    const second = await startWorker()
    await second.waitReady()
    const shared = async () => {
      const { table, workers } = await flowOf(first)
      const owned = Map.groupBy(table.rows, ({ worker }) => worker)
      assert.deepEqual(
        workers!.map(({ name, partitions }) => [name, Number.parseInt(partitions, 10)]),
        [...owned].map(([name, rows]) => [name, rows.length]).toSorted()
      )
      assert.deepEqual([table.rows.length, owned.size], [6, 2])
      return workers!
    }
    const workers = await until(shared, { describe: 'both workers’ partitions' })
    assert.deepEqual(workers.map(({ isThis }) => isThis).toSorted(), [false, true])
    const trusted = async () => {
      const views = await Promise.all([flowOf(first), flowOf(second)])
      const levels = views.map(({ verdict }) => verdict.level)
      assert.deepEqual(levels, ['trusted', 'trusted'], JSON.stringify(views.map(({ table }) => table)))
      return views
    }
    await until(trusted, { describe: 'both to trust the copy' })
    // The one of them that has it is the one that the other names.
    const named = async () => {
      const views = await trusted()
      const [inCharge, other] = views.toSorted((a, b) => b.groups.length - a.groups.length)
      assert.deepEqual([inCharge!.groups.map(({ group }) => group), other!.groups], [['billing'], []])
      const name = inCharge!.workers!.find(({ isThis }) => isThis)!.name
      assert.equal(
        other!.groupsNote,
        `Worker ${name} looks after the consumer groups of this flow; its page shows them.`
      )
      return true
    }
    await until(named, { describe: 'the worker with the group to be named' })
    // Three partitions are followed by their commits alone: they move, and so do the records of the whole group.
    const rate = async () => {
      const { figures } = await flowOf(first)
      const value = Number(/^([\d,]+)\/s$/.exec(figures[1]!.value)![1]!.replace(',', ''))
      assert.ok(value > 120 && value < 320, `${value} of 200 records a second`)
      return true
    }
    await until(rate, { describe: 'the throughput of both' })
  })

  it('asks for attention where a partition stands still, whoever owns it', async () => {
    await bed.eastAdmin.deleteTopic('users')
    await bed.eastAdmin.createTopic('users', 2)
    const page = await chromium.open(first.url)
    await page.getByRole('heading', { name: 'Needs attention' }).waitFor({ timeout: 45_000 })
    const halted = page.locator('.partitions tr', { has: page.getByText('halted') })
    await until(async () => (await halted.count()) > 0, { describe: 'the halted partition' })
    assert.match((await halted.first().textContent())!, /^users-\d/)
    assert.match((await page.locator('.why').first().textContent())!, /^recreated: /)
    assert.match((await page.locator('.events li').first().textContent())!, /recreated, halted users-\d/)
    await page.close()
  })
})
