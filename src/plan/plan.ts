/** What a plan says. `farlog plan --json` prints it as it is. */

export type TopicState = 'to create' | 'short of partitions' | 'there' | 'blocked'

/** Something without which a flow, or a topic of it, would not be mirrored. */
export interface Blocker {
  readonly code:
    | 'UNREACHABLE'
    | 'SAME_CLUSTER'
    | 'CYCLE'
    | 'SAME_NAME'
    | 'MISSING_ACL'
    | 'REPLICATION_FACTOR'
    | 'CANNOT_CREATE'
    | 'CANNOT_GROW'
    | 'CANNOT_CONFIGURE'
    | 'CANNOT_ASK'
  /** The source topic that it holds up; `null` where it is about all of them. */
  readonly topic: string | null
  /** What is wrong and what would mend it, in a line. */
  readonly message: string
}

export interface PlannedTopic {
  readonly topic: string
  readonly destinationTopic: string
  readonly state: TopicState
  readonly partitions: number
  readonly destinationPartitions: number
  readonly partitionsToCreate: number
  /** `to`: `null` where the entry is not set any more. */
  readonly configs: readonly { readonly name: string; readonly from: string | null; readonly to: string | null }[]
  /** ACLs to create, in a line each. */
  readonly acls: readonly string[]
}

export interface FlowPlan {
  readonly source: string
  readonly destination: string
  readonly groupId: string
  readonly blockers: readonly Blocker[]
  /** What is worth knowing and holds nothing up. */
  readonly notes: readonly string[]
  readonly topics: readonly PlannedTopic[]
  /** Topics of the source that are configured and not mirrored. */
  readonly leftOut: readonly { readonly topic: string; readonly reason: string }[]
  /** Consumer groups whose offsets would be translated; `null` where that is switched off or could not be asked. */
  readonly groups: readonly string[] | null
}

/** All flows of the configuration. */
export interface Plan {
  readonly isBlocked: boolean
  readonly flows: readonly FlowPlan[]
}
