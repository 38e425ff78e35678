/** One thing wrong with the configuration: where, what, and what would be right. */
export interface ConfigProblem {
  /** Name of the environment variable as the user wrote it, or should have. */
  readonly variable: string
  readonly problem: string
  readonly remedy: string
}

/** Everything wrong with a configuration at once, so that it takes one round to put it right. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The problem as the one line a user reads. */
export function formatProblem({ variable, problem, remedy }: ConfigProblem): string {
  return `${variable}: ${problem}; ${remedy}`
}
