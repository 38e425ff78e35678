/**
 * Runs all checks and tests, or those named as arguments, to the end whatever fails, and puts "N passed, N failed" on the screen
 * and into .tools/test-summary. A check (lint, types, unused code) counts as one. Tests against real clusters mostly wait, so
 * several files of them run at a time (`FARLOG_TEST_JOBS`).
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from './java.ts'
import { spawnOwned } from './owned-process.ts'
import { runAndCollect } from './run-to-end.ts'
import type { Tally } from './tally-reporter.ts'

const BIN_DIR = join(PROJECT_DIR, 'node_modules/.bin')
const UNIT_TIMEOUT_MS = 5 * 60_000
const FILE_TIMEOUT_MS = 15 * 60_000
const CHECK_TIMEOUT_MS = 5 * 60_000
const JOBS = Number(process.env.FARLOG_TEST_JOBS ?? 3)
/** Each file's process begins with loading the same modules. */
process.env.NODE_COMPILE_CACHE ??= join(PROJECT_DIR, '.tools/compiled')

/** Run first, two at a time. */
const CHECKS: Readonly<Record<string, () => Promise<Tally>>> = {
  unit: () => unitTests('test/unit/**/*.test.ts'),
  lint: () => check('biome', ['check', '.']),
  // What runs in a browser has other globals than what runs in Node.
  typecheck: async () =>
    sum([await check('tsc', ['--noEmit']), await check('tsc', ['--noEmit', '--project', 'src/page/browser'])]),
  unused: () => check('knip', [])
}
const CHECKS_AT_ONCE = 2

/**
 * Each file in a process of its own: a crash or a hang stays its own, and so do the clusters it starts. The quick ones
 * come last, so that none is left to run alone.
 */
const FILES: Readonly<Record<string, string>> = {
  fault: 'test/{fault,chaos}/**/*.test.ts',
  integration: 'test/{support,integration,monitoring,security}/**/*.test.ts',
  page: 'test/page/**/*.test.ts',
  simulation: 'test/simulation/**/*.test.ts',
  deploy: 'test/deploy/**/*.test.ts'
}

const all = [...Object.keys(CHECKS), ...Object.keys(FILES)]
const names = process.argv.length > 2 ? process.argv.slice(2) : all
for (const name of names)
  if (!all.includes(name)) throw new Error(`No such check: ${name}; there are ${all.join(', ')}`)

const tallies = new Map<string, Tally>()
const checks = Object.entries(CHECKS).filter(([name]) => names.includes(name))
for (const [name] of checks) tallies.set(name, sum([]))
await inTurns(checks, CHECKS_AT_ONCE, async ([name, run]) => {
  console.log(`\n── ${name} ──`)
  tallies.set(name, await run())
})
const files = Object.entries(FILES)
  .filter(([name]) => names.includes(name))
  .flatMap(([name, pattern]) => testFiles(pattern).map(file => ({ name, file })))
for (const { name } of files) tallies.set(name, sum([]))
await inTurns(files, JOBS, async ({ name, file }) => {
  const tally = await fileAlone(file)
  // Only now: others of the same name may have ended meanwhile.
  tallies.set(name, sum([tallies.get(name)!, tally]))
})

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
  const limited = ['timeout', '--signal=KILL', String(CHECK_TIMEOUT_MS / 1_000), join(BIN_DIR, command), ...args]
  const { code, stdout, stderr } = await runAndCollect(limited, { cwd: PROJECT_DIR })
  const succeeded = code === 0
  console.log(`\n${command}: ${succeeded ? 'nothing to complain about' : `ended with ${code}\n${stdout}${stderr}`}`)
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
  const together = await mocha(files, 'unit', (command, env) => run(command, UNIT_TIMEOUT_MS, env))
  if (together.complete) return together
  console.log('\nThe run did not come to its end; once more, file by file.')
  const tallies: Tally[] = []
  for (const file of files) tallies.push(await fileAlone(file))
  return sum(tallies)
}

/** What it prints comes when it has ended, in one piece. */
async function fileAlone(file: string): Promise<Tally> {
  const startedAtMs = performance.now()
  let printed = ''
  const tally = await mocha([file], file, async (command, env) => {
    const limited = ['timeout', '--signal=KILL', String(FILE_TIMEOUT_MS / 1_000), ...command]
    const { code, stdout, stderr } = await runAndCollect(limited, { cwd: PROJECT_DIR, env: { ...process.env, ...env } })
    printed = `${stdout}${stderr}`
    return code === 0
  })
  const seconds = Math.round((performance.now() - startedAtMs) / 1_000)
  console.log(`\n${file} (${seconds} s)\n${printed}`)
  if (tally.complete) return tally
  return { ...tally, failed: tally.failed + 1, failures: [...tally.failures, `${file}: did not come to its end`] }
}

/** So many at a time. */
async function inTurns<T>(items: readonly T[], jobs: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}

function testFiles(pattern: string): string[] {
  return globSync(pattern, { cwd: PROJECT_DIR }).sort()
}

type Run = (command: readonly string[], env: Readonly<Record<string, string>>) => Promise<boolean>

/** A run that failed without a failing test (an error outside of any) counts as not complete. */
async function mocha(files: readonly string[], name: string, run: Run): Promise<Tally> {
  if (files.length === 0) return sum([])
  const tallyFile = join(PROJECT_DIR, '.tools', `test-tally-${name.replaceAll('/', '-')}.json`)
  rmSync(tallyFile, { force: true })
  const command = [join(BIN_DIR, 'mocha'), '--reporter', 'test/support/tally-reporter.ts', ...files]
  const succeeded = await run(command, { FARLOG_TEST_TALLY: tallyFile })
  const tally = readTally(tallyFile)
  rmSync(tallyFile, { force: true })
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
  timeoutMs: number,
  env: Readonly<Record<string, string>> = {}
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
