import type { ConfigProblem } from './config-error.ts'
import { nearestName } from './nearest.ts'
import { clusterPrefix, PER_CLUSTER, type Variable } from './variables.ts'

/**
 * The `FARLOG_` variables that mean nothing, so that a slip of the pen is not a setting silently left out.
 * `aliases` is `undefined` while it is unclear what the clusters are called; per-cluster names are then let pass.
 */
export function unknownVariables(
  env: NodeJS.ProcessEnv,
  known: readonly Variable<unknown>[],
  aliases: readonly string[] | undefined
): ConfigProblem[] {
  const names = new Set(known.flatMap(({ name }) => [name, `${name}_FILE`]))
  return Object.entries(env)
    .filter(([name]) => name.startsWith('FARLOG_') && !names.has(name))
    .filter(([name, value]) => !isServiceLink(name, value ?? ''))
    .flatMap(([name]) => unknownVariable(name, names, aliases) ?? [])
}

function unknownVariable(
  name: string,
  names: ReadonlySet<string>,
  aliases: readonly string[] | undefined
): ConfigProblem | undefined {
  const prefix = prefixOfCluster(name)
  if (prefix === undefined) return unknown(name, names)
  if (aliases === undefined) return undefined
  // An alias may be as short as one letter: only a longer one can be told from a different alias.
  const meant = prefix.length > 'FARLOG_EU_'.length ? nearestName(prefix, aliases.map(clusterPrefix)) : undefined
  return {
    variable: name,
    problem: `belongs to no cluster: the aliases are ${aliases.join(', ')}`,
    remedy:
      meant === undefined
        ? 'name the cluster in FARLOG_SOURCE or FARLOG_DESTINATIONS, or unset the variable'
        : `did you mean ${meant}${name.slice(prefix.length)}?`
  }
}

function unknown(name: string, names: ReadonlySet<string>): ConfigProblem {
  const meant = names.has(`${name}_FILE`) ? `${name}_FILE` : nearestName(name, names)
  return {
    variable: name,
    problem: 'unknown variable',
    remedy: meant === undefined ? 'unset it; `farlog config --markdown` lists all' : `did you mean ${meant}?`
  }
}

/** The `FARLOG_<ALIAS>_` part of a name that ends as a per-cluster variable does. */
function prefixOfCluster(name: string): string | undefined {
  const plain = Object.values(PER_CLUSTER).map(variable => variable.name)
  for (const suffix of [...plain, ...plain.map(suffix => `${suffix}_FILE`)]) {
    const prefix = name.slice(0, -suffix.length)
    if (name.endsWith(`_${suffix}`) && prefix.length > 'FARLOG_'.length) return prefix
  }
  return undefined
}

/**
 * Kubernetes tells each pod about each Service in its namespace by variables named after the Service, and a Service of
 * farlog's is likely to be called `farlog` or `farlog-metrics`.
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT|PORT_[A-Z0-9_]+)$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$/.test(name) ||
    (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value))
  )
}
