import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FreshAnswer } from '../../../src/flow/fresh-answer.ts'

/** Questions that are answered when the test says so; each answer is what was true when it was asked. */
function newQuestions() {
  let now = 0
  const open: { readonly begunAt: number; answer(): void; fail(): void }[] = []
  const fresh = new FreshAnswer(() => {
    const begunAt = ++now
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    open.push({ begunAt, answer: () => resolve(begunAt), fail: () => reject(new Error(`${begunAt}`)) })
    return promise
  })
  return { fresh, open, tick: () => ++now }
}

const settled = () => new Promise(resolve => setImmediate(resolve))

describe('a fresh answer', () => {
  it('is shared by all who asked while the question before was under way, and is not that one’s', async () => {
    const { fresh, open } = newQuestions()
    const first = fresh.get()
    const others = [fresh.get(), fresh.get(), fresh.get()]
    await settled()
    assert.equal(open.length, 1)
    open[0]!.answer()
    assert.equal(await first, 1)
    await settled()
    assert.equal(open.length, 2)
    open[1]!.answer()
    assert.deepEqual(await Promise.all(others), [2, 2, 2])
  })

  it('is that of the next question also where the one before fails', async () => {
    const { fresh, open } = newQuestions()
    const first = fresh.get()
    const second = fresh.get()
    open[0]!.fail()
    await assert.rejects(first, /1/)
    await settled()
    open[1]!.answer()
    assert.equal(await second, 2)
  })

  it('is always of a question begun after it was asked for, and no two questions are under way at a time', async () => {
    const step = fc.constantFrom('get', 'answer', 'fail', 'wait')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const { fresh, open, tick } = newQuestions()
        const checks: Promise<void>[] = []
        let answered = 0
        for (const what of steps) {
          if (what === 'get') {
            const askedAt = tick()
            const check = (begunAt: number) => assert.ok(begunAt > askedAt, `asked at ${askedAt}, begun at ${begunAt}`)
            checks.push(fresh.get().then(check, (error: Error) => check(Number(error.message))))
          } else if (what === 'wait') await settled()
          else if (answered < open.length) open[answered++]![what]()
          assert.ok(open.length - answered <= 1)
        }
        for (let turn = 0; turn < 3; turn++) {
          while (answered < open.length) open[answered++]!.answer()
          await settled()
        }
        await Promise.all(checks)
      })
    )
  })
})
