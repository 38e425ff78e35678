import assert from 'node:assert/strict'
import { FAULT_KINDS, type Fault, makeSchedule, targetsOf } from './schedule.ts'

const OPTIONS = { topics: ['a', 'b'], workers: 2, workersMax: 3 }
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed)
const MINUTE_MS = 60_000

describe('a schedule of faults', () => {
  it('follows from its seed alone', () => {
    const make = (seed: number) => makeSchedule({ ...OPTIONS, seed, lengthMs: 5 * MINUTE_MS })
    assert.deepEqual(make(7), make(7))
    assert.notDeepEqual(make(7), make(8))
  })

  it('begins as the shorter one of the same seed', () => {
    for (const seed of SEEDS) {
      const short = makeSchedule({ ...OPTIONS, seed, lengthMs: MINUTE_MS })
      const long = makeSchedule({ ...OPTIONS, seed, lengthMs: 10 * MINUTE_MS })
      assert.deepEqual(long.slice(0, short.length), short)
    }
  })

  it('has at least ten faults a minute, and every kind of fault within three minutes', () => {
    for (const seed of SEEDS) {
      const schedule = makeSchedule({ ...OPTIONS, seed, lengthMs: 10 * MINUTE_MS })
      for (let minute = 0; minute < 10; minute++) {
        const within = schedule.filter(({ atMs }) => Math.floor(atMs / MINUTE_MS) === minute)
        assert.ok(within.length >= 10, `seed ${seed}, minute ${minute}: ${within.length}`)
      }
      const early = new Set(schedule.filter(({ atMs }) => atMs < 3 * MINUTE_MS).map(({ kind }) => kind))
      assert.deepEqual(
        FAULT_KINDS.filter(kind => !early.has(kind)),
        [],
        `seed ${seed}`
      )
    }
  })

  it('befalls only workers that there are, and always leaves one', () => {
    for (const seed of SEEDS) {
      const workers = new Set([0, 1])
      for (const fault of makeSchedule({ ...OPTIONS, seed, lengthMs: 10 * MINUTE_MS })) {
        if (fault.kind === 'add worker') {
          assert.equal(workers.has(fault.worker), false)
          workers.add(fault.worker)
        } else if ('worker' in fault) {
          assert.equal(workers.has(fault.worker), true)
          if (fault.kind === 'remove worker') workers.delete(fault.worker)
        }
        assert.ok(workers.size >= 1 && workers.size <= 3)
      }
    }
  })

  it('lets nothing befall what is still befallen', () => {
    for (const seed of SEEDS) {
      const busyUntilMs = new Map<string, number>()
      for (const fault of makeSchedule({ ...OPTIONS, seed, lengthMs: 10 * MINUTE_MS })) {
        for (const target of targetsOf(fault, OPTIONS.workersMax)) {
          assert.ok((busyUntilMs.get(target) ?? 0) <= fault.atMs, `seed ${seed}: ${describeFault(fault)}`)
          busyUntilMs.set(target, fault.atMs + fault.durationMs)
        }
      }
    }
  })
})

function describeFault({ kind, atMs }: Fault): string {
  return `${kind} at ${atMs}`
}
