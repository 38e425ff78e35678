import assert from 'node:assert/strict'
import type { Cluster } from '../../../../src/cluster/cluster.ts'
import { EARLIEST } from '../../../../src/cluster/offsets.ts'
import { fetchResponse } from '../../cluster/support/fetch-response.ts'

/** A batch as the destination's log holds it. */
export interface LoggedBatch {
  readonly lastOffset: number
  readonly bytes: Buffer
}

export const DESTINATION = { topic: 'east.orders', partition: 3 }

/** One partition of a destination cluster: answers ListOffsets and Fetch from a log. */
export class FakeDestination {
  #log: readonly LoggedBatch[]
  #logStart: number
  #logEnd: number
  readonly #answerBytes: number
  /** Another one when the topic was made anew. */
  topicId = '00112233445566778899aabbccddeeff'
  /** What Fetch says of it; the log's end unless set. */
  highWatermark: number | undefined
  /** What was fetched and is not given back. */
  held = 0
  fetches = 0

  /**
   * @param log may go on behind `logEnd`: others write while we read
   * @param answerBytes where an answer is cut, though never within its first batch
   */
  constructor(log: readonly LoggedBatch[], logStart: number, logEnd: number, answerBytes: number) {
    this.#log = log
    this.#logStart = logStart
    this.#logEnd = logEnd
    this.#answerBytes = answerBytes
  }

  /** Time has passed: the log has grown, and retention has taken what was before its start. */
  becomes(log: readonly LoggedBatch[], logStart: number, logEnd: number): void {
    this.#log = log.filter(({ lastOffset }) => lastOffset >= logStart)
    this.#logStart = logStart
    this.#logEnd = logEnd
  }

  /** What of a Cluster finding the end needs. */
  get cluster(): Cluster {
    const leader = { nodeId: 1, leaderEpoch: 5 }
    const fake = {
      alias: 'west',
      topic: (name: string) => (name === DESTINATION.topic ? { topicId: this.topicId } : undefined),
      leaderOf: () => leader,
      broker: async () => ({ call: async (...args: unknown[]) => this.#listOffsets(args[3] as ListedTopic[]) }),
      batchBroker: async () => ({
        throttled: () => {},
        request: async (_api: unknown, [body]: Buffer[]) => this.#fetch(body!)
      })
    }
    return fake as unknown as Cluster
  }

  #listOffsets([topic]: ListedTopic[]) {
    const [asked] = topic!.partitions
    const offset = BigInt(asked!.timestamp === EARLIEST ? this.#logStart : this.#logEnd)
    const partitions = [{ partitionIndex: asked!.partitionIndex, errorCode: 0, offset, leaderEpoch: 5 }]
    return { topics: [{ name: topic!.name, partitions }] }
  }

  #fetch(body: Buffer) {
    this.fetches++
    // Behind the request's fixed fields: one topic, its id, one partition, its number and leader epoch.
    const fetchOffset = Number(body.readBigInt64BE(25 + 1 + 16 + 1 + 8))
    assert.ok(fetchOffset >= this.#logStart, 'nothing below the log’s start is asked for')
    const maxBytes = Math.min(body.readInt32BE(12), this.#answerBytes)
    const first = this.#log.findIndex(({ lastOffset }) => lastOffset >= fetchOffset)
    const batches: Buffer[] = []
    let bytes = 0
    for (let at = first; at >= 0 && at < this.#log.length && bytes < maxBytes; at++) {
      batches.push(this.#log[at]!.bytes)
      bytes += this.#log[at]!.bytes.length
    }
    const records = Buffer.concat(batches).subarray(0, Math.max(maxBytes, batches[0]?.length ?? 0))
    const answered = { partition: DESTINATION.partition, highWatermark: this.highWatermark ?? this.#logEnd, records }
    this.held++
    return {
      bytes: fetchResponse({
        topics: [{ topicId: this.topicId, partitions: [answered] }]
      }),
      release: () => {
        this.held--
      }
    }
  }
}

interface ListedTopic {
  readonly name: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly timestamp: bigint }[]
}
