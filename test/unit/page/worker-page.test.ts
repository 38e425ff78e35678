import assert from 'node:assert/strict'
import type { FlowConfig } from '../../../src/config/types.ts'
import type { WorkerStatus } from '../../../src/observe/status.ts'
import type { PageView } from '../../../src/page/page-view.ts'
import { WorkerPage } from '../../../src/page/worker-page.ts'
import { until } from '../../support/wait.ts'
import { flowStatus, workerStatus } from '../observe/worker-status.ts'

describe('the page of a worker', () => {
  let status: WorkerStatus
  let page: WorkerPage

  const view = (): PageView => JSON.parse(String(page.answer('/api/page', new URLSearchParams())!.body)) as PageView
  const open = (shown: WorkerStatus) => {
    status = shown
    page = new WorkerPage({
      config: { delayMs: 0, stallTimeoutMs: 60_000, flows: shown.flows.map(() => ({}) as FlowConfig) },
      clientId: 'alpha',
      status: () => status,
      newLooker: () => ({
        look: async () => ({ workers: [], inCharge: undefined, others: [] }),
        close: async () => {}
      })
    })
  }
  afterEach(() => page.close())

  it('knows of each flow by itself whether it is ready', async () => {
    const notReadyReason = 'south has not answered'
    const south = flowStatus({ destination: 'south', notReadyReason })
    open(workerStatus({ notReadyReason, flows: [flowStatus(), south] }))
    await until(() => view().flows[0]!.verdict.level === 'trusted', { describe: 'a look at the group' })
    const { flows, verdict } = view()
    assert.deepEqual(
      flows.map(flow => flow.verdict.level),
      ['trusted', 'unknown']
    )
    assert.equal(verdict.level, 'unknown')
  })
})
