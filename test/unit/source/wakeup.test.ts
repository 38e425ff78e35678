import assert from 'node:assert/strict'
import { Wakeup } from '../../../src/source/wakeup.ts'

describe('Wakeup', () => {
  it('wakes who waits', async () => {
    const wakeup = new Wakeup()
    const waiting = wakeup.wait()
    assert.equal(await isDone(waiting), false)
    wakeup.wake()
    await waiting
  })

  it('does not lose a wake before the wait', async () => {
    const wakeup = new Wakeup()
    wakeup.wake()
    await wakeup.wait()
  })

  it('ends a wait that is limited by itself, or by a wake before that', async () => {
    const begunAtMs = performance.now()
    await new Wakeup().wait(30)
    assert.ok(performance.now() - begunAtMs >= 29)
    const wakeup = new Wakeup()
    const waiting = wakeup.wait(60_000)
    assert.equal(await isDone(waiting), false)
    wakeup.wake()
    await waiting
    assert.equal(await isDone(wakeup.wait(2 ** 40)), false)
    wakeup.wake()
  })

  it('counts many wakes as one', async () => {
    const wakeup = new Wakeup()
    for (let i = 0; i < 3; i++) wakeup.wake()
    await wakeup.wait()
    assert.equal(await isDone(wakeup.wait()), false)
  })

  it('takes another wake, before who waits goes on, for the same one', async () => {
    const wakeup = new Wakeup()
    const waiting = wakeup.wait()
    wakeup.wake()
    wakeup.wake()
    await waiting
    assert.equal(await isDone(wakeup.wait()), false)
    wakeup.wake()
    await wakeup.wait()
  })
})

/** Whether it settles without anything else happening. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false
  void promise.then(() => {
    done = true
  })
  await new Promise(resolve => setImmediate(resolve))
  return done
}
