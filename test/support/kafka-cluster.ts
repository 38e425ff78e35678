import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FalseClock } from './false-clock.ts'
import { freePorts } from './free-port.ts'
import { javaCommand, kafkaDir, type OtherKafka } from './java.ts'
import { BrokerProcess, type KafkaBroker, PortTaken } from './kafka/broker.ts'
import {
  type BrokerPlace,
  brokerProperties,
  type ProxiedListener,
  propertiesText,
  type SecuredListener
} from './kafka/broker-config.ts'
import { ownFolder } from './owned-process.ts'
import { runToEnd } from './run-to-end.ts'

export type { KafkaBroker } from './kafka/broker.ts'

export interface KafkaOptions {
  /** Of the brokers, where it is not the usual one. */
  readonly release?: OtherKafka
  /** 1 unless said otherwise. With three, topics have three replicas and need two in sync. */
  readonly brokers?: 1 | 3
  /** Broker configuration on top of the harness's own. */
  readonly config?: Readonly<Record<string, string>>
  /** Of each broker; 384 unless said otherwise. */
  readonly heapMb?: number
  /** What its brokers take for the time; the right one unless given. */
  readonly clock?: FalseClock
  /** Appears in the temporary folder's name. */
  readonly name?: string
  /** A further listener of a single broker, for a proxy to stand in front of. */
  readonly behindProxy?: ProxiedListener
  /** Opens a further listener for these users (password by name), who may do nothing until an ACL says so. */
  readonly users?: Readonly<Record<string, string>>
  /** Further listeners of a single broker, for TLS and any kind of authentication. */
  readonly secured?: readonly SecuredListener[]
  /** Arguments of Kafka's StorageTool on top of the harness's own: `--add-scram`, for one. */
  readonly formatArgs?: readonly string[]
  /** `-XX:TieredStopAtLevel=4` is worth it for long loads: brokers start slower, and run faster once they are warm. */
  readonly jvmFlags?: readonly string[]
}

/** A real Apache Kafka cluster. `await using` ends it, at once and without order, and removes its folder. */
export interface KafkaCluster extends AsyncDisposable {
  /** `127.0.0.1:port,…` of all brokers. */
  readonly bootstrap: string
  /** The same for `users`, by SASL/PLAIN; empty where there are none. */
  readonly authenticatedBootstrap: string
  /** `localhost:port` of one of the listeners in `secured`. */
  securedBootstrap(listener: string): string
  readonly brokers: readonly KafkaBroker[]
  readonly clusterId: string
  readonly dir: string
  /** The same as leaving an `await using` block. */
  stop(): Promise<void>
}

/** Starts a Kafka cluster in KRaft combined mode on free ports and waits until clients can use all of it. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePorts(options)
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 3) throw error
    }
  }
}

async function startOnFreePorts(options: KafkaOptions): Promise<KafkaCluster> {
  const dir = mkdtempSync(join(tmpdir(), `farlog-kafka-${options.name ?? 'test'}-`))
  const folder = ownFolder(dir)
  const clusterId = newClusterId()
  const places = await choosePlaces(dir, options)
  const brokers = places.map(
    place =>
      new BrokerProcess({
        place,
        dir: brokerDir(dir, place),
        heapMb: options.heapMb ?? 384,
        jvmFlags: options.jvmFlags ?? [],
        release: options.release,
        env: options.clock?.env ?? {}
      })
  )
  const stop = async () => {
    await Promise.all(brokers.map(broker => broker.kill('SIGKILL')))
    folder.remove()
  }
  try {
    await format(dir, places, clusterId, options)
    for (const broker of brokers) broker.start()
    await Promise.all(brokers.map(broker => broker.ready(places.length)))
  } catch (error) {
    await stop()
    throw error
  }
  const bootstrap = addresses(places.map(({ port }) => port))
  const authenticatedBootstrap = addresses(places.flatMap(({ authenticated }) => authenticated?.port ?? []))
  const securedBootstrap = (listener: string) => {
    const found = places[0]!.secured?.find(({ name }) => name === listener)
    if (found === undefined) throw new Error(`There is no listener ${listener}`)
    return `localhost:${found.port}`
  }
  return {
    ...{ bootstrap, authenticatedBootstrap, securedBootstrap, brokers, clusterId, dir, stop },
    [Symbol.asyncDispose]: stop
  }
}

/** Sixteen random bytes as Kafka writes them, but never with the leading dash that a command line takes for an option. */
function newClusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newClusterId() : id
}

