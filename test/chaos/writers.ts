import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { javaCommand } from '../support/java.ts'
import { spawnOwned } from '../support/owned-process.ts'
import type { WrittenBook } from './checker/written.ts'
import type { ChaosTopic } from './topics.ts'

export interface WritersOptions {
  readonly bootstrap: string
  readonly seed: number
  readonly topics: readonly ChaosTopic[]
  /** Of all writers together. */
  readonly recordsPerSecond: number
}

/** The running writers of all topics: one process of Kafka's own producers. */
export interface Writers extends AsyncDisposable {
  /** What they complained about, the last lines. */
  readonly complaints: readonly string[]
  /** Ends the writing, with nothing left in flight, and gives the books. */
  stop(): Promise<WrittenBook[]>
}

const COMPLAINTS_MAX = 1_000

/** Starts writing: each partition gets about the same share. */
export function startWriters({ bootstrap, seed, topics, recordsPerSecond }: WritersOptions): Writers {
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions, 0)
  const plans = topics.flatMap(({ name, compression, writers, compactedKeys, partitions: own }) =>
    writers.map(kind => {
      const share = (recordsPerSecond * own) / partitions / writers.length
      return `${name}-${kind}:${name}:${compression}:${share}:${kind}:${compactedKeys}`
    })
  )
  const args = [`bootstrap=${bootstrap}`, `seed=${seed}`, `writers=${plans.join(',')}`]
  const source = join(import.meta.dirname, 'java/Writer.java')
  const { child, exit, signal, stop } = spawnOwned(javaCommand(source, args, { heapMb: 512, logLevel: 'error' }), {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const complaints: string[] = []
  createInterface(child.stderr!).on('line', line => {
    if (complaints.push(line) > COMPLAINTS_MAX) complaints.shift()
  })
  const printed: string[] = []
  const allPrinted = new Promise<void>(resolve => {
    createInterface(child.stdout!)
      .on('line', line => printed.push(line))
      .once('close', resolve)
  })
  return {
    complaints,
    async stop() {
      signal('SIGTERM')
      const [{ code }] = await Promise.all([exit, allPrinted])
      if (printed.pop() !== 'complete') throw new Error(`The writers ended with ${code}:\n${complaints.join('\n')}`)
      return printed.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as WrittenBook)
    },
    async [Symbol.asyncDispose]() {
      await stop(0)
    }
  }
}
