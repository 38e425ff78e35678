/** The environment read against the schema: every value that is right, and every problem of those that are not. */
import convict from 'convict'
import type { ConfigProblem } from './config-error.ts'
import { FormatError } from './format.ts'
import { type Given, readGiven, secretFile, secretOf } from './given.ts'
import { noteSecret } from './secret-values.ts'
import type { Secret } from './types.ts'
import { unknownVariables } from './unknown-variables.ts'
import { clusterPrefix, FIXED, ofCluster, PER_CLUSTER, type Variable } from './variables.ts'

export interface Settings {
  readonly source: string | undefined
  /** Those of the configured aliases that can be told apart, without the source. */
  readonly destinations: readonly string[]
  /** In the order of the reference. */
  readonly variables: readonly Variable<unknown>[]
  readonly problems: readonly ConfigProblem[]
  /** The value given or the default; `undefined` when there is none or it is wrong. */
  value<T>(variable: Variable<T>): T | undefined
  given(variable: Variable<unknown>): Given | undefined
  /** A value that may change in its file; `undefined` when not set. */
  secret(variable: Variable<string>): Secret | undefined
  /** The contents of the file that the variable's value names; `undefined` when not set. */
  contents(variable: Variable<string>): Secret | undefined
}

/** Reads everything and judges each variable by itself; `checkClusters` judges what they mean together. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const problems: ConfigProblem[] = []
  const report = (problem: ConfigProblem): void => void problems.push(problem)
  const given = new Map<string, Given>()
  const take = (variables: readonly Variable<unknown>[]): void => {
    for (const variable of variables) {
      const found = readGiven(env, variable, report)
      if (found === undefined) continue
      given.set(variable.name, found)
      if (variable.secret) noteSecret(found.text)
    }
  }

  const fixed = Object.values(FIXED) as Variable<unknown>[]
  take(fixed)
  const source = parseGiven(given, FIXED.source)
  const named = parseGiven(given, FIXED.destinations)
  const destinations = checkAliases(source, named ?? [], report)
  const aliases = [...(source === undefined ? [] : [source]), ...destinations]
  const perCluster = aliases.flatMap(alias =>
    Object.values(PER_CLUSTER).map(variable => ofCluster(alias, variable as Variable<unknown>))
  )
  take(perCluster)

  const variables = [...fixed, ...perCluster]
  const unreadable = new Set(problems.map(({ variable }) => variable))
  const values = validate(
    variables.filter(({ name }) => !unreadable.has(name) && !unreadable.has(`${name}_FILE`)),
    given,
    report
  )
  const areAliasesKnown = source !== undefined && named !== undefined
  problems.push(...unknownVariables(env, variables, areAliasesKnown ? [source, ...named] : undefined))

  return {
    source,
    destinations,
    variables,
    problems,
    value: <T>(variable: Variable<T>) => values.get(variable.name) as T | undefined,
    given: variable => given.get(variable.name),
    secret: variable => {
      const found = given.get(variable.name)
      if (found === undefined) return undefined
      const read = secretOf(variable.name, found)
      return variable.secret ? () => noteSecret(read()) : read
    },
    contents: variable => {
      const path = values.get(variable.name) as string | undefined
      return path === undefined ? undefined : secretFile(variable.name, path)
    }
  }
}

/** Lets convict apply environment, defaults and formats; its formats report instead of throwing, to keep the structure. */
function validate(
  variables: readonly Variable<unknown>[],
  given: ReadonlyMap<string, Given>,
  report: (problem: ConfigProblem) => void
): Map<string, unknown> {
  const values = new Map<string, unknown>()
  const judge = (variable: Variable<unknown>, text: string | null): void => {
    if (text === null) {
      if (variable.required)
        report({ variable: variable.name, problem: 'is required', remedy: `set it: ${variable.doc}` })
      return
    }
    try {
      values.set(variable.name, variable.format.parse(text))
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      report({ variable: variable.name, problem: error.message, remedy: error.remedy })
    }
  }

  const schema: convict.Schema<Record<string, string | null>> = Object.fromEntries(
    variables.map(variable => [
      variable.name,
      {
        doc: variable.doc,
        default: variable.default,
        env: variable.name,
        sensitive: variable.secret === true,
        format: (text: string | null) => judge(variable, text)
      }
    ])
  )
  const env = Object.fromEntries(Array.from(given, ([name, { text }]) => [name, text]))
  convict(schema, { env, args: [] }).validate({ allowed: 'strict' })
  return values
}

/** Before the schema can be built the aliases must be known; if they are wrong, the schema says so later. */
function parseGiven<T>(given: ReadonlyMap<string, Given>, variable: Variable<T>): T | undefined {
  const found = given.get(variable.name)
  if (found === undefined) return undefined
  try {
    return variable.format.parse(found.text)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/** The destinations that can be told apart by their variables; what stands in the way of the others is reported. */
function checkAliases(
  source: string | undefined,
  destinations: readonly string[],
  report: (problem: ConfigProblem) => void
): string[] {
  const variable = FIXED.destinations.name
  const seen: string[] = []
  for (const destination of destinations) {
    const clashing = [...(source === undefined ? [] : [source]), ...seen].find(
      other => clusterPrefix(other) === clusterPrefix(destination)
    )
    if (clashing === undefined) {
      seen.push(destination)
    } else if (destination === source) {
      report({ variable, problem: `${destination} is the source too`, remedy: 'name a different cluster' })
    } else if (destination === clashing) {
      report({ variable, problem: `${destination} is named twice`, remedy: 'name each cluster once' })
    } else {
      const prefix = clusterPrefix(destination)
      report({
        variable,
        problem: `the variables of ${clashing} and ${destination} would both begin with ${prefix}`,
        remedy: 'rename one of the two'
      })
    }
  }
  return seen
}
