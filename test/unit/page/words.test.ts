import assert from 'node:assert/strict'
import { backlogInWords, exposureInWords, inBytes, inWords } from '../../../src/page/words.ts'

describe('words on the page', () => {
  it('say times in the unit that a person would', () => {
    const said = [-1, 0, 0.0001, 0.004, 0.0996, 0.4, 9.94, 9.96, 90, 119.6, 3_600, 7_190, 7_200, 36_000, 200_000]
    assert.deepEqual(said.map(inWords), [
      ...['0 s', '0 s', '1 ms', '4 ms', '100 ms', '0.4 s', '9.9 s', '10 s', '90 s', '2 min', '60 min'],
      ...['2 h', '2 h', '10 h', '2 days']
    ])
  })

  it('say bytes', () => {
    assert.deepEqual([0, 1_023, 1_536, 19_100_000, 2 ** 52].map(inBytes), [
      ...['0 B', '1023 B', '1.5 KiB', '18.2 MiB', '4096.0 TiB']
    ])
  })

  it('say what would be lost, and never that nothing would be while that is not known', () => {
    const known = { records: 7, seconds: 2, unknownPartitions: 1, isWholeGroup: true }
    const said = (records: number | null, seconds: number | null, partitions = 3) =>
      exposureInWords('east', partitions, { records, seconds }, known)
    const saidOfShare = (unknownPartitions: number, partitions = 3) => {
      const share = { ...known, unknownPartitions, isWholeGroup: false }
      return exposureInWords('east', partitions, { records: null, seconds: null }, share)
    }
    assert.equal(said(312, 0.4), 'If east were lost now: 312 records, 0.4 s.')
    assert.equal(said(1, 0.25), 'If east were lost now: 1 record, 0.3 s.')
    assert.equal(said(0, 0), 'If east were lost now, nothing would be lost.')
    assert.equal(said(5, null), 'If east were lost now: 5 records, of an age that is not known.')
    assert.equal(said(null, null), 'If east were lost now: at least 7 records, 2 s; not known of 1 partition.')
    assert.equal(said(null, null, 1), 'If east were lost now: not known.')
    assert.equal(said(0, 0, 0), 'If east were lost now: nothing is mirrored yet.')
    const part = 'If east were lost now: at least 7 records, 2 s; not known of '
    assert.equal(saidOfShare(0), `${part}what other workers mirror.`)
    assert.equal(saidOfShare(1), `${part}1 partition, and of what other workers mirror.`)
    assert.equal(saidOfShare(3), 'If east were lost now: not known.')
    assert.equal(saidOfShare(0, 0), 'If east were lost now: not known.')
  })

  it('say when a backlog will be copied, where there is one', () => {
    assert.equal(backlogInWords(0, null), null)
    assert.equal(backlogInWords(12, 0), null)
    assert.equal(backlogInWords(90_000, 720), 'The backlog will be copied in about 12 min.')
    assert.match(backlogInWords(90_000, null)!, /^When the backlog will be copied is not known yet/)
    assert.match(backlogInWords(null, null)!, /^When the backlog will be copied is not known yet/)
  })
})
