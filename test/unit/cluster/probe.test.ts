import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { tryControlPlaneLogin } from '../../../src/cluster/control-plane-login.ts'
import { NEEDED_APIS } from '../../../src/cluster/needed-apis.ts'
import { ProbeError, probeBroker } from '../../../src/cluster/probe.ts'
import type { ClusterConfig } from '../../../src/config/types.ts'
import { plainCluster } from '../../support/plain-cluster.ts'

const NO_TLS = plainCluster('east', '127.0.0.1:1')
const TLS: ClusterConfig = {
  ...NO_TLS,
  securityProtocol: 'SSL',
  tls: { ca: undefined, cert: undefined, key: undefined, keyPassphrase: undefined }
}

describe('probeBroker', function () {
  this.timeout(30_000)

  const servers: Server[] = []

  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  it('says that a name is not known, and that nobody listens', async () => {
    assert.equal(await layer(NO_TLS, 'no-such-host.invalid', 9092), 'dns')
    const server = await listen(createServer())
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    assert.equal(await layer(NO_TLS, '127.0.0.1', port), 'tcp')
  })

  it('says that it is not Kafka’s protocol, or not the one that is spoken there', async () => {
    const closing = await listen(createServer(socket => socket.destroy()))
    assert.equal(await layer(NO_TLS, '127.0.0.1', portOf(closing)), 'kafka')
    const plain = await listen(createServer(socket => void socket.once('data', () => socket.end('no TLS here'))))
    assert.equal(await layer(TLS, '127.0.0.1', portOf(plain)), 'tls')
  })

  it('says that a certificate is not trusted, and so does what group membership goes through', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'farlog-probe-'))
    try {
      const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
      const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
      execFileSync('openssl', [...request, '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' })
      const server = await listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }))
      assert.equal(await layer(TLS, '127.0.0.1', portOf(server)), 'tls')
      const cluster = { ...TLS, bootstrapServers: [{ host: '127.0.0.1', port: portOf(server) }] }
      await assert.rejects(tryControlPlaneLogin(cluster, 'test'), {
        code: 'AUTHENTICATION',
        message: /^east: the certificate of the broker could not be verified, .*: check FARLOG_EAST_SSL_CA_FILE \[/
      })
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  async function listen<S extends Server>(server: S): Promise<S> {
    servers.push(server)
    server.on('connection', socket => socket.on('error', () => {}))
    server.on('tlsClientError', () => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
})

describe('NEEDED_APIS', () => {
  /** Asked where Kafka may not know them: of KIP-848's groups, and by `farlog doctor`, which says so. */
  const NOT_NEEDED = new Set([
    'consumerGroupDescribeV0',
    'describeClientQuotasV1',
    'describeConfigsV4',
    'describeQuorumV1',
    'apiVersionsV3'
  ])

  it('names every request that is laid out here or called by its version', () => {
    const dir = join(import.meta.dirname, '../../../src/cluster')
    const sources = readdirSync(dir).map(file => readFileSync(join(dir, file), 'utf8'))
    const called = new Set(sources.flatMap(text => [...text.matchAll(/\b(\w+V\d+)\.api\b/g)].map(([, name]) => name!)))
    const listed = readFileSync(join(dir, 'needed-apis.ts'), 'utf8')
    const missing = [...called].filter(name => !NOT_NEEDED.has(name) && !listed.includes(name))
    assert.deepEqual(missing, [])
    assert.equal(new Set(NEEDED_APIS.map(({ key }) => key)).size, NEEDED_APIS.length)
  })
})

async function layer(cluster: ClusterConfig, host: string, port: number): Promise<string> {
  const probing = probeBroker(cluster, { host, port }, 'test')
  const error = await probing.then(
    () => assert.fail('it answered'),
    (thrown: unknown) => thrown
  )
  assert.ok(error instanceof ProbeError, String(error))
  return error.layer
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
