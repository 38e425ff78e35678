import { Worker } from 'node:worker_threads'
import { ClusterError } from '../cluster/errors.ts'
import type { Config } from '../config/types.ts'
import { decodeVerified } from '../verify/verified-partition.ts'
import { VerifiedWriter } from '../verify/verified-writer.ts'
import type { LogSink } from './flow-context.ts'
import type { PartitionKey } from './messages.ts'
import type { FromVerifier, MirroredPartition, ToVerifier } from './verifier-messages.ts'

const WATCH_INTERVAL_MS = 1_000

/** A flow, as far as verification needs it. */
export interface VerifiedFlow {
  /** Its partitions that are ours, as far as they are known to be mirrored. */
  mirrored(): Iterable<MirroredPartition>
  /** All records below this source offset are equal to their copies. */
  verified(partition: PartitionKey, sourceOffset: number): void
  foundDifferences(partition: PartitionKey, differences: number): void
  /** Nobody verifies any more. */
  ended(): void
}

/**
 * The thread that verifies in the background, seen from the main thread. It can't stop the mirror: were it to end by itself, what it
 * told last is withdrawn, and mirroring goes on.
 */
export class BackgroundVerifier {
  readonly #thread: Worker
  readonly #flows: readonly VerifiedFlow[]
  readonly #writers: readonly VerifiedWriter[]
  readonly #log: LogSink
  readonly #watching: NodeJS.Timeout
  #isStopped = false

  constructor(config: Config, clientId: string, flows: readonly VerifiedFlow[], log: LogSink) {
    this.#flows = flows
    this.#log = log
    this.#writers = config.flows.map(
      ({ source, destination }) => new VerifiedWriter(destination, source.alias, config.replicationFactor, clientId)
    )
    this.#thread = new Worker(new URL('./verifier-thread.ts', import.meta.url), {
      workerData: { clientId: `${clientId}-verify` },
      name: 'verifier'
    })
    this.#thread.on('message', (message: FromVerifier) => this.#receive(message))
    this.#thread.on('error', error =>
      log('error', 'verification in the background has ended; mirroring goes on', {
        error: error instanceof Error ? error.message : String(error)
      })
    )
    this.#thread.on('exit', () => {
      this.stop()
      for (const flow of flows) flow.ended()
    })
    this.#watching = setInterval(() => this.#watch(), WATCH_INTERVAL_MS)
  }

  /** At once, in the midst of whatever it does: what it has not remembered yet, it or another worker verifies again. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    clearInterval(this.#watching)
    void this.#thread.terminate()
    for (const writer of this.#writers) void writer.close()
  }

  #watch(): void {
    for (const [flow, { mirrored }] of this.#flows.entries()) {
      this.#send({ kind: 'watch', flow, partitions: [...mirrored()] })
    }
  }

  #receive(message: FromVerifier): void {
    if (this.#isStopped) return
    switch (message.kind) {
      case 'verified':
        this.#flows[message.flow]!.verified(message, message.sourceOffset)
        return
      case 'found':
        this.#flows[message.flow]!.foundDifferences(message, message.differences)
        return
      case 'remember':
        void this.#remember(message)
        return
      case 'log':
        this.#log(message.level, message.message, message.fields)
    }
  }

  async #remember({ flow, id, verified }: Extract<FromVerifier, { kind: 'remember' }>): Promise<void> {
    try {
      await this.#writers[flow]!.write(decodeVerified(Buffer.from(verified))!)
      this.#send({ kind: 'remembered', id, failure: undefined })
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      this.#send({ kind: 'remembered', id, failure: { code: error.code, message: error.message } })
    }
  }

  #send(message: ToVerifier): void {
    if (!this.#isStopped) this.#thread.postMessage(message)
  }
}
