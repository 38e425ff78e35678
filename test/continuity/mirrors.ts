import { startFarlog } from '../support/farlog-process.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { startMirrorMaker } from '../support/mirror-maker.ts'

const TOPIC_PATTERN = 'continuity-.*'

/** A mirror that can be stopped between two instructions. */
export interface Mirror extends AsyncDisposable {
  readonly name: string
  /** What it calls the source: its copies begin with it. */
  readonly alias: string
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

/** What every farlog command of the run gets. @param source where the source is; a dead address where it is gone */
export function farlogEnv(source: string, destination: string): Record<string, string> {
  return {
    FARLOG_SOURCE: 'east',
    FARLOG_DESTINATIONS: 'west',
    FARLOG_EAST_BOOTSTRAP_SERVERS: source,
    FARLOG_WEST_BOOTSTRAP_SERVERS: destination,
    FARLOG_TOPICS: TOPIC_PATTERN,
    // The copies are to stay as they are, so that the judge finds in the end what was there at each crash.
    FARLOG_SYNC_TOPIC_CONFIGS: 'false',
    FARLOG_CHECKPOINT_INTERVAL: '1s',
    FARLOG_REFRESH_INTERVAL: '5s'
  }
}

export async function startFarlogMirror(east: KafkaCluster, west: KafkaCluster): Promise<Mirror> {
  const worker = await startFarlog(farlogEnv(east.bootstrap, west.bootstrap))
  await worker.waitReady(60_000)
  return { name: 'farlog', alias: 'east', signal: worker.kill, [Symbol.asyncDispose]: worker[Symbol.asyncDispose] }
}

/** With its offset sync on, everything as often as it can, and aborted records left out, which is not its default. */
export async function startMirrorMakerMirror(east: KafkaCluster, west: KafkaCluster): Promise<Mirror> {
  const alias = 'mm2east'
  const mirror = await startMirrorMaker({
    source: { alias, bootstrap: east.bootstrap },
    destination: { alias: 'west', bootstrap: west.bootstrap },
    topics: TOPIC_PATTERN,
    properties: {
      'sync.group.offsets.enabled': 'true',
      'sync.group.offsets.interval.seconds': '1',
      'emit.checkpoints.interval.seconds': '1',
      'refresh.groups.interval.seconds': '2',
      'sync.topic.configs.enabled': 'false',
      'consumer.isolation.level': 'read_committed',
      [`${alias}.consumer.isolation.level`]: 'read_committed'
    }
  })
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => void process.kill(mirror.pid, name)
  return { name: 'MirrorMaker 2', alias, signal, [Symbol.asyncDispose]: mirror[Symbol.asyncDispose] }
}
