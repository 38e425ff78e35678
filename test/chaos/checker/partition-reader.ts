import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { javaCommand } from '../../support/java.ts'
import { type OwnedProcess, spawnOwned } from '../../support/owned-process.ts'
import { parseSeenRecord, type SeenRecord } from './seen-record.ts'

export interface ReaderOptions {
  readonly bootstrap: string
  readonly isolation: 'read_committed' | 'read_uncommitted'
  /** In the order in which they will be read. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
}

/** Reads partitions of one cluster with Kafka's own consumer, one after the other, no faster than they are taken. */
export class PartitionReader implements AsyncDisposable {
  readonly #process: OwnedProcess
  readonly #lines: AsyncIterator<string>
  #errors = ''

  constructor({ bootstrap, isolation, partitions }: ReaderOptions) {
    const places = partitions.map(({ topic, partition }) => `${topic}:${partition}`).join(',')
    const args = [`bootstrap=${bootstrap}`, `isolation=${isolation}`, `partitions=${places}`]
    const command = javaCommand(join(import.meta.dirname, '../java/Reader.java'), args, {
      heapMb: 256,
      logLevel: 'error'
    })
    this.#process = spawnOwned(command, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process.child.stderr!.on('data', (text: Buffer) => {
      this.#errors = `${this.#errors}${text}`.slice(-4_000)
    })
    // Of a process that has ended Node throws away what nobody had begun to read.
    this.#lines = linesOf(this.#process.child.stdout!.pipe(new PassThrough()))
  }

  /** The next partition's records; to be read to their end before the next ones are asked for. */
  async *nextPartition(): AsyncGenerator<SeenRecord, undefined> {
    for (;;) {
      const { value: line, done } = await this.#lines.next()
      if (done) throw new Error(`The reader ended too early, with ${(await this.#process.exit).code}:\n${this.#errors}`)
      if (line === 'end') return undefined
      yield parseSeenRecord(line)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not by SIGKILL: a JVM removes the native libraries that it has unpacked only where it ends in order.
    await this.#process.stop(5_000)
  }
}

async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string, undefined> {
  stream.setEncoding('utf8')
  let unfinished = ''
  for await (const chunk of stream) {
    const lines = `${unfinished}${chunk}`.split('\n')
    unfinished = lines.pop()!
    yield* lines
  }
}
