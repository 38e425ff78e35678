import type { BatchConnection } from '../../src/cluster/batch-connection.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import type { BrokerConnection } from '../../src/cluster/connection.ts'
import { ClusterError } from '../../src/cluster/errors.ts'
import { plainCluster } from '../support/plain-cluster.ts'
import type { Brokers, Network, SimulatedConnection } from './network.ts'
import type { Process } from './scheduler.ts'

interface OpenConnection {
  readonly opening: Promise<SimulatedConnection>
  opened: SimulatedConnection | undefined
}

/**
 * A cluster as one worker sees it: the production class, which keeps the metadata and asks for it anew, over connections of
 * the simulated network.
 */
export class SimulatedCluster extends Cluster {
  readonly #network: Network
  readonly #process: Process
  readonly #brokers: Brokers
  readonly #roundTripMs: number
  readonly #connections = new Map<string, OpenConnection>()

  constructor(network: Network, process: Process, brokers: Brokers, roundTripMs: number) {
    super(plainCluster(brokers.alias, 'localhost:9092'), process.name)
    this.#network = network
    this.#process = process
    this.#brokers = brokers
    this.#roundTripMs = roundTripMs
  }

  override async broker(nodeId: number, purpose: string): Promise<BrokerConnection> {
    return (await this.#connection(nodeId, purpose)) as unknown as BrokerConnection
  }

  override async batchBroker(nodeId: number, purpose: string): Promise<BatchConnection> {
    const connection = await this.#connection(nodeId, `batches/${purpose}`)
    return Object.assign(connection, { roundTripMs: this.#roundTripMs }) as unknown as BatchConnection
  }

  override async anyBroker(purpose: string): Promise<BrokerConnection> {
    let failure: unknown
    for (const nodeId of this.#brokers.nodeIds) {
      try {
        return (await this.#connection(nodeId, purpose, true)) as unknown as BrokerConnection
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async #connection(nodeId: number, purpose: string, isBootstrap = false): Promise<SimulatedConnection> {
    if (!isBootstrap && !this.knowsBroker(nodeId)) {
      throw new ClusterError('BROKER_NOT_AVAILABLE', `${this.alias} has no broker ${nodeId} at present`, true)
    }
    const key = `${nodeId}/${purpose}`
    const existing = this.#connections.get(key)
    // As the production class has it: whoever asks first is served first, also while the connection is being opened.
    if (existing !== undefined && (existing.opened?.isOpen ?? true)) return existing.opening
    const opening = this.#network.connect(this.#process, this.#brokers, nodeId)
    const entry: OpenConnection = { opening, opened: undefined }
    this.#connections.set(key, entry)
    try {
      entry.opened = await opening
      return entry.opened
    } catch (error) {
      if (this.#connections.get(key) === entry) this.#connections.delete(key)
      throw error
    }
  }
}
