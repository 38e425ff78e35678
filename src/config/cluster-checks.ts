/** What a cluster's variables, those of two clusters, and those of the HTTP port must be together. */
import type { ConfigProblem } from './config-error.ts'
import type { Settings } from './settings.ts'
import type { BootstrapServer, SaslMechanism, SecurityProtocol } from './types.ts'
import { FIXED, ofCluster, PER_CLUSTER, type Variable } from './variables.ts'

/** The problems that no variable has by itself. */
export function checkClusters(settings: Settings): ConfigProblem[] {
  const { source, destinations } = settings
  const aliases = [...(source === undefined ? [] : [source]), ...destinations]
  return [
    ...aliases.flatMap(alias => checkSecurity(settings, alias)),
    ...(source === undefined ? [] : destinations.flatMap(alias => checkServersDiffer(settings, source, alias))),
    ...checkDeletion(settings),
    ...checkStaticMembership(settings),
    ...checkHttpTls(settings)
  ]
}

/**
 * A static member of the `consumer` protocol says that it will be back when it leaves (epoch -2 of KIP-848), so that
 * what it had would stand still until its session times out, 45 s by default.
 */
function checkStaticMembership(settings: Settings): ConfigProblem[] {
  if (settings.given(FIXED.groupInstanceId) === undefined) return []
  if (settings.value(FIXED.groupProtocol) !== 'consumer') return []
  return [
    {
      variable: FIXED.groupInstanceId.name,
      problem: 'keeps the partitions of a stopped worker from the others where the group protocol is consumer',
      remedy: `unset it, or set ${FIXED.groupProtocol.name} to classic`
    }
  ]
}

/** Whether a protocol encrypts. */
export function usesTls(protocol: SecurityProtocol): boolean {
  return protocol === 'SSL' || protocol === 'SASL_SSL'
}

/** Whether a protocol authenticates by SASL. */
export function usesSasl(protocol: SecurityProtocol): boolean {
  return protocol === 'SASL_PLAINTEXT' || protocol === 'SASL_SSL'
}

const { sslCaFile, sslCertFile, sslKeyFile, sslKeyPassphrase } = PER_CLUSTER
const { saslMechanism, saslUsername, saslPassword } = PER_CLUSTER
const { oauthTokenEndpoint, oauthClientId, oauthClientSecret, oauthScope } = PER_CLUSTER
const TLS_VARIABLES = [sslCaFile, sslCertFile, sslKeyFile, sslKeyPassphrase]
const PASSWORD_VARIABLES = [saslUsername, saslPassword]
const OAUTH_REQUIRED = [oauthTokenEndpoint, oauthClientId, oauthClientSecret]
const OAUTH_VARIABLES = [...OAUTH_REQUIRED, oauthScope]

function checkSecurity(settings: Settings, alias: string): ConfigProblem[] {
  const protocol = settings.value(ofCluster(alias, PER_CLUSTER.securityProtocol))
  if (protocol === undefined) return []
  return [
    ...(usesTls(protocol) ? checkKeyPair(settings, alias) : checkUnused(settings, alias, TLS_VARIABLES, protocol)),
    ...(usesSasl(protocol)
      ? checkSasl(settings, alias, protocol)
      : checkUnused(settings, alias, [saslMechanism, ...PASSWORD_VARIABLES, ...OAUTH_VARIABLES], protocol))
  ]
}

function checkKeyPair(settings: Settings, alias: string): ConfigProblem[] {
  const isSet = (variable: Variable<unknown>): boolean => settings.given(ofCluster(alias, variable)) !== undefined
  if (isSet(sslKeyFile) && !isSet(sslCertFile)) {
    return [missing(alias, sslCertFile, `a private key without its certificate proves nothing`)]
  }
  if (isSet(sslCertFile) && !isSet(sslKeyFile)) {
    return [missing(alias, sslKeyFile, `a client certificate needs its private key`)]
  }
  if (isSet(sslKeyPassphrase) && !isSet(sslKeyFile)) {
    return [missing(alias, sslKeyFile, `a passphrase needs the private key it is for`)]
  }
  return []
}

