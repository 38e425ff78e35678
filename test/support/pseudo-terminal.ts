import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Exit, ownFolder, spawnOwned } from './owned-process.ts'
import { until } from './wait.ts'

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** A command that runs on a terminal of its own, as a person would see it. `await using` ends it. */
export interface PseudoTerminal extends AsyncDisposable {
  /** Everything that was written to the terminal so far, control sequences and all. */
  readonly written: string
  readonly exit: Promise<Exit>
  /** Presses keys. */
  type(keys: string): void
  /** As dragging the window's corner does. */
  resize(size: TerminalSize): void
}

/** Starts the command on a terminal by `script`, which every Debian has. */
export async function startOnTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { rows, columns }: TerminalSize
): Promise<PseudoTerminal> {
  const dir = mkdtempSync(join(tmpdir(), 'farlog-terminal-'))
  const folder = ownFolder(dir)
  const ttyFile = join(dir, 'tty')
  // The shell finds the words of the command in its environment: no quoting can go wrong.
  const words = Object.fromEntries(command.map((word, index) => [`WORD_${index}`, word]))
  const quoted = command.map((_, index) => `"$WORD_${index}"`).join(' ')
  const inside = `stty rows ${rows} cols ${columns} && tty > "$TTY_FILE" && exec ${quoted}`
  const script = spawnOwned(['script', '--quiet', '--flush', '--return', '--command', inside, '/dev/null'], {
    env: { ...env, ...words, TTY_FILE: ttyFile, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  let written = ''
  script.child.stdout!.setEncoding('utf8').on('data', text => {
    written += text
  })
  const tty = (await until(() => readFileSync(ttyFile, 'utf8'), { describe: 'the terminal to be there' })).trim()
  return {
    get written() {
      return written
    },
    exit: script.exit,
    type: keys => void script.child.stdin!.write(keys),
    resize: size => void execFileSync('stty', ['-F', tty, 'rows', String(size.rows), 'cols', String(size.columns)]),
    async [Symbol.asyncDispose]() {
      script.signal('SIGKILL')
      await script.exit
      folder.remove()
    }
  }
}
