import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Progress } from '../../../src/flow/messages.ts'
import { fromCommit, toCommit } from '../../../src/flow/progress-metadata.ts'

const KEY = { topic: 'orders', partition: 3 }
const anOffset = fc.oneof(fc.nat({ max: 1_000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
const someProgress: fc.Arbitrary<Progress> = fc
  .tuple(
    anOffset,
    fc.option(fc.constantFrom('9c0e'.repeat(8))),
    fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    fc.option(anOffset),
    fc.option(fc.constantFrom(`${'41d2'.repeat(8)}/7`)),
    fc.option(fc.uuid()),
    fc.option(fc.record({ offset: anOffset, seenAtMs: anOffset, lagSeconds: fc.nat().map(ms => ms / 1000) }))
  )
  .map(([nextSourceOffset, topicId, leaderEpoch, destinationOffset, resumed, stopped, sourceEnd]) => ({
    nextSourceOffset,
    topicId: topicId ?? undefined,
    leaderEpoch,
    destinationOffset: destinationOffset ?? undefined,
    resumed: resumed ?? undefined,
    stopped: stopped ?? undefined,
    sourceEnd: sourceEnd === null ? undefined : { ...sourceEnd }
  }))

/** What is known where there is nothing but an offset. */
const OFFSET_ALONE: Progress = {
  nextSourceOffset: 7,
  topicId: undefined,
  leaderEpoch: -1,
  destinationOffset: undefined,
  resumed: undefined,
  stopped: undefined,
  sourceEnd: undefined
}

describe('progress in an offset commit', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(someProgress, progress => {
        const commit = toCommit(KEY, progress)
        assert.deepEqual([commit.topic, commit.partition, commit.offset], ['orders', 3, progress.nextSourceOffset])
        assert.deepEqual(fromCommit(commit), progress)
      })
    )
  })

  it('is read back with the zero bytes that the client library ends it with', () => {
    fc.assert(
      fc.property(someProgress, fc.integer({ min: 1, max: 3 }), (progress, zeros) => {
        const commit = toCommit(KEY, progress)
        assert.deepEqual(fromCommit({ ...commit, metadata: commit.metadata + '\0'.repeat(zeros) }), progress)
      })
    )
  })

  it('fits what brokers take by default', () => {
    const offset = Number.MAX_SAFE_INTEGER
    const longest = {
      nextSourceOffset: offset,
      topicId: 'f'.repeat(32),
      leaderEpoch: 2 ** 31 - 1,
      destinationOffset: offset,
      resumed: `${'f'.repeat(32)}/${offset}`,
      stopped: randomUUID(),
      sourceEnd: { offset, seenAtMs: offset, lagSeconds: 123_456.789012345 }
    }
    assert.ok(Buffer.byteLength(toCommit(KEY, longest).metadata) < 400)
  })

  it('is read as it was before the source’s end stood in it', () => {
    const metadata = '{"v":1,"topicId":"9c0e","leaderEpoch":4,"destinationOffset":9}'
    assert.deepEqual(fromCommit({ ...KEY, offset: 7, metadata }), {
      ...OFFSET_ALONE,
      topicId: '9c0e',
      leaderEpoch: 4,
      destinationOffset: 9
    })
  })

  it('is the offset alone where somebody else wrote the metadata', () => {
    const foreign = ['', '\0', 'by hand', '{', '[]', '[1,2]', 'null', 'true', '42', '"text"', '{}', '{"topicId":5}']
    foreign.push(
      '{"topicId":null,"leaderEpoch":"4","destinationOffset":"9"}',
      '{"stopped":7,"sourceEnd":9,"lagSeconds":1}',
      '{"sourceEnd":"9","sourceSeenAt":5,"lagSeconds":1}',
      '{"v":1,"leaderEpoch":null}',
      '\u{1f980}'
    )
    for (const metadata of foreign)
      assert.deepEqual(fromCommit({ ...KEY, offset: 7, metadata }), OFFSET_ALONE, metadata)
  })

  it('is the offset, and what else makes sense, whatever the metadata', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), metadata => {
        const { nextSourceOffset, topicId, leaderEpoch, destinationOffset } = fromCommit({
          ...KEY,
          offset: 7,
          metadata
        })
        assert.equal(nextSourceOffset, 7)
        assert.ok(topicId === undefined || typeof topicId === 'string')
        assert.equal(typeof leaderEpoch, 'number')
        assert.ok(destinationOffset === undefined || typeof destinationOffset === 'number')
      })
    )
  })
})
