import assert from 'node:assert/strict'
import type { PartitionLoss } from '../../../src/events/partition-loss.ts'
import type { FailoverReport } from '../../../src/failover/failover.ts'
import { failoverText } from '../../../src/failover/failover-text.ts'
import { totalLoss } from '../../../src/failover/loss.ts'

const ROW: PartitionLoss = {
  ...{ orderId: 'order', source: 'east', destination: 'west', topic: 'orders', partition: 0, topicId: null },
  ...{ destinationTopic: 'east.orders', nextSourceOffset: 20, lastSourceOffset: 19, lastDestinationOffset: 25 },
  ...{ lastTimestamp: 0, sourceEndOffset: 1_020, sourceSeenAt: 60_000, lostRecordsMax: 1_000, lostSeconds: 2.5 },
  reportedAt: 100_000
}

function text(losses: readonly PartitionLoss[], changes: Partial<FailoverReport> = {}): string {
  return failoverText({
    ...{ source: 'east', destination: 'west', isDryRun: false, order: null, warnings: [], groups: [] },
    loss: { ...totalLoss(losses), losses },
    ...changes
  })
}

describe('the text of a failover', () => {
  it('shows what is lost, how far each group came, and the way back', () => {
    const none = { ...ROW, partition: 1, lostRecordsMax: 0, lostSeconds: 0 }
    const groups = [
      { group: 'billing', outcome: 'moved', detail: null, offsets: [] },
      { group: 'search', outcome: 'in use', detail: 'its state at west is Stable', offsets: [] }
    ] as const
    assert.deepEqual(text([none, ROW], { groups, warnings: ['east cannot be reached'] }).split('\n'), [
      '! east cannot be reached',
      '',
      'TOPIC   PARTITION  LAST OFFSET  ITS TIMESTAMP             NEXT  SOURCE END  SEEN                      LOST, AT MOST   TIME',
      'orders          0           19  1970-01-01T00:00:00.000Z    20       1,020  1970-01-01T00:01:00.000Z          1,000  2.5 s',
      '',
      'At most 1,000 records, up to 2.5 s old, are missing at west, in 1 of 2 partitions (markers count too). ' +
        'east was last heard of at 1970-01-01T00:01:00.000Z; what came to it later is in no report.',
      '',
      'GROUP    PARTITIONS  OUTCOME',
      'billing           0  moved',
      'search            0  in use   its state at west is Stable',
      '',
      'Writers and readers can go to west now. `farlog start` lets workers mirror again.',
      ''
    ])
  })

  it('does not take what is unknown for nothing', () => {
    const unknown = { ...ROW, sourceEndOffset: null, sourceSeenAt: null, lostRecordsMax: null, lostSeconds: null }
    const shown = text([unknown])
    assert.match(shown, /orders +0 +19 .* 20 +- +- +- +-\n/)
    assert.match(shown, /Nothing that is known of is missing at west\. What east had of 1 partition is not known\./)
  })

  it('says of a dry run that it was one', () => {
    const shown = text([ROW], { isDryRun: true })
    assert.match(shown, /At most 1,000 records, up to 2\.5 s old, would be missing at west/)
    assert.match(shown, /This was a dry run: nothing has been changed\.\n$/)
  })

  it('counts rows beyond what a person reads', () => {
    const shown = text(Array.from({ length: 60 }, (_, partition) => ({ ...ROW, partition })))
    assert.match(shown, /… and 10 partitions more; --json and --report have them all/)
  })
})
