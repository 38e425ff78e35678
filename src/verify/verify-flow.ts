/** `farlog verify` for one flow: which partitions, several of them at a time, and what they come to. */
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { EARLIEST, LATEST, listOffsets } from '../cluster/offsets.ts'
import { TopicAdmin } from '../cluster/topic-admin.ts'
import type { ClusterConfig, Config, FlowConfig } from '../config/types.ts'
import { comparePartition, type PartitionPair, type ReadAmount } from './compare-partition.ts'
import { VerifyError } from './errors.ts'
import { type FlowReport, FlowReportBuilder } from './flow-report.ts'
import { selectTopics } from './topic-selection.ts'
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
const CLIENT_ID = 'farlog-verify'
/** Until both clusters must have answered. */
const FIRST_ANSWER_TIMEOUT_MS = 25_000

/** Compares everything that the flow should have copied. @throws VerifyError where nothing can be compared */
export async function verifyFlow(
  config: Config,
  flow: FlowConfig,
  options: VerifyOptions,
  observer: VerifyObserver
): Promise<FlowReport> {
  await using source = new Cluster(flow.source, CLIENT_ID)
  await using destination = new Cluster(flow.destination, CLIENT_ID)
  await Promise.all([readMetadata(source), readMetadata(destination)])

  const pairs = await choosePartitions(source, destination, config, options)
  observer.started(await countSourceOffsets(source, pairs), pairs.length)
  const report = new FlowReportBuilder(flow.source.alias, flow.destination.alias, options)
  for (const { topic, destinationTopic } of pairs) report.addTopic(topic, destinationTopic)
  await compareAll(pairs, { source, destination, config, options, observer, report })
  return report.build()
}

/** Both must answer before anything else makes sense, and soon: a wrong address should not look like long work. */
async function readMetadata(cluster: Cluster): Promise<void> {
  const { alias, bootstrapServers } = cluster.config
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    const seconds = FIRST_ANSWER_TIMEOUT_MS / 1000
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), FIRST_ANSWER_TIMEOUT_MS)
  })
  try {
    await Promise.race([cluster.refresh(), timeout])
  } catch (error) {
    const servers = bootstrapServers.map(({ host, port }) => `${host}:${port}`).join(',')
    const reason = error instanceof Error ? error.message : String(error)
    throw new VerifyError(
      error instanceof ClusterError ? error.code : 'UNREACHABLE',
      `cannot read from ${alias} (${servers}): ${reason}`,
      'check its address, that it runs, and its security settings',
      { cause: error }
    )
  } finally {
    clearTimeout(timer)
  }
}

async function choosePartitions(
  source: Cluster,
  destination: Cluster,
  config: Config,
  options: VerifyOptions
): Promise<PartitionPair[]> {
  const names = Array.from(source.topics(), ({ name }) => name)
  const aliases = { source: source.alias, destination: destination.alias }
  const topics = selectTopics(names, config, aliases, options.topics)
  if (topics.length === 0) {
    const asked = options.topics === undefined ? '' : ` and --topics ${options.topics.join(',')}`
    throw new VerifyError(
      'NO_TOPICS',
      `none of the ${names.length} topics of ${source.alias} is selected by FARLOG_TOPICS${asked}`,
      'see farlog config for what is selected'
    )
  }
  const copies = topics.map(({ destinationTopic }) => destinationTopic).filter(name => destination.topic(name))
  const [compactedSources, compactedDestinations] = await Promise.all([
    findCompacted(
      source.config,
      topics.map(({ topic }) => topic)
    ),
    findCompacted(destination.config, copies)
  ])
  return topics.flatMap(({ topic, destinationTopic }) => {
    const { topicId: sourceTopicId, partitions } = source.topic(topic)!
    const copied = destination.topic(destinationTopic)
    return partitions.map((_, partition) => ({
      topic,
      destinationTopic,
      partition,
      sourceTopicId,
      destinationTopicId: copied?.partitions[partition] && copied.topicId,
      isSourceCompacted: compactedSources.has(topic),
      isDestinationCompacted: compactedDestinations.has(destinationTopic)
    }))
  })
}

/** Those of the topics that compact. */
async function findCompacted(cluster: ClusterConfig, topics: readonly string[]): Promise<Set<string>> {
  if (topics.length === 0) return new Set()
  const admin = new TopicAdmin(cluster, CLIENT_ID)
  try {
    const configs = await admin.describeConfigs(topics)
    return new Set(
      topics.filter(topic => {
        const config = configs.get(topic)
        if (config instanceof ClusterError) throw config
        return config?.get('cleanup.policy')?.value?.includes('compact')
      })
    )
  } finally {
    await admin.close()
  }
}

/** For progress only: offsets also count what is no record. */
async function countSourceOffsets(source: Cluster, pairs: readonly PartitionPair[]): Promise<number> {
  const [starts, ends] = await Promise.all([
    listOffsets(source, pairs, EARLIEST, 'read_committed'),
    listOffsets(source, pairs, LATEST, 'read_committed')
  ])
  return sumOfOffsets(ends) - sumOfOffsets(starts)
}

function sumOfOffsets(listed: readonly { readonly offset: number }[]): number {
  return listed.reduce((sum, { offset }) => sum + Math.max(offset, 0), 0)
}

interface CompareAllContext {
  readonly source: Cluster
  readonly destination: Cluster
  readonly config: Config
  readonly options: VerifyOptions
  readonly observer: VerifyObserver
  readonly report: FlowReportBuilder
}

/**
 * What goes wrong with one partition (no permission, a batch that cannot be decoded) does not keep the others from being
 * compared; a cluster that is gone ends it all, or each partition would wait for it anew.
 */
async function compareAll(pairs: readonly PartitionPair[], context: CompareAllContext): Promise<void> {
  const { source, destination, config, options, observer, report } = context
  const stop = new AbortController()
  const queue = pairs.values()
  const work = async (slot: number): Promise<void> => {
    for (const pair of queue) {
      if (stop.signal.aborted) return
      try {
        const result = await comparePartition(pair, {
          source,
          destination,
          startsAtLatest: config.start === 'latest',
          differencesMax: options.differencesPerPartition,
          slot,
          signal: stop.signal,
          onRead: amount => observer.read(amount)
        })
        observer.compared(report.add(pair, result))
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
