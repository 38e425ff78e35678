import { freePorts } from '../support/free-port.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaBroker, type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../support/toxiproxy.ts'
import type { Side } from './schedule.ts'
import { COMPACTED_CONFIG, KEPT_CONFIG, TOPICS } from './topics.ts'

/** One cluster of one broker, and a proxy before the listener that the workers use. */
export interface Site {
  readonly alias: string
  readonly kafka: KafkaCluster
  readonly broker: KafkaBroker
  /** Past the proxy. */
  readonly bootstrap: string
  readonly proxiedBootstrap: string
  readonly network: ToxicProxy
}

/** What a run happens on: two sites, and the topics at the source. */
export interface Bed extends AsyncDisposable {
  readonly sites: Readonly<Record<Side, Site>>
  /** How many each topic has by now; faults add some. */
  readonly partitionsByTopic: Map<string, number>
  /** Of a worker, whose ways lead through the proxies. */
  readonly workerEnv: Readonly<Record<string, string>>
  /** The same past the proxies. */
  readonly directEnv: Readonly<Record<string, string>>
}

const ALIASES: Readonly<Record<Side, string>> = { source: 'east', destination: 'west' }

/** Starts everything but workers and writers. */
export async function makeBed(): Promise<Bed> {
  await using stack = new AsyncDisposableStack()
  const toxiproxy = stack.use(await startToxiproxy())
  const [source, destination] = await Promise.all([
    startSite(ALIASES.source, toxiproxy, stack),
    startSite(ALIASES.destination, toxiproxy, stack)
  ])
  await using admin = new KafkaAdmin(source.bootstrap)
  for (const { name, partitions, compactedKeys } of TOPICS) {
    await admin.createTopic(name, partitions, compactedKeys > 0 ? COMPACTED_CONFIG : KEPT_CONFIG)
  }
  const env = (bootstrap: (site: Site) => string) => ({
    FARLOG_SOURCE: source.alias,
    FARLOG_DESTINATIONS: destination.alias,
    FARLOG_EAST_BOOTSTRAP_SERVERS: bootstrap(source),
    FARLOG_WEST_BOOTSTRAP_SERVERS: bootstrap(destination),
    FARLOG_TOPICS: 'chaos-.*',
    FARLOG_REFRESH_INTERVAL: '2s'
  })
  const resources = stack.move()
  return {
    sites: { source, destination },
    partitionsByTopic: new Map(TOPICS.map(({ name, partitions }) => [name, partitions])),
    workerEnv: env(site => site.proxiedBootstrap),
    directEnv: env(site => site.bootstrap),
    [Symbol.asyncDispose]: () => resources.disposeAsync()
  }
}

async function startSite(alias: string, toxiproxy: Toxiproxy, stack: AsyncDisposableStack): Promise<Site> {
  const [listenPort, proxyPort] = (await freePorts(2)) as [number, number]
  const kafka = stack.use(
    await startKafka({
      name: `chaos-${alias}`,
      heapMb: 512,
      behindProxy: { listenPort, proxyPort },
      // The cleaner looks for work every 15 s otherwise.
      config: { 'log.cleaner.backoff.ms': '2000' }
    })
  )
  const network = await toxiproxy.proxy(alias, proxyPort, listenPort)
  const { bootstrap, brokers } = kafka
  return { alias, kafka, broker: brokers[0]!, bootstrap, proxiedBootstrap: `127.0.0.1:${proxyPort}`, network }
}
