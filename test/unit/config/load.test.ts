import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { loadConfig } from '../../../src/config/load.ts'
import { environment, MountedFiles } from './environment.ts'

describe('loadConfig', () => {
  it('fills in the documented defaults', () => {
    const { flows, ...rest } = loadConfig(environment())
    assert.deepEqual(rest, {
      topics: { include: ['.*'], exclude: ['.*[\\-\\.]internal', '.*\\.replica', '__.*'] },
      groups: { include: ['.*'], exclude: ['console-consumer-.*', 'connect-.*', '__.*', 'farlog-.*'] },
      replicationPolicy: 'default',
      replicationPolicySeparator: '.',
      replicationFactor: undefined,
      stallTimeoutMs: 120_000,
      start: 'earliest',
      delivery: 'exactly-once',
      compression: 'source',
      groupProtocol: 'classic',
      groupInstanceId: undefined,
      onGap: 'halt',
      refreshIntervalMs: 30_000,
      syncTopicConfigs: true,
      deleteTopicsAfterMs: 0,
      syncTopicAcls: false,
      syncGroupOffsets: true,
      checkpointIntervalMs: 5_000,
      heartbeatIntervalMs: 1_000,
      delayMs: 0,
      maxBytesPerSecond: 0,
      backlogSharePercent: 25,
      verifyBytesPerSecond: 0,
      threads: 1,
      http: { host: '0.0.0.0', port: 9464, token: undefined, tls: undefined },
      log: { level: 'info', format: 'json' }
    })
    const cluster = { securityProtocol: 'PLAINTEXT', tls: undefined, sasl: undefined }
    assert.deepEqual(flows, [
      {
        source: { alias: 'east', bootstrapServers: [{ host: 'east-1', port: 9092 }], ...cluster },
        destination: { alias: 'west', bootstrapServers: [{ host: 'west-1', port: 9092 }], ...cluster },
        groupId: 'farlog-east-west'
      }
    ])
  })

  it('reads what is given', () => {
    const config = loadConfig(
      environment({
        FARLOG_REPLICATION_FACTOR: '3',
        FARLOG_REFRESH_INTERVAL: '5m',
        FARLOG_CHECKPOINT_INTERVAL: '500ms',
        FARLOG_HEARTBEAT_INTERVAL: '2h',
        FARLOG_SYNC_TOPIC_ACLS: 'true',
        FARLOG_DELAY: '1h',
        FARLOG_MAX_BYTES_PER_SECOND: '10MiB',
        FARLOG_BACKLOG_SHARE: '100',
        FARLOG_GROUP_INSTANCE_ID: 'farlog-0',
        FARLOG_EAST_BOOTSTRAP_SERVERS: 'a:1, [::1]:2'
      })
    )
    assert.equal(config.replicationFactor, 3)
    assert.equal(config.refreshIntervalMs, 300_000)
    assert.equal(config.checkpointIntervalMs, 500)
    assert.equal(config.heartbeatIntervalMs, 7_200_000)
    assert.equal(config.syncTopicAcls, true)
    assert.equal(config.delayMs, 3_600_000)
    assert.equal(config.maxBytesPerSecond, 10_485_760)
    assert.equal(config.backlogSharePercent, 100)
    assert.equal(config.groupInstanceId, 'farlog-0')
    assert.deepEqual(config.flows[0]!.source.bootstrapServers, [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 }
    ])
  })

  it('takes an empty variable as not set, but an empty exclude list as excluding none', () => {
    const config = loadConfig(environment({ FARLOG_START: '', FARLOG_START_FILE: '', FARLOG_TOPICS_EXCLUDE: '' }))
    assert.equal(config.start, 'earliest')
    assert.deepEqual(config.topics.exclude, [])
  })

  it('gives each destination a flow and a group of its own', () => {
    const several = {
      FARLOG_DESTINATIONS: 'west,south-2.eu',
      FARLOG_SOUTH_2_EU_BOOTSTRAP_SERVERS: 'south-1:9092'
    }
    const groupsOf = (changes: NodeJS.ProcessEnv) => loadConfig(environment(changes)).flows.map(flow => flow.groupId)
    assert.deepEqual(groupsOf(several), ['farlog-east-west', 'farlog-east-south-2.eu'])
    assert.deepEqual(groupsOf({ ...several, FARLOG_GROUP_ID: 'mirror' }), ['mirror-west', 'mirror-south-2.eu'])
    assert.deepEqual(groupsOf({ FARLOG_GROUP_ID: 'mirror' }), ['mirror'])
  })

  it('takes any variable from a file, without its last newline alone', () => {
    using files = new MountedFiles()
    const config = loadConfig(
      environment({
        FARLOG_SOURCE: undefined,
        FARLOG_SOURCE_FILE: files.write('source', 'east\n'),
        FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
        FARLOG_EAST_SASL_MECHANISM_FILE: files.write('mechanism', 'SCRAM-SHA-256\r\n'),
        FARLOG_EAST_SASL_USERNAME: 'u',
        FARLOG_EAST_SASL_PASSWORD_FILE: files.write('password', ' p \n\n')
      })
    )
    assert.equal(config.flows[0]!.source.alias, 'east')
    const sasl = config.flows[0]!.source.sasl!
    assert.equal(sasl.mechanism, 'SCRAM-SHA-256')
    assert.equal(sasl.username!(), 'u')
    assert.equal(sasl.password!(), ' p \n')
  })

  it('reads a secret again at each call, and says which file is gone', () => {
    using files = new MountedFiles()
    const path = files.write('password', 'first')
    const config = loadConfig(
      environment({
        FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
        FARLOG_EAST_SASL_MECHANISM: 'PLAIN',
        FARLOG_EAST_SASL_USERNAME: 'u',
        FARLOG_EAST_SASL_PASSWORD_FILE: path
      })
    )
    const password = config.flows[0]!.source.sasl!.password!
    assert.equal(password(), 'first')
    writeFileSync(path, 'second\n')
    assert.equal(password(), 'second')
    files[Symbol.dispose]()
    assert.throws(password, { code: 'SECRET_UNREADABLE', message: /^FARLOG_EAST_SASL_PASSWORD_FILE: .*ENOENT/ })
  })

  it('reads TLS material from its paths at each call', () => {
    using files = new MountedFiles()
    const pem = (name: string) => `-----BEGIN ${name}-----\nAAAA\n-----END ${name}-----`
    const ca = files.write('ca.pem', pem('CERTIFICATE'))
    const config = loadConfig(
      environment({
        FARLOG_WEST_SECURITY_PROTOCOL: 'SSL',
        FARLOG_WEST_SSL_CA_FILE: ca,
        FARLOG_WEST_SSL_CERT_FILE: files.write('cert.pem', pem('CERTIFICATE')),
        FARLOG_WEST_SSL_KEY_FILE: files.write('key.pem', pem('PRIVATE KEY')),
        FARLOG_WEST_SSL_KEY_PASSPHRASE_FILE: files.write('passphrase', 'open\n')
      })
    )
    const tls = config.flows[0]!.destination.tls!
    assert.equal(tls.ca!(), pem('CERTIFICATE'))
    assert.equal(tls.key!(), pem('PRIVATE KEY'))
    assert.equal(tls.keyPassphrase!(), 'open')
    writeFileSync(ca, pem('NEXT'))
    assert.equal(tls.ca!(), pem('NEXT'))
  })

  it('gives OAUTHBEARER its client credentials', () => {
    const config = loadConfig(
      environment({
        FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_SSL',
        FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER',
        FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: 'https://id.example/token',
        FARLOG_EAST_OAUTH_CLIENT_ID: 'c',
        FARLOG_EAST_OAUTH_CLIENT_SECRET: 's'
      })
    )
    const { tls, sasl } = config.flows[0]!.source
    assert.deepEqual(tls, { ca: undefined, cert: undefined, key: undefined, keyPassphrase: undefined })
    const { tokenEndpoint, clientId, clientSecret, scope } = sasl!.oauth!
    assert.deepEqual(
      [tokenEndpoint, clientId(), clientSecret(), scope],
      ['https://id.example/token', 'c', 's', undefined]
    )
  })
})
