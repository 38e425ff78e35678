/**
 * Runs all checks and tests, or those named as arguments, one after the other and to the end whatever fails, and puts
 * "N passed, N failed" on the screen and into .tools/test-summary. A check (lint, types, unused code) counts as one.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from './java.ts'
import { spawnOwned } from './owned-process.ts'
import type { Tally } from './tally-reporter.ts'

const UNIT_TIMEOUT_MS = 5 * 60_000
const INTEGRATION_FILE_TIMEOUT_MS = 15 * 60_000
const CHECK_TIMEOUT_MS = 5 * 60_000

const TASKS: Readonly<Record<string, () => Promise<Tally>>> = {
  lint: () => check('biome', ['check', '.']),
  typecheck: () => check('tsc', ['--noEmit']),
  unused: () => check('knip', []),
  unit: () => unitTests('test/unit/**/*.test.ts'),
  integration: () => integrationTests('test/{support,integration}/**/*.test.ts'),
  simulation: () => integrationTests('test/simulation/**/*.test.ts'),
  fault: () => integrationTests('test/{fault,chaos}/**/*.test.ts')
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TASKS)
const tallies = new Map<string, Tally>()
for (const name of names) {
  const task = TASKS[name]
  if (!task) throw new Error(`No such check: ${name}; there are ${Object.keys(TASKS).join(', ')}`)
  console.log(`\n── ${name} ──`)
  tallies.set(name, await task())
}
console.log()
for (const [name, tally] of tallies) console.log(`${name.padEnd(12)} ${summary(tally)}`)
const total = sum([...tallies.values()])
// Once more at the end: of a long run, often only the last lines are kept.
for (const failure of total.failures) console.log(`failed: ${failure}`)
mkdirSync(join(PROJECT_DIR, '.tools'), { recursive: true })
writeFileSync(join(PROJECT_DIR, '.tools/test-summary'), `${summary(total)}\n`)
console.log(summary(total))
process.exitCode = total.failed === 0 ? 0 : 1

async function check(command: string, args: readonly string[]): Promise<Tally> {
  const succeeded = await run([join(PROJECT_DIR, 'node_modules/.bin', command), ...args], {}, CHECK_TIMEOUT_MS)
  if (succeeded) console.log('nothing to complain about')
  return succeeded
    ? { passed: 1, failed: 0, failures: [], complete: true }
    : { passed: 0, failed: 1, failures: [command], complete: true }
}

/**
 * All files in one process, which is quickest. Where that does not come to its end (a file that cannot be loaded stops
 * mocha before the first test), each file gets its own, so that the others still show what they have to say.
 */
async function unitTests(pattern: string): Promise<Tally> {
  const files = testFiles(pattern)
  const together = await mocha(files, UNIT_TIMEOUT_MS)
  if (together.complete) return together
  console.log('\nThe run did not come to its end; once more, file by file.')
  return fileByFile(files, UNIT_TIMEOUT_MS)
}

/** Each file in its own process: a crash or a hang stays its own, and so do the clusters it starts. */
function integrationTests(pattern: string): Promise<Tally> {
  return fileByFile(testFiles(pattern), INTEGRATION_FILE_TIMEOUT_MS)
}

async function fileByFile(files: readonly string[], timeoutMs: number): Promise<Tally> {
  const tallies: Tally[] = []
  for (const file of files) {
    console.log(`\n${file}`)
    const tally = await mocha([file], timeoutMs)
    tallies.push(tally.complete ? tally : incomplete(tally, file))
  }
  return sum(tallies)
}

function incomplete(tally: Tally, file: string): Tally {
  return { ...tally, failed: tally.failed + 1, failures: [...tally.failures, `${file}: did not come to its end`] }
}

function testFiles(pattern: string): string[] {
  return globSync(pattern, { cwd: PROJECT_DIR }).sort()
}

/** A run that failed without a failing test (an error outside of any) counts as not complete. */
async function mocha(files: readonly string[], timeoutMs: number): Promise<Tally> {
  if (files.length === 0) return { passed: 0, failed: 0, failures: [], complete: true }
  const tallyFile = join(PROJECT_DIR, '.tools/test-tally.json')
  rmSync(tallyFile, { force: true })
  const command = [
    join(PROJECT_DIR, 'node_modules/.bin/mocha'),
    '--reporter',
    'test/support/tally-reporter.ts',
    ...files
  ]
  const succeeded = await run(command, { FARLOG_TEST_TALLY: tallyFile }, timeoutMs)
  const tally = readTally(tallyFile)
  return { ...tally, complete: tally.complete && (succeeded || tally.failed > 0) }
}

function readTally(file: string): Tally {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally
  } catch {
    return { passed: 0, failed: 0, failures: [], complete: false }
  }
}

async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number
): Promise<boolean> {
  const { exit, signal } = spawnOwned(command, { cwd: PROJECT_DIR, stdio: 'inherit', env: { ...process.env, ...env } })
  const timer = setTimeout(() => {
    console.error(`\nStopped after ${timeoutMs / 60_000} minutes: ${command.join(' ')}`)
    signal('SIGKILL')
  }, timeoutMs)
  const { code } = await exit
  clearTimeout(timer)
  return code === 0
}

function sum(tallies: readonly Tally[]): Tally {
  const total: Tally = { passed: 0, failed: 0, failures: [], complete: true }
  for (const { passed, failed, failures } of tallies) {
    total.passed += passed
    total.failed += failed
    total.failures.push(...failures)
  }
  return total
}

function summary({ passed, failed }: Tally): string {
  return `${passed} passed, ${failed} failed`
}
