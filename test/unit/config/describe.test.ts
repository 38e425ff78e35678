import assert from 'node:assert/strict'
import { configReference, describeConfig } from '../../../src/config/describe.ts'
import { FIXED, PER_CLUSTER } from '../../../src/config/variables.ts'
import { environment, MountedFiles } from './environment.ts'

describe('describeConfig', () => {
  const described = (env: NodeJS.ProcessEnv, variable: string) =>
    describeConfig(env).variables.find(entry => entry.variable === variable)!

  it('tells each value and where it came from', () => {
    using files = new MountedFiles()
    const path = files.write('start', 'latest\n')
    const env = environment({ FARLOG_THREADS: '2', FARLOG_START_FILE: path })
    const valueAndOrigin = (variable: string) => {
      const { value, origin } = described(env, variable)
      return [value, origin]
    }
    assert.deepEqual(valueAndOrigin('FARLOG_THREADS'), ['2', 'environment'])
    assert.deepEqual(valueAndOrigin('FARLOG_START'), ['latest', `file ${path}`])
    assert.deepEqual(valueAndOrigin('FARLOG_ON_GAP'), ['halt', 'default'])
    assert.deepEqual(valueAndOrigin('FARLOG_REPLICATION_FACTOR'), [null, 'default'])
    assert.deepEqual(valueAndOrigin('FARLOG_GROUP_ID'), ['farlog-east-west', 'default'])
  })

  it('holds every variable of every cluster', () => {
    const { variables, problems } = describeConfig(environment())
    assert.equal(variables.length, Object.keys(FIXED).length + 2 * Object.keys(PER_CLUSTER).length)
    assert.deepEqual(problems, [])
  })

  it('shows no secret, right or wrong, given directly or in a file', () => {
    using files = new MountedFiles()
    const secrets = {
      FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_SSL',
      FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER',
      FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: 'https://user:hunter2@id/token',
      FARLOG_EAST_OAUTH_CLIENT_ID: 'client',
      FARLOG_EAST_OAUTH_CLIENT_SECRET_FILE: files.write('secret', 'hunter2'),
      FARLOG_EAST_SASL_PASSWORD: 'hunter2',
      FARLOG_WEST_SSL_KEY_PASSPHRASE: 'hunter2'
    }
    const env = environment(secrets)
    assert.ok(!JSON.stringify(describeConfig(env)).includes('hunter2'))
    for (const name of ['EAST_OAUTH_CLIENT_SECRET', 'EAST_SASL_PASSWORD', 'WEST_SSL_KEY_PASSPHRASE']) {
      assert.equal(described(env, `FARLOG_${name}`).value, '******')
    }
    assert.equal(described(environment(), 'FARLOG_EAST_SASL_PASSWORD').value, null)
  })

  it('describes a broken configuration together with its problems', () => {
    const { variables, problems } = describeConfig({ FARLOG_THREADS: 'many' })
    assert.equal(variables.find(({ variable }) => variable === 'FARLOG_THREADS')!.value, 'many')
    assert.deepEqual(
      problems.map(({ variable }) => variable),
      ['FARLOG_SOURCE', 'FARLOG_DESTINATIONS', 'FARLOG_THREADS']
    )
  })
})

describe('configReference', () => {
  it('has a row with default and meaning for each variable', () => {
    const lines = configReference().trimEnd().split('\n')
    assert.deepEqual(lines.slice(0, 2), ['| variable | default | meaning |', '| --- | --- | --- |'])
    assert.equal(lines.length - 2, Object.keys(FIXED).length + Object.keys(PER_CLUSTER).length)
    for (const line of lines) assert.equal(line.split(' | ').length, 3, line)
    assert.ok(
      lines.some(line => line.startsWith('| `FARLOG_TOPICS_EXCLUDE` | `.*[\\-\\.]internal,.*\\.replica,__.*` | '))
    )
    assert.ok(lines.some(line => line.startsWith('| `FARLOG_<ALIAS>_SASL_PASSWORD` |  | ')))
  })
})
