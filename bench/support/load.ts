import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaCommand } from '../../test/support/java.ts'
import { ownFolder, spawnOwned } from '../../test/support/owned-process.ts'
import type { Compression } from '../../test/support/produce.ts'
import { SeededRandom } from '../../test/support/seeded-random.ts'

/** What the records of a work look like, and how a producer batches them. */
export interface Load {
  /** Random letters of this many bytes, or JSON documents of about 620 bytes that compress as such documents do. */
  readonly value: number | 'json'
  readonly compression: Compression
  /** `false`: the producer does not linger, each record is a batch of its own. */
  readonly isBatched: boolean
}

export interface LoadOptions extends Load {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  /** -1: as fast as it goes. */
  readonly recordsPerSecond?: number
}

/** A running producer: Kafka's own ProducerPerformance, whose records carry the time they were written at. */
export interface RunningLoad {
  readonly pid: number
  readonly finished: Promise<void>
  stop(): Promise<void>
}

/** Writes a load to its end. */
export async function writeLoad(options: LoadOptions): Promise<void> {
  await startLoad(options).finished
}

/** Starts writing a load. */
export function startLoad(options: LoadOptions): RunningLoad {
  const { bootstrap, topic, records, value, compression, isBatched, recordsPerSecond = -1 } = options
  const dir = mkdtempSync(join(tmpdir(), 'farlog-load-'))
  const folder = ownFolder(dir)
  const payload = ['--record-size', String(value)]
  if (value === 'json') {
    const file = join(dir, 'documents.json')
    writeFileSync(file, `${jsonDocuments(10_000).join('\n')}\n`)
    payload.splice(0, 2, '--payload-file', file)
  }
  const command = javaCommand(
    'org.apache.kafka.tools.ProducerPerformance',
    [
      ...['--topic', topic, '--num-records', String(records), '--throughput', String(recordsPerSecond), ...payload],
      '--producer-props',
      `bootstrap.servers=${bootstrap}`,
      `compression.type=${compression}`,
      `batch.size=${isBatched ? 131_072 : 0}`,
      `linger.ms=${isBatched ? 5 : 0}`
    ],
    { heapMb: 512, logLevel: 'error' }
  )
  const producer = spawnOwned(command, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  producer.child.stderr!.on('data', chunk => {
    errors = (errors + chunk).slice(-2_000)
  })
  let isStopping = false
  const finished = producer.exit.then(({ code }) => {
    folder.remove()
    if (code !== 0 && !isStopping) throw new Error(`ProducerPerformance ended with ${code}:\n${errors}`)
  })
  finished.catch(() => {})
  return {
    pid: producer.pid,
    finished,
    async stop() {
      isStopping = true
      await producer.stop(5_000)
    }
  }
}

/** Orders as a shop might write them: half of the bytes repeat from one to the next, half are their own. */
function jsonDocuments(count: number): string[] {
  const seeded = new SeededRandom(1)
  const random = () => seeded.next()
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const digits = (length: number) => Array.from({ length }, () => Math.floor(random() * 10)).join('')
  const hex = (length: number) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      orderId: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(12)}`,
      sequence: index,
      createdAt: `2026-0${1 + Math.floor(random() * 9)}-1${digits(1)}T1${digits(1)}:2${digits(1)}:3${digits(1)}.${digits(3)}Z`,
      customer: {
        id: digits(9),
        country: pick(COUNTRIES),
        email: `${pick(NAMES)}.${hex(6)}@example.com`,
        tier: pick(TIERS)
      },
      items: Array.from({ length: 3 }, () => ({
        sku: `SKU-${digits(7)}`,
        name: `${pick(NAMES)} ${pick(THINGS)}`,
        quantity: 1 + Math.floor(random() * 4),
        unitPrice: Number((random() * 200).toFixed(2)),
        currency: 'EUR'
      })),
      payment: { method: pick(['card', 'transfer', 'invoice']), reference: hex(16) },
      status: pick(['created', 'paid', 'shipped', 'delivered'])
    })
  )
}

const COUNTRIES = ['DE', 'FR', 'NL', 'SE', 'PL', 'ES', 'IT', 'PT', 'AT', 'DK']
const TIERS = ['basic', 'silver', 'gold']
const NAMES = [
  'amber',
  'birch',
  'cedar',
  'dune',
  'ember',
  'fjord',
  'grove',
  'harbor',
  'iris',
  'juniper',
  'karst',
  'lagoon'
]
const THINGS = ['lamp', 'chair', 'table', 'bottle', 'jacket', 'notebook', 'backpack', 'kettle', 'blanket', 'speaker']

/** The same numbers in every run, so that every run copies the same documents (mulberry32). */
