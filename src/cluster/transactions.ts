import { addPartitionsToTxnV3, endTxnV3, findCoordinatorV4, initProducerIdV4 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { assertNoError, brokerError, ClusterError, despiteErrors } from './errors.ts'

/** Who a producer is to the cluster: what fencing compares (KIP-98, KIP-360). */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** FindCoordinator's key type for transactional ids. */
const TRANSACTION_KEY_TYPE = 1
/** How many transactional ids one FindCoordinator asks for. */
const LOOKUP_KEYS_MAX = 500
/** A transaction left open by a crash between two steps is aborted by the broker after this; it holds readers back that long. */
const TRANSACTION_TIMEOUT_MS = 10_000
const PURPOSE = 'coordinator'

interface Lookup {
  readonly transactionalId: string
  resolve(nodeId: number): void
  reject(error: unknown): void
}

/** The transaction coordinators of one cluster: the three requests that a fence is made of, each sent to the right broker. */
export class TransactionCoordinators {
  readonly #cluster: Cluster
  readonly #coordinators = new Map<string, number>()
  #lookups: Lookup[] = []

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Raises the epoch of a transactional id, or gives an anonymous idempotent producer its id when there is none. */
  async initProducerId(transactionalId: string | null): Promise<ProducerIdentity> {
    const ask = async (connection: BrokerConnection) => {
      const answer = await connection.call(initProducerIdV4.api, transactionalId, TRANSACTION_TIMEOUT_MS, -1n, -1)
      return { producerId: Number(answer.producerId), producerEpoch: answer.producerEpoch }
    }
    if (transactionalId === null) return ask(await this.#cluster.anyBroker(PURPOSE))
    return this.#atCoordinator(transactionalId, ask)
  }

  /** Begins a transaction on one partition: nothing is written yet, but its end will be. */
  async addPartition(
    transactionalId: string,
    identity: ProducerIdentity,
    topic: string,
    partition: number
  ): Promise<void> {
    await this.#atCoordinator(transactionalId, async connection => {
      const answer = await despiteErrors(
        connection.call(addPartitionsToTxnV3.api, [
          {
            transactionalId,
            producerId: BigInt(identity.producerId),
            producerEpoch: identity.producerEpoch,
            verifyOnly: false,
            topics: [{ name: topic, partitions: [partition] }]
          }
        ])
      )
      const errorCode = answer.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition[0]?.partitionErrorCode ?? 0
      assertNoError(errorCode, `${this.#cluster.alias}: adding ${topic}-${partition} to ${transactionalId}`)
    })
  }

  /** Ends the transaction by an abort. The coordinator answers before the marker stands in the partition. */
  async abort(transactionalId: string, identity: ProducerIdentity): Promise<void> {
    await this.#atCoordinator(transactionalId, connection =>
      connection.call(endTxnV3.api, transactionalId, BigInt(identity.producerId), identity.producerEpoch, false)
    )
  }

  /** Forgets where the coordinator of an id is, once the id is not used any more. */
  forget(transactionalId: string): void {
    this.#coordinators.delete(transactionalId)
  }

  async #atCoordinator<T>(transactionalId: string, ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    try {
      const nodeId = this.#coordinators.get(transactionalId) ?? (await this.#find(transactionalId))
      return await ask(await this.#cluster.broker(nodeId, PURPOSE))
    } catch (error) {
      // Whatever went wrong, the coordinator may have moved: the next try asks again.
      this.#coordinators.delete(transactionalId)
      throw error
    }
  }

  /** Lookups made in the same turn go out together: a thousand partitions are fenced at once. */
  #find(transactionalId: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#lookups.push({ transactionalId, resolve, reject })
      if (this.#lookups.length === 1) setImmediate(() => void this.#sendLookups())
    })
  }

  async #sendLookups(): Promise<void> {
    const lookups = this.#lookups
    this.#lookups = []
    for (let from = 0; from < lookups.length; from += LOOKUP_KEYS_MAX) {
      await this.#lookUp(lookups.slice(from, from + LOOKUP_KEYS_MAX))
    }
  }

  async #lookUp(lookups: readonly Lookup[]): Promise<void> {
    try {
      const connection = await this.#cluster.anyBroker(PURPOSE)
      const keys = lookups.map(lookup => lookup.transactionalId)
      // One id that may not be used must not keep the others' coordinators from us.
      const asking = connection.call(findCoordinatorV4.api, TRANSACTION_KEY_TYPE, keys)
      const { coordinators } = await despiteErrors(asking)
      const byKey = new Map(coordinators.map(coordinator => [coordinator.key, coordinator]))
      // Coordinators are named by node id; their addresses come with the metadata.
      if (coordinators.some(({ errorCode, nodeId }) => errorCode === 0 && !this.#cluster.knowsBroker(nodeId))) {
        await this.#cluster.refresh([])
      }
      for (const { transactionalId, resolve, reject } of lookups) {
        const found = byKey.get(transactionalId)
        const context = `${this.#cluster.alias}: finding the coordinator of ${transactionalId}`
        if (found === undefined) {
          reject(new ClusterError('BAD_RESPONSE', `${context}: the answer leaves it out`, true))
        } else if (found.errorCode !== 0) {
          reject(brokerError(found.errorCode, context))
        } else {
          this.#coordinators.set(transactionalId, found.nodeId)
          resolve(found.nodeId)
        }
      }
    } catch (error) {
      for (const { reject } of lookups) reject(error)
    }
  }
}
