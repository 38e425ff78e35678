import assert from 'node:assert/strict'
import { ClusterError } from '../../../src/cluster/errors.ts'
import type { TopicPartition } from '../../../src/cluster/offsets.ts'
import type { CheckpointWriter } from '../../../src/offsets/checkpoint-writer.ts'
import { Checkpointer, type CheckpointerOptions } from '../../../src/offsets/checkpointer.ts'
import type { HomePositions } from '../../../src/offsets/home-positions.ts'
import type { Checkpoint, OffsetSync } from '../../../src/offsets/mm2-format.ts'
import type { OffsetTranslator, Translation } from '../../../src/offsets/offset-translator.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { FakeGroups } from './support/fake-groups.ts'

const SIGNAL = new AbortController().signal
/** The copies of `orders` stand this much further up than their records. */
const SHIFT = 1_000
const COPY = 'east.orders'

describe('looking after groups', () => {
  it('writes what has moved, and moves a group at the destination only where nobody is at work, and forwards', async () => {
    const bed = new Bed()
    bed.source.commit('billing', 'orders', [10, 20])
    bed.source.commit('shipping', 'orders', [15])
    bed.source.commit('audit', 'orders', [30])
    bed.source.commit('not mirrored', 'else', [1])
    bed.source.commit('sink', 'orders', [9], 'Stable', 'connect')
    bed.source.commit('excluded', 'orders', [9])
    bed.destination.commit('shipping', COPY, [3], 'Stable')
    bed.destination.commit('audit', COPY, [SHIFT + 31, 1], 'Empty')
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), [
      'billing 0 10→1010',
      'billing 1 20→1020',
      'shipping 0 15→1015',
      'audit 0 30→1030'
    ])
    assert.deepEqual(bed.destination.offsetsOf('billing'), { 'east.orders-0': 1_010, 'east.orders-1': 1_020 })
    assert.deepEqual(bed.destination.offsetsOf('shipping'), { 'east.orders-0': 3 }, 'somebody is at work')
    assert.deepEqual(bed.destination.offsetsOf('audit'), { 'east.orders-0': SHIFT + 31, 'east.orders-1': 1 }, 'further')
    assert.deepEqual(Object.keys(Object.fromEntries(bed.destination.groups)), ['shipping', 'audit', 'billing'])

    bed.source.commit('billing', 'orders', [10, 25])
    bed.destination.commit('shipping', COPY, [3], 'Empty')
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 1 25→1025'])
    assert.deepEqual(bed.destination.offsetsOf('billing'), { 'east.orders-0': 1_010, 'east.orders-1': 1_025 })
    assert.deepEqual(bed.destination.offsetsOf('shipping'), { 'east.orders-0': 1_015 })

    // Somebody had it read again: that is written, and where it goes on at the destination is left to him.
    bed.source.commit('billing', 'orders', [2])
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 0 2→1002'])
    assert.deepEqual(bed.destination.offsetsOf('billing'), { 'east.orders-0': 1_010, 'east.orders-1': 1_025 })
    assert.deepEqual(bed.leftOut, [])
  })

  it('leaves groups at the destination alone where they are not to be brought along', async () => {
    const bed = new Bed({ syncsGroups: false })
    bed.source.commit('billing', 'orders', [10])
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 0 10→1010'])
    assert.equal(bed.destination.groups.size, 0)
  })

  it('leaves out what is in trouble, says so, and looks after all others', async () => {
    const bed = new Bed()
    bed.source.commit('billing', 'orders', [10, 20, 30, 40])
    bed.source.commit('moving', 'orders', [50])
    bed.source.troubled.set('moving', 'COORDINATOR_LOAD_IN_PROGRESS')
    bed.source.commit('wakes up', 'orders', [60])
    bed.destination.awake.add('wakes up')
    bed.source.commit('shipping', 'orders', [15])
    bed.failures.set(1, new ClusterError('LEADER_NOT_AVAILABLE', 'west: no leader', true))
    bed.failures.set(2, new RecordsError('CORRUPT_BATCH', 'damaged', 7))
    bed.others.add(3)
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 0 10→1010', 'wakes up 0 60→1060', 'shipping 0 15→1015'])
    assert.deepEqual(bed.destination.offsetsOf('billing'), { 'east.orders-0': 1_010 })
    assert.deepEqual(bed.destination.offsetsOf('shipping'), { 'east.orders-0': 1_015 })
    assert.deepEqual(bed.destination.offsetsOf('wakes up'), {})
    assert.deepEqual(
      bed.leftOut.map(line => line.replace(/(member id|UNKNOWN_MEMBER_ID).*/, '$1')),
      [
        'moving: COORDINATOR_LOAD_IN_PROGRESS',
        'billing: east.orders-3 begins with records that do not say where they come from',
        'billing: west: no leader',
        'billing: damaged',
        'wakes up: fake: committing east.orders-0 for group wakes up: UNKNOWN_MEMBER_ID'
      ]
    )
    assert.deepEqual(bed.destination.refreshed, [COPY, COPY])

    bed.failures.clear()
    bed.others.clear()
    bed.source.troubled.clear()
    bed.destination.awake.clear()
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), [
      'billing 1 20→1020',
      'billing 2 30→1030',
      'billing 3 40→1040',
      'moving 0 50→1050'
    ])
    assert.deepEqual(bed.destination.offsetsOf('wakes up'), { 'east.orders-0': 1_060 })
  })

  it('goes no further than to the first record at home at the destination that the group has not read', async () => {
    const bed = new Bed()
    bed.home = new Map([
      [0, 1_004],
      [1, 5_000],
      // It would take too long to tell.
      [2, undefined],
      [3, 900]
    ])
    // What begins with others' records begins with those at home there.
    bed.others.add(3)
    bed.source.commit('billing', 'orders', [10, 20, 30, 40])
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 0 10→1004', 'billing 1 20→1020', 'billing 3 40→900'])
    assert.deepEqual(bed.destination.offsetsOf('billing'), {
      ...{ 'east.orders-0': 1_004, 'east.orders-1': 1_020, 'east.orders-3': 900 }
    })
  })

  it('writes a sync of the furthest group of a partition, and none that goes back', async () => {
    const bed = new Bed()
    bed.source.commit('ahead', 'orders', [50])
    bed.source.commit('behind', 'orders', [10])
    await bed.pass()
    assert.deepEqual(bed.takeSyncs(), ['0 50→1050'])
    bed.source.commit('behind', 'orders', [40, 3])
    await bed.pass()
    assert.deepEqual(bed.takeSyncs(), ['1 3→1003'])
    bed.source.commit('behind', 'orders', [51])
    await bed.pass()
    assert.deepEqual(bed.takeSyncs(), ['0 51→1051'])
  })

  it('has a checkpoint and no sync where there is no copy yet', async () => {
    const bed = new Bed()
    bed.empty.add(0)
    bed.source.commit('billing', 'orders', [0])
    await bed.pass()
    assert.deepEqual(bed.takeWritten(), ['billing 0 0→2'])
    assert.deepEqual(bed.takeSyncs(), [])
    assert.deepEqual(bed.destination.offsetsOf('billing'), { 'east.orders-0': 2 })
  })

  it('tells how far each group had come since the pass before', async () => {
    const bed = new Bed()
    bed.source.commit('billing', 'orders', [10, 20])
    bed.source.commit('shipping', 'orders', [5])
    await bed.pass()
    const shown = () => bed.checkpointer.groups.map(({ group, reprocessRecords }) => [group, reprocessRecords])
    assert.deepEqual(shown(), [
      ['billing', 0],
      ['shipping', 0]
    ])
    bed.source.commit('billing', 'orders', [17, 21])
    // It was sent back: there is nothing that it would read a second time for want of a checkpoint.
    bed.source.commit('shipping', 'orders', [1])
    await bed.pass()
    assert.deepEqual(shown(), [
      ['billing', 8],
      ['shipping', 0]
    ])
  })

  it('shows no group as looked after that was left out, in whole or in part, and none that has nothing to be looked after', async () => {
    const bed = new Bed()
    bed.source.commit('billing', 'orders', [10])
    bed.source.commit('elsewhere', 'else', [1])
    await bed.pass()
    const ages = () =>
      Object.fromEntries(bed.checkpointer.groups.map(({ group, checkpointedAtMs }) => [group, checkpointedAtMs]))
    const first = ages()
    assert.deepEqual(Object.keys(first), ['billing'])

    const inTrouble: Readonly<Record<string, [begin: () => void, end: () => void]>> = {
      'not read': [
        () => bed.source.troubled.set('billing', 'COORDINATOR_LOAD_IN_PROGRESS'),
        () => bed.source.troubled.clear()
      ],
      'not translated in one partition': [
        () => bed.failures.set(1, new ClusterError('LEADER_NOT_AVAILABLE', 'west: no leader', true)),
        () => bed.failures.clear()
      ],
      'not known where it is at home': [
        () => {
          bed.home = new Map([[1, undefined]])
        },
        () => {
          bed.home = undefined
        }
      ],
      'not taken at the destination': [() => bed.destination.awake.add('billing'), () => bed.destination.awake.clear()],
      'not written': [
        () => {
          bed.refusesFrom = 0
        },
        () => {
          bed.refusesFrom = Number.POSITIVE_INFINITY
        }
      ]
    }
    let offset = 10
    bed.source.commit('billing', 'orders', [offset, offset])
    await bed.pass()
    for (const [trouble, [begin, end]] of Object.entries(inTrouble)) {
      const before = ages()
      begin()
      bed.source.commit('billing', 'orders', [++offset, offset])
      await bed.pass().catch((error: unknown) => assert.equal(trouble, 'not written', String(error)))
      assert.deepEqual(ages(), before, trouble)
      end()
      await bed.pass()
      assert.ok(ages().billing! > before.billing!, trouble)
    }

    bed.source.groups.delete('billing')
    await bed.pass()
    assert.deepEqual(ages(), {}, 'it is gone')
  })

  it('lets the age begin of a group that nothing has come of yet', async () => {
    const ways: ((bed: Bed) => void)[] = [
      bed => bed.source.troubled.set('billing', 'GROUP_AUTHORIZATION_FAILED'),
      bed => bed.failures.set(0, new RecordsError('CORRUPT_BATCH', 'damaged', 7)),
      bed => {
        bed.refusesFrom = 0
      }
    ]
    for (const [way, makeTrouble] of ways.entries()) {
      const bed = new Bed()
      bed.source.commit('billing', 'orders', [10])
      makeTrouble(bed)
      const seen: number[] = []
      for (let pass = 0; pass < 2; pass++) {
        await bed.pass().catch((error: unknown) => assert.match(String(error), /refused/))
        seen.push(...bed.checkpointer.groups.map(({ checkpointedAtMs }) => checkpointedAtMs))
      }
      assert.equal(seen.length, 2, `way ${way}`)
      assert.equal(seen[0], seen[1], `way ${way}`)
    }
  })

  it('writes again what could not be written, and asks for a few groups at a time', async () => {
    const bed = new Bed()
    for (let group = 0; group < 45; group++) bed.source.commit(`group ${group}`, 'orders', [group])
    bed.refusesFrom = 40
    await assert.rejects(bed.pass(), /refused/)
    assert.deepEqual(bed.source.askedTogether, [20, 20, 5])
    assert.equal(bed.takeWritten().length, 40)
    bed.refusesFrom = Number.POSITIVE_INFINITY
    await bed.pass()
    assert.deepEqual(
      bed.takeWritten().map(line => line.split(' ')[1]),
      ['40', '41', '42', '43', '44']
    )
    assert.equal(bed.destination.groups.size, 45)
  })
})

