import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaCommand, QUICK_COMPILER } from './java.ts'
import { propertiesText } from './kafka/broker-config.ts'
import { ownFolder, spawnOwned } from './owned-process.ts'
import { GiveUp, until } from './wait.ts'

export interface MirrorMakerOptions {
  readonly source: { readonly alias: string; readonly bootstrap: string }
  readonly destination: { readonly alias: string; readonly bootstrap: string }
  /** Comma-separated regular expressions. */
  readonly topics: string
  /** MirrorMaker's own properties on top of the harness's. */
  readonly properties?: Readonly<Record<string, string>>
  /** 512 unless said otherwise. */
  readonly heapMb?: number
  /** It is to be measured: no haste at its start. */
  readonly isMeasured?: boolean
}

/** A running MirrorMaker 2. `await using` ends it and removes its folder. */
export interface MirrorMaker extends AsyncDisposable {
  readonly pid: number
  log(): string
  /** Shuts it down in order. */
  stop(): Promise<void>
}

/** Starts Kafka's MirrorMaker 2 in its dedicated mode, one flow, and waits until its source connector runs. */
export async function startMirrorMaker(options: MirrorMakerOptions): Promise<MirrorMaker> {
  const dir = mkdtempSync(join(tmpdir(), 'farlog-mirror-maker-'))
  const folder = ownFolder(dir)
  const configFile = join(dir, 'mm2.properties')
  writeFileSync(configFile, propertiesText(mirrorMakerProperties(options)))
  const logFile = join(dir, 'mm2.log')
  const log = () => readFileSync(logFile, 'utf8')

  const output = openSync(logFile, 'a')
  const main = 'org.apache.kafka.connect.mirror.MirrorMaker'
  const jvm = { heapMb: options.heapMb ?? 512, jvmFlags: options.isMeasured === true ? [] : [QUICK_COMPILER] }
  const { pid, stop, isRunning } = spawnOwned(javaCommand(main, [configFile], jvm), {
    cwd: dir,
    stdio: ['ignore', output, output]
  })
  closeSync(output)
  const end = async () => {
    await stop(10_000)
    folder.remove()
  }
  try {
    await until(
      () => {
        if (!isRunning()) throw new GiveUp('MirrorMaker ended while it was starting')
        return log().includes('Finished creating connector MirrorSourceConnector')
      },
      { timeoutMs: 120_000, describe: 'MirrorMaker to start its source connector' }
    )
  } catch (error) {
    const tail = log().split('\n').slice(-40).join('\n')
    await end()
    throw new Error(`${(error as Error).message}\nThe end of its log:\n${tail}`)
  }
  return { pid, log, stop: end, [Symbol.asyncDispose]: end }
}

function mirrorMakerProperties({
  source,
  destination,
  topics,
  properties
}: MirrorMakerOptions): Record<string, string> {
  const flow = `${source.alias}->${destination.alias}`
  return {
    clusters: `${source.alias},${destination.alias}`,
    [`${source.alias}.bootstrap.servers`]: source.bootstrap,
    [`${destination.alias}.bootstrap.servers`]: destination.bootstrap,
    [`${flow}.enabled`]: 'true',
    [`${flow}.topics`]: topics,
    [`${destination.alias}->${source.alias}.enabled`]: 'false',
    'tasks.max': '2',
    'replication.factor': '-1',
    'checkpoints.topic.replication.factor': '-1',
    'heartbeats.topic.replication.factor': '-1',
    'offset-syncs.topic.replication.factor': '-1',
    'offset.storage.replication.factor': '-1',
    'status.storage.replication.factor': '-1',
    'config.storage.replication.factor': '-1',
    'producer.override.batch.size': '131072',
    'producer.override.linger.ms': '5',
    'refresh.topics.interval.seconds': '5',
    'sync.topic.acls.enabled': 'false',
    ...properties
  }
}
