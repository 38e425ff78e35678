import { compileTopicFilter } from '../config/name-filter.ts'
import type { Config } from '../config/types.ts'
import { type ReplicationPolicy, replicationPolicy } from '../rewrite/replication-policy.ts'

/** A source topic that is to be mirrored, and the name of its copy. */
export interface SelectedTopic {
  readonly topic: string
  readonly destinationTopic: string
}

/** A source topic that the configuration selects and that is not mirrored all the same. */
export interface RefusedTopic {
  readonly topic: string
  readonly kind: 'internal' | 'cycle' | 'same-name'
  readonly reason: string
}

type SelectionConfig = Pick<
  Config,
  'topics' | 'replicationPolicy' | 'replicationPolicySeparator' | 'heartbeatIntervalMs'
>

/** Which of a source's topics one flow mirrors. */
export class TopicSelection {
  readonly policy: ReplicationPolicy
  readonly #isConfigured: (topic: string) => boolean

  constructor(config: SelectionConfig, aliases: { readonly source: string; readonly destination: string }) {
    const { replicationPolicy: name, replicationPolicySeparator: separator } = config
    this.policy = replicationPolicy(name, aliases.source, aliases.destination, separator)
    this.#isConfigured = compileTopicFilter(config)
  }

  /** What is configured, divided into what is mirrored and what must not be. Topics that are not configured are in neither. */
  divide(topics: Iterable<string>): { selected: SelectedTopic[]; refused: RefusedTopic[] } {
    const selected: SelectedTopic[] = []
    const refused: RefusedTopic[] = []
    const taken = new Map<string, string>()
    for (const topic of [...topics].filter(this.#isConfigured).sort()) {
      const destinationTopic = this.policy.destinationTopic(topic)
      const reason = this.policy.refusal(topic)
      const namesake = taken.get(destinationTopic)
      if (reason !== null) {
        refused.push({ topic, kind: this.policy.isCycle(topic) ? 'cycle' : 'internal', reason })
      } else if (namesake !== undefined) {
        // Only under `identity`, which renames heartbeats: another topic may have that name already.
        const both = `${namesake} is called ${destinationTopic} at the destination too`
        refused.push({ topic, kind: 'same-name', reason: both })
      } else {
        taken.set(destinationTopic, topic)
        selected.push({ topic, destinationTopic })
      }
    }
    return { selected, refused }
  }
}
