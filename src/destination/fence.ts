/**
 * Fencing: making sure that no earlier owner of a source partition can write its copy any more.
 *
 * The naive way, raising the epoch of a transactional id, is not enough: only the transaction coordinator knows of the
 * new epoch then, and a zombie's plain idempotent batch goes to the partition's leader, which takes it. The leader
 * learns an epoch from what is written to the partition, so a marker has to be written there:
 *
 *     InitProducerId            the coordinator knows the epoch e; an open transaction of the old owner is aborted
 *     AddPartitionsToTxn        an empty transaction on the destination partition
 *     EndTxn abort              answered before the marker stands in the partition
 *     InitProducerId            CONCURRENT_TRANSACTIONS until the marker stands; then epoch e+1: the barrier
 *
 * From here on the leader refuses every epoch below e (INVALID_PRODUCER_EPOCH), so whatever the log's end shows now is
 * all that older owners will ever have written. The new owner writes plain idempotent batches under e+1.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { Backoff, pause } from '../cluster/retry.ts'
import { type ProducerIdentity, TransactionCoordinators } from '../cluster/transactions.ts'

/**
 * Epochs are 16 bits. Above this one the id is renewed until the coordinator hands out a new producer id, while the
 * fence is being made: were it to happen at the next owner's first step, that owner's marker would carry the new
 * producer id, and a zombie under the old one would never meet it.
 */
const PRODUCER_EPOCH_MAX = 32_700

/** Errors that say "not yet" during a fence. */
const NOT_YET = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR'
])

/**
 * For so long a step is repeated here. A destination that stands still is no matter of moments: the caller says so,
 * looks again who is in charge, and begins anew.
 */
const NOT_YET_MS_MAX = 30_000

/** The transactional id that stands for one source partition's copy at one destination. */
export function transactionalId(source: string, destination: string, topic: string, partition: number): string {
  return `${transactionalIdPrefix(source, destination, topic)}${partition}`
}

/** What the ids of a flow, or of a topic in it, begin with: that is how ACLs name them. */
export function transactionalIdPrefix(source: string, destination: string, topic?: string): string {
  return `farlog/${source}/${destination}/${topic === undefined ? '' : `${topic}/`}`
}

/** Fences the earlier owners of partitions at one destination. */
export class Fence {
  readonly #coordinators: TransactionCoordinators

  constructor(destination: Cluster) {
    this.#coordinators = new TransactionCoordinators(destination)
  }

  /**
   * Shuts out every earlier owner and returns the identity to write under.
   * @throws ClusterError where a step failed for good, or must be begun anew (`INVALID_PRODUCER_EPOCH`,
   *   `PRODUCER_FENCED`: a newer owner is fencing at this moment)
   */
  async raise(id: string, topic: string, partition: number, signal: AbortSignal): Promise<ProducerIdentity> {
    try {
      const outgoing = await this.#insist(signal, () => this.#coordinators.initProducerId(id))
      await this.#insist(signal, () => this.#coordinators.addPartition(id, outgoing, topic, partition))
      await this.#insist(signal, () => this.#coordinators.abort(id, outgoing))
      let identity = outgoing
      do {
        const before = identity
        identity = await this.#insist(signal, () => this.#coordinators.initProducerId(id))
        assertFollows(id, before, identity)
      } while (identity.producerEpoch > PRODUCER_EPOCH_MAX)
      return identity
    } catch (error) {
      throw withMissingAcl(error, id, topic)
    } finally {
      this.#coordinators.forget(id)
    }
  }

  /**
   * Keeps the coordinator from forgetting the id: it does after a week without a transaction
   * (`transactional.id.expiration.ms`), and would then give the next owner another producer id, whose marker means
   * nothing to the epochs of this one.
   * @throws ClusterError `PRODUCER_FENCED` or `INVALID_PRODUCER_EPOCH` where a newer owner has taken over
   */
  async renew(
    id: string,
    identity: ProducerIdentity,
    topic: string,
    partition: number,
    signal: AbortSignal
  ): Promise<void> {
    try {
      await this.#insist(signal, () => this.#coordinators.addPartition(id, identity, topic, partition))
      await this.#insist(signal, () => this.#coordinators.abort(id, identity))
    } finally {
      this.#coordinators.forget(id)
    }
  }

  /** An identity without a fence, for at-least-once: retries do not duplicate, but a zombie is not shut out. */
  anonymous(signal: AbortSignal): Promise<ProducerIdentity> {
    return this.#insist(signal, () => this.#coordinators.initProducerId(null))
  }

  /** Repeats one step while the coordinator says "not yet", for a while; anything else is for the caller, who begins anew. */
  async #insist<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    const backoff = new Backoff(5, 500)
    const deadlineMs = performance.now() + NOT_YET_MS_MAX
    for (;;) {
      signal.throwIfAborted()
      try {
        return await step()
      } catch (error) {
        const isForNow = error instanceof ClusterError && NOT_YET.has(error.code)
        if (!isForNow || performance.now() >= deadlineMs) throw error
      }
      await pause(backoff.nextMs(), signal)
    }
  }
}

/**
 * Two owners may fence at the same time: one that wakes up in the midst of its fence takes an epoch between the other's
 * marker and the other's last step. The leader knows the marker's epoch only, and would take the batches of both. So
 * whoever finds that somebody came between begins anew.
 */
function assertFollows(id: string, before: ProducerIdentity, identity: ProducerIdentity): void {
  const isNext =
    identity.producerId === before.producerId
      ? identity.producerEpoch === before.producerEpoch + 1
      : before.producerEpoch > PRODUCER_EPOCH_MAX
  if (isNext) return
  throw new ClusterError('PRODUCER_FENCED', `somebody else has fenced ${id} at the same time`, false)
}

/** A broker says that something is not allowed, but not what would allow it. */
function withMissingAcl(error: unknown, id: string, topic: string): unknown {
  if (!(error instanceof ClusterError)) return error
  const acl = {
    TOPIC_AUTHORIZATION_FAILED: `WRITE on the topic ${topic}`,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: `WRITE and DESCRIBE on the transactional id ${id}`
  }[error.code]
  if (acl === undefined) return error
  return new ClusterError(error.code, `${error.message}: farlog needs ${acl}`, error.retriable, { cause: error })
}
