/** The shape of the whole configuration, as the rest of farlog reads it. Durations in milliseconds, sizes in bytes. */

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'
export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/**
 * A value that may change while the process runs because it came from a mounted file.
 * Calling it reads the file again; a value given directly is constant.
 */
export type Secret = () => string

export interface TlsConfig {
  /** PEM contents, read from the configured paths at each call. */
  readonly ca: Secret | undefined
  readonly cert: Secret | undefined
  readonly key: Secret | undefined
  readonly keyPassphrase: Secret | undefined
}

export interface SaslConfig {
  readonly mechanism: SaslMechanism
  readonly username: Secret | undefined
  readonly password: Secret | undefined
  readonly oauth:
    | {
        readonly tokenEndpoint: string
        readonly clientId: Secret
        readonly clientSecret: Secret
        readonly scope: string | undefined
      }
    | undefined
}

export interface BootstrapServer {
  readonly host: string
  readonly port: number
}

export interface ClusterConfig {
  readonly alias: string
  readonly bootstrapServers: readonly BootstrapServer[]
  readonly securityProtocol: SecurityProtocol
  /** Set when the security protocol speaks TLS. */
  readonly tls: TlsConfig | undefined
  /** Set when the security protocol speaks SASL. */
  readonly sasl: SaslConfig | undefined
}

/** Which names are taken: matched whole, by at least one of `include` and none of `exclude`. */
export interface NameFilter {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

export interface FlowConfig {
  readonly source: ClusterConfig
  readonly destination: ClusterConfig
  /** Consumer group on the source that shares out partitions and holds committed progress. */
  readonly groupId: string
}

export interface Config {
  readonly flows: readonly FlowConfig[]
  readonly topics: NameFilter
  readonly groups: NameFilter
  readonly replicationPolicy: 'default' | 'identity'
  readonly replicationPolicySeparator: string
  /** `undefined`: the destination broker's default. */
  readonly replicationFactor: number | undefined
  readonly start: 'earliest' | 'latest'
  readonly delivery: 'exactly-once' | 'at-least-once'
  readonly compression: 'source' | CompressionName
  readonly groupProtocol: 'classic' | 'consumer'
  /** Static membership: the same after a restart; `undefined`: a new member at each start. */
  readonly groupInstanceId: string | undefined
  readonly onGap: 'halt' | 'continue'
  readonly refreshIntervalMs: number
  /** How long lag without progress, and without an error, is taken for a stall. */
  readonly stallTimeoutMs: number
  readonly syncTopicConfigs: boolean
  readonly syncTopicAcls: boolean
  /** After how long a copy follows its source topic that was deleted; 0: never. */
  readonly deleteTopicsAfterMs: number
  readonly syncGroupOffsets: boolean
  /** 0: never. */
  readonly checkpointIntervalMs: number
  /** 0: never. */
  readonly heartbeatIntervalMs: number
  /** How far behind a copy is kept on purpose; 0: not at all. */
  readonly delayMs: number
  /** Of each flow in this worker, fetched from the source; 0: no limit. */
  readonly maxBytesPerSecond: number
  /** What backlog gets where it competes with new traffic, in percent; 100: no order between them. */
  readonly backlogSharePercent: number
  /** How much a worker reads to verify what it mirrors; 0: it does not. */
  readonly verifyBytesPerSecond: number
  readonly threads: number
  readonly http: {
    readonly host: string
    readonly port: number
    /** What clients have to show; `undefined`: nothing. */
    readonly token: Secret | undefined
    /** PEM contents; `undefined`: http without encryption. */
    readonly tls: { readonly cert: Secret; readonly key: Secret } | undefined
  }
  readonly log: { readonly level: string; readonly format: 'json' | 'pretty' }
}
