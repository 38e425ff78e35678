import assert from 'node:assert/strict'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import type { FlowStatus } from '../../src/observe/status.ts'
import type { PageView } from '../../src/page/page-view.ts'
import { inWords } from '../../src/page/words.ts'
import { until } from '../support/wait.ts'
import { flowStatus, partitionStatus } from '../unit/observe/worker-status.ts'
import { Chromium, type Viewing } from './support/chromium.ts'
import { FedPage, THIS_WORKER } from './support/fed-page.ts'
import { calm, HOSTILE, hostile, tenThousand, troubled } from './support/scenes.ts'

/** What a chart's line is made of. */
interface Line {
  readonly pieces: readonly { readonly y: number }[][]
  readonly top: number
  readonly last: number
  readonly highest: number
}

/** The page in a browser, with whatever a worker could know. */
describe('the page', function () {
  this.timeout(60_000)

  let chromium: Chromium
  let fed: FedPage | undefined

  before(async () => {
    chromium = await Chromium.start()
  })
  afterEach(async () => {
    await chromium.closeTabs()
    await fed?.[Symbol.asyncDispose]()
    fed = undefined
  })
  after(() => chromium?.[Symbol.asyncDispose]())

  const show = async (flows: readonly FlowStatus[], viewing: Viewing = {}) => {
    fed = await new FedPage(flows).start()
    const page = await open(viewing)
    await page.getByText('This worker mirrors all partitions').first().waitFor()
    return page
  }
  const open = async (viewing: Viewing = {}) => {
    const page = await chromium.open(fed!.url, viewing)
    await page.locator('.flow tbody tr').first().waitFor()
    return page
  }

  it('says with one look that the copy can be trusted, and what would be lost', async () => {
    const page = await show([calm()])
    assert.equal(await text(page, '#verdict-title'), 'Trusted')
    assert.equal(
      await text(page, '#verdict-sentences'),
      'All that was to be copied from east to west has been copied, but for the last 0.4 s.'
    )
    assert.equal(await text(page, '.exposure'), 'If east were lost now: 312 records, 0.4 s.')
    assert.equal(await page.title(), '✓ Trusted · east → west · farlog')
    assert.match((await page.locator('#icon').getAttribute('href'))!, /^data:image\/svg\+xml,.*%231a7f4b/)
    assert.deepEqual(page.complaints, [])
  })

  it('needs nothing from elsewhere, and forbids it', async () => {
    fed = await new FedPage([calm()]).start()
    const requested: string[] = []
    const page = await chromium.open('about:blank')
    page.on('request', request => requested.push(request.url()))
    await page.goto(fed.url)
    await page.locator('.flow tbody tr').first().waitFor()
    assert.ok(requested.length >= 6)
    assert.deepEqual(
      requested.filter(url => !url.startsWith(fed!.url) && !url.startsWith('data:')),
      []
    )
    const { headers } = await fetch(fed.url)
    const policy = headers.get('content-security-policy')!
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    const html = await (await fetch(fed.url)).text()
    assert.doesNotMatch(html, /\son\w+=|<style|<script(?![^>]*\ssrc=)/)
    const script = await page
      .evaluate("(() => { const s = document.createElement('script'); s.src = 'data:,document.title=1'; })()")
      .catch(String)
    assert.match(String(script), /TrustedScriptURL/)
  })

  it('shows what is wrong first, with what to do, and when the backlog will be copied', async () => {
    const page = await show([troubled()])
    assert.equal(await text(page, '#verdict-title'), 'Needs attention')
    assert.equal(await text(page, '#verdict-sentences'), '2 partitions stand still (gap 1, not-authorized 1).')
    assert.equal(
      await text(page, '.exposure'),
      'If east were lost now: at least 9,460,775 records, 90 min; not known of 2 partitions.'
    )
    assert.equal(await text(page, '.exposure + p'), 'The backlog will be copied in about 12 min.')
    assert.deepEqual((await names(page)).slice(0, 5), ['orders-7', 'users-3', 'shipments-9', 'clicks-9', 'clicks-12'])
    assert.match(
      await text(page, '.why'),
      /^gap: source offsets 1200345 to 1200399 .*`farlog resume` says where to go on$/
    )
    assert.match(await text(page, '#announcer'), /^Needs attention\. 2 partitions/)

    await page.getByLabel('Show').selectOption('attention')
    await until(async () => (await names(page)).length === 3, { describe: 'those that need attention' })
    await page.getByLabel('Show').selectOption('behind')
    await until(async () => (await names(page)).join() === 'clicks-9', { describe: 'the one that is behind' })
    const [eventTime, ...events] = await page.locator('.events li').allTextContents()
    assert.match(eventTime!, /^[A-Z][a-z]{2} \d+, \d\d:\d\d:\d\d UTC gap, halted orders-7: source offsets 1200345/)
    assert.match(events.at(-1)!, /flow started by ops@bastion: back from the drill$/)
  })

  it('shows names and messages of others as text, whatever they are, and in its place', async () => {
    const { flow, look } = hostile()
    fed = await new FedPage([flow]).start()
    fed.looking = [look]
    const page = await open({ width: 400 })
    page.on('dialog', dialog => assert.fail(`the page opened a dialog: ${dialog.message()}`))
    await page.getByText('This worker mirrors all partitions').waitFor()
    assert.equal(await text(page, '.flow h2'), `${HOSTILE} → ${HOSTILE}`)
    assert.ok((await page.title()).includes(HOSTILE))
    assert.equal(await page.locator('main img, main script, main iframe').count(), 0)
    assert.equal(await page.evaluate('document.scripts.length'), 1)
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 400)
    assert.deepEqual(page.complaints, [])
    // What is searched for is no pattern and no markup either.
    await page.getByLabel('Find').fill(HOSTILE)
    await until(async () => (await names(page)).join() === `${HOSTILE}-0`, { describe: 'the one that is searched for' })
    await page.getByLabel('Find').fill('(a+)+$')
    await page.getByText('None.').waitFor()
  })

  it('shows the whole group’s ten thousand partitions by a page of rows at a time', async () => {
    const { flow, look } = tenThousand()
    fed = await new FedPage([flow]).start()
    fed.looking = [look]
    const page = await open()
    await page.getByText('1 to 25 of 10,000 partitions').waitFor()
    assert.equal(await text(page, '#verdict-sentences'), '1 partition stands still (recreated).')
    const [first] = await page.locator('.partitions tbody tr').allTextContents()
    assert.match(first!, /^invoices-785halted.*farlog-delta-7$/)
    assert.equal((await names(page)).length, 25)
    assert.ok((await (await fetch(`${fed.url}/api/page?search.0=x`)).text()).length < 20_000)

    // By the keyboard alone; the focus stays where it is while the rows change.
    await page.getByRole('button', { name: 'Next' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('26 to 50 of 10,000 partitions').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('51 to 75 of 10,000 partitions').waitFor()
    await page.getByLabel('Find').focus()
    await page.keyboard.type('INVOICES-78')
    await page.getByText('1 to 11 of 11 partitions').waitFor()
    assert.equal(await page.evaluate("document.activeElement === document.querySelector('input')"), true)
    await page.getByLabel('Find').fill('bravo')
    await page.getByText('1 to 25 of 2,500 partitions').waitFor()
    assert.deepEqual(await page.locator('.part tbody th').allTextContents(), [
      ...['billing', 'fraud-scoring', 'warehouse'],
      ...[`${THIS_WORKER} (this one)`, 'farlog-bravo-7', 'farlog-charlie-7', 'farlog-delta-7']
    ])
  })

  it('looks at the group once for all who have it open', async () => {
    const startedAtMs = performance.now()
    await show([calm()])
    await Promise.all([open(), open()])
    await until(() => fed!.looks > 0, { describe: 'a look' })
    for (let asked = 0; asked < 20; asked++) await fetch(`${fed!.url}/api/page`)
    const looksMax = 1 + Math.floor((performance.now() - startedAtMs) / 5_000)
    assert.ok(fed!.looks <= looksMax, `${fed!.looks} of ${looksMax} looks`)
  })

  it('shows its own partitions and says so where the group can’t be looked at', async () => {
    fed = await new FedPage([calm()]).start()
    fed.looking = [() => assert.fail('east cannot be reached')]
    const page = await open()
    await page.getByText(/^The other workers’ partitions can’t be looked at: .*east cannot be reached\.$/).waitFor()
    assert.equal((await names(page)).length, 24)
    assert.equal(await text(page, '#verdict-title'), 'Not known')
    assert.match(
      await text(page, '#verdict-sentences'),
      /^Only this worker’s share is known \(24 partitions\); .*east cannot be/
    )
  })

  it('says that the worker does not answer, when it last did, and recovers when it does', async () => {
    const page = await show([calm()])
    const { port } = new URL(fed!.url)
    await fed!.stopAnswering()
    await page.getByText('The worker does not answer').first().waitFor()
    assert.match(
      await text(page, '#verdict-sentences'),
      /^Last heard \d+ s ago, when it said “Trusted”\. What is below is from then\./
    )
    assert.equal(await page.title(), '? The worker does not answer · east → west · farlog')
    assert.match(await text(page, '#announcer'), /^The worker does not answer\./)
    assert.match(await text(page, '#heard'), /^· heard \d+ s ago$/)
    assert.equal((await names(page)).length, 24)
    await fed!.start(Number(port))
    await page.getByRole('heading', { name: 'Trusted' }).waitFor()
    assert.equal(await page.title(), '✓ Trusted · east → west · farlog')
  })

  it('has a verdict for the worst of several flows, and one for each', async () => {
    const stopped = {
      id: 'a',
      stoppedBy: 'ops@laptop',
      stoppedAt: '2026-01-01T00:00:00.000Z',
      stopAt: null,
      reason: 'failover'
    }
    const partitions = [partitionStatus({ lagRecords: 90_000, lagSeconds: 300, etaSeconds: 75 })]
    const late = {
      destination: 'south',
      groupId: 'b',
      partitions,
      exposure: { records: 90_000, seconds: 300 },
      etaSeconds: 75
    }
    const page = await show([calm(), flowStatus(late), flowStatus({ destination: 'north', groupId: 'c', stopped })])
    assert.deepEqual(await page.locator('.badge').allTextContents(), ['Trusted', 'Behind', 'Stopped'])
    assert.equal(await text(page, '#verdict-title'), 'Stopped')
    assert.match(await text(page, '#verdict-sentences'), /^east → north: Nobody mirrors east to north since ops@laptop/)
    const sentences = await page.locator('.flow .sentences').allTextContents()
    assert.equal(sentences[1], 'south is 5 min and 90,000 records behind east; caught up in about 75 s.')
    assert.equal(
      sentences[2],
      'Nobody mirrors east to north since ops@laptop has stopped it at 2026-01-01T00:00:00.000Z: failover.'
    )
    // What is searched in one flow is searched in that one.
    await page.getByLabel('Find').first().fill('users')
    await page.getByText('1 to 4 of 4 partitions').waitFor()
    assert.equal(await page.getByText('1 to 1 of 1 partition').count(), 2)

    // After a restart with fewer destinations the others are not known of any more.
    fed!.status = { ...fed!.status, flows: fed!.status.flows.slice(0, 1) }
    await page.getByRole('heading', { name: 'Trusted' }).waitFor()
    assert.equal(await page.locator('.flow').count(), 1)
  })

  it('makes anew only what has changed, and takes the focus from nobody', async () => {
    const many = calm(40)
    const event = { kind: 'GAP', action: 'CONTINUED', observedAt: new Date().toISOString(), topic: 'a', partition: 0 }
    const events = [{ ...event, firstOffset: 0, nextOffset: 1, detail: 'gone' }]
    const page = await show([{ ...many, events }])
    const items = '.figure, .columns tbody tr, .events li, .partitions tbody tr'
    await page.evaluate(`for (const item of document.querySelectorAll('${items}')) item.isKept = true`)
    const [first, ...others] = many.partitions
    const moved = { ...first!, nextSourceOffset: first!.nextSourceOffset! + 1_000_000 }
    const flow = { ...many, events, partitions: [moved, ...others], heartbeatAgeSeconds: 3 }
    fed!.status = { ...fed!.status, flows: [flow] }
    await page.getByText(moved.nextSourceOffset.toLocaleString('en')).waitFor()
    const remade = await page.evaluate(
      `[...document.querySelectorAll('${items}')].filter(item => !item.isKept).map(item => item.querySelector('dt, th').textContent)`
    )
    assert.deepEqual(remade, ['Last heartbeat', 'clicks-0'])

    await page.getByRole('button', { name: 'Next' }).focus()
    // Fewer than fill a page: there is nothing to turn to any more.
    fed!.status = { ...fed!.status, flows: [{ ...flow, partitions: others.slice(0, 20) }] }
    await page.getByText('1 to 20 of 20 partitions').waitFor()
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Next')
    assert.equal(await page.locator('.pager [aria-live=polite]').count(), 1)
  })

  it('says times as the worker does, and is loaded anew with another version of it', async () => {
    const page = await show([calm()])
    const seconds = [0, 0.004, 0.4, 2, 9.94, 9.96, 90, 119.6, 3_600, 7_190, 7_200, 36_000, 172_000, 200_000]
    const said = await page.evaluate(
      `import('/page/words.js').then(words => ${JSON.stringify(seconds)}.map(words.inWords))`
    )
    assert.deepEqual(said, seconds.map(inWords))

    await page.evaluate('window.isOld = true')
    fed!.status = { ...fed!.status, version: '9.9.9' }
    await until(async () => (await page.evaluate('window.isOld')) === undefined, { describe: 'the new page' })
    await page.getByText('version 9.9.9').waitFor()
  })

  it('draws what is known, and nothing where nothing is known or nobody has looked', async () => {
    const page = await show([calm()])
    const line = (await page.evaluate(`import('/page/charts.js').then(({ lineOf }) =>
      lineOf([0, 5000, 10000, 15000, 60000, 65000], [1, 3, null, 4, 5, 9], 600000, 1))`)) as Line
    assert.deepEqual(
      line.pieces.map(piece => piece.map(({ y }) => Math.round((1 - y / 120) * line.top))),
      [[1, 3], [4], [5, 9]]
    )
    assert.deepEqual([line.top, line.last, line.highest], [10, 9, 9])
    const [lag] = await page.locator('.chart svg').all()
    assert.equal(await lag!.getAttribute('aria-label'), 'Lag, time, the last ten minutes: 0.4 s now, 0.4 s at most')
  })

  const late = () => flowStatus({ exposure: { records: 5, seconds: 60 } })
  for (const { name, scene, viewing } of [
    { name: 'calm, light', scene: calm, viewing: {} },
    { name: 'troubled, dark', scene: troubled, viewing: { colorScheme: 'dark' } },
    { name: 'troubled, light and narrow', scene: troubled, viewing: { width: 400 } },
    { name: 'late, dark and narrow', scene: late, viewing: { colorScheme: 'dark', width: 400 } }
  ] as const) {
    it(`can be used by anybody: ${name}`, async () => {
      const page = await show([scene()], viewing)
      await page.getByText('This worker mirrors all partitions').waitFor()
      await page.evaluate(axe.source)
      const { violations } = (await page.evaluate('axe.run()')) as {
        violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
      }
      assert.deepEqual(
        violations.map(({ id, nodes }) => ({
          id,
          nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)
        })),
        []
      )
      assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true)
    })
  }

  it('leads by the keyboard past the head to the flows, and shows where the focus is', async () => {
    const page = await show([calm()])
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the flows')
    assert.ok(((await page.locator('.skip').boundingBox())?.y ?? -1) >= 0)
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.id'), 'flows')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.type'), 'search')
    assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none')
  })

  it('moves nothing where somebody wants less motion, and is dark where that is wanted', async () => {
    const page = await show([calm()])
    const style = (property: string, of: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${of}')).${property}`)
    assert.equal(await style('transitionDuration', 'main'), '0s')
    const light = await style('backgroundColor', 'body')
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'no-preference' })
    assert.notEqual(await style('backgroundColor', 'body'), light)
    assert.equal(await style('transitionDuration', 'main'), '0.3s')
  })

  it('takes questions that make no sense as not asked, and asks nothing that changes anything', async () => {
    await show([calm()])
    const ask = async (query: string) => (await (await fetch(`${fed!.url}/api/page?${query}`)).json()) as PageView
    for (const query of [
      'page.0=-1',
      'page.0=1e99',
      'page.0=x&show.0=none',
      'show.7=all',
      `search.0=${'%20'.repeat(300)}`
    ]) {
      assert.equal((await ask(query)).flows[0]!.table.rows.length, 24, query)
    }
    assert.equal((await ask('page.0=99999')).flows[0]!.table.page, 0)
    assert.equal((await fetch(`${fed!.url}/api/page`, { method: 'POST' })).status, 405)
    assert.equal((await fetch(`${fed!.url}/page/../../package.json`)).status, 404)
    assert.equal((await fetch(`${fed!.url}/page/%2e%2e/assets.ts`)).status, 404)
  })
})

async function text(page: Page, selector: string): Promise<string> {
  return ((await page.locator(selector).first().textContent()) ?? '').trim()
}

/** The partitions of the first flow, as they are listed. */
function names(page: Page): Promise<string[]> {
  return page.locator('.flow').first().locator('.partitions tbody th').allTextContents()
}
