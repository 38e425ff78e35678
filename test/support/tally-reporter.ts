import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { type Runnable, Runner, reporters } from 'mocha'

const FAILURE_LINE_MAX_LENGTH = 300

/** How far a mocha run is, as `run-checks.ts` reads it from the file named in `FARLOG_TEST_TALLY`. */
export interface Tally {
  passed: number
  failed: number
  /** A line for each failed test: where it stands, and how its error begins. */
  failures: string[]
  /** `false` in what a run left behind that did not come to its end. */
  complete: boolean
}

/** The spec reporter, which also keeps the tally in a file, so that a crash in the middle does not take it along. */
export default class TallyReporter extends reporters.Spec {
  constructor(runner: Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const file = process.env.FARLOG_TEST_TALLY
    if (!file) return
    const tally: Tally = { passed: 0, failed: 0, failures: [], complete: false }
    const write = () => writeFileSync(file, JSON.stringify(tally))
    runner.on(Runner.constants.EVENT_TEST_PASS, () => {
      tally.passed++
      write()
    })
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test: Runnable, error: Error) => {
      tally.failed++
      tally.failures.push(failureLine(test, error))
      write()
    })
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      tally.complete = true
      write()
    })
  }
}

function failureLine(test: Runnable, error: Error): string {
  const line = `${relative(process.cwd(), test.file ?? '')}: ${test.fullTitle()}: ${error.message}`.replace(/\s+/g, ' ')
  return line.slice(0, FAILURE_LINE_MAX_LENGTH)
}
