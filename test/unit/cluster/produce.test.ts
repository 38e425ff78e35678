import assert from 'node:assert/strict'
import { createRecordsBatch, produceV9, Reader, ResponseError } from '@platformatic/kafka'
import fc from 'fast-check'
import { errorName } from '../../../src/cluster/errors.ts'
import { decodeProduce, encodeProduce } from '../../../src/cluster/produce.ts'
import { cuts, isBadResponse } from './support/is-bad-response.ts'
import { type AnsweredProduce, produceResponse } from './support/produce-response.ts'

const ACKS_ALL = -1
const TIMEOUT_MS = 10_000

describe('a Produce request', () => {
  it('is laid out as the client library lays it out, with the batches as they are', () => {
    const aMessage = fc.record({
      topic: fc.constantFrom('orders', 'east.orders', 't'.repeat(249), 'ключ'),
      partition: fc.nat({ max: 300 }),
      value: fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes))
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(aMessage, { maxLength: 30, selector: ({ topic, partition }) => `${partition}/${topic}` }),
        given => {
          // The library sends a topic's partitions in the order of their numbers.
          const messages = given
            .toSorted((a, b) => a.partition - b.partition)
            .map(message => ({ ...message, timestamp: 1_000n }))
          const batches = messages.map(message => ({
            topic: message.topic,
            partition: message.partition,
            batch: createRecordsBatch([message]).buffer
          }))
          const parts = encodeProduce(batches)
          const library = produceV9.createRequest(ACKS_ALL, TIMEOUT_MS, messages).buffer
          assert.deepEqual(Buffer.concat(parts), library)
          for (const { batch } of batches) assert.ok(parts.includes(batch), 'no copy was made')
        }
      )
    )
  })
})

describe('a Produce response', () => {
  const anOffset = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
  const aText = fc.option(fc.string({ maxLength: 200 }))
  const anAnswer: fc.Arbitrary<AnsweredProduce> = fc.record({
    throttleMs: fc.nat(),
    topics: fc.array(
      fc.record({
        name: fc.string({ minLength: 1, maxLength: 249 }),
        partitions: fc.array(
          fc.record({
            partition: fc.nat({ max: 100_000 }),
            errorCode: fc.constantFrom(0, 0, 6, 45, 87),
            baseOffset: anOffset,
            logAppendTimeMs: anOffset,
            logStartOffset: anOffset,
            recordErrors: fc.array(fc.record({ batchIndex: fc.nat(), message: aText }), { maxLength: 3 }),
            errorMessage: aText
          }),
          { maxLength: 5 }
        )
      }),
      { maxLength: 3 }
    )
  })

  it('is read as it was answered, and as the client library reads it', () => {
    fc.assert(
      fc.property(anAnswer, answer => {
        const bytes = produceResponse(answer)
        const decoded = decodeProduce(bytes)
        assert.deepEqual(decoded, {
          throttleMs: answer.throttleMs,
          partitions: answer.topics.flatMap(({ name, partitions }) =>
            partitions.map(({ errorCode, recordErrors: _, ...partition }) => ({
              ...partition,
              topic: name,
              error: errorName(errorCode)
            }))
          )
        })
        const library = libraryResponse(bytes)
        assert.equal(library.throttleTimeMs, decoded.throttleMs)
        assert.deepEqual(
          library.responses.flatMap(({ name, partitionResponses }) =>
            partitionResponses.map(each => [
              name,
              each.index,
              errorName(each.errorCode),
              Number(each.baseOffset),
              each.errorMessage
            ])
          ),
          decoded.partitions.map(each => [each.topic, each.partition, each.error, each.baseOffset, each.errorMessage])
        )
      })
    )
  })

  it('is refused at every place where it may be cut short', () => {
    const bytes = produceResponse({
      throttleMs: 0,
      topics: [
        {
          name: 'orders',
          partitions: [
            {
              partition: 0,
              errorCode: 87,
              baseOffset: -1,
              logAppendTimeMs: -1,
              logStartOffset: 0,
              recordErrors: [{ batchIndex: 0, message: 'no key' }],
              errorMessage: 'refused'
            }
          ]
        }
      ]
    })
    for (const cut of cuts(bytes)) assert.throws(() => decodeProduce(cut), isBadResponse, `${cut.length} bytes`)
  })

  it('is read or refused in no time, whatever its bytes', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0xff, 0x80))), {
      minLength: 1,
      maxLength: 6
    })
    fc.assert(
      fc.property(anAnswer, changes, (answer, where) => {
        const bytes = produceResponse(answer)
        for (const [at, byte] of where) bytes[at % bytes.length] = byte
        try {
          decodeProduce(bytes)
        } catch (error) {
          if (!isBadResponse(error)) throw error
        }
      })
    )
  })
})

/** The library throws its answer when any part of it is an error. */
function libraryResponse(bytes: Buffer): produceV9.ProduceResponse {
  try {
    return produceV9.parseResponse(0, 0, 9, Reader.from(bytes))
  } catch (error) {
    if (error instanceof ResponseError) return error.response as produceV9.ProduceResponse
    throw error
  }
}
