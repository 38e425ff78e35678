import type { Cluster } from '../../../../src/cluster/cluster.ts'
import type { FetchedPartition } from '../../../../src/cluster/fetch.ts'
import type { FetchTarget } from '../../../../src/source/fetch-loop.ts'
import { fetchResponse } from '../../cluster/support/fetch-response.ts'

/** What a Fetch request asks of a partition. */
export interface AskedPartition {
  readonly partition: number
  readonly fetchOffset: number
  readonly maxBytes: number
}

/** A Fetch request that waits for its answer. */
export interface HeldFetch {
  /** What the connection it came on is for. */
  readonly purpose: string
  readonly asked: readonly AskedPartition[]
  /** Of the whole answer. */
  readonly maxBytes: number
  /** Answers with one record of each partition that is asked for, whose key is its offset. */
  answer(): void
}

const TOPIC = { name: 'orders', topicId: '00112233445566778899aabbccddeeff' }

/**
 * The one broker of a source, some way off: keeps every Fetch request until the test has it answer. It has no room for
 * fetch sessions, so each request names all that is wanted.
 */
export class FakeSource {
  readonly #roundTripMs: number
  /** Unanswered requests, oldest first. */
  readonly held: HeldFetch[] = []
  /** Where partitions end; one behind what is asked for where nothing is said. */
  readonly endOffsets = new Map<number, number>()
  /** Answers that are not given back. */
  unreleased = 0

  constructor(roundTripMs: number) {
    this.#roundTripMs = roundTripMs
  }

  /** What of a Cluster the reader needs. */
  get cluster(): Cluster {
    const fake = {
      leaderOf: () => ({ nodeId: 1, leaderEpoch: 5 }),
      batchBroker: async (_nodeId: number, purpose: string) => ({
        roundTripMs: this.#roundTripMs,
        throttled: () => {},
        request: (_api: unknown, [body]: readonly Buffer[]) =>
          this.#hold(purpose, askedIn(body!), body!.readInt32BE(12))
      })
    }
    return fake as unknown as Cluster
  }

  #hold(
    purpose: string,
    asked: readonly AskedPartition[],
    maxBytes: number
  ): Promise<{ bytes: Buffer; release(): void }> {
    return new Promise(resolve => {
      const request = {
        purpose,
        asked,
        maxBytes,
        answer: () => {
          this.held.splice(this.held.indexOf(request), 1)
          this.unreleased++
          resolve({ bytes: recordOfEach(asked, this.endOffsets), release: () => this.unreleased-- })
        }
      }
      this.held.push(request)
    })
  }
}

/** A partition that notes what it is handed. */
export class FakeTarget implements FetchTarget {
  readonly topic = TOPIC.name
  readonly topicId = TOPIC.topicId
  readonly partition: number
  readonly lastFetchedEpoch = 5
  bufferedBytes = 0
  readonly fetchBytesMax = Number.POSITIVE_INFINITY
  dueAtMs = 0
  isBacklog = true
  fetchOffset: number
  isOpen = true
  /** Offsets whose records were handed over, in that order. */
  readonly processed: number[] = []
  readonly refusals: string[] = []
  afterStep: () => void = () => {}

  constructor(partition: number, fetchOffset = 0) {
    this.partition = partition
    this.fetchOffset = fetchOffset
  }

  received(fetched: FetchedPartition): FetchedPartition {
    this.fetchOffset++
    return fetched
  }

  *process({ records }: FetchedPartition): Generator<void, void, undefined> {
    this.processed.push(Number(records.readBigInt64BE(0)))
    this.afterStep()
    yield
  }

  refused(error: string): void {
    this.refusals.push(error)
  }
}

/** Behind the request's fixed fields: one topic, its id, then its partitions. */
function askedIn(body: Buffer): AskedPartition[] {
  const topics = body[25]! - 1
  if (topics === 0) return []
  const count = body[25 + 1 + 16]! - 1
  return Array.from({ length: count }, (_, i) => {
    const at = 25 + 1 + 16 + 1 + i * 33
    return {
      partition: body.readInt32BE(at),
      fetchOffset: Number(body.readBigInt64BE(at + 8)),
      maxBytes: body.readInt32BE(at + 28)
    }
  })
}

function recordOfEach(asked: readonly AskedPartition[], endOffsets: ReadonlyMap<number, number>): Buffer {
  const partitions = asked.map(({ partition, fetchOffset }) => {
    const records = Buffer.alloc(8)
    records.writeBigInt64BE(BigInt(fetchOffset))
    return { partition, records, lastStableOffset: endOffsets.get(partition) ?? fetchOffset + 1 }
  })
  return fetchResponse({ topics: [{ topicId: TOPIC.topicId, partitions }] })
}
