import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Permits } from '../../../src/flow/permits.ts'

describe('Permits', () => {
  it('let so many work at a time and no more, waste none, and keep the order in which they were asked for', async () => {
    const aStep = fc.oneof(fc.constant('ask' as const), fc.record({ finish: fc.nat() }))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(aStep, { maxLength: 40 }), async (count, steps) => {
        const permits = new Permits(count)
        const started: number[] = []
        const running = new Map<number, () => void>()
        const works: Promise<void>[] = []
        let finished = 0
        const ask = () => {
          const work = works.length
          const use = permits.use(() => {
            started.push(work)
            return new Promise<void>(resolve => running.set(work, resolve))
          })
          works.push(use)
        }
        const finish = async (which: number) => {
          const [work, done] = [...running][which % running.size]!
          running.delete(work)
          finished++
          done()
          await works[work]
        }
        for (const step of steps) {
          if (step === 'ask') ask()
          else if (running.size > 0) await finish(step.finish)
          await new Promise(resolve => setImmediate(resolve))
          assert.equal(running.size, Math.min(count, works.length - finished))
        }
        while (running.size > 0) await finish(0)
        await Promise.all(works)
        assert.deepEqual(
          started,
          works.map((_, work) => work)
        )
      }),
      { numRuns: 50 }
    )
  })

  it('hand on what the work gives or throws, and the permit either way', async () => {
    const permits = new Permits(1)
    const no = new Error('no')
    const failing: (() => Promise<never>)[] = [
      async () => {
        throw no
      },
      () => {
        throw no
      }
    ]
    assert.equal(await permits.use(async () => 42), 42)
    for (const work of failing) await assert.rejects(permits.use(work), no)
    assert.equal(await permits.use(async () => 43), 43)
  })
})
