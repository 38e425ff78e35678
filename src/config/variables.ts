/**
 * Every environment variable farlog reads, declared once: the schema, the checks, `farlog config` and the reference in
 * the docs all come from here.
 */
import {
  alias,
  aliasList,
  boolean,
  bootstrapServers,
  duration,
  type Format,
  httpUrl,
  integer,
  oneOf,
  optionalPatterns,
  orZero,
  patterns,
  pemPath,
  size,
  text,
  topicNamePart
} from './format.ts'

/** One environment variable. */
export interface Variable<T> {
  readonly name: string
  readonly doc: string
  readonly format: Format<T>
  /** As a user would write it; `null`: none. */
  readonly default: string | null
  /** Shown in place of a missing default: what happens without the variable. */
  readonly defaultDoc?: string
  readonly required?: boolean
  /** Never shown, neither by `farlog config` nor in a problem. */
  readonly secret?: boolean
}

const longest = '24h'
const interval = duration({ minimum: '100ms', maximum: longest, orNever: true })

/** Bytes per second. What is smaller than the minimum is not worth a request. */
export const verifyRate = size({ minimum: '16KiB', maximum: '100GiB' })

/** The variables that exist once. */
export const FIXED = {
  source: variable({
    name: 'FARLOG_SOURCE',
    doc: 'Alias of the cluster to read from. Its connection is set by the `FARLOG_<ALIAS>_` variables.',
    format: alias,
    required: true
  }),
  destinations: variable({
    name: 'FARLOG_DESTINATIONS',
    doc: 'Aliases of the clusters to write to, comma-separated: a flow for each.',
    format: aliasList,
    required: true
  }),
  topics: variable({
    name: 'FARLOG_TOPICS',
    doc: 'Topics to mirror: comma-separated regular expressions (RE2 syntax), each matching the whole name.',
    format: patterns,
    default: '.*'
  }),
  topicsExclude: variable({
    name: 'FARLOG_TOPICS_EXCLUDE',
    doc: 'Topics not to mirror, written as `FARLOG_TOPICS`; wins over it. Empty: excludes none.',
    format: optionalPatterns,
    default: '.*[\\-\\.]internal,.*\\.replica,__.*'
  }),
  replicationPolicy: variable({
    name: 'FARLOG_REPLICATION_POLICY',
    doc: 'Name of a topic at the destination: `default` is `<source>.<topic>`, `identity` keeps the name.',
    format: oneOf('default', 'identity'),
    default: 'default'
  }),
  replicationPolicySeparator: variable({
    name: 'FARLOG_REPLICATION_POLICY_SEPARATOR',
    doc: 'Stands between source alias and topic name under the `default` policy.',
    format: topicNamePart,
    default: '.'
  }),
  replicationFactor: variable({
    name: 'FARLOG_REPLICATION_FACTOR',
    doc: 'Replication factor of the topics it creates.',
    // The protocol holds it as INT16.
    format: integer({ minimum: 1, maximum: 32_767 }),
    defaultDoc: "the destination's default"
  }),
  start: variable({
    name: 'FARLOG_START',
    doc: 'Where a partition without progress starts: `earliest` or `latest`.',
    format: oneOf('earliest', 'latest'),
    default: 'earliest'
  }),
  delivery: variable({
    name: 'FARLOG_DELIVERY',
    doc: '`exactly-once`, or `at-least-once`, which needs no transactional id at the destination.',
    format: oneOf('exactly-once', 'at-least-once'),
    default: 'exactly-once'
  }),
  compression: variable({
    name: 'FARLOG_COMPRESSION',
    doc: "Codec of the batches written: `source` keeps the source batch's, or `none`, `gzip`, `snappy`, `lz4`, `zstd`.",
    format: oneOf('source', 'none', 'gzip', 'snappy', 'lz4', 'zstd'),
    default: 'source'
  }),
  groupId: variable({
    name: 'FARLOG_GROUP_ID',
    doc:
      'Consumer group on the source that holds membership and committed progress. ' +
      'With several destinations each flow needs a group of its own, so `-<destination>` is appended to what is given.',
    format: text,
    defaultDoc: '`farlog-<source>-<destination>`'
  }),
  groupProtocol: variable({
    name: 'FARLOG_GROUP_PROTOCOL',
    doc: 'Rebalance protocol of that group: `classic`, or `consumer` (KIP-848; Kafka 4.0 or newer at the source).',
    format: oneOf('classic', 'consumer'),
    default: 'classic'
  }),
  groupInstanceId: variable({
    name: 'FARLOG_GROUP_INSTANCE_ID',
    doc:
      'Name of this worker within that group, its own and the same after a restart (static membership, KIP-345): one that ' +
      'died and is back within 10 s goes on with its partitions, and the others keep theirs. One that is stopped hands over at ' +
      'once. Only with the `classic` protocol.',
    format: text,
    defaultDoc: 'a new member at each start'
  }),
  onGap: variable({
    name: 'FARLOG_ON_GAP',
    doc: 'When source records vanished before they were mirrored: `halt` that partition, or `continue` and record the gap.',
    format: oneOf('halt', 'continue'),
    default: 'halt'
  }),
  refreshInterval: variable({
    name: 'FARLOG_REFRESH_INTERVAL',
    doc: 'How often to look for new topics, partitions and groups; at least `1s`.',
    format: duration({ minimum: '1s', maximum: longest }),
    default: '30s'
  }),
  stallTimeout: variable({
    name: 'FARLOG_STALL_TIMEOUT',
    doc:
      'A partition with lag that makes no progress for so long, and no error says why, is given new connections; after as ' +
      'long again its flow is restarted, and after that the worker ends with an error. At least `5s`.',
    format: duration({ minimum: '5s', maximum: longest }),
    default: '2m'
  }),
  syncTopicConfigs: variable({
    name: 'FARLOG_SYNC_TOPIC_CONFIGS',
    doc: 'Keep topic configurations alike.',
    format: boolean,
    default: 'true'
  }),
  syncTopicAcls: variable({
    name: 'FARLOG_SYNC_TOPIC_ACLS',
    doc: 'Keep topic ACLs alike.',
    format: boolean,
    default: 'false'
  }),
  deleteTopicsAfter: variable({
    name: 'FARLOG_DELETE_TOPICS_AFTER',
    doc:
      'Deletes a copy so long after its topic was deleted at the source, as `24h`; at least `1s`, `0s` for never. Only of ' +
      'topics that were deleted while workers ran, never while an order stops the flow, and only under the `default` policy.',
    format: duration({ minimum: '1s', maximum: '720h', orNever: true }),
    default: '0s'
  }),
  syncGroupOffsets: variable({
    name: 'FARLOG_SYNC_GROUP_OFFSETS',
    doc:
      'Bring consumer groups along: commit their translated offsets at the destination, only forwards and only for groups ' +
      'that nobody is at work in there. With `false` there are checkpoints only.',
    format: boolean,
    default: 'true'
  }),
  groups: variable({
    name: 'FARLOG_GROUPS',
    doc: 'Consumer groups whose offsets are translated, written as `FARLOG_TOPICS`.',
    format: patterns,
    default: '.*'
  }),
  groupsExclude: variable({
    name: 'FARLOG_GROUPS_EXCLUDE',
    doc: 'Consumer groups left out; wins over `FARLOG_GROUPS`. Empty: excludes none.',
    format: optionalPatterns,
    default: 'console-consumer-.*,connect-.*,__.*,farlog-.*'
  }),
  checkpointInterval: variable({
    name: 'FARLOG_CHECKPOINT_INTERVAL',
    doc: 'How often the offsets of groups are translated and checkpoints written; at least `100ms`, or `0s` for never.',
    format: interval,
    default: '5s'
  }),
  heartbeatInterval: variable({
    name: 'FARLOG_HEARTBEAT_INTERVAL',
    doc:
      'How often a heartbeat is sent through each flow, in the topic `heartbeats`, which is then mirrored unless ' +
      '`FARLOG_TOPICS_EXCLUDE` names it, but not counted or shown as a partition; at least `100ms`, or `0s` for never.',
    format: interval,
    default: '1s'
  }),
  delay: variable({
    name: 'FARLOG_DELAY',
    doc:
      'Keeps each destination behind by so much, by the time at which records were appended at the source; at least `1s`, ' +
      '`0s` for no delay.',
    format: duration({ minimum: '1s', maximum: '720h', orNever: true }),
    default: '0s'
  }),
  maxBytesPerSecond: variable({
    name: 'FARLOG_MAX_BYTES_PER_SECOND',
    doc:
      'The most that each flow of this worker fetches from the source in a second, in bytes as they cross the link ' +
      '(compressed); its threads share it, other workers have as much each. At least `64KiB`, `0` for no limit.',
    format: size({ minimum: '64KiB', maximum: '1024GiB', orUnlimited: true }),
    default: '0'
  }),
  backlogShare: variable({
    name: 'FARLOG_BACKLOG_SHARE',
    doc:
      'Where new traffic and old backlog compete, new traffic goes first, and the backlog gets at least this much of the ' +
      'throughput, in percent, 1 to 100; `100`: no order between them.',
    format: integer({ minimum: 1, maximum: 100 }),
    default: '25'
  }),
  verifyBytesPerSecond: variable({
    name: 'FARLOG_VERIFY_BYTES_PER_SECOND',
    doc:
      'Verifies in the background what a worker mirrors, reading so much in a second from both clusters together, as ' +
      '`4MiB`; at least `16KiB`, `0` for not at all.',
    format: orZero(verifyRate),
    default: '0'
  }),
  threads: variable({
    name: 'FARLOG_THREADS',
    doc: 'Data-plane threads in this worker, 1 to 64.',
    format: integer({ minimum: 1, maximum: 64 }),
    default: '1'
  }),
  httpHost: variable({
    name: 'FARLOG_HTTP_HOST',
    doc: 'Address that metrics, probes and the status page listen on.',
    format: text,
    default: '0.0.0.0'
  }),
  httpPort: variable({
    name: 'FARLOG_HTTP_PORT',
    doc: 'Port that metrics, probes and the status page listen on; `0` takes any free one.',
    format: integer({ minimum: 0, maximum: 65_535 }),
    default: '9464'
  }),
  httpToken: variable({
    name: 'FARLOG_HTTP_TOKEN',
    doc:
      'What clients of that port have to show, as a bearer token or as the password of any user; probes need none, and then ' +
      'say no more than yes or no. Without it everybody may read everything there.',
    format: text,
    secret: true
  }),
  httpTlsCertFile: variable({
    name: 'FARLOG_HTTP_TLS_CERT_FILE',
    doc: 'PEM file with the certificate to serve that port by https.',
    format: pemPath
  }),
  httpTlsKeyFile: variable({
    name: 'FARLOG_HTTP_TLS_KEY_FILE',
    doc: "PEM file with that certificate's private key.",
    format: pemPath
  }),
  logLevel: variable({
    name: 'FARLOG_LOG_LEVEL',
    doc: 'Least severe log line written: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.',
    format: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info'
  }),
  logFormat: variable({
    name: 'FARLOG_LOG_FORMAT',
    doc: '`json`, or `pretty` for a person.',
    format: oneOf('json', 'pretty'),
    default: 'json'
  })
}

