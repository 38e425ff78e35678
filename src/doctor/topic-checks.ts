/** Whether copies will take what the source's topics hold. Pure. */
import { ClusterError } from '../cluster/errors.ts'
import type { TopicConfig } from '../cluster/topic-admin.ts'
import { copiedConfigs } from '../destination/config-rules.ts'
import type { PairFacts } from '../plan/facts.ts'
import { counted } from '../terminal/amounts.ts'
import type { BrokerSettings } from './cluster-checks.ts'
import { listed, Notes, type Tell } from './finding.ts'

export interface TopicCheckOptions {
  readonly syncTopicConfigs: boolean
  readonly replicationFactor: number | undefined
  /** Of the destination; what copies get that are not there yet. `undefined`: not told. */
  readonly settings: BrokerSettings | undefined
  /** Of the copies that are there. */
  readonly replicas: ReadonlyMap<string, number>
}

export type CheckedPair = Pick<
  PairFacts,
  'topic' | 'destinationTopic' | 'destinationPartitions' | 'sourceConfig' | 'destinationConfig' | 'configChanges'
>

/** What is wrong with many topics is told once, with some of their names. */
export function checkTopics(
  about: string,
  pairs: readonly CheckedPair[],
  options: TopicCheckOptions,
  tell: Tell
): void {
  const notes = new Notes('topics', about, tell)
  const known = pairs.filter(({ sourceConfig }) => !(sourceConfig instanceof ClusterError))
  const copies = known.map(pair => ({ pair, copy: new Copy(pair, options) }))
  const which = (isWrong: (each: { pair: CheckedPair; copy: Copy }) => boolean) =>
    copies.filter(isWrong).map(({ pair }) => pair.destinationTopic)
  let isFine = true
  const say = (level: 'warning' | 'problem', topics: readonly string[], message: string, remedy: string) => {
    if (topics.length === 0) return
    isFine = false
    notes[level](`${listed(topics)}: ${message}`, remedy)
  }
  say(
    'warning',
    which(({ pair, copy }) => copy.number('max.message.bytes') < numberIn(pair.sourceConfig, 'max.message.bytes')),
    'max.message.bytes is lower than at the source, so that a record may be too large for the copy, which halts its partition',
    'raise it on the copy, or message.max.bytes at the destination’s brokers'
  )
  say(
    'problem',
    which(({ copy }) => copy.value('message.timestamp.type') === 'LogAppendTime'),
    'message.timestamp.type is LogAppendTime, so that copies get the time of their arrival instead of their own',
    'set it to CreateTime there'
  )
  for (const limit of TIMESTAMP_LIMITS) {
    say(
      'warning',
      which(({ pair, copy }) => copy.number(limit) < numberIn(pair.sourceConfig, limit)),
      `${limit} is lower than at the source, so that records whose time is further away are refused, which halts their partition`,
      'raise it there to what the source has'
    )
  }
  say(
    'problem',
    which(({ copy }) => copy.number('min.insync.replicas') > (copy.replicas ?? Number.POSITIVE_INFINITY)),
    'min.insync.replicas is higher than the number of replicas, so that nothing can be written',
    'lower it, or give the topic more replicas (FARLOG_REPLICATION_FACTOR for topics to come)'
  )
  say(
    'warning',
    which(({ copy }) => (copy.replicas ?? 0) > 1 && copy.number('min.insync.replicas') === copy.replicas),
    'min.insync.replicas equals the number of replicas, so that nothing can be written while one broker is down',
    'lower it by one, or give the topic one more replica'
  )
  const untold = pairs.length - known.length
  if (untold > 0) notes.skipped(`the configuration of ${counted(untold, 'topic')} is not told by the source`)
  const unknown = which(({ copy }) => !copy.isKnown)
  if (unknown.length > 0) {
    notes.skipped(
      `${listed(unknown)}: the destination does not tell all settings that matter`,
      'grant DESCRIBE_CONFIGS on its topics and on the cluster to have them checked'
    )
  }
  if (!isFine || untold > 0 || unknown.length > 0) return
  notes.ok(
    known.length === 0 ? 'no topic to check' : `copies take what the source's topics may hold (${known.length} checked)`
  )
}

/** The first two since Kafka 3.6, the last until Kafka 3. */
const TIMESTAMP_LIMITS = [
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
  'message.timestamp.difference.max.ms'
]

/** The settings that a copy has, or will have once a worker has made it. `NaN` is not known. */
class Copy {
  readonly replicas: number | undefined
  readonly #pair: CheckedPair
  readonly #options: TopicCheckOptions

  constructor(pair: CheckedPair, options: TopicCheckOptions) {
    this.#pair = pair
    this.#options = options
    const default_ = options.replicationFactor ?? numberOrNothing(options.settings?.get('default.replication.factor'))
    this.replicas = this.#isThere ? options.replicas.get(pair.destinationTopic) : default_
  }

  get #isThere(): boolean {
    return this.#pair.destinationPartitions > 0
  }

  /** Whether nothing that is compared is missing. */
  get isKnown(): boolean {
    const isTold = (name: string) => this.value(name) !== undefined
    return (
      this.replicas !== undefined &&
      ['max.message.bytes', 'message.timestamp.type', 'min.insync.replicas'].every(isTold) &&
      TIMESTAMP_LIMITS.some(isTold)
    )
  }

  value(name: string): string | undefined {
    const { sourceConfig, destinationConfig, configChanges } = this.#pair
    const change = configChanges.find(entry => entry.name === name)
    if (change?.value != null) return change.value
    if (this.#isThere) return valueIn(destinationConfig, name)
    if (!(sourceConfig instanceof ClusterError) && this.#options.syncTopicConfigs) {
      const copied = copiedConfigs(sourceConfig).find(entry => entry.name === name)
      if (copied !== undefined) return copied.value
    }
    return this.#options.settings?.get(BROKER_NAMES[name] ?? '')
  }

  number(name: string): number {
    return Number(this.value(name) ?? Number.NaN)
  }
}

/** What a topic's entry is called where a broker sets it for all topics. */
const BROKER_NAMES: Readonly<Record<string, string>> = {
  'max.message.bytes': 'message.max.bytes',
  'min.insync.replicas': 'min.insync.replicas',
  'message.timestamp.type': 'log.message.timestamp.type',
  ...Object.fromEntries(TIMESTAMP_LIMITS.map(name => [name, `log.${name}`]))
}

function valueIn(config: TopicConfig | ClusterError, name: string): string | undefined {
  return config instanceof ClusterError ? undefined : (config.get(name)?.value ?? undefined)
}

function numberIn(config: TopicConfig | ClusterError, name: string): number {
  return Number(valueIn(config, name) ?? Number.NaN)
}

function numberOrNothing(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
