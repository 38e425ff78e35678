/** `farlog verify` for one flow: which partitions, several of them at a time, and what they come to. */
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffsets, partitionKey } from '../cluster/offsets.ts'
import { within } from '../cluster/retry.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { comparePartition, type PartitionPair, type ReadAmount } from './compare-partition.ts'
import { VerifyError } from './errors.ts'
import { type FlowReport, FlowReportBuilder } from './flow-report.ts'
import { Memory } from './memory.ts'
import { choosePartitions } from './partition-pairs.ts'
import type { VerifyOptions } from './verify-options.ts'

/** Hears how far it is. */
export interface VerifyObserver {
  /** How many source offsets there are to pass. */
  started(sourceOffsets: number, partitions: number): void
  read(amount: ReadAmount): void
  /** @param differences found so far, in all */
  compared(differences: number): void
}

/**
 * At a time; one alone would wait for the network, and more only take memory: two responses of 2 MiB and two decoded
 * batches each.
 */
const PARTITIONS_AT_A_TIME = 4
export const VERIFY_CLIENT_ID = 'farlog-verify'
/** Until both clusters must have answered. */
const FIRST_ANSWER_TIMEOUT_MS = 25_000

/** Compares everything that the flow should have copied. @throws VerifyError where nothing can be compared */
export async function verifyFlow(
  config: Config,
  flow: FlowConfig,
  options: VerifyOptions,
  observer: VerifyObserver
): Promise<FlowReport> {
  await using source = new Cluster(flow.source, VERIFY_CLIENT_ID)
  await using destination = new Cluster(flow.destination, VERIFY_CLIENT_ID)
  await Promise.all([readMetadata(source), readMetadata(destination)])

  const pairs = await choosePartitions(source, destination, config, options.topics)
  await using memory = new Memory({
    use: options.memory,
    destination,
    sourceAlias: source.alias,
    replicationFactor: config.replicationFactor,
    clientId: VERIFY_CLIENT_ID,
    verifiedBy: options.verifiedBy
  })
  await memory.open()
  observer.started(
    await countSourceOffsets(source, pairs, pair => nextSourceOffset(pair, memory, options)),
    pairs.length
  )
  const report = new FlowReportBuilder(flow.source.alias, flow.destination.alias, options)
  for (const { topic, destinationTopic } of pairs) report.addTopic(topic, destinationTopic)
  await compareAll(pairs, { source, destination, config, options, observer, report, memory })
  return report.build(memory.problem)
}

/** For progress only: what was remembered may turn out not to hold. */
function nextSourceOffset(pair: PartitionPair, memory: Memory, options: VerifyOptions): number {
  return options.memory === 'full' ? 0 : (memory.newest(pair)?.nextSourceOffset ?? 0)
}

/**
 * Both must answer before anything else makes sense, and soon: a wrong address should not look like long work.
 * @throws VerifyError
 */
export async function readMetadata(cluster: Cluster): Promise<void> {
  const { alias, bootstrapServers } = cluster.config
  try {
    await within(cluster.refresh(), FIRST_ANSWER_TIMEOUT_MS, () => {
      throw new Error(`no answer within ${FIRST_ANSWER_TIMEOUT_MS / 1000} s`)
    })
  } catch (error) {
    const servers = bootstrapServers.map(({ host, port }) => `${host}:${port}`).join(',')
    const reason = error instanceof Error ? error.message : String(error)
    throw new VerifyError(
      error instanceof ClusterError ? error.code : 'UNREACHABLE',
      `cannot read from ${alias} (${servers}): ${reason}`,
      'check its address, that it runs, and its security settings',
      { cause: error }
    )
  }
}

/** For progress only: offsets also count what is no record. */
async function countSourceOffsets(
  source: Cluster,
  pairs: readonly PartitionPair[],
  nextOffset: (pair: PartitionPair) => number
): Promise<number> {
  const [starts, ends] = await Promise.all([
    listOffsets(source, pairs, EARLIEST, 'read_committed'),
    listOffsets(source, pairs, LATEST, 'read_committed')
  ])
  const startOf = new Map(starts.map(listed => [partitionKey(listed), listed.offset]))
  const endOf = new Map(ends.map(listed => [partitionKey(listed), listed.offset]))
  return pairs.reduce((sum, pair) => {
    const from = Math.max(startOf.get(partitionKey(pair)) ?? 0, nextOffset(pair))
    return sum + Math.max((endOf.get(partitionKey(pair)) ?? 0) - from, 0)
  }, 0)
}

interface CompareAllContext {
  readonly source: Cluster
  readonly destination: Cluster
  readonly config: Config
  readonly options: VerifyOptions
  readonly observer: VerifyObserver
  readonly report: FlowReportBuilder
  readonly memory: Memory
}

/**
 * What goes wrong with one partition (no permission, a batch that cannot be decoded) does not keep the others from being
 * compared; a cluster that is gone ends it all, or each partition would wait for it anew.
 */
async function compareAll(pairs: readonly PartitionPair[], context: CompareAllContext): Promise<void> {
  const { source, destination, config, options, observer, report, memory } = context
  const stop = new AbortController()
  const queue = pairs.values()
  const work = async (slot: number): Promise<void> => {
    for (const pair of queue) {
      if (stop.signal.aborted) return
      try {
        const outcome = await comparePartition(pair, {
          source,
          destination,
          startsAtLatest: config.start === 'latest',
          differencesMax: options.differencesPerPartition,
          slot,
          signal: stop.signal,
          remembered: memory.newest(pair),
          isFull: options.memory === 'full',
          verifiedBy: memory.verifiedBy,
          onRead: amount => {
            observer.read(amount)
            report.read(amount)
          }
        })
        observer.compared(report.add(pair, outcome))
        await memory.remember(outcome)
      } catch (error) {
        if (stop.signal.aborted) return
        if (!(error instanceof ClusterError) || CLUSTER_GONE.has(error.code)) {
          stop.abort()
          throw error
        }
        report.fail(pair, error)
      }
    }
  }
  const slots = Array.from({ length: Math.min(PARTITIONS_AT_A_TIME, pairs.length) }, (_, slot) => work(slot))
  await Promise.all(slots)
}

const CLUSTER_GONE = new Set(['UNREACHABLE', 'TIMED_OUT', 'AUTHENTICATION', 'BROKER_NOT_AVAILABLE'])
