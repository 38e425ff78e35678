import { ClusterError } from '../cluster/errors.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { aclText, missingAcls } from './acl-rules.ts'
import { Complaints, type Log } from './complaints.ts'
import type { KeptTopic } from './kept-topic.ts'

export interface AclSyncOptions {
  readonly source: { readonly alias: string; readonly admin: TopicAdmin }
  readonly destination: { readonly alias: string; readonly admin: TopicAdmin }
  readonly log: Log
}

/** Gives destination topics the ACLs of their sources. Whatever fails is said, and tried again next time. */
export class AclSync {
  readonly #options: AclSyncOptions
  readonly #complaints: Complaints
  /** An authorizer comes and goes with a broker's start. */
  #hasNoAuthorizer = false

  constructor(options: AclSyncOptions) {
    this.#options = options
    this.#complaints = new Complaints(options.log)
  }

  async sync(topics: readonly KeptTopic[]): Promise<void> {
    if (this.#hasNoAuthorizer) return
    const { source, destination, log } = this.#options
    try {
      const [atSource, atDestination] = await Promise.all([source.admin.topicAcls(), destination.admin.topicAcls()])
      const names = new Map(topics.map(({ topic, destinationTopic }) => [topic, destinationTopic]))
      const missing = missingAcls(atSource, atDestination, names)
      if (missing.length > 0) {
        await destination.admin.createTopicAcls(missing)
        log('info', 'ACLs created at the destination', { acls: missing.map(aclText) })
      }
      this.#complaints.settle('acls')
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.code === 'SECURITY_DISABLED') {
        this.#hasNoAuthorizer = true
        log('warn', 'no ACLs are copied: a cluster has no authorizer', { error: error.message })
        return
      }
      this.#complaints.say('acls', 'warn', `copying ACLs failed, trying again; ${ACLS_NEEDED}`, {
        error: error.message
      })
    }
  }
}

/** What the request for ACLs of the cluster's is refused without. */
const ACLS_NEEDED = 'it needs DESCRIBE on both clusters and ALTER on the destination’s (resource type CLUSTER)'
