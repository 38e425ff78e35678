/** How a source topic is called at the destination, and which topics never go there. */
export interface ReplicationPolicy {
  /** The destination's name for a source topic. */
  destinationTopic(sourceTopic: string): string
  /**
   * Why this source topic must not be mirrored whatever the configuration selects, or `null`.
   * The rules are MirrorMaker 2's (DefaultReplicationPolicy, MirrorSourceConnector).
   */
  refusal(sourceTopic: string): string | null
  /** Whether its name says that it came from the destination: one of the refusals. */
  isCycle(sourceTopic: string): boolean
}

const HEARTBEATS = 'heartbeats'
const INTERNAL_SUFFIXES = ['-internal', '.internal']

/**
 * @param name `default` puts the source's alias in front; `identity` keeps the name
 * @param separator between alias and topic, under `default`
 */
export function replicationPolicy(
  name: 'default' | 'identity',
  sourceAlias: string,
  destinationAlias: string,
  separator: string
): ReplicationPolicy {
  // Each hop put its alias and a separator in front; an alias may hold separators itself. Under `identity` that is so of heartbeats
  // only, and those, mirrored back, would meet the ones that the destination mirrors by itself.
  const isCycle = (topic: string) =>
    (name === 'default' || topic.endsWith(`${separator}${HEARTBEATS}`)) &&
    `${separator}${topic}`.includes(`${separator}${destinationAlias}${separator}`)
  return {
    isCycle,
    // Heartbeats tell the clusters apart by their topic's name, so even `identity` renames them, as MirrorMaker 2 does.
    destinationTopic: topic =>
      name === 'identity' && topic !== HEARTBEATS ? topic : `${sourceAlias}${separator}${topic}`,
    refusal: topic => {
      if (topic.startsWith('__')) return 'it is internal to Kafka'
      if (topic.startsWith('.')) return 'its name starts with a dot'
      if (INTERNAL_SUFFIXES.concat(`${separator}internal`).some(suffix => topic.endsWith(suffix)))
        return 'it is internal to a Kafka tool'
      return isCycle(topic) ? `it came from ${destinationAlias}, so mirroring it there would be a cycle` : null
    }
  }
}
