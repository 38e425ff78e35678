/** Situations a customer may find on the page, as the status and the group's look that would show them. */
import type { FlowStatus, PartitionStatus } from '../../../src/observe/status.ts'
import type { GroupSeen, OutsidePartition } from '../../../src/page/group-look.ts'
import { flowStatus, partitionStatus } from '../../unit/observe/worker-status.ts'
import { THIS_WORKER } from './fed-page.ts'

const TOPICS = ['clicks', 'invoices', 'orders', 'payments.settled', 'shipments', 'users']

/** A name that is markup, script and more, wherever it ends up. */
export const HOSTILE = `<img src=x onerror="document.title='owned'"></td><script>alert(1)</script>'"&amp;`

/** One worker, nothing wrong. */
export function calm(partitions = 24): FlowStatus {
  return flowStatus({
    partitions: Array.from({ length: partitions }, (_, index) => mirrored(index)),
    exposure: { records: 312, seconds: 0.4 },
    heartbeatAgeSeconds: 0.6,
    rates: { recordsPerSecond: 18_412, bytesPerSecond: 19_100_000 },
    groups: [
      { group: 'billing', checkpointAgeSeconds: 2.1, reprocessRecords: 184 },
      { group: 'fraud-scoring', checkpointAgeSeconds: 2.1, reprocessRecords: 12 },
      { group: 'warehouse', checkpointAgeSeconds: 2.1, reprocessRecords: 0 }
    ]
  })
}

/** What can go wrong, all at once. */
export function troubled(): FlowStatus {
  const flow = calm()
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString()
  return {
    ...flow,
    partitions: [
      ...flow.partitions.slice(5),
      partitionStatus({
        ...{
          topic: 'orders',
          partition: 7,
          state: 'halted',
          reason: 'gap',
          lagRecords: 48_211,
          lagSeconds: 5_400,
          etaSeconds: null
        },
        detail:
          'source offsets 1200345 to 1200399 of orders-7 were deleted before they were mirrored: `farlog resume` says where to go on'
      }),
      partitionStatus({
        ...{
          topic: 'users',
          partition: 3,
          state: 'halted',
          reason: 'not-authorized',
          lagRecords: 310,
          lagSeconds: 95,
          etaSeconds: null
        },
        detail: 'west does not let farlog write east.users: it needs WRITE on the topic'
      }),
      partitionStatus({ topic: 'shipments', partition: 9, lagRecords: null, lagSeconds: null, etaSeconds: null }),
      partitionStatus({ topic: 'clicks', partition: 9, lagRecords: 9_412_000, lagSeconds: 1_260, etaSeconds: 720 }),
      partitionStatus({
        topic: 'clicks',
        partition: 12,
        state: 'fencing',
        nextSourceOffset: null,
        lagRecords: null,
        lagSeconds: null
      })
    ],
    exposure: { records: null, seconds: null },
    etaSeconds: 720,
    events: [
      event(
        'GAP',
        'HALTED',
        ago(5_400),
        'orders',
        7,
        'source offsets 1200345 to 1200399 were deleted before they were mirrored'
      ),
      event(
        'GAP',
        'CONTINUED',
        ago(20_000),
        'clicks',
        2,
        'source offsets 77 to 102 were deleted before they were mirrored'
      ),
      event('RESUME', 'REQUESTED', ago(90_000), 'invoices', 0, 'go on at source offset 4012, asked for by ops@bastion')
    ],
    order: { action: 'START', orderedBy: 'ops@bastion', orderedAt: ago(150_000), reason: 'back from the drill' }
  }
}

/** Everything that others can name is hostile. */
export function hostile(): { readonly flow: FlowStatus; look(): GroupSeen } {
  const partitions = [
    partitionStatus({ topic: HOSTILE, state: 'halted', reason: HOSTILE, detail: HOSTILE }),
    partitionStatus({ topic: `${'long'.repeat(62)}`, partition: 1 })
  ]
  const flow = flowStatus({
    source: HOSTILE,
    destination: HOSTILE,
    partitions,
    groups: [{ group: HOSTILE, checkpointAgeSeconds: 1, reprocessRecords: 1 }],
    events: [event(HOSTILE, HOSTILE, new Date().toISOString(), HOSTILE, 0, HOSTILE)],
    order: { action: 'STOP', orderedBy: HOSTILE, orderedAt: new Date().toISOString(), reason: HOSTILE }
  })
  return {
    flow,
    look: () => ({ workers: [{ clientId: HOSTILE, host: HOSTILE, partitions: [] }], inCharge: HOSTILE, others: [] })
  }
}

/** A group of four workers with ten thousand partitions, of which this one has a quarter. */
export function tenThousand(): { readonly flow: FlowStatus; look(): GroupSeen } {
  const own = Array.from({ length: 2_500 }, (_, index) => mirrored(index * 4))
  const others = Array.from({ length: 10_000 }, (_, index) => index)
    .filter(index => index % 4 !== 0)
    .map(index => outside(mirrored(index), index === 4_711 ? 'recreated' : 'mirrored'))
  const owners = [1, 2, 3].map(worker => ({
    clientId: `farlog-${['bravo', 'charlie', 'delta'][worker - 1]}-7`,
    host: `/10.4.1.${17 + worker}`,
    partitions: others.filter((_, index) => index % 3 === worker - 1)
  }))
  return {
    flow: { ...calm(0), partitions: own },
    look: () => ({
      workers: [{ clientId: THIS_WORKER, host: '/10.4.1.17', partitions: own }, ...owners],
      inCharge: THIS_WORKER,
      others: others.map(other => ({ ...other, told: { ...other.told!, seenAtMs: Date.now() } }))
    })
  }
}

function mirrored(index: number): PartitionStatus {
  const sourceEndOffset = 1_204_000 + ((index * 7_919) % 800_000)
  const lagRecords = (index * 31) % 27
  return partitionStatus({
    topic: TOPICS[index % TOPICS.length]!,
    partition: Math.floor(index / TOPICS.length),
    nextSourceOffset: sourceEndOffset - lagRecords,
    sourceEndOffset,
    lagRecords,
    lagSeconds: lagRecords === 0 ? 0 : 0.02 + (index % 20) / 50
  })
}

function outside(
  { topic, partition, nextSourceOffset, sourceEndOffset, lagRecords }: PartitionStatus,
  state: 'mirrored' | 'recreated'
): OutsidePartition {
  const isRecreated = state === 'recreated'
  const detail = isRecreated ? `${topic} was deleted and made anew at the source` : null
  return {
    ...{ topic, partition },
    judgement: {
      state: lagRecords === 0 || isRecreated ? state : 'behind',
      detail,
      nextSourceOffset,
      sourceEndOffset,
      lagRecords
    },
    told: { offset: sourceEndOffset!, seenAtMs: Date.now(), lagSeconds: 0.1 },
    stopped: undefined
  }
}

function event(kind: string, action: string, observedAt: string, topic: string, partition: number, detail: string) {
  return { kind, action, observedAt, topic, partition, firstOffset: 0, nextOffset: 1, detail }
}
