/** Finds the command, runs it, and turns whatever it throws into a line and an exit code. */
import { nearestName } from '../config/nearest.ts'
import { VERSION } from '../config/version.ts'
import { EXIT } from './command.ts'
import { COMMANDS, type CommandEntry } from './commands.ts'
import { describeFailure } from './failure.ts'
import { commandHelp, overview } from './help.ts'
import { UsageError } from './usage-error.ts'

/** Where the command line writes. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

/** Runs the command line and resolves to its exit code; never rejects. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv, output: Output): Promise<number> {
  const [name, ...rest] = args[0] === 'help' ? helpWanted(args.slice(1)) : args
  try {
    if (name === undefined || name === '--help' || name === '-h') {
      output.out(overview())
      return EXIT.ok
    }
    if (name === '--version') {
      output.out(`farlog ${VERSION}\n`)
      return EXIT.ok
    }
    const { command } = await findCommand(name).load()
    if (asksForHelp(rest)) {
      output.out(commandHelp(command))
      return EXIT.ok
    }
    return await command.run(rest, env)
  } catch (error) {
    const invoked = COMMANDS.some(entry => entry.name === name) ? `farlog ${name}` : 'farlog'
    const { lines, exitCode } = describeFailure(error, invoked, env)
    for (const line of lines) output.err(`${line}\n`)
    return exitCode
  }
}

/** `help X` is `X --help`, as many a command line has it. */
function helpWanted([about]: readonly string[]): readonly string[] {
  return about === undefined || about === 'help' ? ['--help'] : [about, '--help']
}

function findCommand(name: string): CommandEntry {
  const found = COMMANDS.find(entry => entry.name === name)
  if (found !== undefined) return found
  const kind = name.startsWith('-') ? 'option' : 'command'
  const meant = nearestName(name, [...COMMANDS.map(entry => entry.name), 'help', '--help', '--version'])
  throw new UsageError(`unknown ${kind} '${name}'${meant === undefined ? '' : `; did you mean ${meant}?`}`)
}

/** What follows `--` is not an option. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end === -1 ? args.length : end).some(arg => arg === '--help' || arg === '-h')
}
