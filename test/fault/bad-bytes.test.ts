import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { caughtUp } from '../support/caught-up.ts'
import { until } from '../support/wait.ts'
import { Bed, halted, logged } from './support/bed.ts'

describe('a batch that is damaged in the source’s log', function () {
  this.timeout(120_000)

  it('is not copied, nor is anything behind it; it halts its partition, naming the offset, and no other', async () => {
    await using bed = await Bed.start()
    await bed.eastAdmin.createTopic('damaged', 2)
    for (const partition of [0, 1]) {
      for (const first of [0, 10, 20]) await bed.write('damaged', partition, 10, first)
    }
    const [broker] = bed.east.brokers
    // In order: a broker that was killed looks at its batches when it comes back, and cuts off the damaged one.
    await broker!.stop()
    const segment = join(bed.east.dir, 'broker-1/data/damaged-0/00000000000000000000.log')
    damageBatch(segment, 10)
    await broker!.restart()

    const worker = await bed.startWorker('damaged')
    const { reason, detail, nextSourceOffset } = await halted(worker, 'damaged')
    assert.equal(reason, 'corrupt-batch')
    assert.match(detail!, /\b10\b/)
    assert.equal(nextSourceOffset, 10)
    assert.equal((await worker.metrics()).sum('farlog_halted_partitions', { reason: 'corrupt-batch' }), 1)
    await logged(worker, /corrupt-batch.*halted/)
    await bed.write('damaged', 1, 10, 30)
    await until(async () => (await bed.copied('damaged', 1)).length === 40, { describe: 'the other partition' })
    assert.deepEqual(await bed.copied('damaged', 0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

    // The same byte turned back: now the rest may be copied.
    await broker!.stop()
    damageBatch(segment, 10)
    await broker!.restart()
    await caughtUp(worker, bed.eastAdmin, 'damaged', { partitions: 2 })
    assert.equal(await bed.assertSame('damaged'), 70)
  })
})

const BATCH_LENGTH_AT = 8
const LENGTH_ENDS_AT = 12

/** Turns the bits of one byte in the last record of the batch that begins at this offset. */
function damageBatch(segment: string, baseOffset: number): void {
  const bytes = readFileSync(segment)
  let at = 0
  for (;;) {
    const end = at + LENGTH_ENDS_AT + bytes.readInt32BE(at + BATCH_LENGTH_AT)
    if (Number(bytes.readBigInt64BE(at)) === baseOffset) {
      bytes[end - 2]! ^= 0xff
      writeFileSync(segment, bytes)
      return
    }
    at = end
  }
}
