import assert from 'node:assert/strict'
import { ConfigError, type ConfigProblem } from '../../../src/config/config-error.ts'
import { describeConfig } from '../../../src/config/describe.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { environment, MountedFiles } from './environment.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

function problemsOf(changes: NodeJS.ProcessEnv): readonly ConfigProblem[] {
  try {
    loadConfig(environment(changes))
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.problems
  }
  return []
}

/** Exactly one problem, so that no case passes by another's mistake or drags followers along. */
function assertProblem(changes: NodeJS.ProcessEnv, variable: string, problem: RegExp, remedy: RegExp = /./): void {
  const problems = problemsOf(changes)
  assert.deepEqual(
    problems.map(found => found.variable),
    [variable],
    JSON.stringify(problems)
  )
  assert.match(problems[0]!.problem, problem)
  assert.match(problems[0]!.remedy, remedy)
}

describe('configuration problems', () => {
  it('reports none for the smallest configuration', () => {
    assert.deepEqual(problemsOf({}), [])
  })

  it('reports all problems at once, one line each', () => {
    const env = environment({ FARLOG_ONGAP: 'halt', FARLOG_THREADS: '0', FARLOG_WEST_BOOTSTRAP_SERVERS: undefined })
    assert.throws(
      () => loadConfig(env),
      (error: Error) => {
        const lines = error.message.split('\n')
        assert.equal(lines.length, 3)
        assert.ok(lines.includes('FARLOG_ONGAP: unknown variable; did you mean FARLOG_ON_GAP?'))
        return true
      }
    )
  })

  describe('unknown variables', () => {
    it('suggests the nearest name', () => {
      assertProblem({ FARLOG_ONGAP: 'halt' }, 'FARLOG_ONGAP', /^unknown variable$/, /^did you mean FARLOG_ON_GAP\?$/)
      assertProblem({ FARLOG_TOPCIS: 'a' }, 'FARLOG_TOPCIS', /unknown/, /FARLOG_TOPICS\?/)
      const name = 'FARLOG_EAST_BOOTSTRAP_SERVER'
      assertProblem({ [name]: 'a:1' }, name, /unknown/, /FARLOG_EAST_BOOTSTRAP_SERVERS\?/)
    })

    it('suggests nothing where nothing is near', () => {
      assertProblem({ FARLOG_COFFEE: '1' }, 'FARLOG_COFFEE', /unknown/, /^unset it/)
    })

    it('knows that TLS material is given as files', () => {
      assertProblem({ FARLOG_EAST_SSL_CA: PEM }, 'FARLOG_EAST_SSL_CA', /unknown/, /FARLOG_EAST_SSL_CA_FILE\?/)
    })

    it('names the aliases for a per-cluster variable of none of them', () => {
      const name = 'FARLOG_NORTH_SASL_PASSWORD'
      assertProblem({ [name]: 'x' }, name, /belongs to no cluster: the aliases are east, west$/, /FARLOG_DESTINATIONS/)
      assertProblem({ [`${name}_FILE`]: '/x' }, `${name}_FILE`, /belongs to no cluster/)
    })

    it('suggests the alias that was mistyped', () => {
      const name = 'FARLOG_ESAT_SASL_MECHANISM'
      assertProblem({ [name]: 'PLAIN' }, name, /no cluster/, /^did you mean FARLOG_EAST_SASL_MECHANISM\?$/)
    })

    it('does not guess between one-letter aliases', () => {
      const env = {
        FARLOG_SOURCE: 'a',
        FARLOG_DESTINATIONS: 'b',
        FARLOG_A_BOOTSTRAP_SERVERS: 'a:1',
        FARLOG_B_BOOTSTRAP_SERVERS: 'b:1',
        FARLOG_C_BOOTSTRAP_SERVERS: 'c:1',
        FARLOG_EAST_BOOTSTRAP_SERVERS: undefined,
        FARLOG_WEST_BOOTSTRAP_SERVERS: undefined
      }
      assertProblem(env, 'FARLOG_C_BOOTSTRAP_SERVERS', /no cluster/, /FARLOG_DESTINATIONS/)
    })

    it('leaves the links alone that Kubernetes makes for Services called farlog…', () => {
      const links = {
        FARLOG_SERVICE_HOST: '10.0.0.1',
        FARLOG_SERVICE_PORT: '9464',
        FARLOG_SERVICE_PORT_METRICS: '9464',
        FARLOG_PORT: 'tcp://10.0.0.1:9464',
        FARLOG_PORT_9464_TCP: 'tcp://10.0.0.1:9464',
        FARLOG_PORT_9464_TCP_ADDR: '10.0.0.1',
        FARLOG_METRICS_SERVICE_HOST: '10.0.0.2'
      }
      assert.deepEqual(problemsOf(links), [])
      assertProblem({ FARLOG_PORT: '9464' }, 'FARLOG_PORT', /unknown/)
      assertProblem(
        { FARLOG_HTTP_PORT: 'tcp://10.0.0.1:80' },
        'FARLOG_HTTP_PORT',
        /Kubernetes service link/,
        /enableServiceLinks: false/
      )
    })
  })

  describe('required variables', () => {
    it('names the aliases first, without complaining about the variables of aliases it cannot know', () => {
      assertProblem({ FARLOG_SOURCE: undefined }, 'FARLOG_SOURCE', /^is required$/)
      assertProblem({ FARLOG_DESTINATIONS: '' }, 'FARLOG_DESTINATIONS', /^is required$/)
    })

    it('wants brokers for each cluster', () => {
      const name = 'FARLOG_EAST_BOOTSTRAP_SERVERS'
      assertProblem({ [name]: undefined }, name, /^is required$/)
    })
  })

  describe('values', () => {
    const cases: [variable: string, value: string, problem: RegExp, remedy: RegExp][] = [
      ['FARLOG_REFRESH_INTERVAL', '30', /"30" is not a duration/, /500ms, 30s, 5m, 2h/],
      ['FARLOG_REFRESH_INTERVAL', '1.5s', /not a duration/, /./],
      ['FARLOG_REFRESH_INTERVAL', '999ms', /too short/, /at least 1s/],
      ['FARLOG_REFRESH_INTERVAL', '25h', /too long/, /at most 24h/],
      ['FARLOG_CHECKPOINT_INTERVAL', '99ms', /too short/, /at least 100ms/],
      ['FARLOG_HEARTBEAT_INTERVAL', '-1s', /not a duration/, /./],
      ['FARLOG_DELAY', '1h30m', /not a duration/, /./],
      ['FARLOG_DELAY', '999ms', /too short/, /at least 1s, or 0s/],
      ['FARLOG_DELAY', '721h', /too long/, /at most 720h/],
      ['FARLOG_MAX_BYTES_PER_SECOND', '10', /not a size/, /512KiB/],
      ['FARLOG_MAX_BYTES_PER_SECOND', '63KiB', /too small/, /at least 64KiB, or 0 for no limit/],
      ['FARLOG_BACKLOG_SHARE', '0', /out of range/, /1 to 100/],
      ['FARLOG_BACKLOG_SHARE', '25%', /not a whole number/, /./],
      ['FARLOG_VERIFY_BYTES_PER_SECOND', '4', /not a size/, /16MiB/],
      ['FARLOG_VERIFY_BYTES_PER_SECOND', '1KiB', /too small/, /at least 16KiB/],
      ['FARLOG_THREADS', '0', /out of range/, /1 to 64/],
      ['FARLOG_THREADS', '65', /out of range/, /1 to 64/],
      ['FARLOG_THREADS', '2.5', /not a whole number/, /./],
      ['FARLOG_THREADS', '0x2', /not a whole number/, /./],
      ['FARLOG_HTTP_PORT', '65536', /out of range/, /0 to 65535/],
      ['FARLOG_HTTP_PORT', 'http', /not a whole number/, /./],
      ['FARLOG_REPLICATION_FACTOR', '0', /out of range/, /1 to 32767/],
      ['FARLOG_ON_GAP', 'stop', /"stop" is not a choice/, /^use halt or continue$/],
      ['FARLOG_START', 'EARLIEST', /not a choice/, /earliest or latest/],
      ['FARLOG_LOG_LEVEL', 'verbose', /not a choice/, /trace, debug, info/],
      ['FARLOG_SYNC_TOPIC_ACLS', 'yes', /"yes" is not a boolean/, /true or false/],
      ['FARLOG_REPLICATION_POLICY_SEPARATOR', '/', /part of a topic name/, /./],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', 'east-1', /"east-1" is not a broker address/, /host:port/],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', 'east-1:0', /not a broker address/, /1 to 65535/],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', 'east-1:70000', /not a broker address/, /1 to 65535/],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', 'kafka://east-1:9092', /not a broker address/, /./],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', 'east-1:9092,', /empty element/, /./],
      ['FARLOG_EAST_BOOTSTRAP_SERVERS', '::1:9092', /not a broker address/, /./],
      ['FARLOG_TOPICS', '(?=a)b', /look-around/, /RE2/],
      ['FARLOG_TOPICS', 'a(?<!b)', /look-around/, /RE2/],
      ['FARLOG_TOPICS', '(a)\\1', /back-reference/, /RE2/],
      ['FARLOG_TOPICS', 'ok,(a', /"\(a" is not a regular expression: missing closing \)/, /RE2/],
      ['FARLOG_TOPICS', 'a{2000}', /invalid repeat count/, /RE2/],
      ['FARLOG_TOPICS', ' , ', /no pattern/, /\.\*/],
      ['FARLOG_GROUPS_EXCLUDE', '*', /not a regular expression/, /RE2/],
      ['FARLOG_DESTINATIONS', 'we/st', /"we\/st" has a character/, /letters, digits/],
      ['FARLOG_SOURCE', 'east coast', /character/, /letters, digits/]
    ]
    for (const [variable, value, problem, remedy] of cases) {
      it(`refuses ${variable}=${value}`, () => assertProblem({ [variable]: value }, variable, problem, remedy))
    }

    it('keeps a long value to a short line', () => {
      const [problem] = problemsOf({ FARLOG_START: `a\n${'b'.repeat(10_000)}` })
      assert.ok(problem!.problem.length < 150)
      assert.ok(!problem!.problem.includes('\n'))
    })
  })

  describe('aliases', () => {
    it('refuses a destination named twice', () => {
      assertProblem({ FARLOG_DESTINATIONS: 'west,west' }, 'FARLOG_DESTINATIONS', /west is named twice/)
    })

    it('refuses the source as a destination', () => {
      assertProblem({ FARLOG_DESTINATIONS: 'west,east' }, 'FARLOG_DESTINATIONS', /east is the source too/)
    })

    it('refuses two aliases whose variables would be the same', () => {
      assertProblem({ FARLOG_DESTINATIONS: 'west,West' }, 'FARLOG_DESTINATIONS', /west and West .* FARLOG_WEST_/)
      const env = {
        FARLOG_DESTINATIONS: 'us-1,us.1',
        FARLOG_US_1_BOOTSTRAP_SERVERS: 'us:1',
        FARLOG_WEST_BOOTSTRAP_SERVERS: undefined
      }
      assertProblem(env, 'FARLOG_DESTINATIONS', /us-1 and us\.1 .* FARLOG_US_1_/, /rename/)
    })

    it('refuses a broker that belongs to source and destination', () => {
      const name = 'FARLOG_WEST_BOOTSTRAP_SERVERS'
      assertProblem({ [name]: 'west-1:9092,EAST-1:9092' }, name, /east-1:9092 is a broker of the source east too/)
      assert.deepEqual(problemsOf({ [name]: 'east-1:9093' }), [])
    })
  })

  describe('security', () => {
    const sasl = { FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_SSL' }
    const plain = { ...sasl, FARLOG_EAST_SASL_MECHANISM: 'PLAIN' }
    const oauth = { ...sasl, FARLOG_EAST_SASL_MECHANISM: 'OAUTHBEARER' }

    it('wants a mechanism for SASL', () => {
      assertProblem(sasl, 'FARLOG_EAST_SASL_MECHANISM', /is required: SASL_SSL needs a mechanism/)
      const wrong = { ...sasl, FARLOG_EAST_SASL_MECHANISM: 'GSSAPI' }
      assertProblem(wrong, 'FARLOG_EAST_SASL_MECHANISM', /"GSSAPI" is not a choice/, /SCRAM-SHA-512/)
    })

    it('wants the credentials of the mechanism', () => {
      assertProblem({ ...plain, FARLOG_EAST_SASL_USERNAME: 'u' }, 'FARLOG_EAST_SASL_PASSWORD', /is required: PLAIN/)
      assert.deepEqual(
        problemsOf({ ...oauth, FARLOG_EAST_OAUTH_TOKEN_ENDPOINT: 'https://id/token' }).map(({ variable }) => variable),
        ['FARLOG_EAST_OAUTH_CLIENT_ID', 'FARLOG_EAST_OAUTH_CLIENT_SECRET']
      )
    })

    it('refuses credentials that the mechanism does not use', () => {
      const env = { ...plain, FARLOG_EAST_SASL_USERNAME: 'u', FARLOG_EAST_SASL_PASSWORD: 'p' }
      assert.deepEqual(problemsOf(env), [])
      assertProblem({ ...env, FARLOG_EAST_OAUTH_SCOPE: 's' }, 'FARLOG_EAST_OAUTH_SCOPE', /PLAIN does not use it/)
    })

    it('refuses what an unprotected connection would not use', () => {
      const problem = /is set, but PLAINTEXT does not use it/
      const remedy = /FARLOG_EAST_SECURITY_PROTOCOL/
      assertProblem({ FARLOG_EAST_SASL_PASSWORD: 'p' }, 'FARLOG_EAST_SASL_PASSWORD', problem, remedy)
      using files = new MountedFiles()
      const ca = files.write('ca.pem', PEM)
      assertProblem({ FARLOG_EAST_SSL_CA_FILE: ca }, 'FARLOG_EAST_SSL_CA_FILE', problem, remedy)
    })

    it('wants a certificate with a key, a key with a certificate, and a key for a passphrase', () => {
      using files = new MountedFiles()
      const pem = files.write('some.pem', PEM)
      const ssl = { FARLOG_EAST_SECURITY_PROTOCOL: 'SSL' }
      assertProblem({ ...ssl, FARLOG_EAST_SSL_KEY_FILE: pem }, 'FARLOG_EAST_SSL_CERT_FILE', /without its certificate/)
      assertProblem({ ...ssl, FARLOG_EAST_SSL_CERT_FILE: pem }, 'FARLOG_EAST_SSL_KEY_FILE', /needs its private key/)
      assertProblem({ ...ssl, FARLOG_EAST_SSL_KEY_PASSPHRASE: 'x' }, 'FARLOG_EAST_SSL_KEY_FILE', /passphrase/)
    })

    it('wants TLS files that can be read and hold PEM', () => {
      using files = new MountedFiles()
      const ssl = { FARLOG_EAST_SECURITY_PROTOCOL: 'SSL' }
      const name = 'FARLOG_EAST_SSL_CA_FILE'
      assertProblem({ ...ssl, [name]: '/nowhere/ca.pem' }, name, /^cannot read the file \(ENOENT\)$/)
      assertProblem({ ...ssl, [name]: files.folder }, name, new RegExp(`^cannot read "${files.folder}" \\(EISDIR\\)$`))
      assertProblem({ ...ssl, [name]: files.write('ca.der', 'bytes') }, name, /holds no PEM block/)
    })

    it('shows no key, nor a part of one, that was put where the path of its file belongs', () => {
      using files = new MountedFiles()
      const key = 'MIGHAgEAMBMGByqGSM49/AgEGCCqGSM49AwEHBG0wawIBAQQg'.repeat(4)
      const pem = `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`
      const cert = files.write('cert.pem', PEM)
      const ssl = { FARLOG_EAST_SECURITY_PROTOCOL: 'SSL', FARLOG_EAST_SSL_CERT_FILE: cert }
      const name = 'FARLOG_EAST_SSL_KEY_FILE'
      assertProblem({ ...ssl, [name]: pem }, name, /^holds the contents of a file$/, /^give the path of the file, not/)
      for (const text of [pem, key, key.slice(0, 60), Buffer.from(pem).toString('base64'), `${key}\0`]) {
        for (const variable of [name, 'FARLOG_EAST_SASL_PASSWORD_FILE', 'FARLOG_HTTP_TLS_KEY_FILE']) {
          const env = environment({ ...ssl, FARLOG_EAST_SSL_KEY_FILE: cert, [variable]: text })
          const { variables, problems } = describeConfig(env)
          assert.ok(problems.length > 0)
          const shown = JSON.stringify({ variables, problems })
          for (const part of [text, key.slice(0, 20), text.slice(-20)]) assert.ok(!shown.includes(part), shown)
          const described = variables.find(entry => entry.variable === variable)
          if (described !== undefined) assert.equal(described.value, '******')
        }
      }
    })

    it('refuses a token endpoint that is no URL or carries credentials, without repeating it', () => {
      const rest = { ...oauth, FARLOG_EAST_OAUTH_CLIENT_ID: 'c', FARLOG_EAST_OAUTH_CLIENT_SECRET: 's' }
      const name = 'FARLOG_EAST_OAUTH_TOKEN_ENDPOINT'
      assertProblem({ ...rest, [name]: 'id/token' }, name, /^is not an http or https URL$/)
      assertProblem({ ...rest, [name]: 'https://u:p@id/token' }, name, /^holds credentials$/)
    })
  })

  describe('static membership', () => {
    it('is refused with the protocol under which a stopped worker would keep its partitions', () => {
      const instance = { FARLOG_GROUP_INSTANCE_ID: 'farlog-0' }
      assert.deepEqual(problemsOf(instance), [])
      const both = { ...instance, FARLOG_GROUP_PROTOCOL: 'consumer' }
      assertProblem(both, 'FARLOG_GROUP_INSTANCE_ID', /stopped worker/, /FARLOG_GROUP_PROTOCOL to classic/)
    })
  })

  describe('values from files', () => {
    it('refuses a variable given both ways', () => {
      using files = new MountedFiles()
      const path = files.write('start', 'latest\n')
      assertProblem(
        { FARLOG_START: 'latest', FARLOG_START_FILE: path },
        'FARLOG_START',
        /is set, and so is FARLOG_START_FILE/
      )
    })

    it('refuses a file that cannot be read or is empty', () => {
      using files = new MountedFiles()
      assertProblem({ FARLOG_START_FILE: '/nowhere/start' }, 'FARLOG_START_FILE', /cannot read the file \(ENOENT/)
      assertProblem({ FARLOG_START_FILE: files.write('empty', '\n') }, 'FARLOG_START_FILE', /is empty/)
    })

    it('does not call a required variable missing whose file is the problem', () => {
      assertProblem(
        { FARLOG_SOURCE: undefined, FARLOG_SOURCE_FILE: '/nowhere' },
        'FARLOG_SOURCE_FILE',
        /cannot read the file/
      )
      assertProblem(
        {
          FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
          FARLOG_EAST_SASL_MECHANISM: 'PLAIN',
          FARLOG_EAST_SASL_USERNAME: 'u',
          FARLOG_EAST_SASL_PASSWORD_FILE: '/nowhere'
        },
        'FARLOG_EAST_SASL_PASSWORD_FILE',
        /cannot read the file/
      )
    })
  })
})
