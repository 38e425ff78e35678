import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MUTATION_NAMES } from './mutations.ts'
import { playSchedule } from './schedule.ts'
import { installVirtualClock } from './virtual-clock.ts'

const SCHEDULES = 2_000
const OLD_SCHEDULES = 1_500
const MUTATED_SCHEDULES_MAX = 3_000
const TIMEOUT_MS = 180_000

/** What each mutation must be found by; `mutations.ts` says what it does. */
const FOUND_BY: Readonly<Record<string, RegExp>> = {
  'end-before-fence': /is copied twice/,
  'order-before-fence': /is written though the flow is stopped/,
  'order-not-read': /is written though the flow is stopped/,
  'retry-at-once': /while \d+ is unanswered/,
  'many-at-first': /is copied before \d+: a hole/,
  'progress-before-acknowledgement': /is not acknowledged/,
  'before-it-is-due': /before it is due/
}

describe('a simulated mirror', () => {
  it('plays the same schedule again from the same seed', async () => {
    using _clock = installVirtualClock()
    for (const seed of [1, 2, 3, 4, 5]) {
      const [once, again] = [await playSchedule(seed, { isTraced: true }), await playSchedule(seed, { isTraced: true })]
      assert.ok(once.trace.length > 0)
      assert.deepEqual(again, once)
    }
  })

  it('copies everything once and in order, whatever fails, whoever dies and whoever comes back', async () => {
    using _clock = installVirtualClock()
    let copiedRecords = 0
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      const outcome = await playSchedule(seed)
      copiedRecords += outcome.copiedRecords
      const again = `SEED=${seed} TRACE=1 node test/simulation/simulate.ts`
      assert.equal(outcome.violation, undefined, `${outcome.violation?.message}; to see how: ${again}`)
    }
    assert.ok(copiedRecords > SCHEDULES, 'there was something to copy')
  }).timeout(TIMEOUT_MS)

  it('leaves nothing out, also where leaders forget producers at once because their records are old', async () => {
    using _clock = installVirtualClock()
    for (let seed = 1; seed <= OLD_SCHEDULES; seed++) {
      const { violation } = await playSchedule(seed, { recordAgeMs: 48 * 3_600_000 })
      // A request that comes late from somebody who is gone is let in by a leader that has forgotten the fence.
      if (violation !== undefined) assert.match(violation.message, /is copied twice/, `seed ${seed}`)
    }
  }).timeout(TIMEOUT_MS)

  for (const mutation of MUTATION_NAMES) {
    it(`finds out when the order is wrong: ${mutation}`, async () => {
      const env = { ...process.env, MUTATION: mutation, COUNT: String(MUTATED_SCHEDULES_MAX) }
      const simulation = promisify(execFile)(
        process.execPath,
        [fileURLToPath(new URL('./simulate.ts', import.meta.url))],
        {
          env,
          maxBuffer: 64 * 1024 * 1024
        }
      )
      await assert.rejects(simulation, (failure: { code: number; stdout: string }) => {
        assert.equal(failure.code, 1)
        assert.match(failure.stdout, FOUND_BY[mutation]!)
        return true
      })
    }).timeout(TIMEOUT_MS)
  }
})
