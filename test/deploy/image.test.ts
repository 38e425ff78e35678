import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePorts } from '../support/free-port.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { ownFolder, spawnOwned } from '../support/owned-process.ts'
import { runAndCollect, runToEnd } from '../support/run-to-end.ts'
import { GiveUp, until } from '../support/wait.ts'
import { makeSbom, shippedPackages } from './sbom.ts'

const HADOLINT = join(PROJECT_DIR, '.tools/deploy/hadolint')
const dockerfile = read('Dockerfile')

/** No engine builds it here: it is linted, and what it copies is run where nothing else of the checkout is. */
describe('the image', function () {
  this.timeout(60_000)

  const folder = mkdtempSync(join(tmpdir(), 'farlog-image-'))
  const { remove } = ownFolder(folder)

  after(remove)

  it('pleases hadolint, which finds what is wrong', async () => {
    assert.deepEqual(await lint(dockerfile), [])
    const [root, shell] = [`${dockerfile}\nUSER root\n`, dockerfile.replace('CMD ["run"]', 'CMD run')]
    assert.ok((await lint(root)).includes('DL3002'), 'root as the last user')
    assert.ok((await lint(shell)).includes('DL3025'), 'a command that a shell would run')
  })

  it('has the Node that is tested', () => {
    const [, version] = /^NODE_VERSION='(.+)'$/m.exec(read('bin/setup')) ?? []
    assert.match(dockerfile, new RegExp(`^ARG NODE_VERSION=${version}$`, 'm'))
  })

  it('is built from what .dockerignore lets in, and from all of it', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter(line => line.startsWith('!'))
      .map(line => line.slice(1))
    assert.ok(read('.dockerignore').split('\n').includes('*'))
    assert.deepEqual(copied().toSorted(), allowed.toSorted())
  })

  it('runs with what it copies, writes no file, says that it lives, and ends when it is told to', async () => {
    for (const path of copied()) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      cpSync(join(PROJECT_DIR, path), join(folder, path), { recursive: true })
    }
    symlinkSync(join(PROJECT_DIR, 'node_modules'), join(folder, 'node_modules'))
    // As the runbook has it typed into a pod, wherever one is there.
    const [, path] = /^ENV .*\bPATH=(\S+)$/m.exec(dockerfile) ?? []
    const inImage = path
      ?.replaceAll('/app/', `${folder}/`)
      .replace('$PATH', `${dirname(process.execPath)}:${process.env.PATH}`)
    await runToEnd(['farlog', '--version'], { cwd: '/', env: { PATH: inImage } })
    const filesBefore = globSync('**', { cwd: folder, exclude: ['node_modules/**'] })
    const [port, closed] = await freePorts(2)
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: `127.0.0.1:${closed}`,
      FARLOG_WEST_BOOTSTRAP_SERVERS: `localhost:${closed}`,
      FARLOG_HTTP_PORT: String(port),
      // There is neither in a container whose root can't be written.
      HOME: '/nonexistent',
      TMPDIR: '/nonexistent'
    }
    const healthcheck = () => healthcheckCode(env)
    assert.equal(await healthcheck(), 1)
    const entrypoint = execForm('ENTRYPOINT').slice(2)
    assert.deepEqual(execForm('ENTRYPOINT').slice(0, 2), ['/usr/bin/tini', '--'])
    const worker = spawnOwned([...entrypoint, ...execForm('CMD')], { cwd: folder, env, stdio: 'ignore' })
    await until(
      async () => {
        if (!worker.isRunning()) throw new GiveUp(`the worker ended: ${JSON.stringify(await worker.exit)}`)
        return (await healthcheck()) === 0
      },
      { timeoutMs: 30_000, describe: 'the health check to pass' }
    )
    worker.signal('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
    assert.deepEqual(globSync('**', { cwd: folder, exclude: ['node_modules/**'] }), filesBefore)
  })

  it('looks whether it lives where it listens: by https where there is a certificate, and at the host that is set', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    await runToEnd(['openssl', ...request, '-subj', '/CN=farlog', '-keyout', key, '-out', cert])
    let status = 200
    const answer: RequestListener = ({ url }, response) =>
      void response.writeHead(url === '/livez' ? status : 404).end()
    const tls = { cert: readFileSync(cert), key: readFileSync(key) }
    const servers = [createTlsServer(tls, answer), createServer(answer)]
    try {
      const [secured, plain] = servers.map(server => server.listen(0, '127.0.0.2'))
      await Promise.all(servers.map(server => once(server, 'listening')))
      const env = (server: Server | undefined, more: Record<string, string>) => ({
        ...{ PATH: `${dirname(process.execPath)}:${process.env.PATH}`, FARLOG_HTTP_HOST: '127.0.0.2' },
        ...{ FARLOG_HTTP_PORT: String((server!.address() as AddressInfo).port), ...more }
      })
      const byHttps = env(secured, { FARLOG_HTTP_TLS_CERT_FILE: cert })
      assert.equal(await healthcheckCode(byHttps), 0)
      assert.equal(await healthcheckCode(env(plain, {})), 0)
      assert.equal(await healthcheckCode(env(secured, {})), 1)
      assert.equal(await healthcheckCode(env(plain, { FARLOG_HTTP_HOST: '' })), 1)
      status = 503
      assert.equal(await healthcheckCode(byHttps), 1)
    } finally {
      for (const server of servers) server.close()
    }
  })

  it('can be told in CycloneDX: each package that is installed, with its hash, and none of the developers’', async () => {
    const sbom = await makeSbom()
    assert.equal(sbom.bomFormat, 'CycloneDX')
    const listed = sbom.components.map(({ name, version }) => `${name}@${version}`)
    assert.deepEqual(listed.toSorted(), [...new Set(shippedPackages())].toSorted())
    assert.ok(listed.some(name => name.startsWith('@confluentinc/kafka-javascript@')))
    assert.ok(!listed.some(name => name.startsWith('mocha@')))
    for (const { name, purl, hashes } of sbom.components) {
      assert.match(purl, /^pkg:npm\//, name)
      assert.match(hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/, name)
    }
    const known = new Set([...sbom.components, sbom.metadata.component].map(component => component['bom-ref']))
    for (const { ref, dependsOn } of sbom.dependencies)
      for (const one of [ref, ...dependsOn]) assert.ok(known.has(one), one)
    assert.deepEqual(await makeSbom(), sbom)
  })

  /** The codes of what hadolint complains about. */
  async function lint(text: string): Promise<string[]> {
    const file = join(folder, 'Dockerfile')
    writeFileSync(file, text)
    const { stdout, stderr } = await runAndCollect([HADOLINT, '--format', 'json', file])
    assert.equal(stderr, '')
    return (JSON.parse(stdout) as { code: string }[]).map(({ code }) => code)
  }
})

async function healthcheckCode(env: Record<string, string>): Promise<number | null> {
  return (await runAndCollect(execForm('CMD', healthcheckLine()), { env })).code
}

/** What the Dockerfile takes from the checkout. */
function copied(): string[] {
  const lines = dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)
  const paths = Array.from(lines, ([, sources]) => sources!.split(' ')).flat()
  for (const path of paths) assert.ok(existsSync(join(PROJECT_DIR, path)), path)
  return paths
}

/** The last instruction of that name that is a JSON list. */
function execForm(instruction: string, text = dockerfile): string[] {
  const found = [...text.matchAll(new RegExp(`^\\s*${instruction} (\\[.+\\])$`, 'gm'))].at(-1)
  assert.ok(found, `${instruction} is no list`)
  return JSON.parse(found[1]!) as string[]
}

function healthcheckLine(): string {
  const [, command] = /^HEALTHCHECK .*\\\n(.+)$/m.exec(dockerfile) ?? []
  assert.ok(command)
  return command
}

function read(path: string): string {
  return readFileSync(join(PROJECT_DIR, path), 'utf8')
}
