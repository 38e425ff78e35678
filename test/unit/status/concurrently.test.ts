import assert from 'node:assert/strict'
import { concurrently } from '../../../src/status/concurrently.ts'

describe('concurrently', () => {
  it('does at most so many at a time and keeps the order', async () => {
    let running = 0
    let mostRunning = 0
    const results = await concurrently([5, 1, 4, 2, 3], 2, async (turns, index) => {
      mostRunning = Math.max(mostRunning, ++running)
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      running--
      return `${index}: ${turns}`
    })
    assert.equal(mostRunning, 2)
    assert.deepEqual(results, ['0: 5', '1: 1', '2: 4', '3: 2', '4: 3'])
  })

  it('does nothing for nothing', async () => {
    assert.deepEqual(await concurrently([], 8, () => assert.fail('called')), [])
  })

  it('fails when any of the work does', async () => {
    const work = async (item: number) => {
      if (item === 2) throw new Error('the second one')
    }
    await assert.rejects(concurrently([1, 2, 3], 2, work), /the second one/)
  })
})
