import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'
import { Complaints, type Log } from './complaints.ts'
import type { KeptTopic } from './kept-topic.ts'
import { topicFailure } from './missing-acl.ts'

export interface TopicRemoverOptions {
  readonly source: Cluster
  readonly destination: { readonly alias: string; readonly admin: Pick<TopicAdmin, 'deleteTopic'> }
  /** How long a topic has to be gone from the source. */
  readonly afterMs: number
  /** Whether nothing may be deleted now. */
  readonly isHeld: () => boolean
  readonly log: Log
  readonly nowMs?: () => number
}

/**
 * Deletes copies whose source topic has been deleted. Nobody should lose a copy by mistake, so it goes only
 *
 * - whose source topic this worker has itself seen, in the same cluster: a cluster that was made anew has no topics either,
 * - and did not see at any look since, for long enough to notice and stop it,
 * - of which the source says, asked by name, that it is not there, and not that we may not see it.
 */
export class TopicRemover {
  readonly #options: TopicRemoverOptions
  readonly #nowMs: () => number
  readonly #complaints: Complaints
  /** By source topic, what was seen to have a copy. */
  readonly #copies = new Map<string, string>()
  /** By source topic, since when it has been gone. */
  readonly #goneSinceMs = new Map<string, number>()
  #clusterId: string | undefined

  constructor(options: TopicRemoverOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.#complaints = new Complaints(options.log)
  }

  /**
   * To be called at each look at both clusters.
   * @param topics those that are at the source now and have a copy
   * @throws ClusterError where the source does not answer
   */
  async look(topics: readonly KeptTopic[]): Promise<void> {
    const { source } = this.#options
    if (source.clusterId !== this.#clusterId) {
      this.#copies.clear()
      this.#goneSinceMs.clear()
      this.#clusterId = source.clusterId
    }
    for (const { topic, destinationTopic } of topics) this.#copies.set(topic, destinationTopic)
    const missing = [...this.#copies.keys()].filter(topic => source.topic(topic) === undefined)
    if (missing.length > 0) await source.refresh(missing)
    const gone = missing.filter(topic => source.topic(topic) === undefined && !source.isForbidden(topic))
    for (const topic of this.#goneSinceMs.keys()) if (!gone.includes(topic)) this.#goneSinceMs.delete(topic)
    for (const topic of gone) await this.#isGone(topic, this.#copies.get(topic)!)
  }

  async #isGone(topic: string, destinationTopic: string): Promise<void> {
    const { afterMs, isHeld, destination, log } = this.#options
    const nowMs = this.#nowMs()
    const sinceMs = this.#goneSinceMs.get(topic)
    if (sinceMs === undefined) {
      this.#goneSinceMs.set(topic, nowMs)
      log('warn', `${topic} is gone from the source: its copy will be deleted`, {
        ...{ topic, destinationTopic, deletedAt: new Date(Date.now() + afterMs).toISOString() }
      })
      return
    }
    if (nowMs - sinceMs < afterMs || isHeld()) return
    try {
      await destination.admin.deleteTopic(destinationTopic)
      this.#complaints.settle(destinationTopic)
      this.#copies.delete(topic)
      this.#goneSinceMs.delete(topic)
      log('warn', `${destinationTopic} was deleted, as ${topic} was at the source`, { topic, destinationTopic })
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      const failure = topicFailure(error, 'DELETE', destinationTopic, destination.alias)
      this.#complaints.say(destinationTopic, 'warn', 'deleting a copy failed, trying again', { topic, error: failure })
    }
  }
}
