import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { librdkafkaOptions, platformaticOptions } from '../../../src/cluster/client-options.ts'
import type { ClusterConfig } from '../../../src/config/types.ts'

const plain: ClusterConfig = {
  alias: 'east',
  bootstrapServers: [
    { host: 'east-1', port: 9092 },
    { host: '::1', port: 9093 }
  ],
  securityProtocol: 'PLAINTEXT',
  tls: undefined,
  sasl: undefined
}

/** A secret whose file is written anew between any two readings. */
function rotating(name: string): () => string {
  let readings = 0
  return () => `${name} ${++readings}`
}

describe('client options', () => {
  it('leave security out where there is none', () => {
    assert.deepEqual(librdkafkaOptions(plain), {
      'bootstrap.servers': 'east-1:9092,[::1]:9093',
      'security.protocol': 'plaintext'
    })
    assert.deepEqual(platformaticOptions(plain), {})
  })

  it('verify the broker by its name and show the client certificate', () => {
    const tls = { ca: () => 'CA', cert: () => 'CERT', key: () => 'KEY', keyPassphrase: () => 'PASS' }
    const cluster: ClusterConfig = { ...plain, securityProtocol: 'SSL', tls }
    assert.deepEqual(librdkafkaOptions(cluster), {
      'bootstrap.servers': 'east-1:9092,[::1]:9093',
      'security.protocol': 'ssl',
      'ssl.ca.pem': 'CA',
      'ssl.certificate.pem': 'CERT',
      'ssl.key.pem': 'KEY',
      'ssl.key.password': 'PASS',
      'ssl.endpoint.identification.algorithm': 'https'
    })
    const options = platformaticOptions(cluster)
    assert.equal(options.tlsServerName, true)
    assert.deepEqual(
      { ...options.tls },
      { rejectUnauthorized: true, ca: 'CA', cert: 'CERT', key: 'KEY', passphrase: 'PASS' }
    )
  })

  it('send no server name where brokers are reached by address', () => {
    const tls = { ca: undefined, cert: undefined, key: undefined, keyPassphrase: undefined }
    const bootstrapServers = [{ host: '10.0.0.1', port: 9092 }]
    const options = platformaticOptions({ ...plain, securityProtocol: 'SSL', tls, bootstrapServers })
    assert.equal(options.tlsServerName, false)
  })

  it('read a certificate anew at each connect', () => {
    const tls = { ca: rotating('ca'), cert: undefined, key: undefined, keyPassphrase: undefined }
    const options = platformaticOptions({ ...plain, securityProtocol: 'SSL', tls })
    assert.deepEqual([{ ...options.tls }.ca, { ...options.tls }.ca], ['ca 1', 'ca 2'])
  })

  it('read a password anew at each connect', () => {
    const sasl = {
      mechanism: 'SCRAM-SHA-512' as const,
      username: () => 'ann',
      password: rotating('password'),
      oauth: undefined
    }
    const cluster: ClusterConfig = { ...plain, securityProtocol: 'SASL_PLAINTEXT', sasl }
    assert.deepEqual(librdkafkaOptions(cluster), {
      'bootstrap.servers': 'east-1:9092,[::1]:9093',
      'security.protocol': 'sasl_plaintext',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.username': 'ann',
      'sasl.password': 'password 1'
    })
    const { password } = platformaticOptions(cluster).sasl!
    assert.ok(typeof password === 'function')
    assert.deepEqual([password(), password()], ['password 2', 'password 3'])
  })

  it('leave librdkafka no client secret, which it would never read again', () => {
    const options = librdkafkaOptions(withOauth())
    assert.equal(typeof options.oauthbearer_token_refresh_cb, 'function')
    assert.doesNotMatch(JSON.stringify(options), /secret/)
  })

  it("take a broker's challenge to a token for the refusal it is", () => {
    const { authBytesValidator } = platformaticOptions(withOauth()).sasl!
    const errors: (Error | null)[] = []
    authBytesValidator!(Buffer.alloc(0), error => errors.push(error))
    authBytesValidator!(Buffer.from('{"status":"invalid_token"}'), error => errors.push(error))
    assert.equal(errors[0], null)
    assert.match(errors[1]!.message, /refused the token \(\{"status":"invalid_token"\}\)/)
    assert.equal(errors.length, 2)
  })

  it('show a token that a broker refused not for long', async () => {
    let issued = 0
    const fetched = mock.method(globalThis, 'fetch', async () =>
      Response.json({ access_token: `token ${++issued}`, expires_in: 3_600 })
    )
    const clock = mock.method(performance, 'now', () => 0)
    try {
      const { token, authBytesValidator } = platformaticOptions(withOauth()).sasl!
      assert.ok(typeof token === 'function')
      assert.equal(await token(), 'token 1')
      clock.mock.mockImplementation(() => 60_000)
      assert.equal(await token(), 'token 1')
      authBytesValidator!(Buffer.from('{"status":"invalid_token"}'), () => {})
      assert.equal(await token(), 'token 2')
    } finally {
      fetched.mock.restore()
      clock.mock.restore()
    }
  })
})

function withOauth(): ClusterConfig {
  return {
    ...plain,
    securityProtocol: 'SASL_PLAINTEXT',
    sasl: {
      mechanism: 'OAUTHBEARER',
      username: undefined,
      password: undefined,
      oauth: {
        tokenEndpoint: 'https://id.example/token',
        clientId: () => 'farlog',
        clientSecret: () => 'secret',
        scope: 'kafka'
      }
    }
  }
}
