import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createContext, runInContext } from 'node:vm'
import type { WorkerStatus } from '../../../src/observe/status.ts'
import { flowStatus, partitionStatus, workerStatus } from './worker-status.ts'

const PAGE = readFileSync(new URL('../../../src/observe/page.html', import.meta.url), 'utf8')
const SCRIPT = /<script>(.*?)<\/script>/s.exec(PAGE)![1]!

/** As much of an element as the page uses. */
class FakeElement {
  readonly tag: string
  children: FakeElement[] = []
  className = ''
  hidden = false
  #text = ''

  constructor(tag: string) {
    this.tag = tag
  }

  get textContent(): string {
    return this.#text + this.children.map(child => child.textContent).join('|')
  }

  set textContent(text: string) {
    this.#text = text
  }

  append(...children: FakeElement[]): void {
    this.children.push(...children)
  }

  replaceChildren(...children: FakeElement[]): void {
    this.children = children
  }

  all(tag: string): FakeElement[] {
    return [...(this.tag === tag ? [this] : []), ...this.children.flatMap(child => child.all(tag))]
  }
}

/** Runs the page's script against one answer of the worker, up to the pause before the next. */
async function render(answer: () => WorkerStatus): Promise<Record<'worker' | 'notice' | 'flows', FakeElement>> {
  const elements = { worker: new FakeElement('span'), notice: new FakeElement('div'), flows: new FakeElement('main') }
  await new Promise<void>(resolve => {
    const context = {
      document: {
        hidden: false,
        getElementById: (id: keyof typeof elements) => elements[id],
        createElement: (tag: string) => new FakeElement(tag)
      },
      fetch: async () => ({ ok: true, json: async () => answer() }),
      // The pause never ends, so the page asks once.
      setTimeout: () => resolve(),
      AbortSignal,
      Intl
    }
    runInContext(SCRIPT, createContext(context))
  })
  return elements
}

describe('the page', () => {
  it('says in words what would be lost', async () => {
    const sentence = async (records: number | null, seconds: number | null) => {
      const { flows } = await render(() => workerStatus({ flows: [flowStatus({ exposure: { records, seconds } })] }))
      return flows.all('p')[0]!.textContent
    }
    assert.equal(await sentence(0, 0), 'If east were lost now, nothing would be lost.')
    assert.equal(await sentence(1, 0.25), 'If east were lost now, the last 250 ms would be lost: 1 record.')
    assert.equal(await sentence(12_345, 90), 'If east were lost now, the last 90 s would be lost: 12,345 records.')
    assert.match(await sentence(null, null), /^Loss exposure unknown: east has not answered/)
  })

  it('says how long the backlog will take, where there is one', async () => {
    const lines = async (etaSeconds: number | null) => {
      const partitions = [partitionStatus({ etaSeconds })]
      const { flows } = await render(() => workerStatus({ flows: [flowStatus({ etaSeconds, partitions })] }))
      const row = flows.all('tr').find(each => each.all('td').length > 0)!
      return [flows.all('p')[2]?.textContent, row.children[7]!.textContent]
    }
    assert.deepEqual(await lines(0), [undefined, ''])
    assert.deepEqual(await lines(720), ['The backlog will be copied in about 12 min.', '12 min'])
    const [sentence, cell] = await lines(null)
    assert.match(sentence!, /^How long the backlog will take is not known yet/)
    assert.equal(cell, 'unknown')
  })

  it('shows halted partitions first, with what to do, then those with unknown and with most lag', async () => {
    const { flows } = await render(() =>
      workerStatus({
        flows: [
          flowStatus({
            partitions: [
              partitionStatus({ partition: 1, lagSeconds: 1 }),
              partitionStatus({ partition: 2, lagSeconds: 5 }),
              partitionStatus({ partition: 3, lagSeconds: null, lagRecords: null }),
              partitionStatus({ partition: 4, state: 'halted', reason: 'gap', detail: 'offsets 5 to 9 <vanished>' })
            ]
          })
        ]
      })
    )
    const rows = flows.all('tr').filter(row => row.all('td').length > 0)
    assert.deepEqual(
      rows.map(row => row.children[1]!.textContent),
      ['4', '3', '2', '1']
    )
    assert.match(rows[0]!.textContent, /gap: offsets 5 to 9 <vanished>$/)
    assert.equal(rows[1]!.children[6]!.textContent, 'unknown')
    assert.deepEqual(
      flows.all('h3').map(title => title.textContent),
      ['Need attention', 'Others']
    )
  })

  it('says that the flow was stopped, by whom and why', async () => {
    const stopped = {
      id: 'a',
      stoppedBy: 'ops@laptop',
      stoppedAt: '2026-01-01T00:00:00.000Z',
      stopAt: null,
      reason: 'failover'
    }
    const { flows } = await render(() => workerStatus({ flows: [flowStatus({ stopped })] }))
    assert.equal(flows.all('p')[0]!.textContent, 'Stopped by ops@laptop at 2026-01-01T00:00:00.000Z: failover.')
  })

  it('shows consumer groups and the heartbeat where the worker looks after them', async () => {
    const groups = [{ group: 'billing', checkpointAgeSeconds: 2, reprocessRecords: 7 }]
    const { flows } = await render(() => workerStatus({ flows: [flowStatus({ groups, heartbeatAgeSeconds: 0.4 })] }))
    assert.ok(flows.all('p').some(({ textContent }) => textContent === 'last heartbeat 400 ms ago'))
    const cells = flows.all('tr').at(-1)!.all('td')
    assert.deepEqual(
      cells.map(({ textContent }) => textContent),
      ['billing', '2.0 s ago', '7 records']
    )
  })

  it('limits the table and says how many it leaves out', async () => {
    const partitions = Array.from({ length: 1_000 }, (_, partition) => partitionStatus({ partition }))
    const { flows } = await render(() => workerStatus({ flows: [flowStatus({ partitions })] }))
    assert.equal(flows.all('tr').length, 1 + 300)
    assert.match(flows.all('p').at(-1)!.textContent, /^and 700 more/)
  })

  it('says why the worker is not ready, or that it cannot be asked', async () => {
    const waiting = await render(() => workerStatus({ notReadyReason: 'west has not answered' }))
    assert.equal(waiting.notice.textContent, 'Not ready: west has not answered')
    assert.equal(waiting.notice.hidden, false)
    assert.equal((await render(() => workerStatus())).notice.hidden, true)
    const gone = await render(() => {
      throw new Error('refused')
    })
    assert.match(gone.notice.textContent, /cannot be asked \(refused\)/)
  })
})
