/**
 * How the configuration of a destination topic follows its source topic's. The rules are MirrorMaker 2's
 * (DefaultConfigPropertyFilter with `use.defaults.from=target`, MirrorSourceConnector.targetConfig):
 *
 *     source entry          | destination
 *     set on the topic      | set to the same value
 *     Kafka's own default   | not set any more, if it was: the destination's defaults count
 *     its brokers' setting  | left alone: neither cluster's brokers are the other's business
 *     excluded, read-only,  | left alone
 *     sensitive             |
 *
 * In one thing they go further. An entry that is removed at the source where the brokers have a setting of their own
 * (`log.segment.bytes` in their server.properties, say) turns from the first row into the third, and would stay at the
 * destination for good; so what was set when we last looked is taken away there too.
 */
import type { ConfigChange, TopicConfig, TopicConfigEntry } from '../cluster/topic-admin.ts'

/** Topic settings that are the destination's own business (MirrorMaker 2's `config.properties.exclude`). */
const EXCLUDED = new Set([
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
  'message.timestamp.difference.max.ms',
  'message.timestamp.type',
  'unclean.leader.election.enable',
  'min.insync.replicas'
])

/** The entries set on a source topic that its destination topic should have. */
export function copiedConfigs(source: TopicConfig): TopicConfigEntry[] {
  return [...source].flatMap(([name, { value, origin, isFixed }]) =>
    origin === 'topic' && value !== null && !isFixed && !EXCLUDED.has(name) ? [{ name, value }] : []
  )
}

/**
 * What has to change at the destination topic. Entries that its cluster does not know are left out.
 * @param setBefore names of the entries that were set on the source topic when it was last looked at
 */
export function configChanges(
  source: TopicConfig,
  destination: TopicConfig,
  setBefore: ReadonlySet<string> = new Set()
): ConfigChange[] {
  const copied = new Map(copiedConfigs(source).map(({ name, value }) => [name, value]))
  return [...source].flatMap(([name, { origin, isFixed }]): ConfigChange[] => {
    const there = destination.get(name)
    if (there === undefined || there.isFixed || isFixed || EXCLUDED.has(name)) return []
    const isSetThere = there.origin === 'topic'
    const value = copied.get(name)
    if (value !== undefined) return isSetThere && there.value === value ? [] : [{ name, value }]
    const wasRemoved = origin === 'default' || (origin === 'broker' && setBefore.has(name))
    return isSetThere && wasRemoved ? [{ name, value: null }] : []
  })
}
