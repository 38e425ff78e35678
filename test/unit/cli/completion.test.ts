import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from '../../../src/cli/command.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { bashCompletion } from '../../../src/cli/completion-bash.ts'
import { fishCompletion } from '../../../src/cli/completion-fish.ts'
import { zshCompletion } from '../../../src/cli/completion-zsh.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
type Shell = keyof typeof SHELLS

/** What is typed, with the cursor at its end, and what has to be offered: among others, or nothing else. */
const CASES: readonly [typed: string, offered: readonly string[], isAll: boolean][] = [
  ['farlog ver', ['verify'], true],
  ['farlog st', ['start', 'status', 'stop'], true],
  ['farlog status --w', ['--watch'], true],
  ['farlog verify --', ['--allow-lag', '--full', '--json', '--topics'], false],
  ['farlog translate --destination ', ['south', 'west'], true],
  ['farlog failback --lost ', ['keep', 'skip'], true],
  ['farlog failover --report lo', ['loss.avro'], true],
  ['farlog completion ', ['bash', 'fish', 'zsh'], false],
  ['farlog help conf', ['config'], true]
]

describe('completion', function () {
  this.timeout(20_000)

  let folder: string
  let commands: Command[]

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'farlog-completion-'))
    writeFileSync(join(folder, 'loss.avro'), '')
    commands = await Promise.all(COMMANDS.map(async ({ load }) => (await load()).command))
    for (const [shell, make] of Object.entries(SHELLS)) writeFileSync(scriptOf(shell as Shell), make(commands))
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const shell of Object.keys(SHELLS) as Shell[]) {
    describe(`by ${shell}`, () => {
      before(function () {
        if (!isThere(shell)) this.skip()
      })

      for (const [typed, offered, isAll] of CASES) {
        it(`offers what may follow: ${typed}`, async () => {
          const words = await complete(shell, typed)
          if (isAll) assert.deepEqual(words, offered)
          else
            assert.ok(
              offered.every(word => words.includes(word)),
              words.join(' ')
            )
        })
      }

      it('offers nothing where anything may stand', async () => {
        assert.deepEqual(await complete(shell, 'farlog translate --topic '), [])
      })

      it('knows every option of every command', async () => {
        for (const { name, options } of commands) {
          const words = await complete(shell, `farlog ${name} --`)
          const missing = Object.keys(options).filter(option => !words.includes(`--${option}`))
          assert.deepEqual(missing, [], name)
        }
      })
    })
  }

  function scriptOf(shell: Shell): string {
    return join(folder, shell === 'zsh' ? '_farlog' : `farlog.${shell}`)
  }

  /** What a real shell offers, sorted. */
  async function complete(shell: Shell, typed: string): Promise<string[]> {
    const env = { PATH: process.env.PATH, HOME: folder, FARLOG_DESTINATIONS: 'west,south', TERM: 'dumb' }
    const args = { bash: bashArgs, zsh: zshArgs, fish: fishArgs }[shell](typed)
    const output = await new Promise<string>((resolve, reject) =>
      execFile(shell, args, { env, cwd: folder }, (error, stdout, stderr) =>
        error || stderr ? reject(error ?? new Error(stderr)) : resolve(stdout)
      )
    )
    return [...new Set(output.split('\n').map(line => line.split('\t')[0]!.trim()))].filter(Boolean).toSorted()
  }

  /** As readline calls it: the words so far, and which of them the cursor is in. */
  function bashArgs(typed: string): string[] {
    const script = `
      source "$1"; shift
      compopt() { :; }
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}
      _farlog
      printf '%s\\n' "\${COMPREPLY[@]}"`
    return ['--norc', '-c', script, 'bash', scriptOf('bash'), ...typed.split(' ')]
  }

  /** zsh completes in its editor only, which needs a terminal. */
  function zshArgs(typed: string): string[] {
    return ['-f', join(import.meta.dirname, 'support/zsh-offers.zsh'), folder, typed]
  }

  function fishArgs(typed: string): string[] {
    return ['--no-config', '-c', `source ${scriptOf('fish')}; complete -C ${JSON.stringify(typed)}`]
  }
})

function isThere(shell: string): boolean {
  try {
    execFileSync(shell, ['-c', 'true'])
    return true
  } catch {
    return false
  }
}
