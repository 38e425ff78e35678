import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { GroupMember } from '../../../src/cluster/group-member.ts'
import { readSecurity } from '../../../src/cluster/kept-secrets.ts'
import { RecordProducer } from '../../../src/cluster/record-producer.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { environment, MountedFiles } from '../config/environment.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

describe('clients of librdkafka', () => {
  it('fail in a way that may pass where a file of theirs is gone for a moment', async () => {
    using files = new MountedFiles()
    const ca = files.write('ca.pem', PEM)
    const config = loadConfig(environment({ FARLOG_EAST_SECURITY_PROTOCOL: 'SSL', FARLOG_EAST_SSL_CA_FILE: ca }))
    const cluster = config.flows[0]!.source
    const listener = { assigned() {}, revoked: async () => {}, troubled() {}, outdated() {} }
    const options = { groupId: 'g', groupProtocol: 'classic', metadataRefreshMs: 1_000, clientId: 'test' } as const
    const newMember = () => new GroupMember({ cluster, listener, ...options })
    assert.doesNotThrow(newMember)
    files.remove('ca.pem')
    const failure = {
      name: 'ClusterError',
      code: 'AUTHENTICATION',
      retriable: true,
      message: /^east: FARLOG_EAST_SSL_CA_FILE: cannot read the file \(ENOENT/
    }
    assert.throws(newMember, failure)
    await assert.rejects(new RecordProducer(cluster, 'test').send('topic', 0, 'key', Buffer.alloc(0)), failure)
  })

  it('are given another token where a broker has refused theirs', async () => {
    const config = loadConfig(
      environment({
        FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
        FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER',
        FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: 'https://id.example/token',
        FARLOG_EAST_OAUTH_CLIENT_ID: 'farlog',
        FARLOG_EAST_OAUTH_CLIENT_SECRET: 's'
      })
    )
    let issued = 0
    const fetched = mock.method(globalThis, 'fetch', async () =>
      Response.json({ access_token: `token ${++issued}`, expires_in: 3_600 })
    )
    const clock = mock.method(performance, 'now', () => 0)
    const given: string[] = []
    const client = {
      isConnected: () => true,
      getClient: () => ({ setOAuthBearerToken: (token: string) => void given.push(token) })
    }
    try {
      const { options, secrets } = readSecurity(config.flows[0]!.source)
      await secrets.refused(client)
      assert.deepEqual(given, [], 'there was none to refuse')
      const ask = options.oauthbearer_token_refresh_cb as () => Promise<{ tokenValue: string }>
      assert.equal((await ask()).tokenValue, 'token 1')
      clock.mock.mockImplementation(() => 60_000)
      await secrets.refused(client)
      assert.deepEqual(given, ['token 2'])
      assert.equal((await ask()).tokenValue, 'token 2')
    } finally {
      fetched.mock.restore()
      clock.mock.restore()
    }
  })
})
