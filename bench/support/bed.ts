import { freePorts } from '../../test/support/free-port.ts'
import type { ProxiedListener } from '../../test/support/kafka/broker-config.ts'
import { KafkaAdmin } from '../../test/support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../../test/support/kafka-cluster.ts'
import type { Sites } from './copy-backlog.ts'
import { EndOffsets } from './end-offsets.ts'

/** What all cases run on: two brokers, and the time there is for all of it. */
export interface Bed extends AsyncDisposable {
  readonly east: Site
  readonly west: Site
  /** From the one to the other, with nothing between. */
  readonly near: Sites
  /** Copies of this run get a name of their own. */
  newAlias(): string
  timeLeftMs(): number
  progress(line: string): void
}

export interface Site {
  readonly kafka: KafkaCluster
  readonly bootstrap: string
  readonly admin: KafkaAdmin
  readonly offsets: EndOffsets
  /** A listener whose clients are sent to a proxy, where somebody puts one. */
  readonly proxied: ProxiedListener
}

/** Starts both brokers. @param timeBoxMs what `timeLeftMs` counts down from */
export async function makeBed(timeBoxMs: number): Promise<Bed> {
  const deadlineMs = performance.now() + timeBoxMs
  const timeLeftMs = () => deadlineMs - performance.now()
  const east = await startSite('east')
  const west = await startSite('west')
  let aliases = 0
  return {
    east,
    west,
    near: { sourceBootstrap: east.bootstrap, destinationBootstrap: west.bootstrap, destination: west.offsets },
    newAlias: () => `b${aliases++}`,
    timeLeftMs,
    progress(line) {
      const elapsed = Math.round((timeBoxMs - timeLeftMs()) / 1000)
      console.log(`${String(Math.floor(elapsed / 60)).padStart(3)}:${String(elapsed % 60).padStart(2, '0')}  ${line}`)
    },
    async [Symbol.asyncDispose]() {
      for (const { kafka, admin, offsets } of [east, west]) {
        await admin[Symbol.asyncDispose]()
        await offsets[Symbol.asyncDispose]()
        await kafka.stop()
      }
    }
  }
}

async function startSite(name: string): Promise<Site> {
  const [listenPort, proxyPort] = await freePorts(2)
  const proxied = { listenPort: listenPort!, proxyPort: proxyPort! }
  const kafka = await startKafka({
    name,
    heapMb: 1_024,
    jvmFlags: ['-XX:TieredStopAtLevel=4'],
    config: { 'log.segment.delete.delay.ms': '1000' },
    behindProxy: proxied
  })
  const { bootstrap } = kafka
  return { kafka, bootstrap, admin: new KafkaAdmin(bootstrap), offsets: new EndOffsets(bootstrap), proxied }
}
