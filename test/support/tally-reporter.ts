import { writeFileSync } from 'node:fs'
import { Runner, reporters } from 'mocha'

/** How far a mocha run is, as `run-checks.ts` reads it from the file named in `FARLOG_TEST_TALLY`. */
export interface Tally {
  passed: number
  failed: number
  /** `false` in what a run left behind that did not come to its end. */
  complete: boolean
}

/** The spec reporter, which also keeps the tally in a file, so that a crash in the middle does not take it along. */
export default class TallyReporter extends reporters.Spec {
  constructor(runner: Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const file = process.env.FARLOG_TEST_TALLY
    if (!file) return
    const tally: Tally = { passed: 0, failed: 0, complete: false }
    const write = () => writeFileSync(file, JSON.stringify(tally))
    const count = (field: 'passed' | 'failed') => () => {
      tally[field]++
      write()
    }
    runner.on(Runner.constants.EVENT_TEST_PASS, count('passed'))
    runner.on(Runner.constants.EVENT_TEST_FAIL, count('failed'))
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      tally.complete = true
      write()
    })
  }
}
