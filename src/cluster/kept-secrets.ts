import { createHash } from 'node:crypto'
import type { ClusterConfig } from '../config/types.ts'
import { type LibrdkafkaOptions, librdkafkaOptions } from './client-options.ts'
import { ClusterError } from './errors.ts'
import { bearerTokenProvider } from './oauth-token.ts'

/** What a client of librdkafka's has and its type declarations leave out. */
interface LibrdkafkaClient {
  setSaslCredentials(username: string, password: string): void
  isConnected(): boolean
  getClient(): {
    setOAuthBearerToken(token: string, expiresAtMs: number, principal: string, extensions: readonly string[]): void
  }
}

/**
 * The secrets that a client of librdkafka's was made with. It holds them as values: where they have changed in their files, it
 * has to be told a new password, and to be made anew for certificates, which it takes only once.
 */
export class KeptSecrets {
  readonly #cluster: ClusterConfig
  readonly #tlsDigest: string

  /** To be made together with the client. */
  constructor(cluster: ClusterConfig) {
    this.#cluster = cluster
    this.#tlsDigest = tlsDigest(cluster)
  }

  /**
   * Passes a new user name and password on; librdkafka uses them at its next attempt.
   * @returns whether the client is of no use any more, because the files for TLS have changed
   * @throws SecretUnreadableError
   */
  renew(client: object): boolean {
    const { sasl } = this.#cluster
    if (sasl?.username !== undefined && sasl.password !== undefined) {
      ;(client as LibrdkafkaClient).setSaslCredentials(sasl.username(), sasl.password())
    }
    return tlsDigest(this.#cluster) !== this.#tlsDigest
  }

  /** Whether the client has no token to show. */
  get isTokenMissing(): boolean {
    const { oauth } = this.#cluster.sasl ?? {}
    return oauth !== undefined && bearerTokenProvider(oauth).isMissing
  }

  /**
   * The broker has refused what the client showed. librdkafka would show a token again until it is near its end; it gets another.
   * @throws TokenError where there is none
   */
  async refused(client: object): Promise<void> {
    const { oauth } = this.#cluster.sasl ?? {}
    if (oauth === undefined) return
    const tokens = bearerTokenProvider(oauth)
    // Where there is none yet, that is what was refused, and it is being asked for.
    if (!tokens.refused()) return
    const { token, expiresAtMs } = await tokens.token()
    const told = client as LibrdkafkaClient
    if (told.isConnected()) told.getClient().setOAuthBearerToken(token, expiresAtMs, '', [])
  }
}

/**
 * The security options for a new client of librdkafka's, and the secrets in them.
 * @throws ClusterError where a file cannot be read, as in the midst of a rotation: it may be there the next time
 */
export function readSecurity(cluster: ClusterConfig): { options: LibrdkafkaOptions; secrets: KeptSecrets } {
  try {
    return { secrets: new KeptSecrets(cluster), options: librdkafkaOptions(cluster) }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'SECRET_UNREADABLE')) throw error
    throw new ClusterError('AUTHENTICATION', `${cluster.alias}: ${error.message}`, true, { cause: error })
  }
}

/** Kept instead of the private key itself. */
function tlsDigest({ tls }: ClusterConfig): string {
  const files = [tls?.ca?.(), tls?.cert?.(), tls?.key?.(), tls?.keyPassphrase?.()]
  return createHash('sha256').update(JSON.stringify(files)).digest('hex')
}
