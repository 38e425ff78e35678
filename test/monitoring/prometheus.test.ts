import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Bed } from '../fault/support/bed.ts'
import { type FarlogProcess, runFarlog } from '../support/farlog-process.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { until } from '../support/wait.ts'
import { filledIn, legendLabels, readDashboards } from './support/dashboards.ts'
import { Prometheus, type Series } from './support/prometheus.ts'
import { operandsOf, selectorsOf } from './support/promql.ts'
import { RULES_FILE, readRules } from './support/rules.ts'

const TOPICS = 'orders,large,gapped'
const PARTITIONS = 4
/** Of a scrape a second, as Grafana would choose it or longer. */
const RATE_INTERVAL = '10s'
/** Of each wait; ten times what it takes on a machine of one's own. */
const TIMEOUT_MS = 60_000
/** For what should be there already: a few scrapes and evaluations, also on a busy machine. */
const SOON_MS = 20_000
/** Panels about trouble, which this run has: more than zeros is expected of them. */
const TROUBLE = ['Halted partitions', 'Halted partitions by reason', 'Gaps', 'Events at the source']

/**
 * A Prometheus asks two workers while they mirror between two clusters, and while a partition is halted, records are gone before
 * they are mirrored, an order stops the flow, and the workers go: so all there is to be seen has been seen once.
 */
