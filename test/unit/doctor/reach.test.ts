import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server, type TlsOptions } from 'node:tls'
import { Cluster } from '../../../src/cluster/cluster.ts'
import type { ClusterConfig } from '../../../src/config/types.ts'
import type { Finding } from '../../../src/doctor/finding.ts'
import { checkReach } from '../../../src/doctor/reach.ts'

describe('checkReach', function () {
  this.timeout(20_000)

  let dir: string
  let key: string
  let cert: string
  const servers: Server[] = []

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'farlog-reach-'))
    const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')]
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const subject = ['-subj', '/CN=elsewhere', '-addext', 'subjectAltName=DNS:elsewhere.example']
    execFileSync('openssl', [...made, ...subject, ...files], { stdio: 'ignore' })
    key = readFileSync(join(dir, 'key.pem'), 'utf8')
    cert = readFileSync(join(dir, 'cert.pem'), 'utf8')
  })
  after(() => rmSync(dir, { recursive: true, force: true }))
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  it('says of each failure of TLS what to do about that one', async () => {
    assert.equal((await problemWith({}, undefined)).remedy, 'check FARLOG_EAST_SSL_CA_FILE')
    assert.match((await problemWith({}, cert)).remedy!, /^check the names in it, the broker's advertised\.listeners/)
    // A cipher that this key cannot be used with.
    const old: TlsOptions = { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }
    assert.match((await problemWith(old, cert)).remedy!, /^check the protocol versions and ciphers that it takes/)
  })

  async function problemWith(options: TlsOptions, ca: string | undefined): Promise<Finding> {
    const server = createServer({ key, cert, ...options })
    servers.push(server)
    server.on('tlsClientError', () => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const bootstrapServers = [{ host: '127.0.0.1', port: (server.address() as AddressInfo).port }]
    const tls = {
      ca: ca === undefined ? undefined : () => ca,
      cert: undefined,
      key: undefined,
      keyPassphrase: undefined
    }
    const config: ClusterConfig = { alias: 'east', bootstrapServers, securityProtocol: 'SSL', tls, sasl: undefined }
    await using cluster = new Cluster(config, 'test')
    const problems: Finding[] = []
    const reached = await checkReach(cluster, 'test', finding => {
      if (finding.level === 'problem') problems.push(finding)
    })
    assert.equal(reached.roundTripMs, undefined)
    assert.equal(problems.length, 1, JSON.stringify(problems))
    return problems[0]!
  }
})
