/** One farlog command, as its file exports it under the name `command`. */
export interface Command {
  readonly name: string
  /** What it does, in a few words. */
  readonly summary: string
  /** What `--help` prints below the usage line: the options and examples. */
  readonly help: string
  /** Resolves to the exit code. `args` is what follows the command's name. */
  run(args: string[], env: NodeJS.ProcessEnv): Promise<number>
}

/** Exit codes that mean the same whatever the command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 78 } as const

/** The command line asks for something that does not exist; `parseArgs`'s own errors are treated alike. */
export class UsageError extends Error {
  readonly code = 'USAGE'

  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
