import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Examination } from '../../src/doctor/finding.ts'
import { logged } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, type LogLine, runFarlog } from '../support/farlog-process.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { itAtLength } from '../support/long.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { until } from '../support/wait.ts'
import { CertificateAuthority } from './support/certificates.ts'
import { MODES, type Mode, mutualTls, sasl } from './support/modes.ts'
import { changeScramPassword } from './support/scram.ts'
import { rotateAuthority, USER } from './support/secured-cluster.ts'
import { SecurityBed } from './support/security-bed.ts'
import { TokenEndpoint } from './support/token-endpoint.ts'

/** Most of a scenario is waiting. */
const AT_A_TIME = 5

describe('a worker whose clusters want to know who it is', function () {
  this.timeout(180_000)

  let bed: SecurityBed
  const scenarios = new Map<Mode, Promise<void>>()

  before(async () => {
    bed = await SecurityBed.start()
  })

  after(() => bed?.[Symbol.asyncDispose]())

  describe('at the start', () => {
    before(() => startScenarios())

    for (const mode of MODES) {
      it(`by ${mode.title}: says once at each side what is wrong, tries again, and mirrors when it is put right`, () =>
        scenarios.get(mode))
    }
  })

  function startScenarios(): void {
    const ends: Promise<void>[] = []
    for (const [index, mode] of MODES.entries()) {
      const before = ends[index - AT_A_TIME] ?? Promise.resolve()
      const scenario = before.then(() => comesInWithTheRightCredentials(mode))
      scenarios.set(mode, scenario)
      ends.push(scenario.catch(() => {}))
    }
  }

  describe('later', () => {
    it('says of each certificate and token that is no good what is wrong with it, and once', async () => {
      await bed.createTopic('untrusted')
      await using namelessTokens = new TokenEndpoint(USER, bed.secrets.clientSecret)
      await namelessTokens.start()
      namelessTokens.namesClient = false
      const tls = (alias: string, listener: string) => ({
        [`FARLOG_${alias}_BOOTSTRAP_SERVERS`]: bed.west.securedBootstrap(listener),
        [`FARLOG_${alias}_SECURITY_PROTOCOL`]: 'SSL',
        [`FARLOG_${alias}_SSL_CA_FILE`]: bed.authority.certFile
      })
      const worker = await bed.startWorker('untrusted', {
        FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.bootstrap,
        FARLOG_DESTINATIONS: 'expired,elsewhere,unknown,old,token',
        ...tls('EXPIRED', 'EXPIRED'),
        ...tls('ELSEWHERE', 'ELSEWHERE'),
        ...tls('UNKNOWN', 'UNKNOWN'),
        ...tls('OLD', 'MTLS'),
        FARLOG_OLD_SSL_CERT_FILE: bed.expiredClient.certFile,
        FARLOG_OLD_SSL_KEY_FILE: bed.expiredClient.keyFile,
        FARLOG_OLD_SSL_KEY_PASSPHRASE: bed.secrets.passphrase,
        FARLOG_TOKEN_BOOTSTRAP_SERVERS: bed.west.securedBootstrap('SASL'),
        FARLOG_TOKEN_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
        FARLOG_TOKEN_SASL_MECHANISM: 'OAUTHBEARER',
        FARLOG_TOKEN_OAUTH_TOKEN_ENDPOINT: namelessTokens.url,
        FARLOG_TOKEN_OAUTH_CLIENT_ID: USER,
        FARLOG_TOKEN_OAUTH_CLIENT_SECRET: bed.secrets.clientSecret
      })
      for (const refusal of [
        'expired: the certificate of the broker has expired, authentication failed (TLS): check the broker',
        'elsewhere: the certificate of the broker is for another host name, authentication failed (TLS): check the names',
        'unknown: the certificate of the broker is signed by no authority that is trusted, authentication failed (TLS): check FARLOG_UNKNOWN_SSL_CA_FILE',
        'old: the broker refused the client certificate, authentication failed (TLS): check FARLOG_OLD_SSL_CERT_FILE',
        'token: the broker refused the token, authentication failed (OAUTHBEARER): check FARLOG_TOKEN_OAUTH_CLIENT_ID'
      ]) {
        await logged(worker, new RegExp(`"warn".*${escaped(refusal)}`))
        await until(() => worker.logs.filter(line => isAbout(line, refusal)).length >= 3, {
          describe: 'three attempts'
        })
        assert.equal(linesWith(worker, refusal).length, 1, refusal)
      }
      bed.tokens.issued.push(...namelessTokens.issued)
      worker.kill('SIGTERM')
      assert.equal((await worker.exit).code, 0)
    })

    it('has a doctor that finds what group membership alone does not get through', async () => {
      await bed.createTopic('doctor')
      const env = {
        ...{ FARLOG_SOURCE: 'east', FARLOG_DESTINATIONS: 'west', FARLOG_TOPICS: 'doctor' },
        ...{ FARLOG_EAST_BOOTSTRAP_SERVERS: bed.east.securedBootstrap('TLS'), FARLOG_EAST_SECURITY_PROTOCOL: 'SSL' },
        ...{ FARLOG_WEST_BOOTSTRAP_SERVERS: bed.west.securedBootstrap('TLS'), FARLOG_WEST_SECURITY_PROTOCOL: 'SSL' },
        FARLOG_WEST_SSL_CA_FILE: bed.authority.certFile,
        // Node's business: librdkafka does not hear of it.
        NODE_EXTRA_CA_CERTS: bed.authority.certFile
      }
      const { code, stdout } = await runFarlog(['doctor', '--json'], env)
      const { findings } = JSON.parse(stdout) as Examination
      const problems = findings.filter(({ level }) => level === 'problem')
      assert.deepEqual(
        problems.map(({ check, about, remedy }) => [check, about, remedy]),
        [['connection', 'east', 'check FARLOG_EAST_SSL_CA_FILE']]
      )
      assert.match(problems[0]!.message, /^group membership, .* the certificate of the broker could not be verified/)
      assert.ok(findings.some(({ about, message }) => about === 'west' && /^group membership, .* too$/.test(message)))
      assert.equal(code, 1)
    })

    it('goes on without a restart when password and client secret are rotated while it mirrors', async () => {
      const topic = 'rotated-secrets'
      await bed.createTopic(topic)
      // Brokers want a new token before the old one ends.
      bed.tokens.lifeSeconds = 6
      const [east, west] = [sasl('SCRAM-SHA-512', 'SASL_TLS')(bed, 'east'), sasl('OAUTHBEARER', 'SASL')(bed, 'west')]
      east.putRight()
      west.putRight()
      const worker = await bed.startWorker(topic, { ...east.env, ...west.env })
      await caughtUp(worker, bed.eastAdmin, topic)
      await changeScramPassword(bed.east.bootstrap, USER, bed.secrets.nextPassword)
      bed.tokens.clientSecret = bed.secrets.nextClientSecret
      for (const { refusal } of [east, west]) await logged(worker, new RegExp(`"warn".*${escaped(refusal)}`))
      await bed.write(topic)
      writeFileSync(east.secretFile, bed.secrets.nextPassword)
      writeFileSync(west.secretFile, bed.secrets.nextClientSecret)
      await isMirrored(worker, topic)
      worker.kill('SIGTERM')
      assert.equal((await worker.exit).code, 0)
    })

    // Two brokers are started again, and the group waits for a session to end.
    itAtLength(
      'goes on without a restart when authorities and certificates of both sides are rotated',
      async function () {
        this.timeout(300_000)
        const topic = 'rotated-certificates'
        await bed.createTopic(topic)
        const [east, west] = [mutualTls(bed, 'east'), mutualTls(bed, 'west')]
        for (const side of [east, west]) side.putRight()
        const worker = await bed.startWorker(topic, { ...east.env, ...west.env })
        await caughtUp(worker, bed.eastAdmin, topic)

        const next = await CertificateAuthority.create(bed.dir, 'next')
        const client = await next.issue({ name: `mirror-${USER}`, passphrase: bed.secrets.passphrase })
        await Promise.all(
          (['east', 'west'] as const).map(async name => {
            await rotateAuthority(name, bed.authority, next)
            await bed[name].brokers[0]!.restart()
          })
        )
        await bed.write(topic)
        for (const alias of ['east', 'west']) {
          await logged(worker, new RegExp(`${alias}: the certificate of the broker is signed by no authority`))
        }
        for (const side of [east, west]) copyFileSync(next.certFile, side.caFile)
        for (const { refusal } of [east, west]) await logged(worker, new RegExp(`"warn".*${escaped(refusal)}`))
        // A key that is gone for a while, in the midst of it, is no reason to end.
        for (const alias of ['east', 'west']) {
          await logged(worker, new RegExp(`"cluster":"${alias}".*certificates have changed`))
        }
        for (const side of [east, west]) {
          copyFileSync(client.certFile, side.certFile)
          rmSync(side.keyFile)
        }
        await logged(worker, /_SSL_KEY_FILE: cannot read the file.*connecting to the group failed/)
        for (const side of [east, west]) copyFileSync(client.keyFile, side.keyFile)
        await isMirrored(worker, topic)
        worker.kill('SIGTERM')
        assert.equal((await worker.exit).code, 0)
      }
    )

    it('tells no secret, wherever it speaks', async () => {
      const [east, west] = [sasl('PLAIN', 'SASL')(bed, 'east'), sasl('PLAIN', 'SASL')(bed, 'west')]
      east.putRight()
      const topic = { FARLOG_SOURCE: 'east', FARLOG_DESTINATIONS: 'west', FARLOG_TOPICS: 'untrusted' }
      const env = {
        ...{ ...topic, ...east.env, ...west.env, FARLOG_LOG_LEVEL: 'trace' },
        // In the environment itself as well.
        FARLOG_EAST_SASL_PASSWORD_FILE: '',
        FARLOG_EAST_SASL_PASSWORD: bed.secrets.password,
        FARLOG_HTTP_TOKEN: bed.secrets.httpToken
      }
      const worker = await bed.startWorker('untrusted', env)
      await logged(worker, new RegExp(escaped(west.refusal)))
      const said: string[] = []
      for (const path of ['/', '/metrics', '/api/status', '/livez', '/readyz', `/${bed.secrets.httpToken}`]) {
        for (const headers of [{}, { authorization: `Bearer ${bed.secrets.httpToken}` }]) {
          said.push(await (await fetch(worker.url + path, { headers })).text())
        }
      }
      const commands = [['config'], ['config', '--json'], ['plan'], ['status']].map(command => runFarlog(command, env))
      for (const { stdout, stderr } of await Promise.all(commands)) said.push(stdout, stderr)
      for (const wrong of wrongConfigurations(bed.secrets.password, readFileSync(bed.client.keyFile, 'utf8'))) {
        const { code, stdout, stderr } = await runFarlog(['run'], { ...env, ...wrong })
        assert.equal(code, 78, stdout + stderr)
        said.push(stdout, stderr, (await runFarlog(['config'], { ...env, ...wrong })).stdout)
      }
      // Its endpoint repeats what it was shown.
      const refused = sasl('OAUTHBEARER', 'SASL')(bed, 'west').env
      const { stdout, stderr } = await runFarlog(['doctor'], { ...topic, ...east.env, ...refused })
      assert.match(stdout, /unknown secret \*{6}/)
      said.push(stdout, stderr, ...(await Promise.all([crash(env, 'main'), crash(env, 'thread')])))
      for (const { logs, otherOutput } of bed.workers) said.push(JSON.stringify(logs), ...otherOutput)

      const all = said.join('\n')
      assert.ok(all.length > 100_000, `only ${all.length} characters to look through`)
      const key = readFileSync(bed.client.keyFile, 'utf8')
        .split('\n')
        .filter(line => /^[A-Za-z0-9+/=]{20,}$/.test(line))
      assert.ok(key.length > 0)
      const secrets = [...Object.values(bed.secrets), ...bed.tokens.issued, ...key]
      assert.ok(bed.tokens.issued.length > 0)
      for (const secret of secrets) {
        for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
          const at = all.indexOf(form)
          assert.equal(at, -1, `${secret} in: ${all.slice(Math.max(0, at - 300), at + 100)}`)
        }
      }
      assert.deepEqual(readdirSync(bed.workingDir), [])
    })
  })

  /** A bug that throws what it should not, also what only its thread has come to know: what is printed of it. */
  async function crash(env: Readonly<Record<string, string>>, where: 'main' | 'thread'): Promise<string> {
    const bug = join(bed.dir, `bug-${where}.mjs`)
    writeFileSync(
      bug,
      `import { isMainThread } from 'node:worker_threads'
       import { noteSecret } from '${new URL('../../src/config/secret-values.ts', import.meta.url)}'
       const token = '${bed.secrets.threadToken}'
       if (isMainThread === ${where === 'main'}) {
         noteSecret(token)
         setTimeout(() => { throw new Error('planted bug with ' + process.env.FARLOG_EAST_SASL_PASSWORD + ' and ' + token) }, 3000)
       }`
    )
    const { code, stdout, stderr } = await runFarlog(['run'], {
      ...env,
      FARLOG_HTTP_PORT: '0',
      NODE_OPTIONS: `--import ${bug}`
    })
    assert.equal(code, 1)
    assert.match(stderr, /planted bug with \*{6} and \*{6}\n/)
    return stdout + stderr
  }

  async function comesInWithTheRightCredentials(mode: Mode): Promise<void> {
    const topic = mode.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    await bed.createTopic(topic)
    const [east, west] = [mode.east(bed, 'east'), mode.west(bed, 'west')]
    const worker = await bed.startWorker(topic, { ...east.env, ...west.env })
    await isRefused(worker, east.refusal)
    await triesMoreAndMoreSeldom(worker, east.refusal)
    east.putRight()
    await isRefused(worker, west.refusal)
    west.putRight()
    await worker.waitReady(60_000)
    await caughtUp(worker, bed.eastAdmin, topic)
    await bed.write(topic)
    await isMirrored(worker, topic)
    assert.deepEqual(linesWith(worker, east.refusal).length, 1)
    assert.deepEqual(linesWith(worker, west.refusal).length, 1)
    assert.deepEqual(worker.otherOutput, [])
    worker.kill('SIGTERM')
    assert.equal((await worker.exit).code, 0)
  }

  /** All twenty records, in order, once; and that is committed at both sides. */
  async function isMirrored(worker: FarlogProcess, topic: string): Promise<void> {
    await caughtUp(worker, bed.eastAdmin, topic)
    const copies = await readRecords(bed.west.bootstrap, `east.${topic}`)
    assert.deepEqual(
      sourceOffsets(copies),
      Array.from({ length: 20 }, (_, i) => i)
    )
    const { groupId } = (await worker.status()).flows[0]!
    await isCommitted(bed.eastAdmin, groupId, topic)
    await isCommitted(bed.westAdmin, groupId, `east.${topic}`)
  }

  /** A line that a person sees, and the reason in /readyz. */
  async function isRefused(worker: FarlogProcess, refusal: string): Promise<void> {
    await logged(worker, new RegExp(`"warn".*${escaped(refusal)}`))
    await until(
      async () => {
        const notReady = await fetch(`${worker.url}/readyz`)
        assert.equal(notReady.status, 503)
        const { reason } = (await notReady.json()) as { reason: string }
        assert.ok(reason.startsWith(refusal), reason)
        return true
      },
      { describe: '/readyz to have the reason' }
    )
  }

  async function triesMoreAndMoreSeldom(worker: FarlogProcess, refusal: string): Promise<void> {
    const [, , third, fourth] = await until(
      () => {
        const lines = worker.logs.filter(line => isAbout(line, refusal) && line.msg.startsWith('looking for topics'))
        if (lines.length < 4) throw new Error(`${lines.length}: ${JSON.stringify(worker.logs.slice(-8))}`)
        return lines.map(({ time }) => Date.parse(String(time)))
      },
      { timeoutMs: 60_000, describe: 'four attempts' }
    )
    // 0.5 s doubled twice, less the half that is left to chance.
    assert.ok(fourth! - third! >= 1_000, `${fourth! - third!} ms`)
  }

  async function isCommitted(admin: KafkaAdmin, groupId: string, topic: string): Promise<void> {
    await until(async () => (await admin.committedOffsets(groupId, topic)).get(0) === 20, {
      describe: `all of ${topic} to be committed`
    })
  }
})

/** Secrets where none belong, as people put them by mistake. */
function wrongConfigurations(secret: string, pem: string): Record<string, string>[] {
  const wrong = {
    FARLOG_WEST_SASL_PASSWORD_FILE: `/${secret}`,
    FARLOG_WEST_SSL_KEY_FILE: pem,
    FARLOG_WEST_SASL_PASSWROD: secret,
    FARLOG_WEST_BOOTSTRAP_SERVERS: `user:${secret}@localhost:9092`
  }
  return [
    { ...wrong, FARLOG_WEST_OAUTH_TOKEN_ENDPOINT: `https://user:${secret}@localhost/token` },
    { ...wrong, FARLOG_WEST_OAUTH_TOKEN_ENDPOINT: `https://localhost/token?secret=${secret}` }
  ]
}

/** Of those that an operator sees. */
function linesWith(worker: FarlogProcess, refusal: string): LogLine[] {
  return worker.logs.filter(line => isAbout(line, refusal) && ['warn', 'error'].includes(String(line.level)))
}

function isAbout(line: LogLine, refusal: string): boolean {
  return String(line.error).startsWith(refusal)
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
