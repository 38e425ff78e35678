import assert from 'node:assert/strict'
import { HomePositions, type ReverseProgress } from '../../../src/offsets/home-positions.ts'
import { ProvenanceReader } from '../../../src/rewrite/provenance.ts'
import { DESTINATION, FakeDestination } from '../destination/support/fake-destination.ts'
import { CopiedLog } from './support/copied-log.ts'

const SIGNAL = new AbortController().signal

/** The log is the source's here: its copies are what came from the destination. */
describe('the first record at home at the destination that a reader of the source has not read', () => {
  it('is the first that came behind him, else the one that is to come next', async () => {
    const log = new CopiedLog()
    log.foreign(3)
    log.copy([40, 41])
    log.foreign(2)
    log.marker()
    log.copy([44])
    log.foreign(5)
    const positions = positionsIn(log, [{ ...DESTINATION, nextOffset: 50, newestCopyOffset: 8 }])
    const found: [number, number | undefined][] = []
    for (let at = 0; at <= log.nextOffset; at++) found.push([at, await positions.lowest(DESTINATION, at, SIGNAL)])
    const before = [0, 1, 2, 3].map(at => [at, 40])
    const among = [4, 5, 6, 7, 8].map(at => [at, at === 4 ? 41 : 44])
    const behind = Array.from({ length: log.nextOffset - 8 }, (_, i) => [9 + i, 50])
    assert.deepEqual(found, [...before, ...among, ...behind])
  })

  it('is what comes next where nothing of it has come yet', async () => {
    const log = new CopiedLog()
    log.foreign(9)
    const positions = positionsIn(log, [{ ...DESTINATION, nextOffset: 7, newestCopyOffset: undefined }])
    assert.equal(await positions.lowest(DESTINATION, 0, SIGNAL), 7)
    assert.equal(await positions.lowest(DESTINATION, 9, SIGNAL), 7)
  })

  it('is none for a topic that does not come from there, and not known for a partition just come upon', async () => {
    const log = new CopiedLog()
    log.foreign(1)
    const positions = positionsIn(log, [{ ...DESTINATION, partition: 0, nextOffset: 7, newestCopyOffset: undefined }])
    assert.equal(await positions.lowest({ topic: 'else', partition: 0 }, 0, SIGNAL), Number.POSITIVE_INFINITY)
    assert.equal(await positions.lowest(DESTINATION, 0, SIGNAL), undefined)
  })

  it('is not looked for further than some thousand offsets at a time', async () => {
    const log = new CopiedLog()
    for (let batch = 0; batch < 100; batch++) log.foreign(60)
    log.copy([40])
    const newestCopyOffset = log.copies[0]!.destinationOffset
    const positions = positionsIn(log, [{ ...DESTINATION, nextOffset: 41, newestCopyOffset }])
    assert.equal(await positions.lowest(DESTINATION, 0, SIGNAL), undefined)
    assert.equal(await positions.lowest(DESTINATION, newestCopyOffset - 4_095, SIGNAL), 40)
    assert.equal(await positions.lowest(DESTINATION, newestCopyOffset - 4_096, SIGNAL), undefined)
  })
})

function positionsIn(log: CopiedLog, progress: readonly ReverseProgress[]): HomePositions {
  const source = new FakeDestination(log.batches, 0, log.nextOffset, 2_000)
  const originOf = () => new ProvenanceReader('east', 'orders', 3)
  return new HomePositions(source.cluster, originOf, progress)
}