describe('a Prometheus that asks two workers', function () {
  this.timeout(240_000)

  let bed: Bed
  let workers: FarlogProcess[]
  let prometheus: Prometheus
  let env: Record<string, string>
  const writing = new AbortController()
  let written: Promise<void>

  before(async () => {
    // Of what east takes, west refuses the largest; a topic's own limit would be carried over.
    bed = await Bed.start({ east: { config: { 'message.max.bytes': '4000000' } } })
    const topics = TOPICS.split(',')
    for (const topic of topics) await bed.eastAdmin.createTopic(topic, PARTITIONS)
    env = {
      FARLOG_ON_GAP: 'continue',
      FARLOG_CHECKPOINT_INTERVAL: '500ms',
      FARLOG_HEARTBEAT_INTERVAL: '200ms',
      FARLOG_VERIFY_BYTES_PER_SECOND: '1MiB'
    }
    workers = [await bed.startWorker(TOPICS, env), await bed.startWorker(TOPICS, env)]
    prometheus = await Prometheus.start({
      config: readFileSync(join(PROJECT_DIR, 'deploy/prometheus/prometheus.yml'), 'utf8'),
      rules: withObjective(readFileSync(RULES_FILE, 'utf8'), 'flow:farlog_loss_exposure_seconds:objective', 1),
      targets: workers.map(({ url }) => new URL(url).host)
    })
    written = keepWriting()
    const mirrored = 'farlog_partition_state{state="mirroring"} == 1'
    await Promise.all(workers.map(worker => worker.waitReady(TIMEOUT_MS)))
    await until(async () => (await prometheus.now(mirrored)).length === topics.length * PARTITIONS, {
      timeoutMs: TIMEOUT_MS,
      describe: 'Prometheus to see all partitions mirrored'
    })
    await bed.eastAdmin.commitOffsets('billing', 'orders', [[0, 1]])
    await bed.write('large', 0, 10)
    await bed.writer.write('large', 0, [{ value: Buffer.alloc(1_500_000, 'x') }])
    await makeGap()
    await until(() => prometheus.now('farlog_halted_partitions{reason="record-too-large"}').then(notEmpty), {
      timeoutMs: TIMEOUT_MS,
      describe: 'Prometheus to see the halted partition'
    })
    await until(async () => (await firing()).includes('FarlogGap'), {
      timeoutMs: TIMEOUT_MS,
      describe: 'the alert about the gap'
    })
    await until(() => prometheus.now('farlog_group_reprocess_records').then(notEmpty), {
      timeoutMs: TIMEOUT_MS,
      describe: 'the group'
    })
    await until(() => prometheus.now('topic:farlog_retention_margin_seconds:min').then(notEmpty), {
      timeoutMs: TIMEOUT_MS,
      describe: 'a partition that is further behind than the objective'
    })
  })

  after(async () => {
    writing.abort()
    await written
    await prometheus?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  // Each in a describe, for mocha runs the tests of a describe before those of the describes in it.
  describe('scrapes', () => {
    it('both, and takes every line of theirs', async () => {
      await until(async () => (await prometheus.now('up == 1')).length === 2, {
        timeoutMs: TIMEOUT_MS,
        describe: 'two workers'
      })
      // It warns of series that come twice and of samples that it can't put into order.
      assert.deepEqual(
        prometheus.complaints.filter(line => /scrape/i.test(line)),
        []
      )
    })
  })

  for (const { title: dashboard, panels, variables } of readDashboards()) {
    describe(`has for ${dashboard}`, () => {
      for (const panel of panels) {
        for (const target of panel.targets) {
          it(`data: ${panel.title} ${target.refId}`, async () => {
            const query = filledIn(target.expr, RATE_INTERVAL)
            // At each second of the run, also for panels that show one moment.
            const series = await hasData(query, TROUBLE.includes(panel.title) ? value => value > 0 : Number.isFinite)
            for (const { metric } of series) {
              for (const label of legendLabels(target.legendFormat)) {
                assert.ok((metric[label] ?? '') !== '', `${label} in ${JSON.stringify(metric)}`)
              }
            }
          })
        }
      }

      for (const { name, definition } of variables.filter(({ type }) => type === 'query')) {
        it(`something to choose as ${name}`, async () => {
          const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(definition!)!
          const values = await prometheus.labelValues(filledIn(selector!, RATE_INTERVAL), label!)
          const expected: Record<string, string[]> = {
            source: ['east'],
            destination: ['west'],
            topic: TOPICS.split(',').toSorted()
          }
          assert.deepEqual(values.toSorted(), expected[name])
        })
      }
    })
  }

  describe('with the rules', () => {
    it('can evaluate every rule', async () => {
      const rules = await prometheus.rules()
      const { records, alerts } = readRules()
      assert.equal(rules.length, records.length + alerts.length)
      for (const { name, health, lastError } of rules) assert.equal(health, 'ok', `${name}: ${lastError}`)
    })

    for (const { record } of readRules().records) {
      it(`has what is recorded as ${record}`, async () => {
        await hasData(record)
      })
    }

    it('fires at once about what can’t wait, in words that name it', async () => {
      const rules = await prometheus.rules()
      const [gap] = rules.find(({ name }) => name === 'FarlogGap')!.alerts!
      assert.deepEqual([gap!.labels.source, gap!.labels.destination, gap!.labels.topic], ['east', 'west', 'gapped'])
      assert.match(gap!.annotations.summary!, /^Records of gapped were deleted at east .* to west\.$/)
      for (const expected of ['FarlogSourceEvent', 'FarlogPartitionHalted', 'FarlogLossExposureHigh']) {
        await until(async () => (await raisedNow()).includes(expected), { timeoutMs: SOON_MS, describe: expected })
      }
      for (const { annotations } of rules.flatMap(({ alerts = [] }) => alerts)) {
        for (const text of Object.values(annotations)) assert.doesNotMatch(text, /no value|%!|\{\{| {2}|^ /)
      }
    })
  })

  describe('at the end', () => {
    it('sees that the flow is stopped by an order, and who is gone', async () => {
      const ordered = await runFarlog(['failover'], { ...bed.flowEnv(TOPICS), ...env })
      assert.equal(ordered.code, 0, ordered.stderr)
      await until(() => prometheus.now('flow:farlog_stopped:max > 0').then(notEmpty), {
        timeoutMs: TIMEOUT_MS,
        describe: 'the order'
      })
      await until(async () => !(await raisedNow()).includes('FarlogLossExposureHigh'), {
        timeoutMs: TIMEOUT_MS,
        describe: 'the alert about exposure to be silent'
      })

      const [first, second] = workers
      first!.kill('SIGKILL')
      await until(async () => (await raisedNow()).includes('FarlogWorkerDown'), {
        timeoutMs: TIMEOUT_MS,
        describe: 'a worker to be missed'
      })
      assert.ok(!(await raisedNow()).includes('FarlogAbsent'))
      second!.kill('SIGKILL')
      await until(async () => (await raisedNow()).includes('FarlogAbsent'), {
        timeoutMs: TIMEOUT_MS,
        describe: 'both to be missed'
      })
      await until(async () => (await raisedNow()).includes('FarlogFlowAbsent'), {
        timeoutMs: TIMEOUT_MS,
        describe: 'the flow to be missed'
      })
    })

    // Last, so that what an alert asks for has been there, if only for a moment.
    for (const { alert, expr } of readRules().alerts) {
      it(`has data for all that ${alert} asks for, also where its condition is not met`, async () => {
        const selectors = selectorsOf(expr)
        assert.ok(selectors.length > 0)
        for (const selector of selectors) await hasData(selector)
        const operands = operandsOf(expr)
        assert.ok(operands.length > 0)
        for (const operand of operands) await hasData(operand)
      })
    }
  })

  /** A little traffic, for as long as the run takes. */
  async function keepWriting(): Promise<void> {
    for (let round = 0; !writing.signal.aborted; round++) {
      await bed.write('orders', round % PARTITIONS, 20, round * 20)
      await pause(100, undefined, { signal: writing.signal }).catch(() => {})
    }
  }

  /** Records come and go while nobody looks. What was written first may be on its way already, so it stays. */
  async function makeGap(): Promise<void> {
    await bed.write('gapped', 0, 10)
    for (const worker of workers) worker.kill('SIGSTOP')
    await bed.write('gapped', 0, 10, 10)
    await bed.write('gapped', 0, 10, 20)
    await bed.eastAdmin.deleteRecordsBefore('gapped', 0, 25)
    for (const worker of workers) worker.kill('SIGCONT')
  }

  /** Waits for the next scrape and evaluation, where what is asked for has only just come to be. */
  function hasData(expr: string, isMeant: (value: number) => boolean = Number.isFinite): Promise<Series[]> {
    return until(
      async () => {
        const series = await prometheus.sinceStart(expr)
        return series.some(({ values }) => values.some(isMeant)) && series
      },
      { timeoutMs: SOON_MS, describe: `data of ${expr}` }
    )
  }

  async function firing(): Promise<string[]> {
    return (await prometheus.rules()).filter(({ state }) => state === 'firing').map(({ name }) => name)
  }

  async function raisedNow(): Promise<string[]> {
    return (await prometheus.rules())
      .filter(({ state }) => state === 'firing' || state === 'pending')
      .map(({ name }) => name)
  }
})

function notEmpty(series: readonly Series[]): boolean {
  return series.length > 0
}

/** The rules with another number for one of the objectives, changed as docs/alerts.md says. */
function withObjective(rules: string, name: string, objective: number): string {
  const changed = rules.replace(
    new RegExp(`(- record: ${name}\\n +expr: )[\\d* ]+ \\+`),
    (_, before: string) => `${before}${objective} +`
  )
  assert.notEqual(changed, rules)
  return changed
}
