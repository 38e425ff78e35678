import { compileNameFilter } from '../config/name-filter.ts'
import type { Config } from '../config/types.ts'

/** A source topic and what its copy is called. */
export interface TopicPair {
  readonly topic: string
  readonly destinationTopic: string
}

type SelectionConfig = Pick<Config, 'topics' | 'replicationPolicy' | 'replicationPolicySeparator'>

/**
 * The topics that should have a copy, by name, with the copies' names. The rules are the documented ones, written down
 * here a second time: with the copying side's own code a topic it leaves out by mistake would be left out here too.
 * @param only patterns that narrow the configured topics down; all of them when `undefined`
 */
export function selectTopics(
  topics: Iterable<string>,
  config: SelectionConfig,
  aliases: { readonly source: string; readonly destination: string },
  only: readonly string[] | undefined
): TopicPair[] {
  const { replicationPolicy, replicationPolicySeparator: separator } = config
  const isConfigured = compileNameFilter(config.topics)
  const isAskedFor = only === undefined ? () => true : compileNameFilter({ include: only, exclude: [] })
  const isRenamed = (topic: string): boolean =>
    replicationPolicy === 'default' || topic.split(separator).at(-1) === 'heartbeats'
  const hasBeenThere = (topic: string): boolean =>
    isRenamed(topic) && topic.split(separator).slice(0, -1).includes(aliases.destination)
  return [...topics]
    .filter(topic => isConfigured(topic) && isAskedFor(topic) && !isNeverMirrored(topic) && !hasBeenThere(topic))
    .sort()
    .map(topic => ({
      topic,
      // Heartbeats keep the alias before their name under any policy.
      destinationTopic:
        replicationPolicy === 'identity' && topic !== 'heartbeats' ? topic : `${aliases.source}${separator}${topic}`
    }))
}

function isNeverMirrored(topic: string): boolean {
  return topic.startsWith('__') || topic.startsWith('.') || topic.endsWith('-internal') || topic.endsWith('.internal')
}
