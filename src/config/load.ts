/** From environment variables to the configuration the rest of farlog reads. */
import { checkClusters, usesSasl, usesTls } from './cluster-checks.ts'
import { ConfigError } from './config-error.ts'
import { readSettings, type Settings } from './settings.ts'
import type { ClusterConfig, Config, SaslConfig, TlsConfig } from './types.ts'
import { FIXED, ofCluster, PER_CLUSTER, type Variable } from './variables.ts'

/** The configuration; throws a `ConfigError` that names every problem there is. Connects to nothing. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const settings = readSettings(env)
  const problems = [...settings.problems, ...checkClusters(settings)]
  if (problems.length > 0) throw new ConfigError(problems)

  const required = <T>(variable: Variable<T>): T => requiredValue(settings, variable)
  const source = clusterConfig(settings, required(FIXED.source))
  return {
    flows: settings.destinations.map(alias => ({
      source,
      destination: clusterConfig(settings, alias),
      groupId: groupIdOf(settings, alias)
    })),
    topics: { include: required(FIXED.topics), exclude: required(FIXED.topicsExclude) },
    groups: { include: required(FIXED.groups), exclude: required(FIXED.groupsExclude) },
    replicationPolicy: required(FIXED.replicationPolicy),
    replicationPolicySeparator: required(FIXED.replicationPolicySeparator),
    replicationFactor: settings.value(FIXED.replicationFactor),
    start: required(FIXED.start),
    delivery: required(FIXED.delivery),
    compression: required(FIXED.compression),
    groupProtocol: required(FIXED.groupProtocol),
    groupInstanceId: settings.value(FIXED.groupInstanceId),
    onGap: required(FIXED.onGap),
    refreshIntervalMs: required(FIXED.refreshInterval),
    stallTimeoutMs: required(FIXED.stallTimeout),
    syncTopicConfigs: required(FIXED.syncTopicConfigs),
    syncTopicAcls: required(FIXED.syncTopicAcls),
    deleteTopicsAfterMs: required(FIXED.deleteTopicsAfter),
    syncGroupOffsets: required(FIXED.syncGroupOffsets),
    checkpointIntervalMs: required(FIXED.checkpointInterval),
    heartbeatIntervalMs: required(FIXED.heartbeatInterval),
    delayMs: required(FIXED.delay),
    maxBytesPerSecond: required(FIXED.maxBytesPerSecond),
    backlogSharePercent: required(FIXED.backlogShare),
    verifyBytesPerSecond: required(FIXED.verifyBytesPerSecond),
    threads: required(FIXED.threads),
    http: {
      host: required(FIXED.httpHost),
      port: required(FIXED.httpPort),
      token: settings.secret(FIXED.httpToken),
      tls: httpTls(settings)
    },
    log: { level: required(FIXED.logLevel), format: required(FIXED.logFormat) }
  }
}

/** The consumer group of a flow where none is configured. */
export function defaultGroupId(sourceAlias: string, destinationAlias: string): string {
  return `farlog-${sourceAlias}-${destinationAlias}`
}

/** The consumer group of the flow to a destination; one group for two flows would split the partitions between them. */
export function groupIdOf(settings: Settings, destination: string): string {
  const given = settings.value(FIXED.groupId)
  if (given === undefined) return defaultGroupId(settings.source!, destination)
  return settings.destinations.length === 1 ? given : `${given}-${destination}`
}

function clusterConfig(settings: Settings, alias: string): ClusterConfig {
  const securityProtocol = requiredValue(settings, ofCluster(alias, PER_CLUSTER.securityProtocol))
  return {
    alias,
    bootstrapServers: requiredValue(settings, ofCluster(alias, PER_CLUSTER.bootstrapServers)),
    securityProtocol,
    tls: usesTls(securityProtocol) ? tlsConfig(settings, alias) : undefined,
    sasl: usesSasl(securityProtocol) ? saslConfig(settings, alias) : undefined
  }
}

function tlsConfig(settings: Settings, alias: string): TlsConfig {
  return {
    ca: settings.contents(ofCluster(alias, PER_CLUSTER.sslCaFile)),
    cert: settings.contents(ofCluster(alias, PER_CLUSTER.sslCertFile)),
    key: settings.contents(ofCluster(alias, PER_CLUSTER.sslKeyFile)),
    keyPassphrase: settings.secret(ofCluster(alias, PER_CLUSTER.sslKeyPassphrase))
  }
}

function httpTls(settings: Settings): Config['http']['tls'] {
  const cert = settings.contents(FIXED.httpTlsCertFile)
  const key = settings.contents(FIXED.httpTlsKeyFile)
  return cert && key ? { cert, key } : undefined
}

function saslConfig(settings: Settings, alias: string): SaslConfig {
  const mechanism = requiredValue(settings, ofCluster(alias, PER_CLUSTER.saslMechanism))
  const clientId = settings.secret(ofCluster(alias, PER_CLUSTER.oauthClientId))
  const clientSecret = settings.secret(ofCluster(alias, PER_CLUSTER.oauthClientSecret))
  const tokenEndpoint = settings.value(ofCluster(alias, PER_CLUSTER.oauthTokenEndpoint))
  const scope = settings.value(ofCluster(alias, PER_CLUSTER.oauthScope))
  return {
    mechanism,
    username: settings.secret(ofCluster(alias, PER_CLUSTER.saslUsername)),
    password: settings.secret(ofCluster(alias, PER_CLUSTER.saslPassword)),
    oauth:
      clientId && clientSecret && tokenEndpoint !== undefined
        ? { tokenEndpoint, clientId, clientSecret, scope }
        : undefined
  }
}

/** The checks made sure of it: were it missing, they would have a hole. */
function requiredValue<T>(settings: Settings, variable: Variable<T>): T {
  const value = settings.value(variable)
  if (value === undefined) throw new Error(`${variable.name} passed the checks without a value`)
  return value
}
