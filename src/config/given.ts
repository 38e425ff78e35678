/** What the environment gives for a variable: its text, and where that came from. */
import { readFileSync } from 'node:fs'
import type { ConfigProblem } from './config-error.ts'
import { readFailure } from './format.ts'
import type { Secret } from './types.ts'
import type { Variable } from './variables.ts'

export interface Given {
  readonly text: string
  /** The file that `NAME_FILE` names; `undefined` when the variable itself holds the text. */
  readonly path: string | undefined
}

/**
 * Reads `NAME` or the file `NAME_FILE` names; `undefined` when neither is set. An empty variable counts as not set (so a
 * compose file can pass an optional one on), except where empty is a value of its own.
 */
export function readGiven(
  env: NodeJS.ProcessEnv,
  variable: Variable<unknown>,
  report: (problem: ConfigProblem) => void
): Given | undefined {
  const fileVariable = `${variable.name}_FILE`
  const direct = env[variable.name]
  const path = env[fileVariable] || undefined
  const isDirect = direct !== undefined && (direct !== '' || variable.format.emptyIsValue === true)
  if (path === undefined) return isDirect ? { text: direct, path: undefined } : undefined
  if (isDirect) {
    report({ variable: variable.name, problem: `is set, and so is ${fileVariable}`, remedy: 'set only one of the two' })
    return undefined
  }
  try {
    const text = readTrimmed(path)
    if (text !== '' || variable.format.emptyIsValue === true) return { text, path }
    report({ variable: fileVariable, problem: `${path} is empty`, remedy: 'put the value into it' })
  } catch (error) {
    report({
      variable: fileVariable,
      problem: `cannot read the file (${readFailure(error)})`,
      remedy: 'give the path of a file that this process may read'
    })
  }
  return undefined
}

/** A secret that is read again at each call where it came from a file, so that a rotated one is picked up. */
export function secretOf(variable: string, given: Given): Secret {
  const { text, path } = given
  return path === undefined ? () => text : secretFile(`${variable}_FILE`, path)
}

/** The contents of a file, read again at each call. */
export function secretFile(variable: string, path: string): Secret {
  return () => {
    try {
      return readTrimmed(path)
    } catch (error) {
      throw new SecretUnreadableError(variable, error as Error)
    }
  }
}

/** A mounted secret that could be read at the start and now cannot; reading it again may succeed. */
class SecretUnreadableError extends Error {
  readonly code = 'SECRET_UNREADABLE'
  readonly remedy = 'mount the file again; it is read at the next connection attempt'

  constructor(variable: string, cause: Error) {
    super(`${variable}: cannot read the file (${cause.message})`, { cause })
    this.name = 'SecretUnreadableError'
  }
}

/** Editors and `echo` end a file with a newline that is no part of the secret. */
function readTrimmed(path: string): string {
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
}
