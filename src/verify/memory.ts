import type { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import type { PartitionOutcome, PartitionPair } from './compare-partition.ts'
import { DIFFERENCE_KINDS } from './differences.ts'
import type { VerifiedPartition } from './verified-partition.ts'
import { VerifiedReader } from './verified-reader.ts'
import { VerifiedWriter } from './verified-writer.ts'
import type { MemoryUse } from './verify-options.ts'
import { isWorthRemembering } from './worth-remembering.ts'

export interface MemoryOptions {
  readonly use: MemoryUse
  readonly destination: Cluster
  readonly sourceAlias: string
  readonly replicationFactor: number | undefined
  readonly clientId: string
  readonly verifiedBy: string
}

/**
 * What one run of `farlog verify` knows of the runs before it, and leaves to those after it. Who may not read or write it
 * verifies all the same, and hears of it.
 */
export class Memory implements AsyncDisposable {
  readonly #options: MemoryOptions
  readonly #reader: VerifiedReader
  readonly #writer: VerifiedWriter
  #isReadable: boolean
  #isWritable: boolean
  #problem: string | undefined

  constructor(options: MemoryOptions) {
    this.#options = options
    this.#isReadable = this.#isWritable = options.use !== 'none'
    const { destination, sourceAlias, replicationFactor, clientId } = options
    this.#reader = new VerifiedReader(destination, sourceAlias)
    this.#writer = new VerifiedWriter(destination.config, sourceAlias, replicationFactor, clientId)
  }

  /** Why nothing is remembered, though it should be; `undefined` where there is no reason. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Who remembers; `undefined` where nobody does. */
  get verifiedBy(): string | undefined {
    return this.#isWritable ? this.#options.verifiedBy : undefined
  }

  /** Reads what was left. */
  async open(): Promise<void> {
    if (!this.#isReadable) return
    this.#isReadable = await this.#try('what was verified before cannot be read', () => this.#reader.refresh())
    this.#isWritable &&= this.#isReadable
  }

  newest(pair: PartitionPair): VerifiedPartition | undefined {
    return this.#isReadable ? this.#reader.newest(pair) : undefined
  }

  /** Leaves what was found, unless it tells nothing new. */
  async remember({ counts, remember, beginning }: PartitionOutcome): Promise<void> {
    if (!this.#isWritable || remember === undefined) return
    const isConfirmed = beginning.kind === 'go-on' && DIFFERENCE_KINDS.every(kind => counts[kind] === 0)
    const isWritten = await this.#try('what was verified cannot be remembered', async () => {
      await this.#reader.refresh()
      if (isWorthRemembering(remember, this.#reader.newest(remember), isConfirmed)) await this.#writer.write(remember)
    })
    this.#isWritable &&= isWritten
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close()
  }

  async #try(what: string, doing: () => Promise<void>): Promise<boolean> {
    try {
      await doing()
      return true
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      this.#problem = `${what}: ${error.message}`
      return false
    }
  }
}
