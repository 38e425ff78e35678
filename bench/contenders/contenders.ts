/** Who is measured, each set up as its own documentation would have it for throughput. */
import { join } from 'node:path'
import { type FarlogProcess, startFarlog } from '../../test/support/farlog-process.ts'
import { startMirrorMaker } from '../../test/support/mirror-maker.ts'
import { spawnOwned } from '../../test/support/owned-process.ts'
import type { Contender, CopyOrder, RunningContender } from './contender.ts'

/** Kafka's own, dedicated mode; two tasks, and batches of 128 KiB, are set in `test/support/mirror-maker.ts`. */
export const mirrorMaker: Contender = {
  name: 'MirrorMaker 2',
  start: order =>
    startMirrorMaker({
      source: { alias: order.alias, bootstrap: order.sourceBootstrap },
      destination: { alias: 'west', bootstrap: order.destinationBootstrap },
      topics: order.topics,
      // As its start script has it; with 512 MB it spends most of its time collecting garbage on small records.
      heapMb: 2048,
      isMeasured: true,
      properties: { 'producer.override.compression.type': order.compression }
    })
}

/** What one would write first: consume, add a header, produce. */
export const perRecord: Contender = {
  name: 'kafka-javascript, per record',
  start: order => startScript('per-record.ts', order)
}

/** The same batches, relayed as they are: what no mirror over this transport can beat. */
export const floor: Contender = {
  name: 'floor: batches untouched',
  start: order => startScript('floor.ts', order)
}

/** farlog as it comes, with this many data-plane threads. */
export function farlog(threads: number): Contender {
  return {
    name: threads === 1 ? 'farlog' : `farlog, ${threads} threads`,
    start: order => startWorker(order, threads)
  }
}

/** A worker of ours for an order; it keeps each topic's own compression. */
export function startWorker(order: Omit<CopyOrder, 'compression'>, threads: number): Promise<FarlogProcess> {
  return startFarlog({
    FARLOG_SOURCE: order.alias,
    FARLOG_DESTINATIONS: 'west',
    [`FARLOG_${order.alias.toUpperCase()}_BOOTSTRAP_SERVERS`]: order.sourceBootstrap,
    FARLOG_WEST_BOOTSTRAP_SERVERS: order.destinationBootstrap,
    FARLOG_TOPICS: order.topics,
    FARLOG_THREADS: String(threads)
  })
}

async function startScript(file: string, order: CopyOrder): Promise<RunningContender> {
  const script = join(import.meta.dirname, file)
  const { pid, stop } = spawnOwned([process.execPath, script, JSON.stringify(order)], {
    stdio: ['ignore', 'inherit', 'inherit']
  })
  return {
    pid,
    async [Symbol.asyncDispose]() {
      await stop(2_000)
    }
  }
}
