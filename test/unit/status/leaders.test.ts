import assert from 'node:assert/strict'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { ClusterError } from '../../../src/cluster/errors.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { Leaders } from '../../../src/status/leaders.ts'

/** Partition 0 and 2 are led by broker 0, partition 1 by broker 1. */
const CLUSTER = {
  alias: 'west',
  leaderOf: (_topic: string, partition: number) => ({ nodeId: partition % 2, leaderEpoch: 0 })
} as unknown as Cluster

function partition(number: number) {
  return { topic: 'orders', partition: number }
}

describe('Leaders', () => {
  it('does not ask a broker again that did not answer, but the others', async () => {
    const leaders = new Leaders(CLUSTER)
    const asked: number[] = []
    const ask = (number: number) =>
      leaders.ask(partition(number), async () => {
        asked.push(number)
        if (number === 0) throw new ClusterError('UNREACHABLE', 'broker 0 is gone', true)
        return number
      })
    assert.deepEqual(await ask(0), { trouble: 'broker 0 is gone' })
    assert.deepEqual(await ask(1), { value: 1 })
    assert.deepEqual(await ask(2), { trouble: 'west (broker 0) does not tell about orders-2: UNREACHABLE' })
    assert.deepEqual(asked, [0, 1])
  })

  it('asks on after trouble that is only one partition’s', async () => {
    const leaders = new Leaders(CLUSTER)
    const corrupt = new RecordsError('CORRUPT_BATCH', 'the batch at offset 4 is corrupt', 4)
    assert.deepEqual(await leaders.ask(partition(0), () => Promise.reject(corrupt)), { trouble: corrupt.message })
    assert.deepEqual(await leaders.ask(partition(2), async () => 'answer'), { value: 'answer' })
  })

  it('does not hide a mistake of ours', async () => {
    const mistake = () => Promise.reject(new TypeError('undefined is not a function'))
    await assert.rejects(new Leaders(CLUSTER).ask(partition(0), mistake), TypeError)
  })
})
