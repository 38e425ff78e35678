import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Delivery, type Step, WriterWorld } from './support/writer-world.ts'

const aDelivery = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Delivery>('answered') },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Delivery>(
      'refused',
      'appended-but-timed-out',
      'cut-before',
      'cut-after',
      'cut-after-all'
    )
  }
)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      records: fc.integer({ min: 1, max: 8 }),
      hole: fc.nat({ max: 2 })
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), offsets: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), delivery: aDelivery }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('retry' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quiet-day' as const) }) }
)
const steps = fc.array(aStep, { minLength: 1, maxLength: 120, size: 'max' })

describe('PartitionWriter against a leader', () => {
  it('leaves each record in the log exactly once and in order, whatever fails on the way (fenced)', () => {
    fc.assert(
      fc.property(steps, all => {
        const world = new WriterWorld({ fenced: true })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(world.leader.log, world.handedOver)
      }),
      { numRuns: 400 }
    )
  })

  it('leaves no record out when the leader does not know the producer yet (at-least-once)', () => {
    fc.assert(
      fc.property(steps, all => {
        const world = new WriterWorld({ fenced: false })
        for (const step of all) world.take(step)
        world.settle()
        assert.deepEqual(
          [...new Set(world.leader.log)].toSorted((a, b) => a - b),
          world.handedOver
        )
      }),
      { numRuns: 400 }
    )
  })

  it('leaves no record out when the leader has forgotten a fenced producer that was quiet for a day', () => {
    const world = new WriterWorld({ fenced: true })
    world.take({ kind: 'append', records: 3, hole: 0 })
    world.settle()
    world.take({ kind: 'quiet-day' })
    world.take({ kind: 'append', records: 6, hole: 0 })
    world.take({ kind: 'send' })
    world.take({ kind: 'send' })
    world.take({ kind: 'deliver', delivery: 'refused' })
    world.take({ kind: 'deliver', delivery: 'answered' })
    world.settle()
    assert.deepEqual(world.leader.log, world.handedOver)
  })
})