function checkSasl(settings: Settings, alias: string, protocol: SecurityProtocol): ConfigProblem[] {
  const mechanismVariable = ofCluster(alias, saslMechanism)
  const mechanism = settings.value(mechanismVariable)
  if (mechanism === undefined) {
    const isWrong = settings.given(mechanismVariable) !== undefined || hasProblem(settings, mechanismVariable)
    return isWrong ? [] : [missing(alias, saslMechanism, `${protocol} needs a mechanism`)]
  }
  const [needed, unused] = neededBy(mechanism)
  return [
    ...needed
      .map(variable => [variable, ofCluster(alias, variable)] as const)
      .filter(([, full]) => settings.given(full) === undefined && !hasProblem(settings, full))
      .map(([variable]) => missing(alias, variable, `${mechanism} needs it`)),
    ...checkUnused(settings, alias, unused, mechanism)
  ]
}

function neededBy(mechanism: SaslMechanism): [needed: Variable<string>[], unused: Variable<string>[]] {
  return mechanism === 'OAUTHBEARER' ? [OAUTH_REQUIRED, PASSWORD_VARIABLES] : [PASSWORD_VARIABLES, OAUTH_VARIABLES]
}

/** A credential or an authority that is given and not used is a misunderstanding about how safe the connection is. */
function checkUnused(
  settings: Settings,
  alias: string,
  variables: readonly Variable<unknown>[],
  unusedBy: SecurityProtocol | SaslMechanism
): ConfigProblem[] {
  const chosenBy = unusedBy === 'OAUTHBEARER' || unusedBy.startsWith('SCRAM') || unusedBy === 'PLAIN'
  const choice = ofCluster(alias, chosenBy ? saslMechanism : PER_CLUSTER.securityProtocol).name
  return variables
    .map(variable => ofCluster(alias, variable))
    .filter(variable => settings.given(variable) !== undefined)
    .map(variable => ({
      variable: variable.name,
      problem: `is set, but ${unusedBy} does not use it`,
      remedy: `unset it or change ${choice}`
    }))
}

function checkHttpTls(settings: Settings): ConfigProblem[] {
  const pair = [FIXED.httpTlsCertFile, FIXED.httpTlsKeyFile]
  const absent = pair.filter(variable => settings.given(variable) === undefined && !hasProblem(settings, variable))
  if (absent.length !== 1) return []
  const [{ name, doc }] = absent as [Variable<string>]
  const problem = 'is required: a certificate and its private key belong together'
  return [{ variable: name, problem, remedy: `set it: ${doc}` }]
}

function missing(alias: string, variable: Variable<unknown>, reason: string): ConfigProblem {
  const { name, doc } = ofCluster(alias, variable)
  return { variable: name, problem: `is required: ${reason}`, remedy: `set it: ${doc}` }
}

function hasProblem(settings: Settings, { name }: Variable<unknown>): boolean {
  return settings.problems.some(({ variable }) => variable === name || variable === `${name}_FILE`)
}

/** Under `identity` a topic's name does not tell whether it is a copy. */
function checkDeletion(settings: Settings): ConfigProblem[] {
  const isOn = (settings.value(FIXED.deleteTopicsAfter) ?? 0) > 0
  if (!isOn || settings.value(FIXED.replicationPolicy) !== 'identity') return []
  return [
    {
      variable: FIXED.deleteTopicsAfter.name,
      problem: 'a topic’s name does not tell whether it is a copy under FARLOG_REPLICATION_POLICY=identity',
      remedy: 'leave it out, and delete topics at both sides yourself'
    }
  ]
}

/** Mirroring a cluster onto itself would, under the identity policy, write every topic into itself. */
function checkServersDiffer(settings: Settings, source: string, destination: string): ConfigProblem[] {
  const variable = ofCluster(destination, PER_CLUSTER.bootstrapServers)
  const sourceServers = settings.value(ofCluster(source, PER_CLUSTER.bootstrapServers)) ?? []
  const sourceAddresses = new Set(sourceServers.map(address))
  const shared = (settings.value(variable) ?? []).map(address).find(server => sourceAddresses.has(server))
  if (shared === undefined) return []
  return [
    {
      variable: variable.name,
      problem: `${shared} is a broker of the source ${source} too`,
      remedy: `name the brokers of ${destination}, or take it out of ${FIXED.destinations.name}`
    }
  ]
}

function address({ host, port }: BootstrapServer): string {
  return `${host.toLowerCase()}:${port}`
}