/** The variables that exist once for each cluster; `name` is what follows `FARLOG_<ALIAS>_`. */
export const PER_CLUSTER = {
  bootstrapServers: variable({
    name: 'BOOTSTRAP_SERVERS',
    doc: 'Brokers to ask first, `host:port`, comma-separated.',
    format: bootstrapServers,
    required: true
  }),
  securityProtocol: variable({
    name: 'SECURITY_PROTOCOL',
    doc: '`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.',
    format: oneOf('PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'),
    default: 'PLAINTEXT'
  }),
  sslCaFile: variable({
    name: 'SSL_CA_FILE',
    doc: "PEM file with the authorities that may sign a broker's certificate.",
    format: pemPath,
    defaultDoc: "for data those that Node brings, for group membership the operating system's"
  }),
  sslCertFile: variable({
    name: 'SSL_CERT_FILE',
    doc: 'PEM file with the client certificate, for mutual TLS.',
    format: pemPath
  }),
  sslKeyFile: variable({
    name: 'SSL_KEY_FILE',
    doc: "PEM file with the client certificate's private key.",
    format: pemPath
  }),
  sslKeyPassphrase: variable({
    name: 'SSL_KEY_PASSPHRASE',
    doc: 'Passphrase of the private key.',
    format: text,
    secret: true
  }),
  saslMechanism: variable({
    name: 'SASL_MECHANISM',
    doc: '`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`.',
    format: oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER')
  }),
  saslUsername: variable({
    name: 'SASL_USERNAME',
    doc: 'User name for `PLAIN` and `SCRAM`.',
    format: text
  }),
  saslPassword: variable({
    name: 'SASL_PASSWORD',
    doc: 'Password for `PLAIN` and `SCRAM`.',
    format: text,
    secret: true
  }),
  oauthTokenEndpoint: variable({
    name: 'OAUTH_TOKEN_ENDPOINT',
    doc: 'URL that issues tokens for `OAUTHBEARER` (client credentials).',
    format: httpUrl
  }),
  oauthClientId: variable({
    name: 'OAUTH_CLIENT_ID',
    doc: 'Client id for `OAUTHBEARER`.',
    format: text
  }),
  oauthClientSecret: variable({
    name: 'OAUTH_CLIENT_SECRET',
    doc: 'Client secret for `OAUTHBEARER`.',
    format: text,
    secret: true
  }),
  oauthScope: variable({
    name: 'OAUTH_SCOPE',
    doc: 'Scope to ask for with `OAUTHBEARER`.',
    format: text
  })
}

/** What an alias is called within a variable's name: `east-1` becomes `FARLOG_EAST_1_`. */
export function clusterPrefix(clusterAlias: string): string {
  return `FARLOG_${clusterAlias.toUpperCase().replaceAll(/[-.]/g, '_')}_`
}

/** A per-cluster variable under its full name. */
export function ofCluster<T>(clusterAlias: string, perCluster: Variable<T>): Variable<T> {
  return { ...perCluster, name: clusterPrefix(clusterAlias) + perCluster.name }
}

function variable<T>(declaration: Omit<Variable<T>, 'default'> & { default?: string }): Variable<T> {
  return { ...declaration, default: declaration.default ?? null }
}
