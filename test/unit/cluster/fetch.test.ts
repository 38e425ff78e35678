import assert from 'node:assert/strict'
import { fetchV13, Reader, ResponseError } from '@platformatic/kafka'
import fc from 'fast-check'
import { decodeFetch, encodeFetch, type FetchRequest } from '../../../src/cluster/fetch.ts'
import { aSourceLog } from '../records/support/arbitraries.ts'
import { type AnsweredFetch, type AnsweredPartition, fetchResponse } from './support/fetch-response.ts'
import { cuts, isBadResponse } from './support/is-bad-response.ts'
import { unsignedVarint } from './support/wire-bytes.ts'

const aTopicId = fc.constantFrom('00112233445566778899aabbccddeeff', 'f'.repeat(32), `${'0'.repeat(31)}1`)
const anOffset = fc.oneof(fc.constant(-1), fc.nat({ max: 1_000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
const anInt32 = fc.integer()
const anEpoch = fc.integer({ min: -1, max: 1_000 })

describe('a Fetch request', () => {
  it('is laid out as the client library lays it out', () => {
    const aPartition = fc.record({
      topicId: aTopicId,
      partition: fc.nat({ max: 100_000 }),
      leaderEpoch: anEpoch,
      fetchOffset: anOffset,
      lastFetchedEpoch: anEpoch,
      maxBytes: fc.nat()
    })
    const aRequest: fc.Arbitrary<FetchRequest> = fc.record({
      maxWaitMs: fc.nat(),
      minBytes: fc.nat(),
      maxBytes: fc.nat(),
      readCommitted: fc.boolean(),
      sessionId: anInt32,
      sessionEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
      partitions: fc.array(aPartition, { maxLength: 40 }),
      forgotten: fc.array(fc.record({ topicId: aTopicId, partition: fc.nat({ max: 100_000 }) }), { maxLength: 40 })
    })
    fc.assert(fc.property(aRequest, request => assert.deepEqual(encodeFetch(request), libraryRequest(request))))
  })

  it('keeps the order in which partitions were asked for, topic by topic', () => {
    const partitions = Array.from({ length: 3_000 }, (_, i) => ({
      topicId: i % 2 === 0 ? '0'.repeat(32) : 'f'.repeat(32),
      partition: i,
      leaderEpoch: 0,
      fetchOffset: i,
      lastFetchedEpoch: -1,
      maxBytes: 1
    }))
    const request = {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1 << 20,
      readCommitted: true,
      sessionId: 0,
      sessionEpoch: 0,
      partitions,
      forgotten: []
    }
    assert.deepEqual(encodeFetch(request), libraryRequest(request))
  })
})

const aRecordsField = fc.oneof(
  fc.constantFrom(null, Buffer.alloc(0)),
  aSourceLog.map(log => Buffer.concat(log.map(({ bytes }) => bytes)))
)
const anAnsweredPartition: fc.Arbitrary<AnsweredPartition> = fc.record(
  {
    partition: fc.nat({ max: 100_000 }),
    errorCode: fc.constantFrom(0, 0, 0, 1, 6, 100),
    highWatermark: anOffset,
    lastStableOffset: anOffset,
    logStartOffset: anOffset,
    abortedTransactions: fc.option(
      fc.array(fc.record({ producerId: anOffset, firstOffset: anOffset }), { maxLength: 5 })
    ),
    preferredReadReplica: fc.integer({ min: -1, max: 9 }),
    records: aRecordsField,
    divergingEpoch: fc.record({ epoch: anEpoch, endOffset: anOffset }),
    currentLeader: fc.record({ leaderId: fc.nat({ max: 9 }), leaderEpoch: anEpoch })
  },
  { requiredKeys: ['partition'] }
)
const anAnswer: fc.Arbitrary<AnsweredFetch> = fc.record({
  throttleMs: fc.nat(),
  errorCode: fc.constantFrom(0, 0, 70),
  sessionId: anInt32,
  topics: fc.array(fc.record({ topicId: aTopicId, partitions: fc.array(anAnsweredPartition, { maxLength: 5 }) }), {
    maxLength: 3
  })
})

describe('a Fetch response', () => {
  it('is read as it was answered, and as the client library reads it', () => {
    fc.assert(
      fc.property(anAnswer, answer => {
        const bytes = fetchResponse(answer)
        const { throttleMs, errorCode, sessionId, partitions } = decodeFetch(bytes, () => {})
        assert.deepEqual([throttleMs, errorCode, sessionId], [answer.throttleMs, answer.errorCode, answer.sessionId])
        const answered = answer.topics.flatMap(topic =>
          topic.partitions.map(partition => ({ ...partition, topicId: topic.topicId }))
        )
        assert.deepEqual(
          partitions,
          answered.map(partition => ({
            topicId: partition.topicId,
            partition: partition.partition,
            errorCode: partition.errorCode ?? 0,
            highWatermark: partition.highWatermark ?? 0,
            lastStableOffset: partition.lastStableOffset ?? 0,
            logStartOffset: partition.logStartOffset ?? 0,
            abortedTransactions: (partition.abortedTransactions ?? []).map(each => ({ ...each })),
            divergingEndOffset: partition.divergingEpoch?.endOffset,
            records: partition.records ?? Buffer.alloc(0)
          }))
        )
        assertLibraryAgrees(
          bytes,
          decodeFetch(bytes, () => {})
        )
      })
    )
  })

  it('gives records as a view into its bytes', () => {
    const records = Buffer.from('records')
    const bytes = fetchResponse({ topics: [{ topicId: 'f'.repeat(32), partitions: [{ partition: 0, records }] }] })
    assert.equal(decodeFetch(bytes, () => {}).partitions[0]!.records.buffer, bytes.buffer)
  })

  it('hands on how its memory is given back', () => {
    let released = 0
    const response = decodeFetch(fetchResponse({ topics: [] }), () => released++)
    assert.equal(released, 0)
    response.release()
    assert.equal(released, 1)
  })

  it('is refused at every place where it may be cut short', () => {
    const bytes = fetchResponse({
      topics: [
        {
          topicId: 'f'.repeat(32),
          partitions: [
            {
              partition: 0,
              abortedTransactions: [{ producerId: 1, firstOffset: 2 }],
              records: Buffer.from('records'),
              divergingEpoch: { epoch: 1, endOffset: 5 }
            }
          ]
        }
      ]
    })
    for (const cut of cuts(bytes)) assert.throws(() => decodeFetch(cut, () => {}), isBadResponse, `${cut.length} bytes`)
  })

  it('is read or refused in no time, whatever its bytes', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0xff, 0x80))), {
      minLength: 1,
      maxLength: 6
    })
    fc.assert(
      fc.property(anAnswer, changes, (answer, where) => {
        const bytes = fetchResponse(answer)
        for (const [at, byte] of where) bytes[at % bytes.length] = byte
        try {
          const { partitions } = decodeFetch(bytes, () => {})
          for (const { records } of partitions)
            assert.ok(records.byteOffset + records.length <= bytes.byteOffset + bytes.length)
        } catch (error) {
          if (!isBadResponse(error)) throw error
        }
      }),
      { numRuns: 300 }
    )
  })

  it('is refused when it claims more topics, partitions or transactions than it has bytes', () => {
    const head = Buffer.alloc(10)
    for (const claim of [20, 2 ** 20, 2 ** 32 - 1]) {
      const topics = Buffer.concat([head, unsignedVarint(claim)])
      const partitions = Buffer.concat([head, unsignedVarint(2), Buffer.alloc(16), unsignedVarint(claim)])
      const aborted = Buffer.concat([
        head,
        unsignedVarint(2),
        Buffer.alloc(16),
        unsignedVarint(2),
        Buffer.alloc(30),
        unsignedVarint(claim)
      ])
      for (const lie of [topics, partitions, aborted]) assert.throws(() => decodeFetch(lie, () => {}), isBadResponse)
    }
  })
})

