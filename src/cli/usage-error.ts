/** The command line asks for something that does not exist; `parseArgs`'s own errors are treated alike. */
export class UsageError extends Error {
  readonly code = 'USAGE'

  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
