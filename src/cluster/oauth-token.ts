/** Bearer tokens for SASL/OAUTHBEARER, by OAuth 2.0's client-credentials grant (RFC 6749, section 4.4). */
import { createHash } from 'node:crypto'
import { noteSecret } from '../config/secret-values.ts'
import type { SaslConfig } from '../config/types.ts'
import { ClusterError } from './errors.ts'

/** Where tokens come from and in whose name. */
export type OauthConfig = NonNullable<SaslConfig['oauth']>

/** A token, and until when it is good. */
export interface BearerToken {
  readonly token: string
  /** Milliseconds since 1970, by this machine's clock. */
  readonly expiresAtMs: number
}

/** There is no token. */
export class TokenError extends ClusterError {
  /** Whether the endpoint answered, and said no. */
  readonly isAnswered: boolean

  constructor(message: string, isAnswered: boolean, cause: unknown) {
    super('AUTHENTICATION', message, true, { cause })
    this.name = 'TokenError'
    this.isAnswered = isAnswered
  }
}

/** What the provider takes from outside. */
export interface TokenRequestContext {
  readonly fetch: typeof fetch
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  /** Milliseconds since 1970. */
  readonly wallClockMs: () => number
}

/** All connections to a cluster share one token: the endpoint is not asked once per connection. */
const providers = new WeakMap<OauthConfig, BearerTokenProvider>()

/** The provider for this configuration, the same one each time. */
export function bearerTokenProvider(oauth: OauthConfig): BearerTokenProvider {
  let provider = providers.get(oauth)
  if (provider === undefined) {
    provider = new BearerTokenProvider(oauth, { fetch, nowMs: () => performance.now(), wallClockMs: Date.now })
    providers.set(oauth, provider)
  }
  return provider
}

const REQUEST_TIMEOUT_MS = 10_000
/** Of the token's life: what is left must be enough to connect, and clocks of three machines are involved. */
const USED_SHARE_OF_LIFE = 0.8
/** How long a token is shown that a broker refuses: each broker tries several times a second, and the endpoint must not be asked as often. */
const REFUSED_LIFE_MS = 10_000
/** Where the endpoint does not say how long the token lives. */
const LIFE_WHEN_NOT_SAID_SECONDS = 60

interface KeptToken extends BearerToken {
  readonly askedAtMs: number
  readonly credentials: string | undefined
  renewAtMs: number
}

/** Keeps a token until it is near its end or of no use any more, and asks at most once at a time. */
export class BearerTokenProvider {
  readonly #oauth: OauthConfig
  readonly #context: TokenRequestContext
  #kept: KeptToken | undefined
  #asking: Promise<BearerToken> | undefined
  #isMissing = false

  constructor(oauth: OauthConfig, context: TokenRequestContext) {
    this.#oauth = oauth
    this.#context = context
  }

  /** A token that is still good for a while, and was given for the credentials of now. @throws TokenError */
  async token(): Promise<BearerToken> {
    const kept = this.#kept
    if (kept !== undefined && this.#context.nowMs() < kept.renewAtMs) {
      const credentials = credentialsDigest(this.#oauth)
      if (credentials === undefined || credentials === kept.credentials) return kept
    }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** Whether the endpoint, when it was last asked, gave none, or has not answered yet. */
  get isMissing(): boolean {
    return this.#isMissing
  }

  /**
   * A broker has refused this token, or the last one where it is not known which: it is soon not given any more.
   * @returns whether it is the last one
   */
  refused(token = this.#kept?.token): boolean {
    const kept = this.#kept
    if (kept === undefined || kept.token !== token) return false
    kept.renewAtMs = Math.min(kept.renewAtMs, kept.askedAtMs + REFUSED_LIFE_MS)
    return true
  }

  async #ask(): Promise<BearerToken> {
    const askedAtMs = this.#context.nowMs()
    const askedAtWallClockMs = this.#context.wallClockMs()
    const credentials = credentialsDigest(this.#oauth)
    this.#isMissing = true
    const { token, lifeSeconds } = await requestToken(this.#oauth, this.#context.fetch)
    this.#isMissing = false
    const expiresAtMs = askedAtWallClockMs + lifeSeconds * 1000
    const renewAtMs = askedAtMs + lifeSeconds * 1000 * USED_SHARE_OF_LIFE
    this.#kept = { token, expiresAtMs, askedAtMs, credentials, renewAtMs }
    return this.#kept
  }
}

/** Kept instead of the secret itself; `undefined` while a file cannot be read, which says nothing about a token that is good. */
function credentialsDigest(oauth: OauthConfig): string | undefined {
  try {
    return createHash('sha256').update(basicAuthorization(oauth)).digest('hex')
  } catch {
    return undefined
  }
}

async function requestToken(
  oauth: OauthConfig,
  fetchToken: typeof fetch
): Promise<{ token: string; lifeSeconds: number }> {
  const endpoint = withoutQuery(oauth.tokenEndpoint)
  let isAnswered = false
  try {
    const response = await fetchToken(oauth.tokenEndpoint, {
      method: 'POST',
      headers: { authorization: basicAuthorization(oauth), accept: 'application/json' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(oauth.scope !== undefined && { scope: oauth.scope })
      }),
      // Credentials are for this endpoint alone.
      redirect: 'error',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    })
    isAnswered = true
    const answer = await readJson(response)
    if (!response.ok) throw new Error(`status ${response.status}${oauthErrorOf(answer)}`)
    if (typeof answer.access_token !== 'string') throw new Error('the answer holds no access_token')
    return { token: noteSecret(answer.access_token), lifeSeconds: lifeOf(answer) }
  } catch (error) {
    const reason = error instanceof Error ? causeOf(error) : String(error)
    throw new TokenError(`no token from ${endpoint}: ${reason}`, isAnswered, error)
  }
}

/** Some endpoints are told in the query who asks. */
function withoutQuery(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint)
  return origin + pathname
}

/** Not URL-encoded first, though the RFC asks for it: librdkafka and Kafka's own clients do not, and all must agree. */
function basicAuthorization(oauth: OauthConfig): string {
  return `Basic ${Buffer.from(`${oauth.clientId()}:${oauth.clientSecret()}`, 'utf8').toString('base64')}`
}

type JsonObject = Readonly<Record<string, unknown>>

async function readJson(response: Response): Promise<JsonObject> {
  const text = await response.text()
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {}
  } catch {
    return {}
  }
}

/** The standard's own fields only: anything else in the answer might be secret. */
function oauthErrorOf(answer: JsonObject): string {
  const parts = [answer.error, answer.error_description].filter(part => typeof part === 'string')
  return parts.length === 0 ? '' : ` (${parts.join(': ').slice(0, 200)})`
}

function lifeOf(answer: JsonObject): number {
  const seconds = Number(answer.expires_in)
  return Number.isFinite(seconds) && seconds > 0 ? seconds : LIFE_WHEN_NOT_SAID_SECONDS
}

/** `fetch` says only that it failed; why is in the cause. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
