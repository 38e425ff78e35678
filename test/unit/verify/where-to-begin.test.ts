import assert from 'node:assert/strict'
import { type LogsNow, whereToBegin } from '../../../src/verify/where-to-begin.ts'
import { verified } from './verified.ts'

describe('where a comparison begins', () => {
  const remembered = verified({ nextSourceOffset: 100, nextDestinationOffset: 120 })
  const now: LogsNow = {
    sourceTopicId: remembered.sourceTopicId,
    destinationTopicId: remembered.destinationTopicId,
    sourceEndOffset: 100,
    destinationEndOffset: 120,
    sourceEpochEndOffset: 100,
    destinationEpochEndOffset: undefined
  }

  it('is behind what was found equal, as long as it is the same log', () => {
    assert.deepEqual(whereToBegin(remembered, now), { kind: 'go-on', from: remembered })
  })

  const changes: readonly [what: string, changed: Partial<LogsNow>, because: string][] = [
    ['the source topic was made anew', { sourceTopicId: 'x' }, 'the source topic was made anew'],
    ['the destination topic was made anew', { destinationTopicId: 'x' }, 'the destination topic was made anew'],
    ['the destination topic is gone', { destinationTopicId: undefined }, 'the destination topic was made anew'],
    ['the source ends before it', { sourceEndOffset: 99 }, "the source's log was cut back"],
    ['the destination ends before it', { destinationEndOffset: 119 }, "the destination's log was cut back"],
    [
      'the source was cut back and has grown again',
      { sourceEndOffset: 500, sourceEpochEndOffset: 99 },
      "the source's log was cut back"
    ],
    [
      'the destination was cut back and has grown again',
      { destinationEndOffset: 500, destinationEpochEndOffset: 119 },
      "the destination's log was cut back"
    ]
  ]
  for (const [what, changed, because] of changes) {
    it(`is the beginning where ${what}`, () => {
      assert.deepEqual(whereToBegin(remembered, { ...now, ...changed }), { kind: 'anew', because })
    })
  }

  it('is the beginning where nothing was remembered', () => {
    assert.deepEqual(whereToBegin(undefined, now), { kind: 'anew', because: 'nothing was remembered' })
  })
})
