/** The configuration as a person reads it: where each value came from, and the reference of all variables. */
import { checkClusters } from './cluster-checks.ts'
import type { ConfigProblem } from './config-error.ts'
import { bootstrapServers, httpUrl, isFileName, pemPath } from './format.ts'
import { groupIdOf } from './load.ts'
import { readSettings, type Settings } from './settings.ts'
import { FIXED, PER_CLUSTER, type Variable } from './variables.ts'

/** One variable as it stands. */
export interface DescribedVariable {
  readonly variable: string
  /** As a user would write it, `******` for a secret; `null`: not set and no default. */
  readonly value: string | null
  /** `default`, `environment`, or `file PATH`. */
  readonly origin: string
  readonly doc: string
}

export interface ConfigDescription {
  readonly variables: readonly DescribedVariable[]
  readonly problems: readonly ConfigProblem[]
}

/** The effective value of each variable, secrets redacted, and all problems; works on a broken configuration too. */
export function describeConfig(env: NodeJS.ProcessEnv): ConfigDescription {
  const settings = readSettings(env)
  return {
    variables: settings.variables.map(variable => describeVariable(settings, variable)),
    problems: [...settings.problems, ...checkClusters(settings)]
  }
}

/** The reference of all variables as a Markdown table. */
export function configReference(): string {
  const perCluster = Object.values(PER_CLUSTER).map(variable => ({
    ...variable,
    name: `FARLOG_<ALIAS>_${variable.name}`
  }))
  const [source, destinations, ...others] = Object.values(FIXED) as Variable<unknown>[]
  const rows = [source!, destinations!, ...(perCluster as Variable<unknown>[]), ...others].map(variable => [
    `\`${variable.name}\``,
    defaultOf(variable),
    variable.doc
  ])
  const table = [['variable', 'default', 'meaning'], ['---', '---', '---'], ...rows]
  return `${table.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')}\n`
}

function describeVariable(settings: Settings, variable: Variable<unknown>): DescribedVariable {
  const given = settings.given(variable)
  const origin = given === undefined ? 'default' : given.path === undefined ? 'environment' : `file ${given.path}`
  return { variable: variable.name, value: shownValue(settings, variable), origin, doc: variable.doc }
}

function shownValue(settings: Settings, variable: Variable<unknown>): string | null {
  const given = settings.given(variable)
  if (given !== undefined && variable.secret) return '******'
  if (variable.name === FIXED.groupId.name && settings.source !== undefined && settings.destinations.length > 0) {
    return settings.destinations.map(destination => groupIdOf(settings, destination)).join(',')
  }
  if (given === undefined) return variable.default
  if (PATHS.has(variable.format)) return isFileName(given.text) ? given.text : '******'
  return ADDRESSES.has(variable.format) ? withoutCredentials(given.text) : given.text
}

const PATHS = new Set<unknown>([pemPath])

const ADDRESSES = new Set<unknown>([bootstrapServers, httpUrl])

/** Addresses with credentials in them are refused, but must not be shown for that; a query may hold anything. */
function withoutCredentials(text: string): string {
  return text.replace(/(^|\/\/|,)[^/,\s]*@/g, '$1******@').replace(/^(https?:[^?]*\?).*/, '$1******')
}

function defaultOf(variable: Variable<unknown>): string {
  if (variable.default !== null) return `\`${variable.default}\``
  return variable.defaultDoc ?? (variable.required ? 'required' : '')
}
