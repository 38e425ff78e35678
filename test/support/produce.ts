import { createInterface } from 'node:readline'
import { javaTool } from './java-tools.ts'
import { spawnOwned } from './owned-process.ts'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface ProduceTopic {
  readonly name: string
  /** Where the topic is not there yet; 1 unless said otherwise. */
  readonly partitions?: number
  readonly compression?: Compression
}

export interface ProduceOptions {
  readonly bootstrap: string
  readonly topics: readonly ProduceTopic[]
  /** Over all topics together; 0 = until stopped; 1,000 unless said otherwise. */
  readonly records?: number
  /** Records per second; 0 = as fast as it goes. */
  readonly rate?: number
  readonly seed?: number
  readonly valueBytes?: number
  /** `varied` (the default) has null keys, tombstones, odd headers and odd timestamps; `plain` none of it. */
  readonly shape?: 'varied' | 'plain'
  /** `false` for compacted topics, which refuse them. */
  readonly nullKeys?: boolean
  readonly lingerMs?: number
  /** 0 = each record is a batch of its own. */
  readonly batchBytes?: number
  /** Records in each transaction; 0 (the default) = no transactions. */
  readonly transactionRecords?: number
  readonly abortPercent?: number
}

export interface ProduceResult {
  /** Acknowledged, and with transactions committed. */
  readonly records: number
  /** Written in transactions that were then aborted. */
  readonly aborted: number
  readonly seconds: number
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly records: number }[]
}

/** A running writer. */
export interface Producing extends AsyncDisposable {
  readonly pid: number
  /** As it said within the last second. */
  acknowledged(): number
  /** Settles when all is written; rejects when a record could not be. */
  readonly finished: Promise<ProduceResult>
  /** Ends the writing early, with nothing left in flight. */
  stop(): Promise<ProduceResult>
}

/** Writes records as described in `java/Produce.java` and resolves when all are acknowledged. */
export async function produce(options: ProduceOptions): Promise<ProduceResult> {
  const producing = await startProducing(options)
  return producing.finished
}

/** Starts writing records, for tests that do something meanwhile. */
export async function startProducing({ topics, ...options }: ProduceOptions): Promise<Producing> {
  const command = await javaTool('Produce', { ...options, topics: topics.map(topicArgument).join(',') })
  const { child, pid, exit, signal, stop } = spawnOwned(command, { stdio: ['ignore', 'pipe', 'pipe'] })
  let acknowledged = 0
  const errors: string[] = []
  createInterface(child.stderr!).on('line', line => {
    const match = /^acknowledged=(\d+)$/.exec(line)
    if (match) acknowledged = Number(match[1])
    else if (errors.length < 200) errors.push(line)
  })
  let result: (ProduceResult & { error?: string }) | undefined
  const printed = new Promise<void>(resolve => {
    createInterface(child.stdout!)
      .on('line', line => {
        if (line.startsWith('{')) result = JSON.parse(line)
      })
      .once('close', resolve)
  })
  const finished = Promise.all([exit, printed]).then(([{ code }]) => {
    if (result && !result.error) return result
    throw new Error(`Produce ended with ${code}: ${result?.error ?? 'no result'}\n${errors.join('\n')}`)
  })
  finished.catch(() => {})
  return {
    pid,
    acknowledged: () => result?.records ?? acknowledged,
    finished,
    stop() {
      signal('SIGTERM')
      return finished
    },
    async [Symbol.asyncDispose]() {
      await stop(5_000)
    }
  }
}

function topicArgument({ name, partitions = 1, compression = 'none' }: ProduceTopic): string {
  return `${name}:${partitions}:${compression}`
}
