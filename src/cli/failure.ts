import { ConfigError, formatProblem } from '../config/config-error.ts'
import { EXIT } from './command.ts'
import { UsageError } from './usage-error.ts'

/** How farlog ends when something was thrown: what goes to stderr, and the exit code. */
export interface Failure {
  readonly exitCode: number
  readonly lines: readonly string[]
}

/** `invoked` is the command line up to the command: `farlog run`. */
export function describeFailure(error: unknown, invoked: string, env: NodeJS.ProcessEnv): Failure {
  if (error instanceof ConfigError) return { exitCode: EXIT.config, lines: error.problems.map(formatProblem) }
  if (error instanceof UsageError || isParseArgsError(error)) {
    return { exitCode: EXIT.usage, lines: [`${invoked}: ${usageMessage(error)} (see ${invoked} --help)`] }
  }
  const [what, ...where] = failureLines(error, env)
  return { exitCode: EXIT.failed, lines: [`farlog: ${what}`, ...where] }
}

/** What was thrown as a line for people, with what to do; and for whoever debugs, where. */
export function failureLines(error: unknown, env: NodeJS.ProcessEnv): string[] {
  const wantsDetail = ['debug', 'trace'].includes(env.FARLOG_LOG_LEVEL ?? '')
  const stack = error instanceof Error && wantsDetail ? [error.stack ?? ''] : []
  return [messageOf(error), ...stack]
}

function isParseArgsError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}

/** Node adds a second sentence about `--` that helps nobody here. */
function usageMessage(error: Error): string {
  return oneLine(error.message).replace(/\. To specify .*$/, '')
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error))
  const remedy = 'remedy' in error && typeof error.remedy === 'string' ? `; ${error.remedy}` : ''
  return oneLine((error.message || error.name) + remedy)
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}
