import assert from 'node:assert/strict'
import { caughtUp } from '../support/caught-up.ts'
import type { FarlogProcess } from '../support/farlog-process.ts'
import { type Producing, startProducing } from '../support/produce.ts'
import type { Toxic } from '../support/toxiproxy.ts'
import { until } from '../support/wait.ts'
import { assertHealthy } from './support/bed.ts'
import { type ProxiedBed, startProxiedBed } from './support/proxied.ts'

const TOPIC = 'carried'
const PARTITIONS = 4

/** The same in both directions. */
const both = (type: Toxic['type'], attributes: Toxic['attributes']): Toxic[] =>
  (['upstream', 'downstream'] as const).map(stream => ({ type, stream, attributes }))

const NETWORKS: readonly { readonly title: string; readonly toxics: readonly Toxic[] }[] = [
  {
    title: 'is slow and uneven: 200 ms each way, give or take 100',
    toxics: both('latency', { latency: 200, jitter: 100 })
  },
  { title: 'is narrow: 800 KB/s each way', toxics: both('bandwidth', { rate: 800 }) },
  {
    title: 'tears everything into pieces of some 500 bytes',
    toxics: both('slicer', { average_size: 500, size_variation: 300, delay: 50 })
  },
  { title: 'resets every connection after half a second', toxics: both('reset_peer', { timeout: 500 }) }
]

describe('a network that works badly', function () {
  this.timeout(180_000)

  let proxied: ProxiedBed
  let worker: FarlogProcess
  let producing: Producing

  before(async () => {
    proxied = await startProxiedBed()
    const { bed, env } = proxied
    const topics = [{ name: TOPIC, partitions: PARTITIONS, compression: 'lz4' as const }]
    producing = await startProducing({ bootstrap: bed.east.bootstrap, topics, records: 0, rate: 400 })
    worker = await bed.startWorker(TOPIC, env)
    await goesOn()
  })

  after(async () => {
    await producing?.[Symbol.asyncDispose]()
    await proxied?.[Symbol.asyncDispose]()
  })

  for (const side of ['eastProxy', 'westProxy'] as const) {
    const name = side === 'eastProxy' ? 'source' : 'destination'
    for (const { title, toxics } of NETWORKS) {
      it(`does not stop the copy when the way to the ${name} ${title}`, async () => {
        const proxy = proxied[side]
        await proxy.poison(...toxics)
        try {
          // Connections that are reset all the time need not get anything done.
          if (toxics[0]!.type === 'reset_peer') await retriesRise()
          else await goesOn()
        } finally {
          await proxy.heal()
        }
        await goesOn()
      })
    }
  }

  it('has lost, duplicated and reordered nothing in the end', async () => {
    const { records } = await producing.stop()
    await caughtUp(worker, proxied.bed.eastAdmin, TOPIC, { partitions: PARTITIONS })
    assert.ok((await proxied.bed.assertSame(TOPIC)) >= records)
    await assertHealthy(worker)
  })

  /** A second's worth of records that are written from now on arrive. */
  async function goesOn(): Promise<void> {
    const admin = proxied.bed.eastAdmin
    await until(() => producing.acknowledged() > 0, { describe: 'the first record' })
    const written = producing.acknowledged() + 400
    await until(() => producing.acknowledged() > written, { describe: 'records to be written' })
    await caughtUp(worker, admin, TOPIC, { partitions: PARTITIONS })
  }

  async function retriesRise(): Promise<void> {
    const retries = async () => (await worker.metrics()).sum('farlog_retries_total') ?? 0
    const before = await retries()
    await until(async () => (await retries()) > before + 3, { describe: 'connections to break' })
  }
})