/** Two clusters' groups, and copies of `orders` that stand where they are said to. */
class Bed {
  readonly source = new FakeGroups()
  readonly destination = new FakeGroups()
  readonly checkpointer: Checkpointer
  readonly leftOut: string[] = []
  /** By partition, what translating fails with. */
  readonly failures = new Map<number, Error>()
  /** Partitions whose first records are somebody else's. */
  readonly others = new Set<number>()
  /** Partitions that hold two markers and nothing else. */
  readonly empty = new Set<number>()
  /** By partition; `undefined` as a whole where nothing comes from the destination. */
  home: ReadonlyMap<number, number | undefined> | undefined
  /** The number of checkpoints behind which the writer refuses. */
  refusesFrom = Number.POSITIVE_INFINITY
  #written: Checkpoint[] = []
  #syncs: OffsetSync[] = []

  constructor(options: Partial<CheckpointerOptions> = {}) {
    this.checkpointer = new Checkpointer({
      source: this.source.cluster,
      destination: this.destination.cluster,
      translator: {
        translate: async ({ partition }: TopicPartition, offset: number) => this.#translate(partition, offset)
      } as unknown as OffsetTranslator,
      writer: {
        write: async (checkpoints: readonly Checkpoint[], syncs: readonly OffsetSync[]) => {
          if (this.#written.length >= this.refusesFrom) throw new ClusterError('UNREACHABLE', 'refused', true)
          this.#written.push(...checkpoints)
          this.#syncs.push(...syncs)
        }
      } as unknown as CheckpointWriter,
      isSelected: group => group !== 'excluded',
      syncsGroups: true,
      firstDestinationOffset: () => 0,
      readHomePositions: async () =>
        this.home &&
        ({ lowest: async ({ partition }: TopicPartition) => this.home!.get(partition) } as unknown as HomePositions),
      leftOut: (group, error) => this.leftOut.push(`${group}: ${error}`),
      ...options
    })
  }

  pass(): Promise<void> {
    return this.checkpointer.pass(topic => (topic === 'orders' ? COPY : undefined), SIGNAL)
  }

  /** The checkpoints since the last time, as `group partition upstream→downstream`. */
  takeWritten(): string[] {
    const written = this.#written
    this.#written = []
    return written.map(({ group, topic, partition, upstreamOffset, downstreamOffset, metadata }) => {
      assert.deepEqual([topic, metadata], [COPY, `at ${upstreamOffset}`])
      return `${group} ${partition} ${upstreamOffset}→${downstreamOffset}`
    })
  }

  takeSyncs(): string[] {
    const syncs = this.#syncs
    this.#syncs = []
    return syncs.map(({ topic, partition, upstreamOffset, downstreamOffset }) => {
      assert.equal(topic, 'orders')
      return `${partition} ${upstreamOffset}→${downstreamOffset}`
    })
  }

  #translate(partition: number, sourceOffset: number): Translation {
    const failure = this.failures.get(partition)
    if (failure !== undefined) throw failure
    if (this.empty.has(partition)) {
      return { destinationOffset: 2, kind: 'end', sourceOffset: undefined, isBehindOthers: false }
    }
    const isBehindOthers = this.others.has(partition)
    return { destinationOffset: sourceOffset + SHIFT, kind: 'copy', sourceOffset, isBehindOthers }
  }
}
