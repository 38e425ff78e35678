import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

const KEY_ID = 'test'

/** Issues signed tokens by OAuth 2.0's client-credentials grant. `await using` ends it. */
export class TokenEndpoint implements AsyncDisposable {
  /** What the client has to bring; may be changed. */
  clientSecret: string
  readonly #key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #server = createServer(async (request, response) => {
    const body = new URLSearchParams(await text(request))
    const given = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    if (body.get('grant_type') !== 'client_credentials' || given !== `${this.#clientId}:${this.clientSecret}`) {
      const shown = given.replace(/^[^:]*:/, '')
      response.writeHead(401, { 'content-type': 'application/json' })
      // As thoughtless as some are.
      response.end(JSON.stringify({ error: 'invalid_client', error_description: `unknown secret ${shown}` }))
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: this.#token(), token_type: 'Bearer', expires_in: this.lifeSeconds }))
  })
  /** Of the tokens it issues. */
  lifeSeconds = 300
  /** Whether its tokens say whose they are; a broker refuses others. */
  namesClient = true
  /** All tokens so far. */
  readonly issued: string[] = []
  readonly #clientId: string

  constructor(clientId: string, clientSecret: string) {
    this.#clientId = clientId
    this.clientSecret = clientSecret
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`
  }

  /** The public keys, as brokers read them from a file. */
  writeKeySet(path: string): void {
    const jwk = this.#key.publicKey.export({ format: 'jwk' })
    writeFileSync(path, JSON.stringify({ keys: [{ ...jwk, kid: KEY_ID, alg: 'RS256', use: 'sig' }] }))
  }

  #token(): string {
    const nowSeconds = Math.floor(Date.now() / 1000)
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const subject = this.namesClient ? { sub: this.#clientId } : {}
    const claims = { ...subject, scope: 'kafka', iat: nowSeconds, exp: nowSeconds + this.lifeSeconds }
    const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${part(claims)}`
    const token = `${signed}.${sign('sha256', Buffer.from(signed), this.#key.privateKey).toString('base64url')}`
    this.issued.push(token)
    return token
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
