/**
 * Consumer groups that are failed over at random instants, beside a moving commit, compaction, transactions and one-record
 * batches, with farlog and, for comparison, with MirrorMaker 2: both mirror the same source to the same destination at the
 * same time, and both are stopped at the same instant, the one of the crash.
 */
import assert from 'node:assert/strict'
import { runFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { GroupConsumer } from '../support/group-consumer.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { until } from '../support/wait.ts'
import { type Copies, type LoggedCheckpoint, readCheckpointLog, readFarlogCopies, readOtherCopies } from './copies.ts'
import { failoverPlaces, type MirrorInstant, type Offsets, readInstant } from './instant.ts'
import { judge, type Outcome, sum } from './judge.ts'
import { prepareSource, startLoad } from './load.ts'
import { farlogEnv, type Mirror, startFarlogMirror, startMirrorMakerMirror } from './mirrors.ts'
import { MovingReader } from './moving-reader.ts'
import { nameOf, PARTITIONS, TOPICS } from './topics.ts'

export interface ContinuityOptions {
  readonly seed: number
  readonly failovers: number
  readonly besideMirrorMaker: boolean
  print(line: string): void
}

// How the group came to its place at the destination.
export const AS_COMMITTED = 'farlog, as its workers left the group'
export const BY_FAILOVER = 'farlog failover'
const MIRROR_MAKER = 'MirrorMaker 2, as it left the group'

/** By way, an outcome for each failover. */
export type ContinuityResult = ReadonlyMap<string, readonly Outcome[]>

const GROUP = 'moving'
const FARLOG_ALIAS = 'east'
const LIFE_MS = { min: 1_500, max: 6_000 }
const WARM_UP_TIMEOUT_MS = 240_000
const LOAD_RECORDS_PER_SECOND = 400

/** What was seen at one crash. */
interface Crash {
  readonly committed: Offsets
  readonly reading: ReadonlyMap<string, { readonly offsets: ReadonlySet<number>; readonly position: number }>
  readonly farlog: MirrorInstant
  readonly byFailover: Offsets
  readonly mirrorMaker: MirrorInstant | undefined
}

/** Ends with a source that is killed and a `farlog failover` that is no dry run. */
export async function runContinuity(options: ContinuityOptions): Promise<ContinuityResult> {
  const { seed, failovers, besideMirrorMaker, print } = options
  const random = new SeededRandom(seed)
  await using east = await startKafka({ name: 'east', config: { 'log.cleaner.backoff.ms': '200' } })
  await using west = await startKafka({ name: 'west' })
  await using eastAdmin = new KafkaAdmin(east.bootstrap)
  await using westAdmin = new KafkaAdmin(west.bootstrap)
  const { records, offsets } = await prepareSource(east, eastAdmin, seed)
  print(`compaction has left ${records} records at ${offsets} offsets of the compacted topics`)
  await using farlog = await startFarlogMirror(east, west)
  await using mirrorMaker = besideMirrorMaker ? await startMirrorMakerMirror(east, west) : undefined
  await using _load = await startLoad(east.bootstrap, seed, LOAD_RECORDS_PER_SECOND)

  const names = TOPICS.map(({ name }) => name)
  const reader = new MovingReader(east.bootstrap, GROUP, names, random)
  await warmUp(reader, westAdmin, mirrorMaker ? [farlog, mirrorMaker] : [farlog])
  const crashes: Crash[] = []
  while (crashes.length < failovers) {
    const lifeMs = Math.round(random.between(LIFE_MS.min, LIFE_MS.max))
    const crashAtMs = performance.now() + lifeMs
    await reader.live(() => {
      if (performance.now() < crashAtMs) return false
      farlog.signal('SIGSTOP')
      mirrorMaker?.signal('SIGSTOP')
      return true
    })
    const committed = await committedOffsets(eastAdmin)
    const isLast = crashes.length === failovers - 1
    if (isLast) await east.brokers[0]!.kill('SIGKILL')
    const [ofFarlog, ofMirrorMaker] = await Promise.all([
      readInstant(westAdmin, farlog, GROUP),
      mirrorMaker && readInstant(westAdmin, mirrorMaker, GROUP)
    ])
    // Its workers leave their group when they say nothing for ten seconds.
    mirrorMaker?.signal('SIGCONT')
    const byFailover = await failoverPlaces(west.bootstrap, GROUP)
    crashes.push({ committed, reading: reader.soFar(), farlog: ofFarlog, byFailover, mirrorMaker: ofMirrorMaker })
    if (!isLast) farlog.signal('SIGCONT')
    print(`failover ${crashes.length} of ${failovers}: after ${lifeMs} ms${isLast ? ', the source killed' : ''}`)
  }
  const consumed = await failOverForGood(west, westAdmin, crashes.at(-1)!)
  return conclude(west, crashes, consumed, mirrorMaker)
}

/** Reads until each mirror has brought the group along in all partitions. */
async function warmUp(reader: MovingReader, west: KafkaAdmin, mirrors: readonly Mirror[]): Promise<void> {
  let isOver = false
  const isBroughtAlong = async () => {
    for (const { alias } of mirrors) {
      for (const { name, partitions } of TOPICS) {
        const { size } = await west.committedOffsets(GROUP, `${alias}.${name}`)
        assert.equal(size, partitions, `${alias}.${name}`)
      }
    }
    return true
  }
  const timing = { timeoutMs: WARM_UP_TIMEOUT_MS, pauseMs: 500, describe: 'the group to be at the destination' }
  const coming = until(isBroughtAlong, timing).finally(() => {
    isOver = true
  })
  await Promise.all([reader.live(() => isOver), coming])
}

/** @param alias whose copies are meant; the source's own topics without one */
async function committedOffsets(admin: KafkaAdmin, alias?: string): Promise<Offsets> {
  const committed = new Map<string, number>()
  for (const { name: topic } of TOPICS) {
    for (const [partition, offset] of await admin.committedOffsets(
      GROUP,
      alias === undefined ? topic : `${alias}.${topic}`
    )) {
      committed.set(nameOf({ topic, partition }), offset)
    }
  }
  return committed
}

/**
 * The command itself, and the application behind it. Resolves to the destination offsets that it reads, by source partition.
 * The mirrors stand still, and so write no more.
 */
async function failOverForGood(
  west: KafkaCluster,
  admin: KafkaAdmin,
  { byFailover }: Crash
): Promise<ReadonlyMap<string, readonly number[]>> {
  const [port] = await freePorts(1)
  const env = farlogEnv(`127.0.0.1:${port}`, west.bootstrap)
  const { code, stderr } = await runFarlog(['failover', '--json', '--groups', GROUP], env)
  assert.equal(code, 0, stderr)
  const consumed = new Map<string, number[]>(PARTITIONS.map(partition => [nameOf(partition), []]))
  const copies = TOPICS.map(({ name }) => `${FARLOG_ALIAS}.${name}`)
  // With an offset missing it would end with an error.
  await using consumer = await GroupConsumer.join(west.bootstrap, GROUP, copies, 'error')
  for (const { topic, partition, offset } of await consumer.readToEnd(5_000)) {
    consumed.get(nameOf({ topic: topic.slice(FARLOG_ALIAS.length + 1), partition }))!.push(offset)
  }
  const moved = await committedOffsets(admin, FARLOG_ALIAS)
  assert.deepEqual(moved, byFailover, 'failover does what its dry run has told')
  return consumed
}

async function conclude(
  west: KafkaCluster,
  crashes: readonly Crash[],
  consumed: ReadonlyMap<string, readonly number[]>,
  mirrorMaker: Mirror | undefined
): Promise<ContinuityResult> {
  const { bootstrap } = west
  const { copies, offsets } = await readFarlogCopies(bootstrap, FARLOG_ALIAS)
  const checkpoints = await readCheckpointLog(bootstrap, FARLOG_ALIAS, GROUP)
  for (const [partition, read] of consumed) {
    const from = crashes.at(-1)!.byFailover.get(partition)!
    const expected = copies.get(partition)!.map(({ destinationOffset }) => destinationOffset)
    assert.deepEqual(
      read,
      expected.filter(offset => offset >= from),
      `read after the failover of ${partition}`
    )
  }
  const result = new Map<string, Outcome[]>([
    [BY_FAILOVER, crashes.map(crash => outcomeOf(crash, crash.farlog, copies, checkpoints, crash.byFailover))],
    [AS_COMMITTED, crashes.map(crash => outcomeOf(crash, crash.farlog, copies, checkpoints))]
  ])
  if (mirrorMaker === undefined) return result
  const others = await readOtherCopies(bootstrap, mirrorMaker.alias, offsets)
  const otherCheckpoints = await readCheckpointLog(bootstrap, mirrorMaker.alias, GROUP)
  return result.set(
    MIRROR_MAKER,
    crashes.map(crash => outcomeOf(crash, crash.mirrorMaker!, others, otherCheckpoints))
  )
}

/** Over all partitions. @param places where the group goes on; where it was left when not given */
function outcomeOf(
  { committed, reading }: Crash,
  mirror: MirrorInstant,
  copies: Copies,
  checkpoints: readonly LoggedCheckpoint[],
  places: Offsets = mirror.group
): Outcome {
  const known = new Map<string, number>()
  for (const { offset, partition, upstreamOffset } of checkpoints) {
    if (offset < mirror.checkpointsEnd) known.set(partition, upstreamOffset)
  }
  return sum(
    [...reading].map(([partition, { offsets, position }]) =>
      judge({
        copies: copies
          .get(partition)!
          .filter(({ destinationOffset }) => destinationOffset < mirror.ends.get(partition)!),
        read: offsets,
        position,
        committed: committed.get(partition) ?? 0,
        checkpointed: known.get(partition) ?? 0,
        // A group without an offset begins at the beginning.
        goesOnAt: places.get(partition) ?? 0
      })
    )
  )
}
