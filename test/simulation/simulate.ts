/**
 * Plays schedules and says which of them end badly:
 *
 *     node test/simulation/simulate.ts                        1,000 schedules from seed 1 on
 *     SEED=4711 COUNT=50000 node test/simulation/simulate.ts  those of seeds 4711 to 54710
 *     SEED=4711 TRACE=1 node test/simulation/simulate.ts      one, with everything that happens in it
 *     RECORD_AGE_HOURS=48 node test/simulation/simulate.ts    of records with timestamps that lie back so far
 *     MUTATION=end-before-fence node …                        with a mistake made on purpose (mutations.ts)
 *
 * Exits 1 at the first that does, with its seed, what was violated and its trace.
 */
import { mutateSources } from './mutations.ts'
import type { Outcome } from './schedule.ts'

const { SEED, COUNT, TRACE, MUTATION, RECORD_AGE_HOURS } = process.env

if (MUTATION !== undefined) mutateSources(MUTATION)
// Only now, so that what they load is mutated.
const { playSchedule } = await import('./schedule.ts')
const { installVirtualClock } = await import('./virtual-clock.ts')

const PROGRESS_EVERY = 1_000
const firstSeed = Number(SEED ?? 1)
const isTraced = TRACE !== undefined
const recordAgeMs = Number(RECORD_AGE_HOURS ?? 0) * 3_600_000
const count = isTraced ? 1 : Number(COUNT ?? 1_000)
const nowMs = performance.now.bind(performance)
const startedAtMs = nowMs()
const clock = installVirtualClock()
let steps = 0
let failed: Outcome | undefined
let played = 0
while (played < count && failed === undefined) {
  const outcome = await playSchedule(firstSeed + played, { isTraced, recordAgeMs })
  played++
  steps += outcome.steps
  if (isTraced) console.log(outcome.trace.join('\n'))
  if (outcome.violation !== undefined) failed = outcome
  if (played % PROGRESS_EVERY === 0) console.log(rate())
}
if (failed !== undefined) {
  const { trace } = isTraced ? failed : await playSchedule(failed.seed, { isTraced: true, recordAgeMs })
  if (!isTraced) console.log(trace.join('\n'))
  const { name, message, stack } = failed.violation!
  console.log(`\nseed ${failed.seed}, schedule ${played}: ${name}: ${message}`)
  if (name !== 'Violation') console.log(stack)
}
clock[Symbol.dispose]()
console.log(rate())
process.exitCode = failed === undefined ? 0 : 1

function rate(): string {
  const seconds = (nowMs() - startedAtMs) / 1000
  return (
    `${played} schedules in ${seconds.toFixed(1)} s, ${Math.round(played / seconds)} a second, ` +
    `${Math.round(steps / played)} steps each`
  )
}
