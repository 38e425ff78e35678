import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WATCHDOG_STEPS, Watchdog, type WatchedPartition } from '../../../src/flow/watchdog.ts'

const STALL_MS = 60_000
const LOOK_MS = 2_000

/** A watchdog and a clock, looked at as a flow does. */
class Watch {
  readonly watchdog = new Watchdog(STALL_MS)
  nowMs = 0

  /** The steps taken while time passes over partitions that stay as they are. */
  pass(ms: number, partitions: readonly WatchedPartition[], isFull = false): string[] {
    const steps: string[] = []
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += LOOK_MS
      const action = this.watchdog.look(partitions, isFull, this.nowMs)
      if (action !== undefined) steps.push(action.step)
    }
    return steps
  }
}

function at(nextSourceOffset: number, changes: Partial<WatchedPartition> = {}): WatchedPartition {
  return { topic: 'orders', partition: 0, isActive: true, lagRecords: 10, nextSourceOffset, ...changes }
}

describe('the watchdog', () => {
  it('takes its steps one after the other, as long as nothing moves', () => {
    const watch = new Watch()
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), [])
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), ['reconnect'])
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), ['restart-flow'])
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), ['exit'])
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), ['exit'])
  })

  it('names those that stand still, and no others', () => {
    const watch = new Watch()
    watch.pass(STALL_MS, [at(5), at(5, { partition: 1 })])
    watch.nowMs += LOOK_MS
    const action = watch.watchdog.look([at(5), at(6, { partition: 1 })], false, watch.nowMs)
    assert.deepEqual(action, { step: 'reconnect', stalled: [{ topic: 'orders', partition: 0 }] })
  })

  it('begins with the first step again once those it was about have moved', () => {
    const watch = new Watch()
    assert.deepEqual(watch.pass(STALL_MS * 2, [at(5)]), ['reconnect'])
    assert.deepEqual(watch.pass(STALL_MS, [at(6)]), [])
    assert.deepEqual(watch.pass(STALL_MS, [at(6)]), ['reconnect'])
  })

  it('does not take a lag that is unknown after a step for a sign that it has helped', () => {
    const watch = new Watch()
    assert.deepEqual(watch.pass(STALL_MS * 2, [at(5)]), ['reconnect'])
    assert.deepEqual(watch.pass(LOOK_MS * 3, [at(5, { lagRecords: undefined })]), [])
    assert.deepEqual(watch.pass(STALL_MS + LOOK_MS, [at(5)]), ['restart-flow'])
  })

  it('has nothing to do where a partition is halted, caught up, unknown or gone', () => {
    for (const quiet of [{ isActive: false }, { lagRecords: 0 }, { lagRecords: undefined }]) {
      assert.deepEqual(new Watch().pass(STALL_MS * 5, [at(5, quiet)]), [])
    }
    const watch = new Watch()
    watch.pass(STALL_MS - LOOK_MS, [at(5)])
    watch.pass(LOOK_MS, [])
    assert.deepEqual(watch.pass(STALL_MS - LOOK_MS, [at(5)]), [])
  })

  it('leaves alone what an error explains, for as long as it does', () => {
    const watch = new Watch()
    for (let i = 0; i < 10; i++) {
      watch.watchdog.trouble(watch.nowMs)
      assert.deepEqual(watch.pass(STALL_MS / 2, [at(5)]), [])
    }
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), ['reconnect'])
  })

  it('does not take waiting for others for a stall: what is full is emptied in turn', () => {
    const watch = new Watch()
    for (let offset = 0; offset < 10; offset++) {
      assert.deepEqual(watch.pass(STALL_MS / 2, [at(5), at(offset, { partition: 1 })], true), [])
    }
    assert.deepEqual(watch.pass(STALL_MS, [at(5), at(9, { partition: 1 })], true), ['reconnect'])
  })

  it('does not blame others for the time in which we ourselves stood still', () => {
    const watch = new Watch()
    watch.pass(LOOK_MS, [at(5)])
    watch.nowMs += STALL_MS * 10
    assert.deepEqual(watch.pass(STALL_MS, [at(5)]), [])
  })

  it('never does anything as long as each partition with lag moves in time', () => {
    const moves = fc.array(
      fc.record({ lookCount: fc.integer({ min: 1, max: 29 }), by: fc.integer({ min: 1, max: 5 }) })
    )
    fc.assert(
      fc.property(moves, given => {
        const watch = new Watch()
        let offset = 0
        for (const { lookCount, by } of given) {
          offset += by
          assert.deepEqual(watch.pass(lookCount * LOOK_MS, [at(offset)]), [])
        }
      })
    )
  })

  it('has a step after each but the last', () => {
    assert.deepEqual(WATCHDOG_STEPS, ['reconnect', 'restart-flow', 'exit'])
  })
})
