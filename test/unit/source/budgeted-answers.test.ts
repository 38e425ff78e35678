import assert from 'node:assert/strict'
import type { FetchedPartition, FetchResponse } from '../../../src/cluster/fetch.ts'
import { BudgetedAnswers } from '../../../src/source/budgeted-answers.ts'
import { ByteBudget, sharedBudget } from '../../../src/source/byte-budget.ts'
import { batchFields, encodeBatch } from '../records/support/records.ts'

/** What an answer may hold of it is 90,000 bytes. */
const BYTES_PER_SECOND = 300_000
const ANSWER_BYTES = 90_000

/** A batch of so many bytes. */
function batchOf(bytes: number): Buffer {
  const encode = (valueBytes: number) => {
    const value = Buffer.alloc(valueBytes)
    const records = [{ attributes: 0, timestamp: 0n, offset: 0, key: null, value, headers: [] }]
    return encodeBatch(records, batchFields(records))
  }
  const batch = encode(bytes - 80)
  return batch.length === bytes ? batch : encode(bytes - 80 + bytes - batch.length)
}

function answer(records: Buffer): FetchResponse {
  const partitions = [{ records } as unknown as FetchedPartition]
  return { throttleMs: 0, errorCode: 0, sessionId: 0, partitions, bytes: records.length + 60, release: () => {} }
}

function newAnswers(shared = sharedBudget()): BudgetedAnswers {
  return new BudgetedAnswers(new ByteBudget({ bytesPerSecond: BYTES_PER_SECOND, backlogShare: 0.25, shared }), true)
}

describe('BudgetedAnswers', () => {
  it('asks for as many batches like the last ones as the budget lets one answer hold', () => {
    const answers = newAnswers()
    assert.equal(answers.bytesMax(false), ANSWER_BYTES)
    for (const [records, bytesMax] of [
      [Buffer.concat([batchOf(500), batchOf(20_000)]), 80_000],
      [Buffer.concat([batchOf(20_000), batchOf(21_000)]).subarray(0, 30_000), 84_000],
      [batchOf(22_000).subarray(0, 100), 88_000],
      [Buffer.alloc(0), 88_000],
      [batchOf(1_000), 90_000]
    ] as const) {
      answers.received(answer(records), ANSWER_BYTES)
      assert.equal(answers.bytesMax(false), bytesMax)
    }
  })

  it('asks for a single one where they are too large for more', () => {
    const answers = newAnswers()
    for (const [batch, fromAfar] of [
      [batchOf(22_501), 67_503],
      [batchOf(45_000), 90_000],
      [batchOf(45_001), 1],
      [batchOf(1_000_000).subarray(0, 90_000), 1]
    ] as const) {
      answers.received(answer(batch), ANSWER_BYTES)
      assert.equal(answers.bytesMax(false), 1)
      assert.equal(answers.bytesMax(true), fromAfar, 'across a long way two are better than one')
    }
    answers.received(answer(batchOf(10_000)), 1)
    assert.equal(answers.bytesMax(false), ANSWER_BYTES)
  })

  it('shares with other loops of any thread that have much to fetch, for as long as they do', () => {
    const shared = sharedBudget()
    const [one, other] = [newAnswers(shared), newAnswers(shared)]
    one.begin()
    other.begin()
    assert.deepEqual([one.bytesMax(false), other.bytesMax(false)], [ANSWER_BYTES / 2, ANSWER_BYTES / 2])
    other.received(answer(Buffer.alloc(0)), ANSWER_BYTES / 2)
    one.received(answer(Buffer.concat(Array(6).fill(batchOf(9_000)))), ANSWER_BYTES)
    assert.equal(other.bytesMax(false), ANSWER_BYTES)
    other.received(answer(Buffer.concat(Array(6).fill(batchOf(9_000)))), ANSWER_BYTES)
    assert.deepEqual([one.bytesMax(false), other.bytesMax(false)], [ANSWER_BYTES / 2, ANSWER_BYTES / 2])
    one.received(answer(batchOf(500)), ANSWER_BYTES / 2)
    assert.equal(other.bytesMax(false), ANSWER_BYTES)
    one.received(answer(Buffer.concat(Array(6).fill(batchOf(9_000)))), ANSWER_BYTES)
    one.end()
    assert.equal(other.bytesMax(false), ANSWER_BYTES)
  })
})