async function choosePlaces(
  dir: string,
  { brokers = 1, behindProxy, users, secured }: KafkaOptions
): Promise<BrokerPlace[]> {
  const ports = await freePorts(brokers * 3 + (secured?.length ?? 0))
  const securedPorts = ports.slice(brokers * 3)
  return Array.from({ length: brokers }, (_, index) => ({
    nodeId: index + 1,
    port: ports[index * 3]!,
    controllerPort: ports[index * 3 + 1]!,
    dataDir: join(dir, `broker-${index + 1}`, 'data'),
    ...(behindProxy === undefined ? {} : { behindProxy }),
    ...(users === undefined ? {} : { authenticated: { port: ports[index * 3 + 2]!, users } }),
    ...(secured === undefined
      ? {}
      : { secured: secured.map((listener, number) => ({ ...listener, port: securedPorts[number]! })) })
  }))
}

function addresses(ports: readonly number[]): string {
  return ports.map(port => `127.0.0.1:${port}`).join(',')
}

function brokerDir(dir: string, place: BrokerPlace): string {
  return join(dir, `broker-${place.nodeId}`)
}

/**
 * Kafka's own tool formats the first broker's folder; the others get the same. What it writes but for ids (nothing, before
 * Kafka 3.3) depends on nothing but Kafka's version and its arguments, so that without any it is kept beside the jars:
 * each run of the tool is another second of a busy machine.
 */
async function format(
  dir: string,
  places: readonly BrokerPlace[],
  clusterId: string,
  { config = {}, formatArgs = [], release }: KafkaOptions
): Promise<void> {
  for (const place of places) {
    mkdirSync(place.dataDir, { recursive: true })
    const properties = brokerProperties(place, places, config)
    writeFileSync(join(brokerDir(dir, place), 'server.properties'), propertiesText(properties))
  }
  const [first, ...others] = places
  const checkpointOf = ({ dataDir }: BrokerPlace) => join(dataDir, CHECKPOINT)
  const isPlain = formatArgs.length === 0
  const kept = join(kafkaDir(release), CHECKPOINT)
  if (isPlain && existsSync(kept)) {
    copyFileSync(kept, checkpointOf(first!))
  } else {
    const configFile = join(brokerDir(dir, first!), 'server.properties')
    const args = ['format', `--cluster-id=${clusterId}`, '-c', configFile, ...formatArgs]
    await runToEnd(javaCommand('kafka.tools.StorageTool', args, { heapMb: 128, logLevel: 'error', release }))
    if (isPlain && existsSync(checkpointOf(first!))) keep(checkpointOf(first!), kept)
  }
  if (existsSync(checkpointOf(first!))) {
    for (const other of others) copyFileSync(checkpointOf(first!), checkpointOf(other))
  }
  for (const { dataDir, nodeId } of places) {
    const meta = { version: '1', 'cluster.id': clusterId, 'node.id': String(nodeId), 'directory.id': newClusterId() }
    writeFileSync(join(dataDir, 'meta.properties'), propertiesText(meta))
  }
}

/** The feature levels of a new cluster, as the tool of its release writes them. */
const CHECKPOINT = 'bootstrap.checkpoint'

/** In one step: other tests start clusters at the same time. */
function keep(checkpoint: string, kept: string): void {
  const draft = `${kept}.${process.pid}`
  copyFileSync(checkpoint, draft)
  renameSync(draft, kept)
}