function libraryRequest(request: FetchRequest): Buffer {
  const { maxWaitMs, minBytes, maxBytes, readCommitted, sessionId, sessionEpoch } = request
  const topics = [...Map.groupBy(request.partitions, ({ topicId }) => topicId)].map(([topicId, partitions]) => ({
    topicId: withDashes(topicId),
    partitions: partitions.map(({ partition, leaderEpoch, fetchOffset, lastFetchedEpoch, maxBytes }) => ({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: BigInt(fetchOffset),
      lastFetchedEpoch,
      partitionMaxBytes: maxBytes
    }))
  }))
  const forgotten = [...Map.groupBy(request.forgotten, ({ topicId }) => topicId)].map(([topicId, partitions]) => ({
    topicId: withDashes(topicId),
    partitions: partitions.map(({ partition }) => partition)
  }))
  const isolation = readCommitted ? 1 : 0
  return fetchV13.createRequest(
    maxWaitMs,
    minBytes,
    maxBytes,
    isolation,
    sessionId,
    sessionEpoch,
    topics,
    forgotten,
    ''
  ).buffer
}

function assertLibraryAgrees(
  bytes: Buffer,
  { throttleMs, errorCode, sessionId, partitions }: ReturnType<typeof decodeFetch>
): void {
  const library = libraryResponse(bytes)
  assert.deepEqual([library.throttleTimeMs, library.errorCode, library.sessionId], [throttleMs, errorCode, sessionId])
  assert.deepEqual(
    library.responses.flatMap(topic =>
      topic.partitions.map(partition => [
        topic.topicId.replaceAll('-', ''),
        partition.partitionIndex,
        partition.errorCode,
        Number(partition.highWatermark),
        Number(partition.lastStableOffset),
        Number(partition.logStartOffset),
        (partition.abortedTransactions ?? []).map(each => [Number(each.producerId), Number(each.firstOffset)])
      ])
    ),
    partitions.map(partition => [
      partition.topicId,
      partition.partition,
      partition.errorCode,
      partition.highWatermark,
      partition.lastStableOffset,
      partition.logStartOffset,
      partition.abortedTransactions.map(each => [each.producerId, each.firstOffset])
    ])
  )
}

/** The library throws its answer when any part of it is an error. */
function libraryResponse(bytes: Buffer): fetchV13.FetchResponse {
  try {
    return fetchV13.parseResponse(0, 1, 13, Reader.from(bytes))
  } catch (error) {
    if (error instanceof ResponseError) return error.response as fetchV13.FetchResponse
    throw error
  }
}

function withDashes(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
