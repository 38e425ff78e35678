/**
 * The destination's transaction coordinator, for the transactional ids of one partition (Kafka's TransactionCoordinator): an
 * abort is answered before its marker is written, and until it is, the id takes nothing else.
 */
import type { ProducerIdentity } from '../../src/cluster/transactions.ts'
import type { KafkaError } from './kafka-errors.ts'

interface TransactionalId {
  readonly producerId: number
  epoch: number
  state: 'empty' | 'ongoing' | 'aborting' | 'aborted'
  /** Counts transactions, so that a time-out ends only the one it was set for. */
  transactions: number
}

export interface CoordinatorOptions {
  /** Writes an abort marker in the end, and then calls back. */
  writeMarker(identity: ProducerIdentity, written: () => void): void
  /** Calls back after so long. */
  after(delayMs: number, run: () => void): void
}

type Answered<T> = { readonly value: T } | { readonly error: KafkaError }

/** As the fence asks for it. */
const TRANSACTION_TIMEOUT_MS = 10_000
const FIRST_PRODUCER_ID = 4_000

export class TransactionCoordinator {
  readonly #options: CoordinatorOptions
  readonly #ids = new Map<string, TransactionalId>()
  #nextProducerId = FIRST_PRODUCER_ID

  constructor(options: CoordinatorOptions) {
    this.#options = options
  }

  initProducerId(transactionalId: string | null): Answered<ProducerIdentity> {
    if (transactionalId === null) return { value: { producerId: this.#nextProducerId++, producerEpoch: 0 } }
    const known = this.#ids.get(transactionalId)
    if (known === undefined) {
      const producerId = this.#nextProducerId++
      this.#ids.set(transactionalId, { producerId, epoch: 0, state: 'empty', transactions: 0 })
      return { value: { producerId, producerEpoch: 0 } }
    }
    if (known.state === 'ongoing') {
      // The epoch is raised so that the open transaction's owner is shut out; nobody is given this one.
      known.epoch++
      this.#abort(known)
    }
    if (known.state === 'aborting') return { error: 'CONCURRENT_TRANSACTIONS' }
    known.epoch++
    known.state = 'empty'
    return { value: { producerId: known.producerId, producerEpoch: known.epoch } }
  }

  addPartition(transactionalId: string, identity: ProducerIdentity): Answered<undefined> {
    const known = this.#ids.get(transactionalId)
    if (known?.producerId !== identity.producerId) return { error: 'INVALID_PRODUCER_ID_MAPPING' }
    if (known.epoch !== identity.producerEpoch) return { error: 'PRODUCER_FENCED' }
    if (known.state === 'aborting') return { error: 'CONCURRENT_TRANSACTIONS' }
    if (known.state !== 'ongoing') {
      known.state = 'ongoing'
      const transaction = ++known.transactions
      this.#options.after(TRANSACTION_TIMEOUT_MS, () => {
        if (known.state !== 'ongoing' || known.transactions !== transaction) return
        known.epoch++
        this.#abort(known)
      })
    }
    return { value: undefined }
  }

  abort(transactionalId: string, identity: ProducerIdentity): Answered<undefined> {
    const known = this.#ids.get(transactionalId)
    if (known?.producerId !== identity.producerId) return { error: 'INVALID_PRODUCER_ID_MAPPING' }
    if (known.epoch !== identity.producerEpoch) return { error: 'PRODUCER_FENCED' }
    if (known.state === 'aborting') return { error: 'CONCURRENT_TRANSACTIONS' }
    // The answer to an earlier try was lost.
    if (known.state === 'aborted') return { value: undefined }
    if (known.state === 'empty') return { error: 'INVALID_TXN_STATE' }
    this.#abort(known)
    return { value: undefined }
  }

  #abort(known: TransactionalId): void {
    known.state = 'aborting'
    this.#options.writeMarker({ producerId: known.producerId, producerEpoch: known.epoch }, () => {
      known.state = 'aborted'
    })
  }
}
